// SPDX-License-Identifier: Apache-2.0
// Helper of the consumer's tests: a consumer of topic "t" on the mock cluster that counts and checks what it
// is given, and a producer that fills the topic.
#ifndef MF_TESTS_KAFKA_CONSUMER_SETUP_H
#define MF_TESTS_KAFKA_CONSUMER_SETUP_H

#include "tests/unit/kafka_mock.h"

#define WAIT_MS 30000
#define PARTITIONS 4

struct setup {
    struct kafka_world *world;
    struct mf_kafka_consumer *consumer;
    size_t messages, wanted;
    int64_t next[PARTITIONS]; // expected next offset by partition; -1 = any
    size_t out_of_order;
    size_t in_this_turn, most_in_a_turn, turns;
    unsigned assigned, revoked, lost, closed, fatal, eofs;
    size_t assigned_partitions;
    int64_t start[PARTITIONS]; // for on_assign; -1 = committed
    bool pause_on_assign;
    bool paused;
    size_t while_paused;
    size_t stop_after, rewind_after;
    int64_t reset_to; // for on_out_of_range: -1 fails
    int64_t low, high;
    unsigned out_of_range;
    struct mf_error error;
    bool free_inside;
    struct mf_kafka_message last;
    char last_key[32], last_value[32], last_header[32];
    bool key_absent, value_absent;
};

struct setup *setup_new(int partitions, const char *const *settings);
void setup_free(struct setup *setup);
// Makes the consumer of group "g".
void setup_start(struct setup *setup, bool start_at_earliest);
// count records to each partition, "0", "1", … as values.
void setup_fill(struct setup *setup, int partitions, size_t count);
void setup_run_until(struct setup *setup, size_t messages); // fails the test after WAIT_MS

// Conditions for kafka_world_run.
bool setup_is_joined(void *arg);
bool setup_is_closed(void *arg);
bool setup_has_failed(void *arg);

void setup_on_closed(void *arg);
void setup_ignore_fatal(void *arg, const struct mf_error *err); // fails the test

#endif
