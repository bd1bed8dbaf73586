// SPDX-License-Identifier: Apache-2.0
// The floor under the ingestor's cost, for tests/bench/ingestor: libcurl fetches the same pages over one kept
// connection, yajl passes over them as they come and only counts the rows, librdkafka produces a record for
// each: the bytes of the sample, which are events of such a page, under the page's key. Nothing is made of
// the rows. One thread and no loop; the producer's settings are those of our clients, with reports of failed
// records only. Prints one JSON object: records, seconds and CPU seconds of the process from the first
// request to the last acknowledgement. Usage:
// ingestor_floor HOST:PORT TOPIC PARTITIONS KEY_FILE PAGES SAMPLE
// PAGES: lines "key URL"; SAMPLE: lines of event text. Exit 0, 70 when something fails, 78 for bad arguments.
#include <curl/curl.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/kafka_client.h"
#include "tests/bench/measure.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 120000, FULL_QUEUE_MS = 5, LINE_MAX_BYTES = 8192 };
#define SAMPLE_MAX ((size_t)256 * 1024 * 1024)

struct sample {
    struct mf_buf text; // values one behind the other
    size_t *ends;       // of the values
    size_t count, capacity, next;
};

struct floor {
    struct kafka_world *world;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    int64_t partitions;
    struct sample sample;
    CURL *easy;
    struct curl_slist *headers;
    yajl_handle parser; // of the page under way
    struct mf_str key;  // of its records
    unsigned depth;
    int64_t records;
};

static void give_up(const char *doing, const char *why)
{
    fprintf(stderr, "ingestor_floor: %s: %s\n", doing, why);
    exit(MF_EXIT_INTERNAL);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    give_up("a record", rd_kafka_err2str(message->err)); // only failures are reported
}

