// SPDX-License-Identifier: Apache-2.0
// What every Kafka client has in common: the handle, its queue on the loop, logs, errors and statistics.
// librdkafka's own threads put logs and errors into the queue (log.queue); nothing of ours runs on them.
// Failure classes: CONFIG and FATAL from making a client, TRANSIENT from asking for metadata.
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/kafka_client.h"

#define DESTROY_LIMIT_S 5
#define MODULE "kafka"

// ---------------------------------------------------------------- logs and errors

static enum mf_log_level level_of(int syslog_level)
{
    static const enum mf_log_level levels[] = {MF_LOG_CRITICAL, MF_LOG_CRITICAL, MF_LOG_CRITICAL,
                                               MF_LOG_ERROR,    MF_LOG_WARNING,  MF_LOG_NOTICE,
                                               MF_LOG_INFO,     MF_LOG_DEBUG};
    bool known = syslog_level >= 0 && (size_t)syslog_level < MF_ARRAY_LEN(levels);
    return known ? levels[syslog_level] : MF_LOG_WARNING;
}

static void write_log(struct kafka_client *client, int level, const char *facility, const char *text)
{
    char line[2048];
    snprintf(line, sizeof line, "%s", text);
    kafka_config_redact(client->config.settings, line);
    MF_LOGF(client->config.log, level_of(level), MODULE, "librdkafka",
            MF_FIELDS(mf_lf_str("client", kafka_role_name(client->role)), mf_lf_str("facility", facility)),
            "%s", line);
}

bool kafka_client_fatal(struct kafka_client *client, struct mf_error *err)
{
    char text[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(client->rk, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    kafka_error_set(err, (int)code, "the %s cannot go on: %s", kafka_role_name(client->role), text);
    // Whatever the code means elsewhere, this handle is of no use any more.
    if (err->class != MF_ERROR_CONFIG)
        err->class = MF_ERROR_FATAL;
    return true;
}

static void on_error(struct kafka_client *client, int code, const char *text)
{
    if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_fatal_error(client->rk, NULL, 0) != 0) {
        if (!client->fatal_seen)
            client->fatal_pending = true;
        client->fatal_seen = true;
        kafka_wake_again(&client->wake);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        client->connected = false;
    // Informational: librdkafka goes on trying by itself.
    char line[512];
    snprintf(line, sizeof line, "%s", text);
    kafka_config_redact(client->config.settings, line);
    MF_LOGF(client->config.log, MF_LOG_WARNING, MODULE, "kafka_error",
            MF_FIELDS(mf_lf_str("client", kafka_role_name(client->role)),
                      mf_lf_str("error_code", rd_kafka_err2name((rd_kafka_resp_err_t)code))),
            "%s", line);
}

void kafka_client_tell_fatal(struct kafka_client *client)
{
    struct mf_error err;
    if (!client->fatal_pending || client->dying)
        return;
    client->fatal_pending = false;
    if (!kafka_client_fatal(client, &err))
        return;
    mf_metric_add(MF_METRIC(client->config.metrics, &mf_common_metrics[MF_M_KAFKA_FATAL_ERRORS], err.code),
                  1);
    client->on_fatal(client->owner, &err);
}

// ---------------------------------------------------------------- statistics

static void on_statistics(struct kafka_client *client, const char *json, size_t len)
{
    const struct mf_json_node *root;
    struct mf_error err;
    if (kafka_stats_update(client->stats, (struct mf_str){json, len}, &root, &err) < 0) {
        mf_log_error(client->config.log, MF_LOG_WARNING, MODULE, "kafka_statistics_unreadable", &err,
                     "reading the client's statistics");
        return;
    }
    client->connected = kafka_stats_broker_up(client->stats);
    if (client->on_statistics != NULL)
        client->on_statistics(client->owner, root);
}

// ---------------------------------------------------------------- callbacks and events
// The callbacks are for what comes up inside a blocking call: rd_kafka_commit_transaction and its like serve
// the queue themselves, and without callbacks librdkafka would print logs on stderr and drop errors.
// log.queue and the queue see to it that they run on our thread only.

static void log_callback(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rd_kafka_opaque(rk);
    write_log(client, level, facility, text);
}

static void error_callback(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    on_error(opaque, code, reason);
}

static int statistics_callback(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
    (void)rk;
    on_statistics(opaque, json, len);
    return 0; // librdkafka frees json
}

bool kafka_client_event(struct kafka_client *client, struct rd_kafka_op_s *event)
{
    const char *facility, *text;
    int level;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
            write_log(client, level, facility, text);
        return true;
    case RD_KAFKA_EVENT_STATS:
        text = rd_kafka_event_stats(event);
        on_statistics(client, text, strlen(text));
        return true;
    case RD_KAFKA_EVENT_ERROR:
        on_error(client,
                 rd_kafka_event_error_is_fatal(event) != 0 ? (int)RD_KAFKA_RESP_ERR__FATAL
                                                           : (int)rd_kafka_event_error(event),
                 rd_kafka_event_error_string(event));
        return true;
    default: return false;
    }
}

// ---------------------------------------------------------------- open and close

static bool is_consumer(enum kafka_role role)
{
    return role == KAFKA_ROLE_CONSUMER || role == KAFKA_ROLE_READER || role == KAFKA_ROLE_PROBE ||
           role == KAFKA_ROLE_FOLLOWER ||
           role == KAFKA_ROLE_ADMIN; // a consumer's metadata requests never create topics
}

static struct rd_kafka_queue_s *queue_of(struct kafka_client *client)
{
    if (!is_consumer(client->role) || client->role == KAFKA_ROLE_ADMIN)
        return rd_kafka_queue_get_main(client->rk);
    rd_kafka_poll_set_consumer(client->rk); // one queue for everything
    return rd_kafka_queue_get_consumer(client->rk);
}

int kafka_client_open(struct kafka_client *client, const struct mf_kafka_config *config, enum kafka_role role,
                      struct rd_kafka_conf_s *conf, void (*drain)(void *owner), struct mf_error *err)
{
    char why[512];
    client->config = *config;
    client->role = role;
    client->wake.fd = -1;
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, log_callback);
    rd_kafka_conf_set_error_cb(conf, error_callback);
    rd_kafka_conf_set_stats_cb(conf, statistics_callback);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS |
                                       RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT);
    client->rk =
        rd_kafka_new(is_consumer(role) ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (client->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        kafka_config_redact(config->settings, why);
        return mf_error_set(err, MF_ERROR_CONFIG, "kafka_config", "cannot make a Kafka %s: %s",
                            kafka_role_name(role), why);
    }
    client->stats = kafka_stats_new(config->metrics);
    client->queue = queue_of(client);
    rd_kafka_set_log_queue(client->rk, client->queue);
    if (drain != NULL &&
        kafka_wake_start(&client->wake, config->loop, client->queue, drain, client->owner, err) < 0) {
        kafka_client_close(client);
        return -1;
    }
    return 0;
}

