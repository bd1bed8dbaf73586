// SPDX-License-Identifier: Apache-2.0
// librdkafka's error codes as values of ours: class and stable reason. What is not in the table is FATAL: an
// error that nobody has thought about must not be retried for ever.
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/kafka_client.h"

struct row {
    rd_kafka_resp_err_t code;
    enum mf_error_class class;
    const char *reason;
};

#define TRANSIENT(code, reason)                              \
    {                                                        \
        RD_KAFKA_RESP_ERR_##code, MF_ERROR_TRANSIENT, reason \
    }
#define POISON(code, reason)                              \
    {                                                     \
        RD_KAFKA_RESP_ERR_##code, MF_ERROR_POISON, reason \
    }
#define UNCERTAIN(code, reason)                              \
    {                                                        \
        RD_KAFKA_RESP_ERR_##code, MF_ERROR_UNCERTAIN, reason \
    }
#define CONFIG(code, reason)                              \
    {                                                     \
        RD_KAFKA_RESP_ERR_##code, MF_ERROR_CONFIG, reason \
    }
#define FATAL(code, reason)                              \
    {                                                    \
        RD_KAFKA_RESP_ERR_##code, MF_ERROR_FATAL, reason \
    }

static const struct row rows[] = {
    // Somebody else acts under our identity: a second process, or one that was started for us.
    FATAL(_FENCED, "fenced"),
    FATAL(INVALID_PRODUCER_EPOCH, "fenced"),
    FATAL(PRODUCER_FENCED, "fenced"),
    FATAL(FENCED_INSTANCE_ID, "fenced"),

    // Backlog of our own.
    TRANSIENT(_QUEUE_FULL, "queue_full"),
    TRANSIENT(_PURGE_QUEUE, "purged"),
    UNCERTAIN(_PURGE_INFLIGHT, "purged_in_flight"),

    // The cluster is away, busy or between two states.
    TRANSIENT(_TIMED_OUT, "timeout"),
    TRANSIENT(_TIMED_OUT_QUEUE, "timeout"),
    TRANSIENT(REQUEST_TIMED_OUT, "timeout"),
    TRANSIENT(_TRANSPORT, "broker_unavailable"),
    TRANSIENT(_ALL_BROKERS_DOWN, "broker_unavailable"),
    TRANSIENT(_RESOLVE, "broker_unavailable"),
    TRANSIENT(_NODE_UPDATE, "broker_unavailable"),
    TRANSIENT(_WAIT_COORD, "broker_unavailable"),
    TRANSIENT(_WAIT_CACHE, "broker_unavailable"),
    TRANSIENT(_SSL, "broker_unavailable"), // unclean closes of OpenSSL 3 arrive as this before 2.2.0
    TRANSIENT(_RETRY, "retriable"),
    TRANSIENT(_CONFLICT, "retriable"),
    TRANSIENT(_PREV_IN_PROGRESS, "retriable"),
    TRANSIENT(_IN_PROGRESS, "retriable"),
    TRANSIENT(LEADER_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(NOT_LEADER_FOR_PARTITION, "broker_unavailable"),
    TRANSIENT(BROKER_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(REPLICA_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(NETWORK_EXCEPTION, "broker_unavailable"),
    TRANSIENT(COORDINATOR_LOAD_IN_PROGRESS, "broker_unavailable"),
    TRANSIENT(COORDINATOR_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(NOT_COORDINATOR, "broker_unavailable"),
    TRANSIENT(NOT_CONTROLLER, "broker_unavailable"),
    TRANSIENT(KAFKA_STORAGE_ERROR, "broker_unavailable"),
    TRANSIENT(OFFSET_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(PREFERRED_LEADER_NOT_AVAILABLE, "broker_unavailable"),
    TRANSIENT(FENCED_LEADER_EPOCH, "broker_unavailable"),
    TRANSIENT(UNKNOWN_LEADER_EPOCH, "broker_unavailable"),
    TRANSIENT(THROTTLING_QUOTA_EXCEEDED, "throttled"),
    TRANSIENT(NOT_ENOUGH_REPLICAS, "not_enough_replicas"),
    UNCERTAIN(NOT_ENOUGH_REPLICAS_AFTER_APPEND, "not_enough_replicas"),
    TRANSIENT(CONCURRENT_TRANSACTIONS, "retriable"),
    TRANSIENT(UNSTABLE_OFFSET_COMMIT, "retriable"),
    // A message that waited too long: it may have been written without an answer having come back.
    UNCERTAIN(_MSG_TIMED_OUT, "delivery_timeout"),

    // Topics may be created while we wait.
    TRANSIENT(UNKNOWN_TOPIC_OR_PART, "unknown_topic"),
    TRANSIENT(_UNKNOWN_TOPIC, "unknown_topic"),
    TRANSIENT(_UNKNOWN_PARTITION, "unknown_partition"),

    // The group moved on without us; the next rebalance tells the owner.
    TRANSIENT(ILLEGAL_GENERATION, "stale_generation"),
    TRANSIENT(UNKNOWN_MEMBER_ID, "stale_generation"),
    TRANSIENT(REBALANCE_IN_PROGRESS, "stale_generation"),
    TRANSIENT(_ASSIGNMENT_LOST, "stale_generation"),

    // One record that no retry will help.
    POISON(MSG_SIZE_TOO_LARGE, "record_too_large"),
    POISON(RECORD_LIST_TOO_LARGE, "record_too_large"),
    POISON(INVALID_MSG, "invalid_record"),
    POISON(INVALID_RECORD, "invalid_record"),
    POISON(INVALID_TIMESTAMP, "invalid_record"),

    // Somebody has to change a setting, a right or the cluster.
    CONFIG(TOPIC_AUTHORIZATION_FAILED, "not_authorized"),
    CONFIG(GROUP_AUTHORIZATION_FAILED, "not_authorized"),
    CONFIG(CLUSTER_AUTHORIZATION_FAILED, "not_authorized"),
    CONFIG(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "not_authorized"),
    CONFIG(SASL_AUTHENTICATION_FAILED, "authentication_failed"),
    CONFIG(_AUTHENTICATION, "authentication_failed"),
    CONFIG(UNSUPPORTED_SASL_MECHANISM, "authentication_failed"),
    CONFIG(ILLEGAL_SASL_STATE, "authentication_failed"),
    CONFIG(SECURITY_DISABLED, "kafka_config"),
    CONFIG(_INVALID_ARG, "kafka_config"),
    CONFIG(_UNSUPPORTED_FEATURE, "kafka_config"),
    CONFIG(_NOT_CONFIGURED, "kafka_config"),
    CONFIG(_UNKNOWN_GROUP, "kafka_config"),
    CONFIG(TOPIC_EXCEPTION, "kafka_config"), // a name that is no topic name
    CONFIG(UNSUPPORTED_VERSION, "kafka_config"),
    CONFIG(INVALID_CONFIG, "kafka_config"),
    CONFIG(INVALID_PARTITIONS, "kafka_config"),
    CONFIG(INVALID_REPLICATION_FACTOR, "kafka_config"),
    CONFIG(INVALID_REPLICA_ASSIGNMENT, "kafka_config"),
    CONFIG(INVALID_REQUEST, "kafka_config"),
    CONFIG(POLICY_VIOLATION, "kafka_config"),
    CONFIG(INVALID_SESSION_TIMEOUT, "kafka_config"),
    CONFIG(INVALID_TRANSACTION_TIMEOUT, "kafka_config"),
    CONFIG(INVALID_GROUP_ID, "kafka_config"),
    CONFIG(INCONSISTENT_GROUP_PROTOCOL, "kafka_config"),

    // The log does not hold what was asked for.
    FATAL(OFFSET_OUT_OF_RANGE, "offset_out_of_range"),
    FATAL(_AUTO_OFFSET_RESET, "offset_out_of_range"),
    FATAL(_NO_OFFSET, "no_offset"),
};

static const struct row *row_of(int code)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        if ((int)rows[i].code == code)
            return &rows[i];
    }
    return NULL;
}

enum mf_error_class kafka_error_class(int code, const char **reason)
{
    const struct row *row = row_of(code);
    *reason = row != NULL ? row->reason : "kafka_fatal";
    return row != NULL ? row->class : MF_ERROR_FATAL;
}

static int set(struct mf_error *err, enum mf_error_class class, const char *reason, int code,
               const char *doing, const char *text)
{
    return mf_error_set(err, class, reason, "%s: %s (%s)", doing, text,
                        rd_kafka_err2name((rd_kafka_resp_err_t)code));
}

int kafka_error_set(struct mf_error *err, int code, const char *fmt, ...)
{
    char doing[MF_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(doing, sizeof doing, fmt, args);
    va_end(args);
    const char *reason;
    enum mf_error_class class = kafka_error_class(code, &reason);
    return set(err, class, reason, code, doing, rd_kafka_err2str((rd_kafka_resp_err_t)code));
}

int kafka_error_take(struct mf_error *err, struct rd_kafka_error_s *error, const char *doing)
{
    int code = (int)rd_kafka_error_code(error);
    const char *reason;
    enum mf_error_class class = kafka_error_class(code, &reason);
    // A fenced or unauthorised client stays what it is, whatever librdkafka would still do with the handle.
    bool settled = class == MF_ERROR_FATAL && strcmp(reason, "fenced") == 0;
    if (rd_kafka_error_is_fatal(error)) {
        if (class != MF_ERROR_FATAL && class != MF_ERROR_CONFIG)
            reason = "kafka_fatal";
        class = class == MF_ERROR_CONFIG ? MF_ERROR_CONFIG : MF_ERROR_FATAL;
    } else if (rd_kafka_error_txn_requires_abort(error) && !settled) {
        if (strcmp(reason, "stale_generation") != 0 && class != MF_ERROR_CONFIG) {
            class = MF_ERROR_TRANSIENT;
            reason = "txn_abort";
        }
    } else if (rd_kafka_error_is_retriable(error) && !settled) {
        class = MF_ERROR_TRANSIENT;
        if (strcmp(reason, "timeout") != 0)
            reason = "retriable";
    }
    int result = set(err, class, reason, code, doing, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return result;
}
