// SPDX-License-Identifier: Apache-2.0
// state = fold(input): one record in, the records that it causes out. A pure function of each input
// partition: no clock, no randomness, no other log. What cannot be taken becomes a dead letter; nothing here
// fails.
#ifndef PRC_FOLD_H
#define PRC_FOLD_H

#include "common/calendar.h"
#include "services/processor/cell.h"

struct prc_input {
    const char *topic;
    int64_t offset;
    int64_t timestamp_ms;
    struct mf_str key;   // the symbol, or anything: nothing depends on it but the time to find a cell
    struct mf_str value; // absent = tombstone, a dead letter
    bool replayed;       // carries the header mf-origin-topic: a dead letter put back
};

// What the pipeline learned about a record travels in headers; the payload is never changed.
#define PRC_OUT_LATE (1u << 0)
#define PRC_OUT_CORRECTED (1u << 1)

struct prc_output { // valid during the call
    enum mf_topic_role role;
    struct mf_str key, value;
    unsigned revision;              // header mf-revision when above 0
    unsigned flags;                 // header mf-flags when not 0
    const struct mf_origin *origin; // origin headers (dead letters), else NULL
    const struct prc_cell *joined;  // news: metadata of the symbol for the headers mf-symbol-*, else NULL
};
typedef void (*prc_emit_fn)(void *arg, const struct prc_output *output);

enum prc_result {
    PRC_KEPT,
    PRC_LATE,
    PRC_DUPLICATE,
    PRC_CORRECTED,
    PRC_INVALID,
    PRC_DROPPED,
    PRC_RESULT_MAX
};
const char *prc_result_name(enum prc_result result);

struct prc_counts {
    uint64_t events[MF_EVENT_TYPE_MAX][PRC_RESULT_MAX]; // INVALID of unreadable records counts under BAR
    uint64_t alerts[PRC_RULE_MAX][MF_SEVERITY_MAX];
    uint64_t metric_events, derived_bars, rollups_missed;
    uint64_t state_refusals;
    int64_t last_event_time_us[MF_EVENT_TYPE_MAX]; // 0 = none yet
};

struct prc_fold_config {
    struct prc_rule_config rules; // copied; rules.keywords borrowed from the settings
    int64_t lateness_us;
    bool rollups;
    bool keep_interesting;              // PROCESSOR_KEEP_BARS=interesting
    const struct mf_calendar *calendar; // borrowed
};

struct prc_fold;

struct prc_fold *prc_fold_new(const struct prc_fold_config *config);
void prc_fold_free(struct prc_fold **fold);
// From the next record on (new thresholds after a replay under the stored ones).
void prc_fold_set_rules(struct prc_fold *fold, const struct prc_rule_config *rules);
// Folds one record into the partition's state; calls emit for each output in order. emit NULL: outputs are
// suppressed and nothing is counted (replay); then only cells whose restored_at is at or below the offset
// change.
void prc_fold_record(struct prc_fold *fold, struct prc_partition *partition, const struct prc_input *input,
                     prc_emit_fn emit, void *arg);

// For `explain`. NULL = nobody looks.
struct prc_watch {
    void *arg;
    // Every bar that is computed, after the series has moved on (series->head holds the rule states after a
    // newest bar).
    void (*bar)(void *arg, const struct prc_cell *cell, const struct prc_series *series,
                const struct prc_bar *bar, const struct prc_values *values, uint32_t n_obs);
    // The same of an option contract; of the values only the previous close is known. before: the state of
    // PRC_CONTRACT_RULE.
    void (*contract)(void *arg, const struct prc_cell *cell, const struct prc_contract *contract,
                     const struct prc_bar *bar, const struct prc_values *values, uint32_t n_obs,
                     const struct prc_rule_state *before);
    // Every article that rules look at, before its alerts are published.
    void (*news)(void *arg, const struct prc_cell *cell, const struct mf_event *event,
                 const struct prc_news_facts *facts);
    // Every series that a heartbeat looks at while its market is open: how old its last bar is, and whether
    // it had enough bars before.
    void (*stale)(void *arg, const struct prc_cell *cell, const struct prc_series *series, int64_t clock_us,
                  double age_in_intervals, bool steady);
};
void prc_fold_watch(struct prc_fold *fold, const struct prc_watch *watch); // borrowed

// Type and ingest_time of the record folded last, for the caller's clocks; MF_EVENT_TYPE_MAX when it could
// not be read.
void prc_fold_last(const struct prc_fold *fold, enum mf_event_type *type, int64_t *ingest_time_us);

const struct prc_counts *prc_fold_counts(const struct prc_fold *fold);
// Dead letters by (input role, reason): iterate from index 0 until NULL.
const char *prc_fold_dead_letters(const struct prc_fold *fold, size_t index, enum mf_topic_role *role,
                                  uint64_t *count);

#endif