static void *destroy_thread(void *arg)
{
    // Without a consumer's close: whoever wanted one had it before.
    rd_kafka_destroy_flags(arg, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

// rd_kafka_destroy joins librdkafka's threads, and one of them may be inside getaddrinfo or meet one of the
// known hangs of 2.0.2 (#4187, #4724). A helper thread waits for it, so that we need not; it runs nothing of
// ours.
static bool destroy_bounded(rd_kafka_t *rk)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals stay with the loop's thread
    int failed = pthread_create(&thread, NULL, destroy_thread, rk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        destroy_thread(rk);
        return true;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DESTROY_LIMIT_S;
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return true;
    pthread_detach(thread);
    return false;
}

bool kafka_client_close(struct kafka_client *client)
{
    bool ended = true;
    kafka_wake_stop(&client->wake);
    if (client->queue != NULL)
        rd_kafka_queue_destroy(client->queue);
    client->queue = NULL;
    if (client->rk != NULL)
        ended = destroy_bounded(client->rk);
    if (!ended)
        MF_LOGF(client->config.log, MF_LOG_ERROR, MODULE, "kafka_destroy_hung",
                MF_FIELDS(mf_lf_str("client", kafka_role_name(client->role))),
                "a client did not end within %d s and is left behind", DESTROY_LIMIT_S);
    client->rk = NULL;
    kafka_wake_close(&client->wake);
    kafka_stats_free(&client->stats);
    return ended;
}

// ---------------------------------------------------------------- assignments

// librdkafka stops a fetched partition in two steps of its main thread. An assignment that comes between them
// stops it a second time, and 2.0.2 ends the process on an assertion (rktp_started). The main thread takes
// its work in order: a question that is answered after the assignment comes behind the first step, the next
// one behind the second.
int kafka_client_assign(struct kafka_client *client, const struct rd_kafka_topic_partition_list_s *list)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(client->rk, list);
    for (int step = 0; step < 2; step++) {
        rd_kafka_topic_partition_list_t *current = NULL;
        if (rd_kafka_assignment(client->rk, &current) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_topic_partition_list_destroy(current);
    }
    return (int)code;
}

// ---------------------------------------------------------------- questions

bool kafka_client_property(const struct kafka_client *client, const char *name, char *value, size_t size)
{
    return rd_kafka_conf_get(rd_kafka_conf(client->rk), name, value, &size) == RD_KAFKA_CONF_OK;
}

int kafka_client_partition_count(struct kafka_client *client, struct rd_kafka_topic_s *topic, int timeout_ms,
                                 int32_t *count, struct mf_error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, topic, &metadata, timeout_ms);
    const char *name = rd_kafka_topic_name(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "asking for the partitions of %s", name);
    client->connected = true;
    int result = 0;
    if (metadata->topic_cnt != 1)
        result = kafka_error_set(err, (int)RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                                 "asking for the partitions of %s", name);
    else if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        result = kafka_error_set(err, (int)metadata->topics[0].err, "asking for the partitions of %s", name);
    else
        *count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return result;
}

const char *mf_kafka_version(void)
{
    static char version[64];
    snprintf(version, sizeof version, "librdkafka %s", rd_kafka_version_str());
    return version;
}
