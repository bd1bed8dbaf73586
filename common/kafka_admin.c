// SPDX-License-Identifier: Apache-2.0
// Topics: make what is missing, compare what is there. Blocks; for commands. The handle is a consumer's,
// because a producer's questions about a topic may create it. Failure classes: TRANSIENT when the cluster
// does not answer in time, CONFIG when it refuses, FATAL else.
#include "common/kafka_admin.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_client.h"

#define TOPICS_MAX 1000
#define VISIBLE_POLL_MS 50

struct admin {
    struct kafka_client client;
    rd_kafka_queue_t *answers;
    const struct mf_kafka_topic_spec *specs;
    struct mf_kafka_topic_report *reports;
    size_t count;
    int64_t end_us; // monotonic
};

static int left_ms(const struct admin *admin)
{
    int64_t left = (admin->end_us - mf_clock_monotonic_us()) / MF_US_PER_MS;
    return left > 1 ? (int)left : 1;
}

// Waits for one answer of that type; TRANSIENT "timeout" else. The caller destroys *answer.
static int wait_for(struct admin *admin, rd_kafka_event_type_t type, const char *doing,
                    rd_kafka_event_t **answer, struct mf_error *err)
{
    while (mf_clock_monotonic_us() < admin->end_us) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(admin->answers, left_ms(admin));
        if (event != NULL && rd_kafka_event_type(event) == type) {
            rd_kafka_resp_err_t code = rd_kafka_event_error(event);
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
                *answer = event;
                return 0;
            }
            rd_kafka_event_destroy(event);
            return kafka_error_set(err, (int)code, "%s", doing);
        }
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    return kafka_error_set(err, (int)RD_KAFKA_RESP_ERR__TIMED_OUT, "%s", doing);
}

static rd_kafka_AdminOptions_t *options_for(struct admin *admin, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->client.rk, op);
    rd_kafka_AdminOptions_set_request_timeout(options, left_ms(admin), NULL, 0);
    return options;
}

// ---------------------------------------------------------------- what is there

static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        if (strcmp(topic->topic, name) == 0 && topic->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            topic->partition_cnt > 0)
            return topic;
    }
    return NULL;
}

// Fills the reports from the cluster's metadata: EXISTS, DIFFERS or MISSING. Returns how many are missing, or
// -1.
static int look(struct admin *admin, struct mf_error *err)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->client.rk, 1, NULL, &metadata, left_ms(admin));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "asking the cluster for its topics");
    int missing = 0;
    for (size_t i = 0; i < admin->count; i++) {
        const rd_kafka_metadata_topic_t *topic = find_topic(metadata, admin->specs[i].name);
        struct mf_kafka_topic_report *report = &admin->reports[i];
        bool made = report->result == MF_KAFKA_TOPIC_CREATED;
        *report = (struct mf_kafka_topic_report){
            .result = made ? MF_KAFKA_TOPIC_CREATED : MF_KAFKA_TOPIC_EXISTS, .partitions = -1};
        if (topic != NULL) {
            kafka_topic_found(&admin->specs[i], topic->partition_cnt, topic->partitions[0].replica_cnt,
                              report);
        } else if (made) {
            missing++; // not visible yet
        } else {
            missing++;
            kafka_topic_missing(report);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return missing;
}

// ---------------------------------------------------------------- create

static rd_kafka_NewTopic_t *new_topic(const struct mf_kafka_topic_spec *spec, struct mf_error *err)
{
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        spec->name, spec->partitions, spec->replication > 0 ? spec->replication : -1, why, sizeof why);
    if (topic == NULL) {
        mf_error_set(err, MF_ERROR_CONFIG, "kafka_config", "topic %s: %s", spec->name, why);
        return NULL;
    }
    struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX];
    size_t count = kafka_topic_wanted(spec, wanted);
    for (size_t i = 0; i < count; i++)
        rd_kafka_NewTopic_set_config(topic, wanted[i].name, wanted[i].value);
    return topic;
}

static struct mf_kafka_topic_report *report_of(struct admin *admin, const char *name)
{
    for (size_t i = 0; i < admin->count; i++) {
        if (strcmp(admin->specs[i].name, name) == 0)
            return &admin->reports[i];
    }
    return NULL;
}

static int take_created(struct admin *admin, rd_kafka_event_t *answer, struct mf_error *err)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer), &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_topic_result_name(results[i]);
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        struct mf_kafka_topic_report *report = report_of(admin, name);
        if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            continue; // somebody was faster
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const char *text = rd_kafka_topic_result_error_string(results[i]);
            return kafka_error_set(err, (int)code, "making topic %s: %s", name, text != NULL ? text : "");
        }
        if (report != NULL)
            report->result = MF_KAFKA_TOPIC_CREATED;
    }
    return 0;
}

