// SPDX-License-Identifier: Apache-2.0
// marketflowctl dlq list, dlq show: what lies on the dead-letter topic. Nothing is changed by looking.
#include <inttypes.h>
#include <stdlib.h>

#include "common/kafka_offsets.h"
#include "services/ctl/letter.h"

#define STALL_MS 60000
#define QUESTION_MS 10000
#define LIST_DEFAULT 1000
#define LIST_MAX 100000000

struct looking {
    struct ctl_letter_filter filter;
    bool json;
    int64_t list_max;
    int32_t partition; // show: the letter that is meant
    int64_t offset;
    bool show;
    uint64_t seen, fitting, printed;
    struct mf_json *reader;
    struct mf_event *event;
    struct ctl_progress progress;
};

static int on_listed(void *arg, const struct mf_kafka_message *message, struct mf_error *err)
{
    struct looking *looking = arg;
    struct ctl_letter letter;
    (void)err;
    looking->seen++;
    ctl_progress(&looking->progress, "%" PRIu64 " letters read, %" PRIu64 " of them fit", looking->seen,
                 looking->fitting);
    ctl_letter_read(message, looking->reader, looking->event, &letter);
    if (!ctl_letter_fits(&looking->filter, &letter))
        return 0;
    looking->fitting++;
    if (looking->printed >= (uint64_t)looking->list_max)
        return 0;
    if (looking->json)
        ctl_letter_print_json(&letter, false, stdout);
    else if (looking->printed == 0)
        ctl_letters_print_head(stdout);
    if (!looking->json)
        ctl_letter_print(&letter, stdout);
    looking->printed++;
    return 0;
}

static int on_shown(void *arg, const struct mf_kafka_message *message, struct mf_error *err)
{
    struct looking *looking = arg;
    struct ctl_letter letter;
    (void)err;
    if (message->partition != looking->partition || message->offset != looking->offset)
        return 0;
    ctl_letter_read(message, looking->reader, looking->event, &letter);
    ctl_letter_print_json(&letter, true, stdout);
    looking->printed++;
    return 0;
}

// Said at once: reading would wait for a topic that is not there until nothing has come for STALL_MS.
static int ask_for(const struct ctl_kafka *kafka, const char *topic, struct mf_error *err)
{
    struct mf_kafka_offsets *offsets = NULL;
    struct mf_kafka_range *ranges = NULL;
    size_t count = 0;
    if (mf_kafka_offsets_new(&kafka->config, kafka->config.client_id, &offsets, err) != 0)
        return -1;
    int result = mf_kafka_offsets_ranges(offsets, topic, QUESTION_MS, &ranges, &count, err);
    free(ranges);
    mf_kafka_offsets_free(&offsets);
    return result;
}

static int look(struct mf_service *service, struct looking *looking, struct mf_error *err)
{
    struct ctl_kafka kafka = {0};
    looking->reader = mf_json_new();
    looking->event = mf_alloc(sizeof *looking->event);
    const struct ctl_topic_reading reading = {.topic = mf_topic_name(service->settings, MF_TOPIC_DLQ),
                                              .stall_ms = STALL_MS,
                                              .on_message = looking->show ? on_shown : on_listed,
                                              .arg = looking};
    int result = ctl_kafka_open(service, &kafka, err);
    if (result == 0)
        result = ask_for(&kafka, reading.topic, err);
    if (result == 0)
        result = ctl_read_topic(&kafka, &reading, err);
    ctl_progress_end(&looking->progress);
    ctl_kafka_close(&kafka);
    mf_json_free(&looking->reader);
    free(looking->event);
    return result;
}

int ctl_run_dlq_list(struct mf_service *service, int argc, char **argv)
{
    struct looking looking = {.list_max = LIST_DEFAULT};
    struct ctl_letter_options options = {0};
    const char *format = "table", *limit = NULL;
    const struct mf_option known[] = {{.name = "--reason", .value = &options.reason},
                                      {.name = "--topic", .value = &options.topic},
                                      {.name = "--stage", .value = &options.stage},
                                      {.name = "--since", .value = &options.since},
                                      {.name = "--until", .value = &options.until},
                                      {.name = "--format", .value = &format},
                                      {.name = "--limit", .value = &limit}};
    struct mf_error err;
    if (mf_options_parse(known, MF_ARRAY_LEN(known), argc, argv, &err) != 0 ||
        ctl_letter_filter_parse(&options, &looking.filter, &err) != 0)
        return ctl_usage("dlq list", "%s", err.message);
    looking.json = strcmp(format, "json") == 0;
    if (!looking.json && strcmp(format, "table") != 0)
        return ctl_usage("dlq list", "--format is table or json, not '%.40s'", format);
    if (!ctl_option_number("dlq list", "--limit", limit, 0, LIST_MAX, &looking.list_max))
        return MF_EXIT_CONFIG;
    if (look(service, &looking, &err) != 0)
        return ctl_failed("dlq list", &err);
    fprintf(stderr, "%" PRIu64 " letters, %" PRIu64 " fit, %" PRIu64 " shown\n", looking.seen,
            looking.fitting, looking.printed);
    return ctl_flush(stdout);
}

// "3:1204": partition and offset.
static bool parse_place(const char *text, struct looking *looking)
{
    const char *colon = strchr(text, ':');
    int64_t partition = -1;
    if (colon == NULL || !mf_str_to_i64((struct mf_str){text, (size_t)(colon - text)}, &partition) ||
        !mf_str_to_i64(mf_str_of(colon + 1), &looking->offset))
        return false;
    looking->partition = (int32_t)partition;
    return partition >= 0 && partition <= 511 && looking->offset >= 0;
}

int ctl_run_dlq_show(struct mf_service *service, int argc, char **argv)
{
    struct looking looking = {.show = true};
    struct mf_error err;
    if (argc != 1 || !parse_place(argv[0], &looking))
        return ctl_usage("dlq show", "one letter is needed, PARTITION:OFFSET as dlq list names it");
    if (look(service, &looking, &err) != 0)
        return ctl_failed("dlq show", &err);
    if (looking.printed == 0) {
        fprintf(stderr, "marketflowctl: dlq show: there is no letter %s on %s\n", argv[0],
                mf_topic_name(service->settings, MF_TOPIC_DLQ));
        return MF_EXIT_CONFIG;
    }
    return ctl_flush(stdout);
}