static void open_producer(struct floor *floor, const char *topic)
{
    struct kafka_role_config role = {.role = KAFKA_ROLE_PRODUCER};
    char why[256] = "";
    rd_kafka_conf_t *conf;
    struct mf_error err;
    if (kafka_config_new(&floor->world->kafka, &role, &conf, &err) < 0)
        give_up("settings", err.message);
    rd_kafka_conf_set(conf, "delivery.report.only.error", "true", why, sizeof why);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    floor->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (floor->producer == NULL)
        give_up("producer", why);
    floor->topic = rd_kafka_topic_new(floor->producer, topic, NULL);
    // What is produced before the leaders are known waits for seconds.
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(floor->producer, 0, floor->topic, &metadata, WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("metadata", rd_kafka_err2str(code));
    rd_kafka_metadata_destroy(metadata);
}

static void produce(struct floor *floor)
{
    struct sample *sample = &floor->sample;
    size_t from = sample->next > 0 ? sample->ends[sample->next - 1] : 0;
    const char *value = sample->text.data + from;
    size_t len = sample->ends[sample->next] - from;
    sample->next = (sample->next + 1) % sample->count;
    int32_t partition = (int32_t)(mf_murmur2(floor->key.data, floor->key.len) % (uint32_t)floor->partitions);
    while (rd_kafka_produce(floor->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value, len,
                            floor->key.data, floor->key.len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            give_up("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(floor->producer, FULL_QUEUE_MS);
    }
    floor->records++;
}

// ---------------------------------------------------------------- pages

static int on_number(void *context, const char *text, size_t len)
{
    (void)context;
    (void)text;
    (void)len;
    return 1;
}

static int on_map(void *context)
{
    struct floor *floor = context;
    floor->depth++;
    return 1;
}

// A row is an object within the answer's own.
static int on_end_map(void *context)
{
    struct floor *floor = context;
    if (--floor->depth == 1)
        produce(floor);
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_number = on_number, .yajl_start_map = on_map, .yajl_end_map = on_end_map};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct floor *floor = arg;
    size_t len = size * count;
    return yajl_parse(floor->parser, (const unsigned char *)data, len) == yajl_status_ok ? len : 0;
}

static void open_http(struct floor *floor, const char *key_file)
{
    char key[256] = "";
    struct mf_buf line;
    FILE *file = fopen(key_file, "re");
    if (file == NULL || fgets(key, sizeof key, file) == NULL)
        give_up(key_file, "no key");
    fclose(file);
    key[strcspn(key, "\r\n")] = '\0';
    mf_buf_init(&line, 512);
    mf_buf_addf(&line, "Authorization: Bearer %s", key);
    floor->headers = curl_slist_append(NULL, mf_buf_c_str(&line));
    mf_buf_free(&line);
    floor->easy = curl_easy_init();
    curl_easy_setopt(floor->easy, CURLOPT_HTTPHEADER, floor->headers);
    curl_easy_setopt(floor->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(floor->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(floor->easy, CURLOPT_WRITEDATA, floor);
    curl_easy_setopt(floor->easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(floor->easy, CURLOPT_PROXY, "");
}

// A line "key URL".
static void fetch(struct floor *floor, char *line)
{
    char *blank = strchr(line, ' ');
    if (blank == NULL)
        give_up("pages", "a line without a URL");
    floor->key = (struct mf_str){line, (size_t)(blank - line)};
    floor->depth = 0;
    floor->parser = yajl_alloc(&callbacks, NULL, floor);
    curl_easy_setopt(floor->easy, CURLOPT_URL, blank + 1);
    CURLcode code = curl_easy_perform(floor->easy);
    if (code != CURLE_OK || yajl_complete_parse(floor->parser) != yajl_status_ok)
        give_up(blank + 1, curl_easy_strerror(code));
    yajl_free(floor->parser);
    rd_kafka_poll(floor->producer, 0);
}

static void fetch_all(struct floor *floor, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        give_up(path, "cannot be read");
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        fetch(floor, line);
    }
    fclose(file);
    if (rd_kafka_flush(floor->producer, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("flush", "records are not acknowledged");
}

// ---------------------------------------------------------------- the sample

static void read_sample(struct sample *sample, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        give_up(path, "cannot be read");
    mf_buf_init(&sample->text, SAMPLE_MAX);
    while (fgets(line, sizeof line, file) != NULL) {
        mf_buf_add(&sample->text, line, strcspn(line, "\r\n"));
        if (sample->count == sample->capacity) {
            sample->capacity = sample->capacity * 2 + 1024;
            sample->ends = mf_realloc(sample->ends, sample->capacity * sizeof *sample->ends);
        }
        sample->ends[sample->count++] = sample->text.len;
    }
    fclose(file);
    if (sample->count == 0)
        give_up(path, "is empty");
}

int main(int argc, char **argv)
{
    struct floor floor = {0};
    if (argc != 7 || !take_number(argv[3], 1000, &floor.partitions)) {
        fprintf(stderr, "usage: ingestor_floor HOST:PORT TOPIC PARTITIONS KEY_FILE PAGES SAMPLE\n");
        return MF_EXIT_CONFIG;
    }
    read_sample(&floor.sample, argv[6]);
    floor.world = kafka_world_at(argv[1], NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_http(&floor, argv[4]);
    int64_t begin_us = mf_clock_monotonic_us();
    double begin_cpu = cpu_seconds();
    open_producer(&floor, argv[2]);
    fetch_all(&floor, argv[5]);
    printf("{\"records\":%lld,\"seconds\":%.3f,\"cpu_s\":%.3f}\n", (long long)floor.records,
           (double)(mf_clock_monotonic_us() - begin_us) / 1e6, cpu_seconds() - begin_cpu);
    rd_kafka_topic_destroy(floor.topic);
    rd_kafka_destroy(floor.producer);
    curl_easy_cleanup(floor.easy);
    curl_slist_free_all(floor.headers);
    curl_global_cleanup();
    kafka_world_free(&floor.world);
    mf_buf_free(&floor.sample.text);
    free(floor.sample.ends);
    return MF_EXIT_OK;
}
