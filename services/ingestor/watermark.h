// SPDX-License-Identifier: Apache-2.0
// A series' progress as it stands on the compacted topic market.ingestor.watermarks: key and value. Pure.
// Live key: provider|feed|symbol|timespan|adjusted ("-" where the feed has none). A backfill's series: the
// same, then the run id. A backfill run: "run|" and its id. Failure class of decode: POISON "bad_watermark".
#ifndef ING_WATERMARK_H
#define ING_WATERMARK_H

#include "common/json_reader.h"
#include "services/ingestor/overlap.h"
#include "services/ingestor/provider.h"
#include "services/ingestor/tally.h"

enum ing_status {       // of a series, or of a run
    ING_STATUS_RUNNING, // of a live series: its warm-up is not over
    ING_STATUS_COMPLETE,
    ING_STATUS_PARTIAL,        // done but for ranges that the plan does not cover
    ING_STATUS_UNKNOWN_TICKER, // the provider knows nothing of that name
    ING_STATUS_REFUSED,        // a request that can never succeed
    ING_STATUS_ABANDONED,      // runs only
    ING_STATUS_MAX
};
const char *ing_status_name(enum ing_status status); // "running", …

struct ing_range {
    int64_t from_us, to_us; // [from, to)
};
// Adds a range, joined with the last one when they touch. False when there is no room.
#define ING_SKIPPED_MAX 32
struct ing_range_list {
    struct ing_range items[ING_SKIPPED_MAX];
    size_t count;
};
bool ing_range_list_add(struct ing_range_list *list, struct ing_range range);

struct ing_watermark {
    enum ing_status status;
    struct ing_range range; // backfill: what the run asks for; 0, 0 in live ones
    // Backfill: all before it is done. Live: where the first range that was read began, and where ranges
    // begin until an event is known; of one that is RUNNING because it is pulled anew, the newest event
    // before that; 0 = none was read.
    int64_t position_us;
    int64_t last_time_us;  // newest acknowledged event; INT64_MIN = none
    unsigned page;         // of the range under way
    unsigned pass;         // of a feed that is read in several: an enum ing_pass
    char cursor[4096 + 1]; // path and query of the next page, without key; "" = the range's first page
    // Of a list of contracts, in ticker order: up to this one all of the pass are done; "" = none.
    char listed[ING_OCC_TICKER_MAX + 1];
    // Where the request under way ends, which the cursor goes on with; 0 = none is.
    int64_t request_to_us;
    uint64_t events; // acknowledged, over all starts of the run
    struct ing_range_list skipped;
    const struct ing_tally *tally; // backfill, borrowed: written with the mark; NULL = none
    int64_t reconciled_us; // live minutes: where the newest session begins that was pulled again; 0 = none
};
void ing_watermark_init(struct ing_watermark *watermark);

// What a live series keeps of its watermark: there are thousands of them, and only a backfill has the rest.
struct ing_mark {
    enum ing_status status;
    int64_t position_us, last_time_us, reconciled_us; // as above
    uint64_t events;
};
void ing_mark_init(struct ing_mark *mark);

#define ING_WATERMARK_KEY_MAX 256
void ing_watermark_key(const struct ing_work *work, const char *run_id, struct mf_buf *out);
void ing_run_key(const char *run_id, struct mf_buf *out);
// Is the key one of a live series, of the run (run_id), or of neither?
bool ing_watermark_key_is_live(struct mf_str key);
struct mf_str ing_watermark_key_symbol(struct mf_str key); // of a live series; lies in the key
bool ing_watermark_key_is_of_run(struct mf_str key, const char *run_id);

// overlap may be NULL. At most ING_OVERLAP_SAVED of its newest entries are written.
#define ING_OVERLAP_SAVED 1024
#define ING_WATERMARK_MAX ((size_t)128 * 1024)
void ing_watermark_encode(const struct ing_watermark *watermark, const struct ing_overlap *overlap,
                          struct mf_buf *out);
void ing_mark_encode(const struct ing_mark *mark, const struct ing_overlap *overlap, struct mf_buf *out);
int ing_mark_decode(struct mf_json *json, struct mf_str text, struct ing_mark *mark,
                    struct ing_overlap *overlap, struct mf_error *err);
int ing_watermark_decode(struct mf_json *json, struct mf_str text, struct ing_watermark *watermark,
                         struct ing_overlap *overlap, struct mf_error *err);
// The tally in the same text, into a zeroed one, which is freed by the caller also after a failure.
int ing_watermark_decode_tally(struct mf_json *json, struct mf_str text, struct ing_tally *tally,
                               struct mf_error *err);

// A run's own record.
struct ing_run {
    enum ing_status status; // RUNNING, COMPLETE or ABANDONED
    char arguments[33];     // hash of what was asked for
    uint64_t events;        // of all series, when complete
    uint64_t series;
    struct ing_tally tally;  // of all series and the lane end, when complete; owned
    char not_complete[2048]; // "SYMBOL=partial,…" of a run that is complete but for those
};
void ing_run_free(struct ing_run *run);
void ing_run_encode(const struct ing_run *run, struct mf_buf *out);
int ing_run_decode(struct mf_json *json, struct mf_str text, struct ing_run *run, struct mf_error *err);

#endif
