// SPDX-License-Identifier: Apache-2.0
// Helper of the Kafka tests: librdkafka's mock cluster (brokers on loopback, in this process) and a loop,
// metrics and settings that point at it. The mock knows produce, fetch, groups and the transactional
// requests; it has no isolation (aborted records are read) and no admin requests.
#ifndef MF_TESTS_KAFKA_MOCK_H
#define MF_TESTS_KAFKA_MOCK_H

#include "common/kafka.h"

// Protocol's numbers (Kafka protocol guide), for the requests and errors that tests ask for.
enum kafka_mock_request {
    KAFKA_MOCK_PRODUCE = 0,
    KAFKA_MOCK_FETCH = 1,
    KAFKA_MOCK_LIST_OFFSETS = 2,
    KAFKA_MOCK_METADATA = 3,
    KAFKA_MOCK_HEARTBEAT = 12,
    KAFKA_MOCK_INIT_PRODUCER_ID = 22,
    KAFKA_MOCK_ADD_PARTITIONS = 24,
    KAFKA_MOCK_ADD_OFFSETS = 25,
    KAFKA_MOCK_END_TXN = 26,
    KAFKA_MOCK_TXN_OFFSET_COMMIT = 28
};

struct kafka_mock; // the cluster

struct kafka_world {
    struct kafka_mock *mock; // NULL when the brokers are real ones
    struct mf_loop *loop;
    struct mf_log *log;
    int log_fd; // what was logged, a memory file
    struct mf_metrics *metrics;
    struct mf_settings *settings;
    struct mf_kafka_config kafka;
};

// settings: NULL-terminated "NAME=value" on top of the address and short timeouts; may be NULL.
struct kafka_world *kafka_world_new(int brokers, const char *const *settings);
// The same on brokers that exist.
struct kafka_world *kafka_world_at(const char *bootstrap, const char *const *settings);
void kafka_world_free(struct kafka_world **world);
// Runs the loop until done says so; false after timeout_ms.
bool kafka_world_run(struct kafka_world *world, bool (*done)(void *arg), void *arg, int timeout_ms);
void kafka_world_pass(struct kafka_world *world, int ms); // runs the loop for that long
// Everything logged so far; the caller frees it.
char *kafka_world_log(struct kafka_world *world);
double kafka_world_metric(struct kafka_world *world, enum mf_common_metric metric, const char *const *labels);

void kafka_mock_topic(struct kafka_world *world, const char *topic, int partitions);
void kafka_mock_topic_error(struct kafka_world *world, const char *topic, int code); // in its metadata
// The next `count` requests of that kind are answered with this error.
void kafka_mock_fail(struct kafka_world *world, enum kafka_mock_request request, int code, size_t count);
// The next request of that kind to any broker is answered after so many ms.
void kafka_mock_delay(struct kafka_world *world, enum kafka_mock_request request, int ms);
void kafka_mock_fail_late(struct kafka_world *world, enum kafka_mock_request request, int code, int ms);
void kafka_mock_all_down(struct kafka_world *world, bool down);
int kafka_code(const char *name);       // "_QUEUE_FULL" → its number; asserts that it exists
const char *kafka_code_name(int index); // of every known error, NULL at the end

#endif
