// SPDX-License-Identifier: Apache-2.0
// marketflowctl verify, between its files: what is compared, what is found, and the two sides that it is read
// from. The judgement (verify_judge.c) is pure: records come in windows, the warehouse says which keys of a
// window have no row, and dead letters take offsets off what is left. Memory is a window and the list of what
// is not accounted for, whatever the topics hold.
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

#include "common/kafka_offsets.h"
#include "common/raw_table.h"
#include "common/warehouse.h"
#include "services/ctl/ctl.h"

#define CTL_WINDOW_RECORDS 10000 // one question to the warehouse
#define CTL_OPEN_MAX \
    ((size_t)200000)         // records not accounted for that are kept; further ones are counted only
#define CTL_DOUBLED_MAX 1000 // doubled offsets and keys listed per table

struct ctl_record {
    int32_t partition;
    int64_t offset;
    int64_t revision;
    char event_id[MF_EVENT_ID_SIZE]; // "" = not an event: only a dead letter can account for it
};

// A record without a row, until a dead letter accounts for it.
struct ctl_open {
    enum mf_raw_table_id table;
    bool closed;
    struct ctl_record record;
};

struct ctl_doubled {
    enum mf_raw_table_id table;
    int32_t partition; // -1: a key, else an offset
    int64_t offset;
    int64_t revision;
    char event_id[MF_EVENT_ID_SIZE];
    uint64_t rows;
};

struct ctl_partition_state {
    struct mf_kafka_range range; // when it began
    int64_t stored;              // the sink's next offset then; -1 = it never had the partition
    uint64_t records, by_row, by_letter, missing, pending, doubled;
};

struct ctl_table_state {
    bool chosen;
    const char *topic;
    size_t partition_count;
    struct ctl_partition_state *partitions;
    uint64_t doubled_keys;
};

struct ctl_verification {
    struct ctl_table_state tables[MF_RAW_MAX];
    struct ctl_open *open;
    size_t open_count, open_room, open_max;
    size_t open_sorted; // the first so many are in order: what dead letters are looked up in
    bool open_cut;      // there were more than open_max
    struct ctl_doubled *doubled;
    size_t doubled_count;
};

// ---- judgement (verify_judge.c)

void ctl_verification_init(struct ctl_verification *v, size_t open_max);
void ctl_verification_free(struct ctl_verification *v);
// The records of a window of which `absent` (places in it, ascending) have no row: the others are accounted
// for.
void ctl_judge_window(struct ctl_verification *v, enum mf_raw_table_id table,
                      const struct ctl_record *records, size_t count, const size_t *absent,
                      size_t absent_count);
// Puts the list in order, for the look-ups that follow.
void ctl_judge_sort(struct ctl_verification *v);
// A dead letter names an offset: an open record there is accounted for. Returns whether there was one.
bool ctl_judge_letter(struct ctl_verification *v, enum mf_raw_table_id table, int32_t partition,
                      int64_t offset);
// Takes what was accounted for off the sorted list, which must not fill up with it.
void ctl_judge_drop_closed(struct ctl_verification *v);
// What a table's count of rows says of an offset (partition >= 0) or a key. total: of its kind in the table,
// listed or not.
void ctl_judge_doubled(struct ctl_verification *v, const struct ctl_doubled *doubled);
// Files what is still open: missing below the sink's offset, pending from there on.
void ctl_judge_close(struct ctl_verification *v);

struct ctl_totals {
    uint64_t offsets, records, by_row, by_letter, missing, pending, doubled, unverifiable;
};
struct ctl_totals ctl_totals(const struct ctl_verification *v);
// "ok", "missing_or_doubled", "pending", in the order of their weight; and its exit code: 0, 1, 75.
const char *ctl_verdict(const struct ctl_totals *totals, int *exit_code);

// ---- report (verify_report.c)

void ctl_verify_print_table(const struct ctl_verification *v, size_t list_max, FILE *out);
// False when the report does not fit its limit (64 MiB).
bool ctl_verify_print_json(const struct ctl_verification *v, const char *group, size_t list_max, FILE *out);

// ---- the warehouse's side (verify_rows.c)

struct ctl_rows;
int ctl_rows_open(const struct mf_settings *settings, const char *group, int64_t statement_timeout_ms,
                  struct ctl_rows **rows, struct mf_error *err);
void ctl_rows_free(struct ctl_rows **rows);
// The stored offsets of the partitions of all chosen tables, into `stored`.
int ctl_rows_stored(struct ctl_rows *rows, struct ctl_verification *v, struct mf_error *err);
// Judges a window: which of its keys have no row, and which of those offsets a loaded dead letter names.
int ctl_rows_window(struct ctl_rows *rows, struct ctl_verification *v, enum mf_raw_table_id table,
                    const struct ctl_record *records, size_t count, struct mf_error *err);
// Offsets and, where the key is enforced, keys with more than one row.
int ctl_rows_doubled(struct ctl_rows *rows, struct ctl_verification *v, enum mf_raw_table_id table,
                     struct mf_error *err);

#endif
