// SPDX-License-Identifier: Apache-2.0
// marketflowctl verify: is every record of the sink's topics in the warehouse, once? Reads each topic to the
// end that it had at the start, in windows: one statement per window says which of its keys have no row.
// Records that an aborted transaction left, and the marks of transactions, are never handed out. The
// dead-letter topic comes last: its letters account for records whose letter is not loaded yet.
#include "services/ctl/verify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/event.h"

#define COMMAND "verify"
#define TIMEOUT_S 300
#define OFFSETS_TIMEOUT_MS 30000
#define LIST_DEFAULT 100
#define LIST_MAX 100000

struct options {
    const char *topics; // comma list, NULL = all
    bool json;
    int64_t list_max, timeout_s;
};

struct verify {
    struct ctl_kafka kafka;
    struct ctl_rows *rows;
    struct ctl_verification found;
    char group[256];
    int64_t timeout_ms;
    enum mf_raw_table_id table; // being read
    struct ctl_record *window;
    size_t count;
    uint64_t read, expected;
    struct mf_json *json;
    struct mf_event *event;
    struct ctl_progress progress;
};

// ---------------------------------------------------------------- reading

// A dead letter accounts for the record that it names.
static void take_letter(struct verify *verify, const struct mf_dead_letter *letter)
{
    const struct mf_origin *origin = &letter->origin;
    for (enum mf_raw_table_id table = 0; table < MF_RAW_MAX && origin->topic.data != NULL; table++) {
        const char *topic = verify->found.tables[table].topic;
        if (mf_str_eq_c(origin->topic, topic) && origin->partition <= INT32_MAX)
            ctl_judge_letter(&verify->found, table, (int32_t)origin->partition, origin->offset);
    }
}

// The key that the sink gives the record; none when it refuses it.
static void take_key(struct verify *verify, const struct mf_kafka_message *message, struct ctl_record *record)
{
    struct mf_str value = message->value;
    record->event_id[0] = '\0';
    record->revision = 0;
    if (value.data == NULL || mf_event_decode(verify->json, value, verify->event, NULL, NULL) != 0)
        return;
    struct mf_str header = mf_kafka_message_header(message, MF_HEADER_REVISION);
    if (mf_event_revision(verify->event, header, &record->revision, NULL) == 0)
        mf_str_copy(record->event_id, sizeof record->event_id, verify->event->event_id);
    if (verify->event->type == MF_EVENT_DEAD_LETTER)
        take_letter(verify, &verify->event->dead_letter);
}

static int judge_window(struct verify *verify, struct mf_error *err)
{
    size_t count = verify->count;
    verify->count = 0;
    if (!verify->found.tables[verify->table].chosen)
        return 0;
    return ctl_rows_window(verify->rows, &verify->found, verify->table, verify->window, count, err);
}

static int on_message(void *arg, const struct mf_kafka_message *message, struct mf_error *err)
{
    struct verify *verify = arg;
    const struct ctl_table_state *state = &verify->found.tables[verify->table];
    size_t partition = (size_t)message->partition;
    // What came after the start is another run's to verify.
    if (partition >= state->partition_count || message->offset >= state->partitions[partition].range.high)
        return 0;
    verify->read++;
    ctl_progress(&verify->progress, "%s: %" PRIu64 " records of at most %" PRIu64 ", %zu not accounted for",
                 state->topic, verify->read, verify->expected, verify->found.open_count);
    struct ctl_record *record = &verify->window[verify->count++];
    record->partition = message->partition;
    record->offset = message->offset;
    take_key(verify, message, record);
    return verify->count < CTL_WINDOW_RECORDS ? 0 : judge_window(verify, err);
}

static int read_table(struct verify *verify, enum mf_raw_table_id table, struct mf_error *err)
{
    struct ctl_table_state *state = &verify->found.tables[table];
    verify->table = table;
    verify->count = 0;
    verify->read = verify->expected = 0;
    for (size_t p = 0; p < state->partition_count; p++)
        verify->expected += (uint64_t)(state->partitions[p].range.high - state->partitions[p].range.low);
    if (table == MF_RAW_DEAD_LETTERS)
        ctl_judge_sort(&verify->found);
    // A window may take as long as a statement may: it does not count as standing still.
    const struct ctl_topic_reading reading = {
        .topic = state->topic, .stall_ms = verify->timeout_ms * 2, .on_message = on_message, .arg = verify};
    if (verify->expected > 0 && ctl_read_topic(&verify->kafka, &reading, err) != 0)
        return -1;
    return judge_window(verify, err);
}

// ---------------------------------------------------------------- the run

// The ends come before the stored offsets: what the sink loads meanwhile is found all the same.
static int look(struct verify *verify, struct mf_error *err)
{
    struct mf_kafka_offsets *offsets = NULL;
    if (mf_kafka_offsets_new(&verify->kafka.config, verify->group, &offsets, err) != 0)
        return -1;
    int result = 0;
    for (size_t t = 0; result == 0 && t < MF_RAW_MAX; t++) {
        struct ctl_table_state *state = &verify->found.tables[t];
        struct mf_kafka_range *ranges = NULL;
        if (!state->chosen && t != MF_RAW_DEAD_LETTERS)
            continue;
        result = mf_kafka_offsets_ranges(offsets, state->topic, OFFSETS_TIMEOUT_MS, &ranges,
                                         &state->partition_count, err);
        if (result != 0)
            break;
        state->partitions = mf_calloc(state->partition_count, sizeof *state->partitions);
        for (size_t p = 0; p < state->partition_count; p++)
            state->partitions[p] = (struct ctl_partition_state){.range = ranges[p], .stored = -1};
        free(ranges);
    }
    mf_kafka_offsets_free(&offsets);
    return result == 0 ? ctl_rows_stored(verify->rows, &verify->found, err) : -1;
}

