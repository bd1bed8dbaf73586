// SPDX-License-Identifier: Apache-2.0
// What the watermarks topic said at the start: read back whole, the last value of each wanted key kept.
// Failure classes: a broker that is away is waited for, with backoff; FATAL through on_error.
#ifndef ING_WATERMARKS_H
#define ING_WATERMARKS_H

#include "common/kafka.h"

struct ing_store;

struct ing_store_ops {
    bool (*wants)(void *arg, struct mf_str key);
    void (*on_ready)(void *arg);                             // once
    void (*on_error)(void *arg, const struct mf_error *err); // FATAL or CONFIG
    void *arg;
};

struct ing_store *ing_store_new(const struct mf_kafka_config *kafka, const char *topic,
                                const struct ing_store_ops *ops);
void ing_store_free(struct ing_store **store);
void ing_store_read(struct ing_store *store); // begins; on_ready or on_error follows
bool ing_store_is_ready(const struct ing_store *store);
// The value of a key, absent when there is none (or a tombstone). Valid until the store is freed.
struct mf_str ing_store_get(const struct ing_store *store, struct mf_str key);
// Every key that has a value, in no order.
void ing_store_each(const struct ing_store *store,
                    void (*fn)(void *arg, struct mf_str key, struct mf_str value), void *arg);

#endif
