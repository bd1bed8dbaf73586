// SPDX-License-Identifier: Apache-2.0
// Inside of the Kafka wrapper, shared by common/kafka_*.c: what every client has (handle, queue, wake-up,
// log, statistics), the configuration, the error table, the partitions of an assignment. librdkafka's types
// are only named here, so that its header stays in the .c files.
#ifndef MF_KAFKA_CLIENT_H
#define MF_KAFKA_CLIENT_H

#include "json_reader.h"
#include "kafka.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_error_s;
struct rd_kafka_message_s;
struct rd_kafka_op_s; // an event
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;

#define KAFKA_TURN_EVENTS 500
#define KAFKA_TURN_US (5 * MF_US_PER_MS)
#define KAFKA_TURN_CLOCK_EVERY 32 // events between two looks at the clock

// ---------------------------------------------------------------- errors (kafka_error.c)
// code is a rd_kafka_resp_err_t. The class and the stable reason of a code; every code has one.
enum mf_error_class kafka_error_class(int code, const char **reason);
// Fills err from a code: "<fmt…>: <librdkafka's text>". Returns -1.
int kafka_error_set(struct mf_error *err, int code, const char *fmt, ...) MF_PRINTF(3, 4);
// The same from an error object of the transactional calls, which also says retriable, abortable, fatal.
// Destroys it. Returns -1.
int kafka_error_take(struct mf_error *err, struct rd_kafka_error_s *error, const char *doing);

// ---------------------------------------------------------------- configuration (kafka_config.c)
enum kafka_role {
    KAFKA_ROLE_PRODUCER,
    KAFKA_ROLE_TRANSACTIONAL,
    KAFKA_ROLE_CONSUMER,
    KAFKA_ROLE_READER,   // a consumer of whole topics, without membership
    KAFKA_ROLE_PROBE,    // finds the ends of a topic, open transactions included
    KAFKA_ROLE_FOLLOWER, // reads on at the end of a partition that seldom has something new
    KAFKA_ROLE_ADMIN,
    KAFKA_ROLE_MAX
};
struct kafka_role_config {
    enum kafka_role role;
    const char *transactional_id; // TRANSACTIONAL
    const char *group;            // CONSUMER, READER, PROBE
    bool read_committed;          // CONSUMER
};
// The whole configuration of a client; the caller owns it. CONFIG "kafka_config" naming the refused property.
int kafka_config_new(const struct mf_kafka_config *config, const struct kafka_role_config *role,
                     struct rd_kafka_conf_s **conf, struct mf_error *err);
// Does this librdkafka shorten the pause after a full consumer queue by itself (fetch.queue.backoff.ms)?
bool kafka_config_has_fetch_backoff(void);
const char *kafka_role_name(enum kafka_role role);
int32_t kafka_config_partitions(const struct mf_settings *settings, const char *topic);
int kafka_config_transaction_timeout_ms(const struct mf_settings *settings);
// Replaces every secret of the settings that occurs in text by "********".
void kafka_config_redact(const struct mf_settings *settings, char *text);

// ---------------------------------------------------------------- wake-up (kafka_wake.c)
// One eventfd per queue: librdkafka writes it when something is put into an empty queue, the loop then calls
// drain. A timer calls drain every second too: a wake-up can get lost (see docs/kafka.md).
struct kafka_wake {
    struct rd_kafka_queue_s *queue;
    int fd;
    struct mf_fd *watch;
    struct mf_timer *fallback;
    void (*drain)(void *owner);
    void *owner;
};
int kafka_wake_start(struct kafka_wake *wake, struct mf_loop *loop, struct rd_kafka_queue_s *queue,
                     void (*drain)(void *owner), void *owner, struct mf_error *err);
void kafka_wake_again(struct kafka_wake *wake); // drain is called in another turn, soon
void kafka_wake_stop(struct kafka_wake *wake);  // before the queue is given back
void kafka_wake_close(struct kafka_wake *wake); // after the handle is destroyed

// ---------------------------------------------------------------- client (kafka_client.c)
struct kafka_stats;

struct kafka_client {
    struct mf_kafka_config config; // the strings are the caller's
    enum kafka_role role;
    struct rd_kafka_s *rk;
    struct rd_kafka_queue_s *queue; // of delivery reports or messages, and of everything else
    struct kafka_wake wake;
    struct kafka_stats *stats;
    unsigned depth; // calls into the owner's callbacks, or drains, in progress
    bool dying;     // freed inside a callback: ends with the outermost drain
    bool connected;
    bool fatal_seen; // told, or about to be told
    bool fatal_pending;
    // Set by the owner; called at most once, never from inside a call of the owner.
    void (*on_fatal)(void *owner, const struct mf_error *err);
    void (*on_statistics)(void *owner, const struct mf_json_node *root); // may be NULL
    void *owner;
};

// Makes the handle and its wake-up; takes conf in every case. The client is zeroed memory with on_fatal,
// on_statistics and owner set.
int kafka_client_open(struct kafka_client *client, const struct mf_kafka_config *config, enum kafka_role role,
                      struct rd_kafka_conf_s *conf, void (*drain)(void *owner), struct mf_error *err);