static int run(struct verify *verify, struct mf_error *err)
{
    if (look(verify, err) != 0)
        return -1;
    for (enum mf_raw_table_id table = 0; table < MF_RAW_MAX; table++) {
        bool wanted = verify->found.tables[table].chosen ||
                      (table == MF_RAW_DEAD_LETTERS && verify->found.open_count > 0);
        if (wanted && read_table(verify, table, err) != 0)
            return -1;
    }
    ctl_judge_close(&verify->found);
    for (enum mf_raw_table_id table = 0; table < MF_RAW_MAX; table++) {
        if (!verify->found.tables[table].chosen)
            continue;
        ctl_progress(&verify->progress, "raw.%s: looking for rows that are there twice",
                     mf_raw_tables[table].name);
        if (ctl_rows_doubled(verify->rows, &verify->found, table, err) != 0)
            return -1;
    }
    return 0;
}

// ---------------------------------------------------------------- arguments and result

// Marks the chosen topics; a name that the sink does not load is said on stderr.
static bool choose(struct ctl_verification *found, const char *list)
{
    for (size_t t = 0; t < MF_RAW_MAX; t++)
        found->tables[t].chosen = list == NULL;
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        struct mf_str name = {list, length};
        bool known = false;
        for (size_t t = 0; t < MF_RAW_MAX; t++) {
            if (!mf_str_eq_c(name, found->tables[t].topic) && !mf_str_eq_c(name, mf_raw_tables[t].name))
                continue;
            found->tables[t].chosen = known = true;
        }
        if (!known) {
            ctl_usage(COMMAND, "'%.*s' is neither a topic that the sink loads nor its table", (int)length,
                      list);
            return false;
        }
        list += length + (list[length] == ',' ? 1 : 0);
    }
    return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
    const char *format = "table", *list = NULL, *timeout = NULL;
    const struct mf_option known[] = {{.name = "--topics", .value = &options->topics},
                                      {.name = "--format", .value = &format},
                                      {.name = "--list", .value = &list},
                                      {.name = "--timeout-s", .value = &timeout}};
    struct mf_error err;
    if (mf_options_parse(known, MF_ARRAY_LEN(known), argc, argv, &err) != 0) {
        ctl_usage(COMMAND, "%s", err.message);
        return false;
    }
    options->json = strcmp(format, "json") == 0;
    if (!options->json && strcmp(format, "table") != 0) {
        ctl_usage(COMMAND, "--format is table or json, not '%.40s'", format);
        return false;
    }
    return ctl_option_number(COMMAND, "--list", list, 0, LIST_MAX, &options->list_max) &&
           ctl_option_number(COMMAND, "--timeout-s", timeout, 1, 86400, &options->timeout_s);
}

static int report(const struct verify *verify, const struct options *options)
{
    struct ctl_totals totals = ctl_totals(&verify->found);
    int exit_code = MF_EXIT_OK;
    ctl_verdict(&totals, &exit_code);
    if (!options->json)
        ctl_verify_print_table(&verify->found, (size_t)options->list_max, stdout);
    else if (!ctl_verify_print_json(&verify->found, verify->group, (size_t)options->list_max, stdout))
        fprintf(stderr, "marketflowctl: " COMMAND ": the report is too long: use a smaller --list\n");
    int written = ctl_flush(stdout);
    return exit_code == 1 || written == MF_EXIT_OK ? exit_code : written;
}

int ctl_run_verify(struct mf_service *service, int argc, char **argv)
{
    struct options options = {.list_max = LIST_DEFAULT, .timeout_s = TIMEOUT_S};
    struct verify verify = {0};
    struct mf_error err;
    if (!parse(argc, argv, &options))
        return MF_EXIT_CONFIG;
    ctl_verification_init(&verify.found, CTL_OPEN_MAX);
    for (size_t t = 0; t < MF_RAW_MAX; t++)
        verify.found.tables[t].topic = mf_topic_name(service->settings, mf_raw_tables[t].topic);
    if (!choose(&verify.found, options.topics))
        return MF_EXIT_CONFIG;
    bool named = ctl_group_name(service->settings, "sink", verify.group, sizeof verify.group);
    assert(named); // the prefix has at most 100 characters
    verify.timeout_ms = options.timeout_s * 1000;
    verify.window = mf_calloc(CTL_WINDOW_RECORDS, sizeof *verify.window);
    verify.json = mf_json_new();
    verify.event = mf_alloc(sizeof *verify.event);
    int result = ctl_kafka_open(service, &verify.kafka, &err);
    if (result == 0)
        result = ctl_rows_open(service->settings, verify.group, verify.timeout_ms, &verify.rows, &err);
    if (result == 0)
        result = run(&verify, &err);
    ctl_progress_end(&verify.progress);
    int exit_code = result == 0 ? report(&verify, &options) : ctl_failed(COMMAND, &err);
    ctl_rows_free(&verify.rows);
    ctl_kafka_close(&verify.kafka);
    ctl_verification_free(&verify.found);
    mf_json_free(&verify.json);
    free(verify.event);
    free(verify.window);
    return exit_code;
}
