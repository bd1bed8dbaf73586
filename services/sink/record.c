// SPDX-License-Identifier: Apache-2.0
// The checker owns the JSON document that the event's views live in: they die with the next check. Failure
// class: POISON throughout; what cannot be a dead letter either is for the caller to decide.
#include "services/sink/record.h"

#include <stdlib.h>

#include "common/clock.h"

#define FLAG_NAME_MAX 32
#define HEADER_FLAGS_MAX 96

struct snk_checker *snk_checker_new(void)
{
    struct snk_checker *checker = mf_calloc(1, sizeof *checker);
    checker->json = mf_json_new();
    return checker;
}

void snk_checker_free(struct snk_checker **checker)
{
    if (*checker == NULL)
        return;
    mf_json_free(&(*checker)->json);
    free(*checker);
    *checker = NULL;
}

// Lower-case names between commas: the column is a list that others split at commas.
static bool flag_names_are_plain(struct mf_str list)
{
    size_t run = 0;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.data[i];
        if (c == ',' ? run == 0 : !((c >= 'a' && c <= 'z') || c == '_'))
            return false;
        run = c == ',' ? 0 : run + 1;
        if (run > FLAG_NAME_MAX)
            return false;
    }
    return run > 0;
}

// What the feed said and what the pipeline found out, in one list.
static int take_flags(struct snk_checker *checker, struct mf_str header, struct mf_error *err)
{
    size_t used = mf_flags_format(checker->event.flags, checker->flags, sizeof checker->flags);
    if (header.data == NULL || header.len == 0)
        return 0;
    if (header.len > HEADER_FLAGS_MAX || !flag_names_are_plain(header))
        return mf_error_set(err, MF_ERROR_POISON, "bad_flags",
                            "header " MF_HEADER_FLAGS " is not a list of flags");
    assert(used + 1 + header.len < sizeof checker->flags);
    if (used > 0)
        checker->flags[used++] = ',';
    memcpy(checker->flags + used, header.data, header.len);
    checker->flags[used + header.len] = '\0';
    return 0;
}

int snk_record_check(struct snk_checker *checker, const struct snk_record *record, struct mf_error *err)
{
    if (record->value.data == NULL || record->value.len == 0)
        return mf_error_set(err, MF_ERROR_POISON, "empty_record", "the record has no value");
    // Syntax, limits, fields, ranges, identity: the whole contract of the event.
    if (mf_event_decode(checker->json, record->value, &checker->event, NULL, err) != 0)
        return -1;
    if (checker->event.type != snk_tables[record->table].type)
        return mf_error_set(err, MF_ERROR_POISON, "wrong_event_type", "%s is not for %s",
                            mf_event_type_name(checker->event.type), snk_tables[record->table].name);
    // Those of a dead letter belong to the record that it holds, and may be why it was refused.
    bool own = checker->event.type != MF_EVENT_DEAD_LETTER;
    if (mf_event_revision(&checker->event, record->revision_header, &checker->revision, err) != 0 ||
        take_flags(checker, own ? record->flags_header : MF_STR_NULL, err) != 0)
        return -1;
    return mf_event_dedupe_key(&checker->event, checker->dedupe_key, &checker->dedupe_key_len, err);
}

void snk_record_event_id(struct snk_checker *checker, struct mf_str value, char event_id[MF_EVENT_ID_SIZE])
{
    const struct mf_json_node *root = NULL;
    event_id[0] = '\0';
    if (value.data == NULL ||
        mf_json_parse(checker->json, value, &mf_json_limits_dead_letter, &root, NULL) != 0)
        return;
    const struct mf_json_node *id = mf_json_get(root, "event_id");
    if (id != NULL && mf_json_type(id) == MF_JSON_STRING)
        mf_str_copy(event_id, MF_EVENT_ID_SIZE, mf_json_text(id));
}

struct mf_origin snk_record_origin(const struct snk_record *record)
{
    return (struct mf_origin){.topic = mf_str_of(record->topic),
                              .partition = record->partition,
                              .offset = record->offset,
                              .timestamp_ms = mf_time_keep_ms(record->timestamp_ms),
                              .page = -1,
                              .index = -1};
}

// The envelope that every dead letter of the sink has. The record's own timestamp stands for both times:
// nothing of its content can be trusted.
static void begin_letter(struct mf_event *event, const struct snk_record *record,
                         const struct mf_error *refused)
{
    mf_event_init(event, MF_EVENT_DEAD_LETTER);
    int64_t time_us = mf_time_keep_ms(record->timestamp_ms) * MF_US_PER_MS;
    event->symbol = MF_STR("_UNKNOWN");
    event->asset_class = MF_ASSET_STOCK;
    event->source = MF_STR("processor");
    event->lane = MF_STR("live");
    event->event_time_us = time_us;
    event->ingest_time_us = time_us;
    event->mode = MF_MODE_REST;
    struct mf_dead_letter *letter = &event->dead_letter;
    letter->stage = MF_STR("sink");
    letter->reason = mf_str_of(refused->code);
    // A message may quote bytes of the record.
    struct mf_str message = mf_str_of(refused->message);
    letter->detail = message.len > 0 && mf_str_is_utf8(message) ? message : letter->reason;
    // With topic, partition and offset the record can be found and replayed while the topic keeps it.
    letter->origin = snk_record_origin(record);
}

int snk_dead_letter(const struct snk_record *record, const struct mf_error *refused, unsigned attempts,
                    struct mf_buf *out, struct mf_error *err)
{
    struct mf_event event;
    begin_letter(&event, record, refused);
    event.dead_letter.raw = record->value.data != NULL ? record->value : MF_STR("");
    event.dead_letter.raw_size = record->value.len;
    event.dead_letter.attempts = attempts;
    return mf_event_encode(&event, out, err);
}

int snk_dead_letter_digest(const struct snk_record *record, const struct mf_error *refused,
                           struct mf_buf *out, struct mf_error *err)
{
    struct mf_event event;
    char digest[65];
    struct mf_error detail;
    mf_error_set(&detail, MF_ERROR_POISON, "bad_dead_letter", "%zu bytes, SHA-256 %s; %s: %s",
                 record->value.len, mf_sha256_hex(record->value.data, record->value.len, digest),
                 refused->code, refused->message);
    begin_letter(&event, record, &detail);
    event.dead_letter.raw = MF_STR("");
    event.dead_letter.attempts = 1;
    return mf_event_encode(&event, out, err);
}
