// SPDX-License-Identifier: Apache-2.0
// A consumer's handle that is never subscribed: librdkafka answers watermarks and commits of its group.id
// with it, and no member appears in the group. read_uncommitted, as the ends are to include open
// transactions.
#include "common/kafka_offsets.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_client.h"

struct mf_kafka_offsets {
    struct kafka_client client;
    char *group;
};

static void on_fatal(void *owner, const struct mf_error *err)
{
    (void)owner;
    (void)err; // shows in the call that it breaks
}

int mf_kafka_offsets_new(const struct mf_kafka_config *config, const char *group,
                         struct mf_kafka_offsets **offsets, struct mf_error *err)
{
    assert(group[0] != '\0'); // without one librdkafka gives a consumer no queue
    struct mf_kafka_offsets *made = mf_calloc(1, sizeof *made);
    made->group = mf_strdup(group);
    made->client = (struct kafka_client){.on_fatal = on_fatal, .owner = made, .wake = {.fd = -1}};
    struct kafka_role_config role = {.role = KAFKA_ROLE_PROBE, .group = made->group};
    rd_kafka_conf_t *conf;
    if (kafka_config_new(config, &role, &conf, err) < 0 ||
        kafka_client_open(&made->client, config, KAFKA_ROLE_PROBE, conf, NULL, err) < 0) {
        free(made->group);
        free(made);
        return -1;
    }
    *offsets = made;
    return 0;
}

// Logs and statistics that came meanwhile: nobody else takes them off the queue.
static void serve(struct mf_kafka_offsets *offsets)
{
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(offsets->client.queue, 0)) != NULL) {
        kafka_client_event(&offsets->client, event);
        rd_kafka_event_destroy(event);
    }
}

void mf_kafka_offsets_free(struct mf_kafka_offsets **offsets)
{
    struct mf_kafka_offsets *dying = *offsets;
    if (dying == NULL)
        return;
    *offsets = NULL;
    serve(dying);
    kafka_client_close(&dying->client);
    free(dying->group);
    free(dying);
}

static int left_ms(int64_t end_us)
{
    int64_t left = (end_us - mf_clock_monotonic_us()) / MF_US_PER_MS;
    return left > 1 ? (int)left : 1;
}

static int ask_ranges(struct mf_kafka_offsets *offsets, const char *topic, int64_t end_us,
                      struct mf_kafka_range *ranges, size_t count, struct mf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            offsets->client.rk, topic, (int32_t)i, &ranges[i].low, &ranges[i].high, left_ms(end_us));
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_error_set(err, (int)code, "asking for the ends of %s [%zu]", topic, i);
    }
    return 0;
}

int mf_kafka_offsets_ranges(struct mf_kafka_offsets *offsets, const char *topic, int timeout_ms,
                            struct mf_kafka_range **ranges, size_t *count, struct mf_error *err)
{
    int64_t end_us = mf_clock_monotonic_us() + timeout_ms * MF_US_PER_MS;
    int32_t partitions = 0;
    rd_kafka_topic_t *native = rd_kafka_topic_new(offsets->client.rk, topic, NULL);
    if (native == NULL)
        return kafka_error_set(err, (int)rd_kafka_last_error(), "asking for %s", topic);
    int result = kafka_client_partition_count(&offsets->client, native, timeout_ms, &partitions, err);
    rd_kafka_topic_destroy(native);
    if (result < 0)
        return -1;
    struct mf_kafka_range *found = mf_calloc((size_t)partitions, sizeof *found);
    result = ask_ranges(offsets, topic, end_us, found, (size_t)partitions, err);
    serve(offsets);
    if (result < 0) {
        free(found);
        return -1;
    }
    *ranges = found;
    *count = (size_t)partitions;
    return 0;
}

int mf_kafka_offsets_committed(struct mf_kafka_offsets *offsets, struct mf_kafka_offset *items, size_t count,
                               int timeout_ms, struct mf_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, items[i].topic, items[i].partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(offsets->client.rk, list, timeout_ms);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        items[i].offset = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    serve(offsets);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : kafka_error_set(err, (int)code, "reading what group %s has committed", offsets->group);
}
