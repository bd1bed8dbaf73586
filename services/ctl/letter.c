// SPDX-License-Identifier: Apache-2.0
// Reading, filtering, judging and printing of dead letters. Pure but for the stream that is printed to.
#include "services/ctl/letter.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/json_writer.h"

#define DETAIL_SHOWN 60
#define JSON_MAX ((size_t)4 * 1024 * 1024)

void ctl_letter_read(const struct mf_kafka_message *message, struct mf_json *json, struct mf_event *event,
                     struct ctl_letter *letter)
{
    *letter = (struct ctl_letter){
        .partition = message->partition, .offset = message->offset, .timestamp_ms = message->timestamp_ms};
    if (message->value.data == NULL || mf_event_decode(json, message->value, event, NULL, NULL) != 0 ||
        event->type != MF_EVENT_DEAD_LETTER)
        return;
    letter->readable = true;
    letter->event_id = event->event_id;
    letter->symbol = event->symbol;
    letter->content = &event->dead_letter;
    if (message->native == NULL)
        return; // a test's
    letter->revision_header = mf_kafka_message_header(message, MF_HEADER_REVISION);
    letter->flags_header = mf_kafka_message_header(message, MF_HEADER_FLAGS);
}

// ---------------------------------------------------------------- filter

// "2024-01-02" is its midnight.
static bool parse_time(const char *text, int64_t *time_ms)
{
    struct mf_date date;
    int64_t time_us = 0;
    char midnight[40];
    if (mf_date_parse(mf_str_of(text), &date)) {
        snprintf(midnight, sizeof midnight, "%sT00:00:00.000Z", text);
        text = midnight;
    }
    if (!mf_time_parse(mf_str_of(text), &time_us))
        return false;
    *time_ms = time_us / MF_US_PER_MS;
    return true;
}

int ctl_letter_filter_parse(const struct ctl_letter_options *options, struct ctl_letter_filter *filter,
                            struct mf_error *err)
{
    *filter = (struct ctl_letter_filter){.reason = mf_str_of(options->reason),
                                         .topic = mf_str_of(options->topic),
                                         .stage = mf_str_of(options->stage),
                                         .since_ms = INT64_MIN,
                                         .until_ms = INT64_MAX};
    if (options->since != NULL && !parse_time(options->since, &filter->since_ms))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--since: '%.40s' is neither a date nor a time like 2024-01-02T14:30:00.000Z",
                            options->since);
    if (options->until != NULL && !parse_time(options->until, &filter->until_ms))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--until: '%.40s' is neither a date nor a time like 2024-01-02T14:30:00.000Z",
                            options->until);
    if (filter->since_ms >= filter->until_ms)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--since is not before --until");
    if (options->stage != NULL && strcmp(options->stage, "ingest") != 0 &&
        strcmp(options->stage, "process") != 0 && strcmp(options->stage, "sink") != 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--stage is ingest, process or sink");
    return 0;
}

static bool fits_text(struct mf_str wanted, struct mf_str found)
{
    return wanted.data == NULL || mf_str_eq(wanted, found);
}

bool ctl_letter_fits(const struct ctl_letter_filter *filter, const struct ctl_letter *letter)
{
    if (letter->timestamp_ms < filter->since_ms || letter->timestamp_ms >= filter->until_ms)
        return false;
    if (!letter->readable)
        return filter->reason.data == NULL && filter->topic.data == NULL && filter->stage.data == NULL;
    return fits_text(filter->reason, letter->content->reason) &&
           fits_text(filter->topic, letter->content->origin.topic) &&
           fits_text(filter->stage, letter->content->stage);
}

void ctl_letter_run(const struct ctl_letter_filter *filter, char run[CTL_RUN_SIZE])
{
    char text[512];
    int length =
        snprintf(text, sizeof text, "%.*s\n%.*s\n%.*s\n%" PRId64 "\n%" PRId64, MF_STR_ARG(filter->reason),
                 MF_STR_ARG(filter->topic), MF_STR_ARG(filter->stage), filter->since_ms, filter->until_ms);
    size_t used = length < (int)sizeof text ? (size_t)length : sizeof text - 1;
    snprintf(run, CTL_RUN_SIZE, "%016" PRIx64, mf_hash64(text, used));
}

// ---------------------------------------------------------------- replay

const char *ctl_replay_name(enum ctl_replay verdict)
{
    static const char *const names[CTL_REPLAY_MAX] = {"replayed", "unreadable", "ingest",
                                                      "cut",      "empty",      "foreign"};
    assert(verdict < CTL_REPLAY_MAX);
    return names[verdict];
}

enum ctl_replay ctl_letter_replay(const struct ctl_letter *letter, const struct mf_settings *settings)
{
    if (!letter->readable)
        return CTL_REPLAY_UNREADABLE;
    const struct mf_dead_letter *content = letter->content;
    if (content->origin.topic.data == NULL)
        return CTL_REPLAY_INGEST;
    switch (mf_topic_role_of(settings, content->origin.topic)) {
    case MF_TOPIC_MAX:
    case MF_TOPIC_DLQ: // a dead letter is never dead-lettered again, nor is it sent anew
    case MF_TOPIC_INGESTOR_WATERMARKS:
    case MF_TOPIC_INGESTOR_BUDGET:
    case MF_TOPIC_PROCESSOR_CHANGELOG: return CTL_REPLAY_FOREIGN;
    default: break;
    }
    if (content->raw_sha256.data != NULL)
        return CTL_REPLAY_CUT;
    return content->raw.len == 0 ? CTL_REPLAY_EMPTY : CTL_REPLAY_YES;
}

