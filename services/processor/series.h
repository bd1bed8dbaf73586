// SPDX-License-Identifier: Apache-2.0
// One series: the last bars, of which the newest 64 (the ring) may still change; columns of look-back that
// reach behind them; checkpoints of the state (every accumulator and all rule state) between them; and a head
// (state after the last bar). An append is one step of the head. A change inside the ring recomputes, from
// the newest checkpoint at or before it, what would have been published and reports the difference to what
// was. What is published does not depend on which checkpoints exist. Pure but for memory; no failure classes.
#ifndef PRC_SERIES_H
#define PRC_SERIES_H

#include "common/decimal.h"
#include "common/hash.h"
#include "services/processor/rules.h"

#define PRC_RING 64

struct prc_series_key { // what makes two series of a cell different
    char source[24];    // of the bars: a provider, or "processor"
    char provider[24];  // = source, or for a derived series the parent's source
    enum mf_adjusted adjusted;
    enum mf_interval interval;
};

struct prc_state {
    struct prc_indicator_state indicators;
    struct prc_rule_states rules;
};

// Number text of a bar without the text: what roll-ups hand on. A text of more than 18 digits is kept whole
// (`wide`, owned by the slot).
enum prc_number_field { PRC_OPEN, PRC_HIGH, PRC_LOW, PRC_CLOSE, PRC_VOLUME, PRC_VWAP, PRC_NUMBER_MAX };
struct prc_numbers {
    int64_t mantissa[PRC_NUMBER_MAX];
    uint8_t scale[PRC_NUMBER_MAX]; // value = mantissa / 10^scale
    bool has_vwap;
    char *wide; // NULL, or the texts joined by ' ' in field order ("-" for an absent vwap)
};
#define PRC_NO_TRADE_COUNT (-1)

// prc_frozen in 16 bytes: what hardly any bar has goes out of line.
struct prc_slot_frozen {
    int32_t late_ms; // PRC_SLOT_NOT_JUDGED, or late_us in milliseconds
    int8_t mtf_signed;
    uint8_t mtf_weight, mtf_count, bits;
    struct prc_frozen *whole; // NULL, or all of it where the above cannot hold it; owned
};
#define PRC_SLOT_NOT_JUDGED INT32_MIN

// A window's length in 32 bits: milliseconds, as up to a month there is room for them, and seconds beyond,
// where events have no other (mf_bar_window_fits). Pure.
#define PRC_LENGTH_SECONDS UINT32_C(0xC0000000) // from here on; below it 37 days in ms
static inline uint32_t prc_window_pack(int64_t length_us)
{
    int64_t ms = length_us / MF_US_PER_MS;
    return ms < PRC_LENGTH_SECONDS ? (uint32_t)ms
                                   : PRC_LENGTH_SECONDS + (uint32_t)(length_us / MF_US_PER_SECOND);
}
static inline int64_t prc_window_us(uint32_t packed)
{
    return packed < PRC_LENGTH_SECONDS ? (int64_t)packed * MF_US_PER_MS
                                       : (int64_t)(packed - PRC_LENGTH_SECONDS) * MF_US_PER_SECOND;
}

struct prc_slot { // 128 bytes
    int64_t time_us;
    uint64_t content_hash; // of the bar's market fields, for duplicates
    uint64_t metric_hash;  // of the computed fields last emitted
    struct prc_numbers numbers;
    struct prc_slot_frozen frozen; // prc_slot_thaw, prc_slot_freeze
    int64_t trade_count;
    uint32_t length; // prc_window_pack of window_end - time
    int32_t session_day;
    uint16_t revision, metric_revision;
    uint8_t session, flags, mode;
    bool emitted; // a metric has been emitted for it
};

// An alert that this series has published and may still have to change: what the last event said. value,
// threshold, severity, direction and cooldown are the firing event's own; resolutions repeat the first four.
struct prc_fired {
    int64_t key_time_us;
    int64_t cooldown_until_us; // 0 = none
    int64_t resolved_time_us;  // when it is resolved
    int64_t resolved_bar_us;   // start of the bar that resolved it
    double value, threshold;
    uint16_t revision; // of the last event published for the key
    uint16_t version;  // digest of the rule's version when it was published
    uint8_t rule, severity, direction;
    uint8_t resolution; // enum prc_resolution
};

