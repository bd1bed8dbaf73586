// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"

#define ENV_MAX 40

struct kafka_mock {
    rd_kafka_t *host; // carries the cluster's threads
    rd_kafka_mock_cluster_t *cluster;
    int brokers;
};

static struct kafka_mock *mock_new(int brokers)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "client.id", "mock", why, sizeof why);
    rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
    struct kafka_mock *mock = mf_calloc(1, sizeof *mock);
    mock->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert(mock->host != NULL);
    mock->cluster = rd_kafka_mock_cluster_new(mock->host, brokers);
    assert(mock->cluster != NULL);
    mock->brokers = brokers;
    return mock;
}

static void mock_free(struct kafka_mock *mock)
{
    if (mock == NULL)
        return;
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->host);
    free(mock);
}

// ---------------------------------------------------------------- world

static struct mf_settings *parse_settings(const char *bootstrap, const char *const *settings)
{
    static const char *const short_times[] = {
        "KAFKA_INSTANCE_ID=tests",          "KAFKA_STATISTICS_MS=1000",
        "KAFKA_SESSION_TIMEOUT_MS=6000",    "KAFKA_TRANSACTION_TIMEOUT_MS=4000",
        "KAFKA_MAX_POLL_INTERVAL_MS=12000",
    };
    char address[512];
    char *env[ENV_MAX];
    size_t count = 0;
    snprintf(address, sizeof address, "KAFKA_BOOTSTRAP_SERVERS=%s", bootstrap);
    env[count++] = mf_strdup(address);
    // The first of two equal names counts.
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        assert(count + MF_ARRAY_LEN(short_times) + 1 < ENV_MAX);
        env[count++] = mf_strdup(settings[i]);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(short_times); i++)
        env[count++] = mf_strdup(short_times[i]);
    env[count] = NULL;
    struct mf_settings *parsed = NULL;
    struct mf_error err;
    struct mf_buf problems;
    mf_buf_init(&problems, 4096);
    int result = mf_settings_parse(&mf_settings_table_kafka, 1, env, NULL, &parsed, &problems, &err);
    if (result < 0)
        fprintf(stderr, "%s\n", mf_buf_c_str(&problems));
    assert(result == 0);
    mf_buf_free(&problems);
    for (size_t i = 0; i < count; i++)
        free(env[i]);
    return parsed;
}

struct kafka_world *kafka_world_at(const char *bootstrap, const char *const *settings)
{
    struct mf_error err;
    struct kafka_world *world = mf_calloc(1, sizeof *world);
    int result = mf_loop_new(&world->loop, &err);
    assert(result == 0);
    world->log_fd = memfd_create("log", MFD_CLOEXEC);
    assert(world->log_fd >= 0);
    struct mf_log_config log = {.fd = world->log_fd,
                                .level = MF_LOG_INFO,
                                .format = MF_LOG_FORMAT_JSON,
                                .service = "tests",
                                .instance = "tests",
                                .version = "0"};
    world->log = mf_log_new(&log);
    world->metrics = mf_metrics_new();
    world->settings = parse_settings(bootstrap, settings);
    world->kafka =
        (struct mf_kafka_config){.loop = world->loop,
                                 .log = world->log,
                                 .metrics = world->metrics,
                                 .settings = world->settings,
                                 .client_id = "marketflow-tests",
                                 .instance = mf_settings_string(world->settings, "KAFKA_INSTANCE_ID")};
    return world;
}

enum { MOCK_FOLLOWER_WAIT_MS = 20 };

struct kafka_world *kafka_world_new(int brokers, const char *const *settings)
{
    struct kafka_mock *mock = mock_new(brokers);
    struct kafka_world *world = kafka_world_at(rd_kafka_mock_cluster_bootstraps(mock->cluster), settings);
    world->mock = mock;
    // The mock answers a fetch that waits when its time is over, not when a record comes.
    world->kafka.follower_wait_ms = MOCK_FOLLOWER_WAIT_MS;
    return world;
}

void kafka_world_free(struct kafka_world **world)
{
    struct kafka_world *dying = *world;
    *world = NULL;
    mock_free(dying->mock);
    mf_settings_free(&dying->settings);
    mf_metrics_free(&dying->metrics);
    mf_log_free(&dying->log);
    close(dying->log_fd);
    mf_loop_free(&dying->loop);
    free(dying);
}