// ---------------------------------------------------------------- printing

void ctl_letters_print_head(FILE *out)
{
    fprintf(out, "%-12s  %-24s  %-7s  %-20s  %-40s  %s\n", "letter", "time", "stage", "reason", "origin",
            "detail");
}

// Where the record was read, in one word.
static void origin_text(const struct mf_origin *origin, char *out, size_t size)
{
    if (origin->topic.data != NULL)
        snprintf(out, size, "%.*s/%" PRId64 "/%" PRId64, MF_STR_ARG(origin->topic), origin->partition,
                 origin->offset);
    else
        snprintf(out, size, "%.*s/%.*s", MF_STR_ARG(origin->provider), MF_STR_ARG(origin->feed));
}

// Control characters of what others sent do not belong on a terminal.
static void print_plain(struct mf_str text, size_t most, FILE *out)
{
    for (size_t i = 0; i < text.len && i < most; i++) {
        unsigned char c = (unsigned char)text.data[i];
        fputc(c < 0x20 || c == 0x7f ? ' ' : c, out);
    }
}

void ctl_letter_print(const struct ctl_letter *letter, FILE *out)
{
    char place[40], origin[400], time[MF_TIME_TEXT_SIZE];
    snprintf(place, sizeof place, "%" PRId32 ":%" PRId64, letter->partition, letter->offset);
    mf_time_format_ms(mf_time_keep_ms(letter->timestamp_ms) * MF_US_PER_MS, time);
    if (!letter->readable) {
        fprintf(out, "%-12s  %-24s  %-7s  %s\n", place, time, "?", "is no dead letter");
        return;
    }
    origin_text(&letter->content->origin, origin, sizeof origin);
    fprintf(out, "%-12s  %-24s  %-7.*s  %-20.*s  %-40s  ", place, time, MF_STR_ARG(letter->content->stage),
            MF_STR_ARG(letter->content->reason), origin);
    print_plain(letter->content->detail, DETAIL_SHOWN, out);
    fputc('\n', out);
}

static void text_field(struct mf_json_writer *w, const char *key, struct mf_str value)
{
    if (value.data == NULL)
        return;
    mf_jw_key(w, key);
    mf_jw_string(w, value);
}

static void number_field(struct mf_json_writer *w, const char *key, int64_t value)
{
    if (value < 0)
        return;
    mf_jw_key(w, key);
    mf_jw_i64(w, value);
}

static void write_origin(struct mf_json_writer *w, const struct mf_origin *origin)
{
    mf_jw_key(w, "origin");
    mf_jw_object_begin(w);
    text_field(w, "topic", origin->topic);
    number_field(w, "partition", origin->topic.data != NULL ? origin->partition : -1);
    number_field(w, "offset", origin->topic.data != NULL ? origin->offset : -1);
    text_field(w, "provider", origin->provider);
    text_field(w, "feed", origin->feed);
    text_field(w, "request_id", origin->request_id);
    number_field(w, "page", origin->page);
    number_field(w, "index", origin->index);
    mf_jw_object_end(w);
}

static void write_bytes(struct mf_json_writer *w, const struct mf_dead_letter *content)
{
    size_t room = content->raw.len / 4 * 3 + 3, size = 0;
    unsigned char *bytes = mf_alloc(room);
    struct mf_str text = MF_STR_NULL;
    if (mf_base64_decode(content->raw, bytes, room, &size))
        text = (struct mf_str){(const char *)bytes, size};
    bool plain = text.data != NULL && mf_str_is_utf8(text);
    mf_jw_key(w, plain ? "raw_text" : "raw_base64");
    mf_jw_string(w, plain ? text : content->raw);
    free(bytes);
}

void ctl_letter_print_json(const struct ctl_letter *letter, bool whole, FILE *out)
{
    struct mf_buf buf;
    struct mf_json_writer w;
    char time[MF_TIME_TEXT_SIZE];
    mf_buf_init(&buf, JSON_MAX);
    mf_jw_init(&w, &buf);
    mf_jw_object_begin(&w);
    number_field(&w, "partition", letter->partition);
    number_field(&w, "offset", letter->offset);
    mf_jw_key(&w, "time");
    mf_jw_c_string(&w, mf_time_format_ms(mf_time_keep_ms(letter->timestamp_ms) * MF_US_PER_MS, time));
    mf_jw_key(&w, "readable");
    mf_jw_bool(&w, letter->readable);
    if (letter->readable) {
        const struct mf_dead_letter *content = letter->content;
        text_field(&w, "event_id", letter->event_id);
        text_field(&w, "symbol", letter->symbol);
        text_field(&w, "stage", content->stage);
        text_field(&w, "reason", content->reason);
        text_field(&w, "detail", content->detail);
        number_field(&w, "attempts", content->attempts);
        number_field(&w, "size", (int64_t)content->raw_size);
        text_field(&w, "sha256", content->raw_sha256);
        write_origin(&w, &content->origin);
        if (letter->revision_header.data != NULL && mf_str_is_utf8(letter->revision_header))
            text_field(&w, MF_HEADER_REVISION, letter->revision_header);
        if (letter->flags_header.data != NULL && mf_str_is_utf8(letter->flags_header))
            text_field(&w, MF_HEADER_FLAGS, letter->flags_header);
        if (whole)
            write_bytes(&w, content);
    }
    mf_jw_object_end(&w);
    assert(!buf.overflow); // a letter has 384 KiB, each byte of it six at most
    fprintf(out, "%s\n", mf_buf_c_str(&buf));
    mf_buf_free(&buf);
}
