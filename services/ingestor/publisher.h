// SPDX-License-Identifier: Apache-2.0
// Publishing: events, dead letters, heartbeats and watermarks to Kafka, with an account of deliveries per
// batch. A page is a batch; its watermark may move only when the batch is done, that is, when every record of
// it is acknowledged.
//
// Nothing is dropped: above 80 % of the producer's queue the publisher is under pressure (no new request may
// start), and a full queue is the TRANSIENT error "queue_full", after which on_room says when to go on.
// Failure classes: TRANSIENT (go on after on_room), POISON (of one event: dead letter), FATAL (through
// on_fatal).
#ifndef ING_PUBLISHER_H
#define ING_PUBLISHER_H

#include "common/kafka.h"
#include "services/ingestor/metrics.h"
#include "services/ingestor/offsets.h"
#include "services/ingestor/settings.h"

struct ing_publisher;
struct ing_batch;

struct ing_publisher_ops {
    void (*on_room)(void *arg);
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

int ing_publisher_new(const struct mf_kafka_config *kafka, const struct ing_config *config,
                      const struct ing_publisher_ops *ops, struct ing_publisher **publisher,
                      struct mf_error *err);
void ing_publisher_free(struct ing_publisher **publisher); // no callbacks any more

bool ing_publisher_pressure(const struct ing_publisher *publisher);
// As many bytes are on their way to the broker as keep it busy: nothing is refused, but more would only take
// memory. on_room says when to go on.
bool ing_publisher_busy(struct ing_publisher *publisher);
bool ing_publisher_connected(const struct ing_publisher *publisher);
size_t ing_publisher_outstanding(const struct ing_publisher *publisher);
// Partition count of a topic. TRANSIENT when the broker or the topic is not there. Blocks up to 200 ms.
int ing_publisher_partitions(struct ing_publisher *publisher, const char *topic, int32_t *count,
                             struct mf_error *err);

// done is called once, after seal, when nothing of the batch is outstanding: err is NULL, or the first
// delivery's failure. It may come from within seal.
typedef void (*ing_batch_fn)(void *arg, const struct mf_error *err);
struct ing_batch *ing_batch_new(struct ing_publisher *publisher, ing_batch_fn done, void *arg);
void ing_batch_seal(struct ing_batch *batch);
void ing_batch_abandon(struct ing_batch **batch); // done will not be called; NULL-safe
// Keeps the offsets of what is acknowledged on the topic in *offsets, which must live as long as the batch
// has an owner. Also of a batch of which another record fails: they are on the topic.
void ing_batch_note(struct ing_batch *batch, const char *topic, struct ing_offsets *offsets);
uint64_t ing_batch_dead_letters(const struct ing_batch *batch);

// Encodes the event (POISON when it is not valid), keeping the text for ing_publisher_send.
int ing_publisher_encode(struct ing_publisher *publisher, const struct mf_event *event, struct mf_error *err);
// Sends what was encoded last, keyed by symbol.
int ing_publisher_send(struct ing_publisher *publisher, struct ing_batch *batch, const char *topic,
                       struct mf_str key, struct mf_error *err);

struct ing_reject { // why something of an answer is no event
    const struct ing_work *work;
    struct mf_str symbol; // of the row, where it may be another than the work's; absent = the work's
    const char *lane;
    const char *reason, *detail;
    struct mf_str raw;
    const char *request_id; // "" = none
    enum mf_provenance_mode mode;
    unsigned flags;
    int64_t page, index; // index -1 = the whole answer
    int64_t time_us;     // when it was asked for
    unsigned attempts;
};
int ing_publisher_dead_letter(struct ing_publisher *publisher, struct ing_batch *batch,
                              const struct ing_reject *reject, struct mf_error *err);

// One heartbeat on one partition; batch may be NULL.
int ing_publisher_heartbeat(struct ing_publisher *publisher, struct ing_batch *batch, const char *topic,
                            int32_t partition, const struct mf_event *event, struct mf_error *err);
// value absent = tombstone. batch may be NULL: then a failure is only counted, and the next watermark makes
// up for it.
int ing_publisher_watermark(struct ing_publisher *publisher, struct ing_batch *batch, struct mf_str key,
                            struct mf_str value, struct mf_error *err);
// A record of the request budget, keyed by what stands for the provider's key.
int ing_publisher_budget(struct ing_publisher *publisher, struct ing_batch *batch, struct mf_str key,
                         struct mf_str value, struct mf_error *err);

#endif
