// SPDX-License-Identifier: Apache-2.0
// Shared by the files of the fold only.
#ifndef PRC_FOLD_PRIVATE_H
#define PRC_FOLD_PRIVATE_H

#include "services/processor/fold.h"

#define PRC_DEAD_LETTER_REASONS_MAX 64
// Further than any time that an event may have, with room for sums.
#define PRC_TIME_NEVER (INT64_MAX / 4)
#define PRC_TIME_ALWAYS (-PRC_TIME_NEVER)

// Outputs that are put into order before they leave: those of a heartbeat, and those of a bar that may yet be
// filtered away.
struct prc_collected {
    enum mf_topic_role role;
    struct mf_str key;  // lives as long as the cell
    size_t from, len;   // in bytes
    int64_t end_us;     // order of a heartbeat's outputs: this, key, interval, source, role, rule, place
    const char *source; // the series'
    enum mf_interval interval;
    int rule; // -1 = none
    size_t place;
};
struct prc_collector {
    bool on;
    struct mf_buf bytes;
    struct prc_collected *items;
    size_t count, capacity;
};

struct prc_rollup { // of one interval, to be made from the bars of another series
    struct prc_series *from;
    enum mf_interval interval;
    int64_t start_us, end_us;
};
struct prc_agenda {
    struct prc_rollup *items;
    size_t count, capacity;
};

struct prc_fold {
    struct prc_rule_config rules;
    int64_t lateness_us;
    bool rollups, keep_interesting;
    const struct mf_calendar *calendar;
    struct prc_counts counts;
    struct mf_json *json;
    struct mf_event event; // the record at hand
    // What the processor makes, prepared: only what differs from one to the next is set. The letter is begun
    // anew.
    struct mf_event metric, alert, derived, letter;
    struct mf_buf out; // one of them, encoded
    struct prc_collector collector;
    struct {
        enum mf_topic_role role;
        char reason[MF_ERROR_CODE_SIZE];
        uint64_t count;
    } dead_letters[PRC_DEAD_LETTER_REASONS_MAX];
    size_t dead_letter_reasons;
    struct { // of the day asked for last
        bool known, has_session;
        int32_t day;
        int64_t midnight_us;
        struct mf_calendar_session session;
    } day;
    // Of the record at hand.
    struct prc_partition *partition;
    const struct prc_input *input;
    prc_emit_fn emit; // NULL = replay
    void *emit_arg;
    bool decoded;
    const struct prc_watch *watch;
    struct prc_agenda agenda; // fold_rollup.c
};

// What an output is about, for the order of a heartbeat's.
struct prc_about {
    const struct prc_cell *cell;
    const struct prc_series *series;
    int64_t end_us;
    int rule; // -1 = none
};

// fold_output.c
// The record itself to its filtered topic. cell: whose metadata goes with it, or NULL.
void prc_fold_pass(struct prc_fold *fold, enum mf_topic_role role, unsigned revision, unsigned flags,
                   const struct prc_cell *joined);
// The record to the dead-letter queue. decoded: fold->event holds its envelope.
void prc_fold_dead_letter(struct prc_fold *fold, bool decoded, const char *reason, const char *detail);
void prc_fold_made_init(struct prc_fold *fold);
// Envelope of something made out of the record at hand.
void prc_fold_made_begin(struct prc_fold *fold, struct mf_event *made, const struct prc_cell *cell,
                         enum mf_asset_class asset_class, int64_t event_time_us, unsigned flags,
                         enum mf_provenance_mode mode);
void prc_fold_made_emit(struct prc_fold *fold, const struct mf_event *made, enum mf_topic_role role,
                        const struct prc_about *about);
// From now on outputs are kept; flush emits them, sorted or as they came, and ends that.
void prc_fold_collect(struct prc_fold *fold);
void prc_fold_flush(struct prc_fold *fold, bool sorted);
void prc_fold_count(struct prc_fold *fold, enum prc_result result);
// Flags that what is made takes over from what it is made of.
static inline unsigned prc_inherited(unsigned flags)
{
    return flags & (MF_FLAG_IS_MOCK | MF_FLAG_WARMUP | MF_FLAG_DELAYED);
}

