// SPDX-License-Identifier: Apache-2.0
// Is a Kafka record fit for its RAW table? Everything that the warehouse could stumble over is found here,
// before the record shares a statement with others. Pure.
#ifndef SNK_RECORD_H
#define SNK_RECORD_H

#include "common/event.h"
#include "services/sink/table.h"

#define SNK_FLAGS_SIZE 192 // payload flags and header flags, terminated

// One record as it was read; views are borrowed.
struct snk_record {
    enum snk_table table; // by its topic
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct mf_str value;                         // absent = a tombstone
    struct mf_str revision_header, flags_header; // absent when the record has none
};

// Scratch of the checks and their result; valid until the next check.
struct snk_checker {
    struct mf_json *json;
    struct mf_event event;
    int64_t revision;
    char flags[SNK_FLAGS_SIZE];
    char dedupe_key[MF_DEDUPE_KEY_MAX];
    size_t dedupe_key_len;
};

struct snk_checker *snk_checker_new(void);
void snk_checker_free(struct snk_checker **checker);

// Decodes and validates. POISON with the reason: those of mf_event_decode, "empty_record", "wrong_event_type"
// (an event of another topic), "bad_revision", "bad_flags".
int snk_record_check(struct snk_checker *checker, const struct snk_record *record, struct mf_error *err);

// Only the event_id of a record, "" when it has none that can be read: to recognise the record at an offset.
void snk_record_event_id(struct snk_checker *checker, struct mf_str value, char event_id[MF_EVENT_ID_SIZE]);

// Where the record was read, as its dead letter says it: the timestamp is one that an event may have.
struct mf_origin snk_record_origin(const struct snk_record *record);

// The dead letter of a record that was refused, for market.dlq (stage "sink"). `refused` says why: its code
// is the reason, its message the detail. POISON only when the letter itself cannot be encoded.
int snk_dead_letter(const struct snk_record *record, const struct mf_error *refused, unsigned attempts,
                    struct mf_buf *out, struct mf_error *err);

// What takes the place of a dead letter that is itself refused (reason "bad_dead_letter"): its detail keeps
// size and SHA-256 of the record, and why it was refused; the bytes are not kept. It goes straight into
// raw_dead_letters: a dead letter is never dead-lettered again.
int snk_dead_letter_digest(const struct snk_record *record, const struct mf_error *refused,
                           struct mf_buf *out, struct mf_error *err);

#endif