static int create(struct admin *admin, struct mf_error *err)
{
    rd_kafka_NewTopic_t **topics = mf_calloc(admin->count, sizeof(rd_kafka_NewTopic_t *));
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; i < admin->count && result == 0; i++) {
        if (admin->reports[i].result != MF_KAFKA_TOPIC_MISSING)
            continue;
        topics[count] = new_topic(&admin->specs[i], err);
        if (topics[count++] == NULL)
            result = -1;
    }
    if (result == 0) {
        rd_kafka_event_t *answer = NULL;
        rd_kafka_AdminOptions_t *options = options_for(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_CreateTopics(admin->client.rk, topics, count, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        result = wait_for(admin, RD_KAFKA_EVENT_CREATETOPICS_RESULT, "making topics", &answer, err);
        if (result == 0) {
            result = take_created(admin, answer, err);
            rd_kafka_event_destroy(answer);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (topics[i] != NULL)
            rd_kafka_NewTopic_destroy(topics[i]);
    }
    free(topics);
    return result;
}

// Nothing comes on this queue between an answer and the next question.
static void pause_between(struct admin *admin)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->answers, VISIBLE_POLL_MS);
    if (event != NULL)
        rd_kafka_event_destroy(event);
}

// A topic that was made is known to every broker a little later.
static int wait_until_visible(struct admin *admin, struct mf_error *err)
{
    for (;;) {
        int missing = look(admin, err);
        if (missing <= 0)
            return missing;
        if (mf_clock_monotonic_us() >= admin->end_us)
            return mf_error_set(err, MF_ERROR_TRANSIENT, "timeout",
                                "%d topics were made and are not visible yet", missing);
        pause_between(admin);
    }
}

// ---------------------------------------------------------------- compare

static const char *value_of(const rd_kafka_ConfigEntry_t *const *entries, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    }
    return NULL;
}

static int take_described(struct admin *admin, rd_kafka_event_t *answer, struct mf_error *err)
{
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer), &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigResource_name(resources[i]);
        rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[i]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_error_set(err, (int)code, "reading the configuration of %s", name);
        struct mf_kafka_topic_report *report = report_of(admin, name);
        if (report == NULL)
            continue;
        size_t entry_count;
        const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[i], &entry_count);
        struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX];
        size_t wanted_count = kafka_topic_wanted(&admin->specs[report - admin->reports], wanted);
        for (size_t j = 0; j < wanted_count; j++)
            kafka_topic_compare(&wanted[j], value_of(entries, entry_count, wanted[j].name), report);
    }
    return 0;
}

static int compare(struct admin *admin, struct mf_error *err)
{
    rd_kafka_ConfigResource_t **resources = mf_calloc(admin->count, sizeof(rd_kafka_ConfigResource_t *));
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; i < admin->count; i++) {
        if (admin->reports[i].result != MF_KAFKA_TOPIC_MISSING)
            resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, admin->specs[i].name);
    }
    if (count > 0) {
        rd_kafka_event_t *answer = NULL;
        rd_kafka_AdminOptions_t *options = options_for(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
        rd_kafka_DescribeConfigs(admin->client.rk, resources, count, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        result = wait_for(admin, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, "reading the topics' configuration",
                          &answer, err);
        if (result == 0) {
            result = take_described(admin, answer, err);
            rd_kafka_event_destroy(answer);
        }
    }
    rd_kafka_ConfigResource_destroy_array(resources, count);
    free(resources);
    return result;
}

// Of several brokers, the one that is asked may not know yet what another one has shown.
static int compare_when_known(struct admin *admin, struct mf_error *err)
{
    int result;
    while ((result = compare(admin, err)) < 0 && strcmp(err->code, "unknown_topic") == 0 &&
           mf_clock_monotonic_us() < admin->end_us) {
        pause_between(admin);
        if (look(admin, err) < 0) // begins the reports anew
            return -1;
    }
    return result;
}

// ---------------------------------------------------------------- all of it

static void on_fatal(void *owner, const struct mf_error *err)
{
    (void)owner;
    (void)err; // shows in the call that it breaks
}

int mf_kafka_topics(const struct mf_kafka_config *config, const struct mf_kafka_topic_spec *specs,
                    size_t count, bool apply, int timeout_ms, struct mf_kafka_topic_report *reports,
                    struct mf_error *err)
{
    struct admin admin = {.client = {.on_fatal = on_fatal},
                          .specs = specs,
                          .reports = reports,
                          .count = count,
                          .end_us = mf_clock_monotonic_us() + timeout_ms * MF_US_PER_MS};
    struct kafka_role_config role = {.role = KAFKA_ROLE_ADMIN};
    rd_kafka_conf_t *conf;
    if (count > TOPICS_MAX)
        return mf_error_set(err, MF_ERROR_CONFIG, "too_many_topics", "%zu topics; %d at most", count,
                            TOPICS_MAX);
    memset(reports, 0, count * sizeof reports[0]);
    for (size_t i = 0; i < count; i++)
        reports[i].result = MF_KAFKA_TOPIC_EXISTS;
    if (kafka_config_new(config, &role, &conf, err) < 0 ||
        kafka_client_open(&admin.client, config, KAFKA_ROLE_ADMIN, conf, NULL, err) < 0)
        return -1;
    admin.answers = rd_kafka_queue_new(admin.client.rk);
    int missing = look(&admin, err);
    int result = missing < 0 ? -1 : 0;
    if (missing > 0 && apply) {
        result = create(&admin, err);
        if (result == 0)
            result = wait_until_visible(&admin, err);
    }
    if (result == 0)
        result = compare_when_known(&admin, err);
    for (rd_kafka_event_t *event; (event = rd_kafka_queue_poll(admin.client.queue, 0)) != NULL;) {
        kafka_client_event(&admin.client, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(admin.answers);
    kafka_client_close(&admin.client);
    return result;
}
