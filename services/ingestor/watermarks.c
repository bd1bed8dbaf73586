// SPDX-License-Identifier: Apache-2.0
// Reading the watermarks topic back (see watermarks.h).
#include "services/ingestor/watermarks.h"

#include <stdlib.h>

#include "common/backoff.h"
#include "common/hash.h"

enum { BUCKETS = 4096, STALL_MS = 15000, RETRY_BASE_MS = 250, RETRY_MAX_MS = 10000 };

struct entry {
    struct entry *next;
    char *key, *value;
    size_t key_len, value_len;
};

struct ing_store {
    struct mf_kafka_config kafka;
    char *topic;
    struct ing_store_ops ops;
    struct mf_kafka_reader *reader;
    struct mf_timer *retry_timer;
    struct mf_deferred *ended; // the reader cannot be freed inside its own callback
    struct mf_error err;
    bool failed, ready;
    int64_t next_offset; // behind the last record that was read
    struct mf_backoff backoff;
    struct entry *buckets[BUCKETS];
};

// The entry of a key, and the bucket it is in or would go to.
static struct entry *find(const struct ing_store *store, struct mf_str key, size_t *bucket)
{
    *bucket = mf_hash64(key.data, key.len) % BUCKETS;
    struct entry *entry = store->buckets[*bucket];
    while (entry != NULL && !mf_str_eq(key, (struct mf_str){entry->key, entry->key_len}))
        entry = entry->next;
    return entry;
}

static void free_entry(struct entry *entry)
{
    free(entry->key);
    free(entry->value);
    free(entry);
}

static void forget_all(struct ing_store *store)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry; (entry = store->buckets[i]) != NULL;) {
            store->buckets[i] = entry->next;
            free_entry(entry);
        }
    }
}

void ing_store_set(struct ing_store *store, struct mf_str key, struct mf_str value)
{
    size_t bucket;
    struct entry *entry = find(store, key, &bucket);
    struct entry **at = &store->buckets[bucket];
    while (entry != NULL && *at != entry)
        at = &(*at)->next;
    if (value.data == NULL) {
        if (entry != NULL) {
            *at = entry->next;
            free_entry(entry);
        }
        return;
    }
    if (entry == NULL) {
        entry = mf_calloc(1, sizeof *entry);
        entry->key = mf_strndup(key);
        entry->key_len = key.len;
        entry->next = store->buckets[bucket];
        store->buckets[bucket] = entry;
    }
    free(entry->value);
    entry->value = mf_strndup(value);
    entry->value_len = value.len;
}

// In the order of writing: the last value of a key wins, as compaction has it.
static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct ing_store *store = arg;
    store->next_offset = message->offset + 1;
    if (message->key.data == NULL || !store->ops.wants(store->ops.arg, message->key))
        return;
    ing_store_set(store, message->key, message->value);
    if (store->ops.seen != NULL)
        store->ops.seen(store->ops.arg, message->key, message->value);
}

static void on_done(void *arg)
{
    struct ing_store *store = arg;
    store->ready = true;
    mf_deferred_schedule(store->ended);
}

static void on_error(void *arg, const struct mf_error *err)
{
    struct ing_store *store = arg;
    store->failed = true;
    store->err = *err;
    mf_deferred_schedule(store->ended);
}

// Without the watermarks everything would be fetched again, so they are waited for.
static void retry_later(struct ing_store *store, const struct mf_error *err)
{
    if (err->class != MF_ERROR_TRANSIENT && err->class != MF_ERROR_UNCERTAIN) {
        store->ops.on_error(store->ops.arg, err);
        return;
    }
    mf_log_error(store->kafka.log, MF_LOG_WARNING, "watermarks", "watermarks_wait", err,
                 "reading the watermarks back");
    mf_timer_arm_ms(store->retry_timer, mf_backoff_next_ms(&store->backoff));
}

static void on_ended(void *arg)
{
    struct ing_store *store = arg;
    mf_kafka_reader_free(&store->reader);
    if (store->failed) {
        store->failed = false;
        retry_later(store, &store->err);
        return;
    }
    store->ops.on_ready(store->ops.arg);
}

static void begin(void *arg)
{
    struct ing_store *store = arg;
    struct mf_kafka_reader_ops ops = {
        .on_message = on_message, .on_done = on_done, .on_error = on_error, .arg = store};
    struct mf_error err;
    // A reading that failed goes on from what it had, as does a later one.
    if (mf_kafka_reader_new(&store->kafka, store->topic, STALL_MS, &ops, &store->reader, &err) < 0)
        retry_later(store, &err);
    else
        mf_kafka_reader_start_at(store->reader, store->next_offset);
}

struct ing_store *ing_store_new(const struct mf_kafka_config *kafka, const char *topic,
                                const struct ing_store_ops *ops)
{
    struct ing_store *store = mf_calloc(1, sizeof *store);
    store->kafka = *kafka;
    store->ops = *ops;
    store->topic = mf_strdup(topic);
    store->retry_timer = mf_timer_new(kafka->loop, begin, store);
    store->ended = mf_deferred_new(kafka->loop, on_ended, store);
    mf_backoff_init(&store->backoff, RETRY_BASE_MS, RETRY_MAX_MS, mf_random_seed());
    return store;
}

void ing_store_free(struct ing_store **store)
{
    struct ing_store *old = *store;
    if (old == NULL)
        return;
    *store = NULL;
    mf_kafka_reader_free(&old->reader);
    mf_timer_free(&old->retry_timer);
    mf_deferred_free(&old->ended);
    forget_all(old);
    free(old->topic);
    free(old);
}

void ing_store_read(struct ing_store *store)
{
    begin(store);
}

bool ing_store_is_ready(const struct ing_store *store)
{
    return store->ready;
}

struct mf_str ing_store_get(const struct ing_store *store, struct mf_str key)
{
    size_t bucket;
    const struct entry *entry = find(store, key, &bucket);
    if (entry == NULL)
        return MF_STR_NULL;
    return (struct mf_str){entry->value, entry->value_len};
}

void ing_store_each(const struct ing_store *store,
                    void (*fn)(void *arg, struct mf_str key, struct mf_str value), void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct entry *entry = store->buckets[i]; entry != NULL; entry = entry->next) {
            fn(arg, (struct mf_str){entry->key, entry->key_len},
               (struct mf_str){entry->value, entry->value_len});
        }
    }
}