// Stops the wake-up, gives the queue back and destroys the handle: a few ms, 5 s at most (then the handle is
// left behind and logged). What the owner still holds of librdkafka must be gone by then. Idempotent. False:
// the handle lives on, and what was lent to it must stay where it is.
bool kafka_client_close(struct kafka_client *client);
// Logs, statistics and errors that concern no partition. True when the event was one of them.
bool kafka_client_event(struct kafka_client *client, struct rd_kafka_op_s *event);
// Tells a pending fatal error. Called from the drain.
void kafka_client_tell_fatal(struct kafka_client *client);
// Fills err with the fatal error of the handle; false when there is none.
bool kafka_client_fatal(struct kafka_client *client, struct mf_error *err);
// The value of a property in effect, for tests.
bool kafka_client_property(const struct kafka_client *client, const char *name, char *value, size_t size);
// Assigns partitions (NULL: none) and waits, for tenths of a millisecond, until those that were assigned
// before have been stopped. Not while the consumer closes. Returns librdkafka's code.
int kafka_client_assign(struct kafka_client *client, const struct rd_kafka_topic_partition_list_s *list);
// Asks for a topic's partition count; blocks up to timeout_ms.
int kafka_client_partition_count(struct kafka_client *client, struct rd_kafka_topic_s *topic, int timeout_ms,
                                 int32_t *count, struct mf_error *err);

// ---------------------------------------------------------------- fetching (kafka_fetch.c)
struct kafka_fetch {
    bool wake;          // librdkafka does not do it by itself
    int queue_peak;     // messages queued, highest since the last wake
    size_t bytes;       // taken since the last wake
    size_t limit_bytes; // of the queue
};
void kafka_fetch_init(struct kafka_fetch *fetch, const struct mf_settings *settings);
// Wakes the fetching threads of a consumer, which may be asleep for up to a second.
void kafka_fetch_wake(const struct kafka_client *client);
// After each turn of a consumer: wakes them when the queue has run low.
void kafka_fetch_turn(struct kafka_fetch *fetch, struct kafka_client *client);

// ---------------------------------------------------------------- statistics (kafka_stats.c)
struct kafka_stats *kafka_stats_new(struct mf_metrics *metrics);
void kafka_stats_free(struct kafka_stats **stats); // takes this client's part out of the gauges
// One statistics document into the metrics. On success *root lives until the next call.
int kafka_stats_update(struct kafka_stats *stats, struct mf_str json, const struct mf_json_node **root,
                       struct mf_error *err);
bool kafka_stats_broker_up(const struct kafka_stats *stats); // in the last document
// Partition count of a topic in a statistics document; -1 when it is not there.
int32_t kafka_stats_partition_count(const struct mf_json_node *root, const char *topic);

// ---------------------------------------------------------------- assignment (kafka_partitions.c)
#define KAFKA_AT_COMMITTED (-1) // wherever the group stands
#define KAFKA_AT_BEGINNING (-2) // the oldest record
// Positions are kept by us: what librdkafka hands out is checked against them.
struct kafka_partition {
    char *topic;
    int32_t partition;
    const struct rd_kafka_topic_s *native; // librdkafka's topic of that name, once seen
    int64_t next;                          // next to be handed out, or one of the two below
    int64_t start;                         // where the assignment began when the owner said so, else -1
    int64_t last;                          // last handed out since the assignment, -1
    int64_t must_reach;                    // after going back: the next one is at or below this; -1
    int64_t end;                           // offset of the end while we stand there, else -1
    unsigned reseeks, resets;              // since the last message
    int64_t reset_from;                    // the offset that was not in the log, until a message comes; -1
    bool paused;
    uint64_t messages, bytes; // not yet in the metrics
};
struct kafka_partitions {
    struct kafka_partition *items;
    size_t count;
    size_t hint; // of the last find
};
void kafka_partitions_clear(struct kafka_partitions *partitions);
struct kafka_partition *kafka_partitions_add(struct kafka_partitions *partitions, const char *topic,
                                             int32_t partition, int64_t start);
struct kafka_partition *kafka_partitions_find(struct kafka_partitions *partitions, const char *topic,
                                              int32_t partition);
// By librdkafka's topic, name when it is a new one.
struct kafka_partition *kafka_partitions_find_native(struct kafka_partitions *partitions,
                                                     const struct rd_kafka_topic_s *native, const char *topic,
                                                     int32_t partition);
enum kafka_accept {
    KAFKA_ACCEPT,
    KAFKA_ACCEPT_DROP,  // seen before: a repeat
    KAFKA_ACCEPT_RESEEK // from before the last seek: drop it and seek again
};
enum kafka_accept kafka_partition_accept(struct kafka_partition *partition, int64_t offset);
void kafka_partition_moved(struct kafka_partition *partition, int64_t next); // a seek was asked
void kafka_partition_at_end(struct kafka_partition *partition, int64_t offset);

#endif