// fold.c
// The cell of the record at hand. NULL when the record is done with: refused (state_limit), passed on as
// late, or of no concern in a replay.
struct prc_cell *prc_fold_cell(struct prc_fold *fold, enum mf_topic_role role);
// The same for a bar that is to be folded: NULL too after having refused a derived one, or passed a forming
// one.
struct prc_cell *prc_fold_bar_cell(struct prc_fold *fold, enum mf_topic_role role);
// The cell of a record without statistics, with what is remembered of it, and the flags it passes with. NULL
// when that is all there is to it: a duplicate, or a dead letter.
struct prc_cell *prc_fold_remembered(struct prc_fold *fold, enum mf_topic_role role,
                                     struct prc_recent **entry, unsigned *flags);
static inline bool prc_fold_replays(const struct prc_fold *fold)
{
    return fold->emit == NULL;
}
// In a replay: the record is in the cell's snapshot already.
static inline bool prc_fold_knows(const struct prc_fold *fold, const struct prc_cell *cell)
{
    return prc_fold_replays(fold) && cell->restored_at > fold->input->offset;
}
// Midnight in New York and the session (false = none) of a day.
bool prc_fold_session(struct prc_fold *fold, int32_t day, int64_t *midnight_us,
                      struct mf_calendar_session *session);

// fold_bar.c
void prc_fold_bar(struct prc_fold *fold);
// fold_series.c: one bar into one series, and what the series says about it.
struct prc_target {
    struct prc_cell *cell;
    struct prc_group *group;
    struct prc_series *series;
};
void prc_fold_doubles(const struct prc_numbers *numbers, struct prc_bar *bar);
// What a bar reads from other series, news, metadata and its record.
void prc_fold_freeze(struct prc_fold *fold, const struct prc_target *target, bool derived,
                     struct prc_bar *bar);
// Moves the series' own time and makes the cell dirty.
void prc_fold_apply(struct prc_fold *fold, const struct prc_target *target, struct prc_series_bar *bar,
                    struct prc_applied *applied);
// Begins fold->alert with all that does not depend on what the rule found.
void prc_fold_alert_begin(struct prc_fold *fold, const struct prc_cell *cell, enum mf_asset_class asset_class,
                          enum prc_rule rule, int64_t event_time_us, unsigned flags,
                          enum mf_provenance_mode mode);
// What a rule found about a series of bars, as an alert event. values: of the bar that fired; NULL for
// resolutions and where they are out of reach.
struct prc_alert_of {
    const struct prc_cell *cell;
    const struct prc_series *series; // NULL: of a contract
    const struct prc_series_key *key;
    enum mf_asset_class asset_class;
    struct mf_str contract; // absent: of a series
};
void prc_fold_alert(struct prc_fold *fold, const struct prc_alert_of *of,
                    const struct prc_transition *transition, const struct prc_values *values,
                    const struct prc_bar *bar, unsigned revision);
// PRC_FROZEN_SPLIT_DAY, or 0.
uint8_t prc_fold_split_bit(const struct prc_cell *cell, int32_t session_day);
// fold_option.c
void prc_fold_option_bar(struct prc_fold *fold);
// fold_rollup.c
// The chain's clock at its root; PRC_TIME_ALWAYS when nothing is known.
int64_t prc_chain_clock(const struct prc_series *root, int64_t complete_to_us);
struct prc_window_key { // what decides a bar's window
    int64_t time_us;
    int32_t session_day;
    enum mf_session session;
};
// What becomes of the windows above the root when the clock of its chain goes from before to after, and the
// bar (NULL = none) has been applied to it.
void prc_fold_roll(struct prc_fold *fold, const struct prc_target *root, const struct prc_window_key *bar,
                   int64_t before_us, int64_t after_us);
// fold_heartbeat.c
void prc_fold_heartbeat(struct prc_fold *fold);
// A newer bar than the one that the open stale_feed alert is about resolves it. Returns how many it
// published.
unsigned prc_fold_fresh(struct prc_fold *fold, const struct prc_target *target, const struct prc_bar *bar);
// fold_news.c
void prc_fold_news(struct prc_fold *fold);
// fold_reference.c
// Events without statistics: remembered by key and content, passed on to the topic.
void prc_fold_reference(struct prc_fold *fold, enum mf_topic_role role);
static inline int64_t prc_floor(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

#endif