struct run {
    struct mf_loop *loop;
    bool (*done)(void *arg);
    void *arg;
    int64_t end_us;
    bool satisfied;
};

static void on_check(void *arg)
{
    struct run *run = arg;
    run->satisfied = run->done != NULL && run->done(run->arg);
    if (run->satisfied || mf_clock_monotonic_us() >= run->end_us)
        mf_loop_stop(run->loop);
}

bool kafka_world_run(struct kafka_world *world, bool (*done)(void *arg), void *arg, int timeout_ms)
{
    struct run run = {.loop = world->loop,
                      .done = done,
                      .arg = arg,
                      .end_us = mf_clock_monotonic_us() + timeout_ms * MF_US_PER_MS};
    struct mf_timer *timer = mf_timer_new(world->loop, on_check, &run);
    mf_timer_arm_every_ms(timer, 1);
    mf_loop_run(world->loop, NULL);
    mf_timer_free(&timer);
    return run.satisfied;
}

void kafka_world_pass(struct kafka_world *world, int ms)
{
    kafka_world_run(world, NULL, NULL, ms);
}

char *kafka_world_log(struct kafka_world *world)
{
    off_t size = lseek(world->log_fd, 0, SEEK_CUR);
    char *text = mf_calloc((size_t)size + 1, 1);
    ssize_t got = pread(world->log_fd, text, (size_t)size, 0);
    assert(got == size);
    return text;
}

double kafka_world_metric(struct kafka_world *world, enum mf_common_metric metric, const char *const *labels)
{
    return mf_metric_value(mf_metrics_get(world->metrics, &mf_common_metrics[metric], labels));
}

// ---------------------------------------------------------------- cluster

void kafka_mock_topic(struct kafka_world *world, const char *topic, int partitions)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(world->mock->cluster, topic, partitions, 1);
    assert(code == RD_KAFKA_RESP_ERR_NO_ERROR);
}

void kafka_mock_topic_error(struct kafka_world *world, const char *topic, int code)
{
    rd_kafka_mock_topic_set_error(world->mock->cluster, topic, (rd_kafka_resp_err_t)code);
}

void kafka_mock_fail(struct kafka_world *world, enum kafka_mock_request request, int code, size_t count)
{
    rd_kafka_resp_err_t *codes = mf_calloc(count, sizeof *codes);
    for (size_t i = 0; i < count; i++)
        codes[i] = (rd_kafka_resp_err_t)code;
    rd_kafka_mock_push_request_errors_array(world->mock->cluster, (int16_t)request, count, codes);
    free(codes);
}

void kafka_mock_delay(struct kafka_world *world, enum kafka_mock_request request, int ms)
{
    kafka_mock_fail_late(world, request, RD_KAFKA_RESP_ERR_NO_ERROR, ms);
}

void kafka_mock_fail_late(struct kafka_world *world, enum kafka_mock_request request, int code, int ms)
{
    for (int broker = 1; broker <= world->mock->brokers; broker++)
        rd_kafka_mock_broker_push_request_error_rtts(world->mock->cluster, broker, (int16_t)request, 1,
                                                     (rd_kafka_resp_err_t)code, ms);
}

void kafka_mock_all_down(struct kafka_world *world, bool down)
{
    for (int broker = 1; broker <= world->mock->brokers; broker++) {
        if (down)
            rd_kafka_mock_broker_set_down(world->mock->cluster, broker);
        else
            rd_kafka_mock_broker_set_up(world->mock->cluster, broker);
    }
}

const char *kafka_code_name(int index)
{
    const struct rd_kafka_err_desc *known;
    size_t count;
    rd_kafka_get_err_descs(&known, &count);
    for (size_t i = 0; i < count; i++) {
        if (known[i].name != NULL && index-- == 0)
            return known[i].name;
    }
    return NULL;
}

int kafka_code(const char *name)
{
    const struct rd_kafka_err_desc *known;
    size_t count;
    rd_kafka_get_err_descs(&known, &count);
    for (size_t i = 0; i < count; i++) {
        if (known[i].name != NULL && strcmp(known[i].name, name) == 0)
            return (int)known[i].code;
    }
    fprintf(stderr, "no error is called %s\n", name);
    assert(!"an error of that name");
    return 0;
}
