// SPDX-License-Identifier: Apache-2.0
// What the watermarks topic says: read back whole at the start, on from there when asked again; the last
// value of each wanted key is kept. Failure classes: a broker that is away is waited for, with backoff; FATAL
// through on_error.
#ifndef ING_WATERMARKS_H
#define ING_WATERMARKS_H

#include "common/kafka.h"

struct ing_store;

struct ing_store_ops {
    bool (*wants)(void *arg, struct mf_str key);
    // Every record of a wanted key, in the order of writing; absent value = tombstone. May be NULL.
    void (*seen)(void *arg, struct mf_str key, struct mf_str value);
    void (*on_ready)(void *arg);                             // once per reading
    void (*on_error)(void *arg, const struct mf_error *err); // FATAL or CONFIG
    void *arg;
};

struct ing_store *ing_store_new(const struct mf_kafka_config *kafka, const char *topic,
                                const struct ing_store_ops *ops);
void ing_store_free(struct ing_store **store);
// Begins; on_ready or on_error follows, and not before it the next reading. All that was acknowledged before
// the call is known after it.
void ing_store_read(struct ing_store *store);
bool ing_store_is_ready(const struct ing_store *store);
// The value of a key, absent when there is none (or a tombstone). Valid until the next reading.
struct mf_str ing_store_get(const struct ing_store *store, struct mf_str key);
// Replaces what is known of a key; absent value = forgets it.
void ing_store_set(struct ing_store *store, struct mf_str key, struct mf_str value);
// Every key that has a value, in no order.
void ing_store_each(const struct ing_store *store,
                    void (*fn)(void *arg, struct mf_str key, struct mf_str value), void *arg);

#endif