// Bars are stored from the base on: the logical ring is the last PRC_RING of them; up to PRC_CHECKPOINT more
// lie before it, between the base and the ring's start.
#define PRC_CHECKPOINT 32 // bars between two checkpoints
#define PRC_STORED (PRC_RING + PRC_CHECKPOINT)
#define PRC_CHECKPOINTS (PRC_STORED / PRC_CHECKPOINT)
struct prc_checkpoint; // a state without the rules that never fired

// velocity looks back by time: 1m and 5m bars start on their minutes, so that no more are needed.
#define PRC_BEHIND 5
#define PRC_RECENT_BARS (PRC_BEHIND + 1) // the bar at hand too
struct prc_behind {                      // of a bar before slots[0]
    int64_t time_us;
    int32_t session_day;
    uint8_t session;
};

struct prc_series {
    struct prc_series_key key;
    enum mf_asset_class asset_class; // of its first bar, whatever a later one says: state depends on it
    // [k] = state before slots[k * PRC_CHECKPOINT], NULL = not at hand; [0] = base, NULL = nothing yet.
    struct prc_checkpoint *checkpoints[PRC_CHECKPOINTS];
    struct prc_state head;
    struct prc_slot *slots; // stored bars, oldest first; grows to PRC_STORED
    size_t count, capacity;
    // Columns, each column_capacity long: look-back bars before slots[0], then the stored bars. Closes,
    // volumes; for 1d highs and lows; for 1m and 1d the history of prc_window.
    double *columns;
    size_t column_count, column_capacity;
    struct prc_behind behind[PRC_BEHIND]; // the last bars before slots[0], newest last; 1m and 5m only
    uint8_t behind_count;
    // The last bars stored, newest last, as far as at hand: what an append asks for, without a look at slots.
    uint8_t recent_count;
    struct prc_behind recent[PRC_RECENT_BARS];
    struct prc_fired *fired; // sorted by (key_time_us, rule)
    size_t fired_count, fired_capacity;
    // Roll-ups and heartbeats (fold_rollup.c, fold_heartbeat.c).
    int64_t largest_end_us;              // of every bar placed; the series' own time
    uint16_t feeds;                      // bit per enum mf_interval that this series feeds
    int64_t stale_since_us;              // event_time of the open stale_feed alert, as kept; 0 = none
    double stale_value, stale_threshold; // as last said
    uint16_t stale_revision;
    uint8_t stale_severity;
    int8_t mtf_sign; // of the head's bar; PRC_MTF_COLD = not warm
};
#define PRC_MTF_COLD 2

enum prc_placement {
    PRC_PLACED_NEW,        // appended or inserted
    PRC_PLACED_CORRECTION, // same time, other content
    PRC_PLACED_DUPLICATE,  // same time, same content: nothing changes
    PRC_PLACED_LATE        // older than the ring: state untouched
};

// What one record made the series say, in the order in which it is to be published.
struct prc_series_sink {
    void *arg;
    // Computed values of the bar at `bar`; revision 0 is the first emission.
    void (*metric)(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                   const struct prc_values *values, uint32_t n_obs, unsigned revision);
    // values belong to the bar that fired; NULL for resolutions, and for a firing restated after its bar left
    // the ring. bar: on an append the bar appended; of a withdrawn alert the bar that caused it; else the bar
    // that fired, or the ring's first when that is older.
    void (*alert)(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                  const struct prc_values *values, const struct prc_bar *bar, unsigned revision);
};

// A bar to fold. The series takes numbers.wide (and sets it NULL).
struct prc_series_bar {
    struct prc_bar bar;
    struct prc_numbers numbers;
    int64_t trade_count;
    uint64_t content_hash;
};

// What became of it, for roll-ups and filters.
struct prc_applied {
    bool appended;            // it is the newest bar
    unsigned revision;        // of the bar
    unsigned alerts;          // alert events published by the apply
    bool first_of_session;    // no earlier bar of the ring has its (session_day, session)
    struct prc_values values; // of this bar
};

