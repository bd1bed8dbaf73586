// SPDX-License-Identifier: Apache-2.0
// A dead letter as the operator's commands see it: which ones are meant, what can be replayed, what is
// printed. Views live as long as the message and the event that the letter was read with. Pure; failure class
// CONFIG for arguments that make no filter.
#ifndef CTL_LETTER_H
#define CTL_LETTER_H

#include "common/event.h"
#include "services/ctl/ctl.h"

struct ctl_letter {
    int32_t partition; // where the letter lies
    int64_t offset, timestamp_ms;
    bool readable; // false: no dead letter of a version that this program knows; the rest is absent
    struct mf_str event_id, symbol;
    const struct mf_dead_letter *content;
    struct mf_str revision_header, flags_header; // of the record, as the sink kept them
};

// Reads a message of the dead-letter topic. json and event are scratch.
void ctl_letter_read(const struct mf_kafka_message *message, struct mf_json *json, struct mf_event *event,
                     struct ctl_letter *letter);

// Absent = any. A record that is no dead letter fits a filter by time alone.
struct ctl_letter_filter {
    struct mf_str reason, topic, stage;
    int64_t since_ms, until_ms; // of the letter's own timestamp: since <= t < until
};
// What the texts of --reason, --topic (of the record that was refused), --stage, --since and --until (a
// date or a time) ask for; NULL = not given. CONFIG "bad_arguments".
struct ctl_letter_options {
    const char *reason, *topic, *stage, *since, *until;
};
int ctl_letter_filter_parse(const struct ctl_letter_options *options, struct ctl_letter_filter *filter,
                            struct mf_error *err);
bool ctl_letter_fits(const struct ctl_letter_filter *filter, const struct ctl_letter *letter);
// Names the run of a replay: the same arguments give the same 16 hex digits.
#define CTL_RUN_SIZE 17
void ctl_letter_run(const struct ctl_letter_filter *filter, char run[CTL_RUN_SIZE]);

enum ctl_replay {
    CTL_REPLAY_YES,
    CTL_REPLAY_UNREADABLE, // no dead letter
    CTL_REPLAY_INGEST,     // of a provider's answer: the backfill is to be run again
    CTL_REPLAY_CUT,        // the letter holds only a part of the bytes
    CTL_REPLAY_EMPTY,      // the letter holds none
    CTL_REPLAY_FOREIGN,    // of a topic that none of the services reads
    CTL_REPLAY_MAX
};
// May it go back to where it came from? `settings` name the topics.
enum ctl_replay ctl_letter_replay(const struct ctl_letter *letter, const struct mf_settings *settings);
const char *ctl_replay_name(enum ctl_replay verdict); // "replayed", "ingest", …

void ctl_letters_print_head(FILE *out);
void ctl_letter_print(const struct ctl_letter *letter, FILE *out);
// One JSON object and a line feed. With `whole` the record's bytes too: as text where they are UTF-8, else in
// base64.
void ctl_letter_print_json(const struct ctl_letter *letter, bool whole, FILE *out);

#endif