struct prc_series *prc_series_new(const struct prc_series_key *key, enum mf_asset_class asset_class);
void prc_series_free(struct prc_series **series);

// Where a final bar belongs; content_hash decides between duplicate and correction. Changes nothing.
// *revision is the revision that the bar will have.
enum prc_placement prc_series_place(const struct prc_series *series, int64_t time_us, uint64_t content_hash,
                                    unsigned *revision);
// Folds a bar whose placement is NEW or CORRECTION. A correction keeps what its bar had frozen.
void prc_series_apply(struct prc_series *series, struct prc_series_bar *bar,
                      const struct prc_rule_config *config, const struct prc_series_sink *sink,
                      struct prc_applied *applied);
size_t prc_series_bytes(const struct prc_series *series);

// The logical ring: bars that may still change, oldest first; index < prc_series_ring_count.
size_t prc_series_ring_count(const struct prc_series *series);
const struct prc_slot *prc_series_ring_slot(const struct prc_series *series, size_t index);
// The stored bar of that start, NULL when there is none.
const struct prc_slot *prc_series_find(const struct prc_series *series, int64_t time_us);
// Doubles of a stored bar.
void prc_slot_bar(const struct prc_slot *slot, struct prc_bar *bar);
struct prc_frozen prc_slot_thaw(const struct prc_slot *slot);
void prc_slot_freeze(struct prc_slot *slot, const struct prc_frozen *frozen); // replaces, frees

// For the codec, which stores checkpoints, stored bars, head, fired and the look-back before slots[0].
// False when the state before slots[index * PRC_CHECKPOINT] is not at hand; index 0 always is.
bool prc_series_checkpoint(const struct prc_series *series, size_t index, struct prc_state *state);
enum prc_column { PRC_COLUMN_CLOSE, PRC_COLUMN_VOLUME, PRC_COLUMN_HIGH, PRC_COLUMN_LOW, PRC_COLUMN_MAX };
// Look-back bars before slots[0], oldest first: how many; column[HIGH], column[LOW] are NULL but for 1d.
size_t prc_series_lookback(const struct prc_series *series, const double *column[PRC_COLUMN_MAX]);
// A series from its parts: base, head, `count` bars (the array and all that its slots own are taken), fired
// alerts (copied), look-back. Limits have been checked: count <= PRC_STORED, lookback <=
// PRC_LOOKBACK(_DAILY), behind_count <= PRC_BEHIND. Later checkpoints may be missing: they are made again.
// Only where the rules changed since the base is it not the same: then that state is history which nothing
// here can work out.
struct prc_series_parts {
    struct prc_state checkpoints[PRC_CHECKPOINTS]; // [0] = base
    bool has_checkpoint[PRC_CHECKPOINTS];          // [0] is not looked at
    struct prc_state head;
    const struct prc_behind *behind;
    size_t behind_count;
    struct prc_slot *slots;
    size_t count;
    const struct prc_fired *fired;
    size_t fired_count;
    const double *column[PRC_COLUMN_MAX];
    size_t lookback;
};
void prc_series_restore(struct prc_series *series, const struct prc_series_parts *parts);

// Has the rule ever fired here? Most have not, and are not kept in checkpoints and snapshots.
bool prc_rule_touched(const struct prc_rule_state *rule);

// Number texts ↔ numbers. texts[PRC_VWAP] may be absent. False when a text is no number.
bool prc_numbers_parse(const struct mf_str texts[PRC_NUMBER_MAX], struct prc_numbers *numbers);
// What parse can have made: digits and decimals within limits, every text of `wide` a number.
bool prc_numbers_valid(const struct prc_numbers *numbers);
void prc_numbers_clear(struct prc_numbers *numbers); // frees wide
// The text of one field exactly as it was parsed. scratch: MF_DECIMAL_TEXT_SIZE bytes; the view lives in it
// or in numbers->wide.
struct mf_str prc_number_text(const struct prc_numbers *numbers, enum prc_number_field field, char *scratch);
double prc_number_double(const struct prc_numbers *numbers, enum prc_number_field field);

#endif
