// SPDX-License-Identifier: Apache-2.0
// What a provider is to the ingestor: pure functions from a piece of work to a request, and from an answer to
// a page of items, each of which becomes one event or one dead letter. No I/O, no clock: time comes in with
// the answer.
//
// Ownership: a page owns its memory and the JSON document its views point into; it is used again for the next
// answer. Failure classes: CONFIG for work that no request can be made of, POISON for one item. What a whole
// answer means is an enum ing_answer, not an error, because the retry policy decides about it.
#ifndef ING_PROVIDER_H
#define ING_PROVIDER_H

#include "common/calendar.h"
#include "common/event.h"
#include "common/http_client.h"
#include "common/json_reader.h"
#include "common/json_row.h"
#include "services/ingestor/market_days.h"
#include "services/ingestor/occ.h"

struct ing_market_day; // bar_session.h

enum ing_feed {
    ING_FEED_BARS,
    ING_FEED_NEWS,
    ING_FEED_SYMBOLS,
    ING_FEED_SPLITS,
    ING_FEED_DIVIDENDS,
    ING_FEED_OPTIONS,   // bars of one option contract
    ING_FEED_CONTRACTS, // which contracts there are: its rows are no events, they become series of the other
    ING_FEED_CHAIN,     // what is known now of the contracts of an underlying
    ING_FEED_HOLIDAYS,  // days to come on which the exchanges do otherwise; no events
    ING_FEED_MARKET_STATE, // whether they are open now; no events
    ING_FEED_GROUPED,      // day bars of the whole market, a day at a time
    ING_FEED_PREVIOUS,     // the last day bar of a symbol
    ING_FEED_OPEN_CLOSE,   // day bars with the prices around the session, a day at a time
    ING_FEED_MAX
};
struct ing_feed_info {
    const char *name;        // as in commands, heartbeats and watermarks
    enum mf_event_type type; // of its events
};
extern const struct ing_feed_info ing_feeds[ING_FEED_MAX];
const char *ing_feed_name(enum ing_feed feed); // "bars", "news", …
// Of what is known about instruments, not what happens to them.
bool ing_feed_is_reference(enum ing_feed feed);
// Of what is known when it is asked for, whatever time its rows tell.
bool ing_feed_is_of_now(enum ing_feed feed);
// Of the market itself: its answers drive the calendar and nothing waits for them.
bool ing_feed_is_of_market(enum ing_feed feed);
// Windows in order of time, each of which a range has once.
bool ing_feed_is_of_bars(enum ing_feed feed);
// A request asks for one day, and only for those with a session.
bool ing_feed_is_by_day(enum ing_feed feed);
// One answer without pages and limit.
bool ing_feed_is_single(enum ing_feed feed);

// Bars come in timespans: the provider's, and those of their multiples that events have an interval for.
enum ing_timespan {
    ING_TIMESPAN_SECOND,
    ING_TIMESPAN_5SECOND,
    ING_TIMESPAN_MINUTE,
    ING_TIMESPAN_5MINUTE,
    ING_TIMESPAN_15MINUTE,
    ING_TIMESPAN_30MINUTE,
    ING_TIMESPAN_HOUR,
    ING_TIMESPAN_4HOUR,
    ING_TIMESPAN_DAY,
    ING_TIMESPAN_WEEK,
    ING_TIMESPAN_MONTH,
    ING_TIMESPAN_QUARTER,
    ING_TIMESPAN_YEAR,
    ING_TIMESPAN_MAX
};
// What the provider makes bars of, and counts against the limit of a page.
enum ing_base { ING_BASE_SECOND, ING_BASE_MINUTE, ING_BASE_DAY };
struct ing_timespan_info {
    const char *name; // as in arguments, watermarks and settings
    const char *span; // the provider's word
    unsigned multiplier;
    enum mf_interval interval;
    enum ing_base base;
    unsigned base_count; // the most that one window is made of
};
extern const struct ing_timespan_info ing_timespans[ING_TIMESPAN_MAX];
bool ing_timespan_parse(struct mf_str text, enum ing_timespan *timespan);
// "second, 5second, minute, …", for a message.
const char *ing_timespan_names(char text[160]);

// Reference feeds can be asked for a whole market instead of a symbol.
enum ing_market {
    ING_MARKET_NONE, // of a symbol
    ING_MARKET_STOCKS,
    ING_MARKET_OTC,
    ING_MARKET_INDICES,
    ING_MARKET_CRYPTO,
    ING_MARKET_FX,
    ING_MARKET_MAX
};
struct ing_market_info {
    const char *name; // as in arguments, and the provider's word
    enum mf_asset_class asset_class;
};
extern const struct ing_market_info ing_markets[ING_MARKET_MAX]; // [NONE] has no name
bool ing_market_parse(struct mf_str text, enum ing_market *market);

// Symbols are read in passes, each with pages of its own. Delisted instruments come first: a ticker that is
// in use again is then said last as what it is now.
// Before both, the names that a single stock has had, and its details, which have its list date: they become
// part of what is said about it.
enum ing_pass { ING_PASS_RENAMES, ING_PASS_DETAILS, ING_PASS_DELISTED, ING_PASS_ACTIVE, ING_PASS_MAX };

// Names of an instrument, the oldest first.
struct ing_aliases {
    struct {
        char symbol[MF_SYMBOL_MAX + 1];
        struct mf_date from, to; // year 0 = open
    } items[MF_SYMBOL_ALIASES_MAX];
    size_t count;
    struct mf_date since; // from when the name that was asked for is the instrument's; year 0 = not said
    char figi[33];        // of the instrument; "" = not said
};

// When the instrument that has the asked name now was listed.
struct ing_listing {
    struct mf_date date; // year 0 = not said
    char figi[33];       // of the instrument; "" = not said
};

#define ING_EXERCISE_SIZE 16
// One option contract, as its reference row has it.
struct ing_contract {
    char ticker[ING_OCC_TICKER_MAX + 1];
    char underlying[MF_SYMBOL_MAX + 1]; // which the root of an adjusted contract does not tell
    struct mf_date expiration;
    struct mf_date listed; // year 0 = not said
    enum mf_option_type type;
    char strike[MF_DECIMAL_TEXT_SIZE], shares[MF_DECIMAL_TEXT_SIZE]; // number text
    char exercise[ING_EXERCISE_SIZE];
    const struct mf_json_node *row; // in a page only: lives as long as the page's views
};

// Which contracts of an underlying are asked for; what is open is not asked about.
struct ing_contract_filter {
    struct mf_date expiration_from, expiration_to;                           // both included; year 0 = open
    char strike_from[MF_DECIMAL_TEXT_SIZE], strike_to[MF_DECIMAL_TEXT_SIZE]; // both included; "" = open
    enum mf_option_type type;                                                // MF_OPTION_TYPE_MAX = both
    struct mf_date as_of; // the contracts as they were on that day; year 0 = today
};

struct ing_symbols;

// One range of one series.
struct ing_work {
    enum ing_feed feed;
    enum ing_timespan timespan;          // bars only
    enum mf_adjusted adjusted;           // bars only: NONE or SPLIT
    bool otc;                            // grouped only: with what is traded over the counter
    const struct ing_symbols *only;      // grouped only, borrowed: rows of others are dropped; NULL = of none
    enum ing_pass pass;                  // symbols, and contracts: DELISTED (expired) or ACTIVE
    const struct ing_aliases *aliases;   // symbols only, borrowed: what the first pass said; NULL = nothing
    const struct ing_listing *listing;   // likewise: what its details said
    const struct ing_contract *contract; // options only, borrowed
    const struct ing_contract_filter *filter; // contracts and chains, borrowed; NULL = all, as of today
    enum ing_market market;                   // reference feeds; then symbol is "market:<name>"
    char symbol[MF_SYMBOL_MAX + 1];
    enum mf_asset_class asset_class;
    int64_t from_us, to_us; // event times wanted: [from, to)
    unsigned limit;         // items per page asked for
};
bool ing_work_is_of_renames(const struct ing_work *work);
bool ing_work_is_of_details(const struct ing_work *work);
// One of the two: what a symbol is worth having without.
bool ing_work_is_beside(const struct ing_work *work);
// The type of what a page of this work becomes.
enum mf_event_type ing_work_event_type(const struct ing_work *work);
// What is asked: the endpoints that can fail each by itself. One per feed, the names and the details of a
// symbol.
enum ing_endpoint { ING_ENDPOINT_RENAMES = ING_FEED_MAX, ING_ENDPOINT_DETAILS, ING_ENDPOINT_MAX };
enum ing_endpoint ing_endpoint_of(const struct ing_work *work);
const char *ing_endpoint_name(enum ing_endpoint endpoint); // the feed's name, "renames", "details"
// What is known about the one contract that is the work's symbol, not a list of those of an underlying.
bool ing_work_is_of_contract(const struct ing_work *work);
// Feed name of heartbeats and feed_status: "polygon.bars.1m", "polygon.news", "polygon.symbols".
const char *ing_work_feed(const struct ing_work *work, char text[64]);

// What an answer means, as far as the retry policy has to know.
enum ing_answer {
    ING_ANSWER_DATA,           // at least one item, or an empty page with more behind it
    ING_ANSWER_EMPTY,          // a right answer without items
    ING_ANSWER_PERMANENT,      // the request is wrong: asking again does not help
    ING_ANSWER_KEY_REJECTED,   // no request with this key may follow
    ING_ANSWER_PLAN_LIMIT,     // the plan does not cover the range
    ING_ANSWER_UNKNOWN_TICKER, // nothing of that name
    ING_ANSWER_RATE_LIMITED,   // nothing may start for a while
    ING_ANSWER_TRANSIENT,      // ask again later
    ING_ANSWER_MAX
};
const char *ing_answer_name(enum ing_answer answer); // "data", "empty", …

struct ing_item {
    int64_t event_time_us;          // INT64_MIN when it could not be read
    int64_t vendor_us;              // the stamp as the vendor set it
    const struct mf_json_node *row; // NULL when it is not kept, or is not JSON
    struct mf_str raw;              // then the row's bytes
    struct mf_str key;              // beyond the time: an article's id, a ticker; absent for bars
    // Hash of what the row says, where a time and key may have one row only: those that say otherwise than
    // the last one become dead letters ("conflicting_row"). 0 = the last one counts, whatever the others say.
    uint64_t content;
    uint32_t index;                  // place in the answer, from 0
    char reason[MF_ERROR_CODE_SIZE]; // why it is a dead letter; empty = it is an event, as far as known
};

struct ing_page_counts {
    uint64_t rows;         // as the provider sent them
    uint64_t out_of_range; // not asked for: dropped
    uint64_t foreign;      // of another ticker: dropped
    uint64_t duplicates;   // the same event again within the page: dropped
    uint64_t rejected;     // items with a reason
    uint64_t unsorted;     // rows that stood before an older one
};

#define ING_REQUEST_ID_SIZE 129
#define ING_DETAIL_SIZE 256
// A page of rows, sorted by event time. Zero it, then ing_page_init.
struct ing_page {
    struct mf_json *json;
    const struct ing_work *work;
    int64_t asked_us; // real time at which the request started
    unsigned number;  // of the page, from 0
    enum ing_answer answer;
    char code[MF_ERROR_CODE_SIZE]; // stable reason when the answer is neither data nor empty
    char detail[ING_DETAIL_SIZE];  // the provider's words, made safe
    unsigned flags;                // envelope flags of all its events (delayed, is_mock)
    enum mf_provenance_mode mode;
    char request_id[ING_REQUEST_ID_SIZE];
    struct mf_str next; // the provider's next page, as it named it; absent at the end
    // Where the asked range goes on when the answer is as long as its limit and names no next page: what is
    // behind it was cut off, or there is nothing. 0 = it is whole.
    int64_t rest_us;
    // Of the wanted rows whose time could be read the newest, and the last one as the answer has them;
    // INT64_MIN = there are none.
    int64_t newest_us, last_us;
    struct ing_item *items;
    size_t count, capacity;
    struct ing_page_counts counts;
    struct ing_aliases aliases;     // of a page of renames, whose right rows are no items
    struct ing_listing listing;     // of a page of details, likewise
    struct ing_contract *contracts; // of a page of contracts, likewise; by ticker, each once
    size_t contract_count, contract_capacity;
    struct ing_market_said market; // of a page about the market, likewise
    struct mf_buf repaired;  // the answer without the rows that are not JSON, or with the first row only
    struct mf_buf lost;      // those rows
    struct mf_json_row *row; // the one that is looked at, of rows that are
    struct mf_str rows; // read one by one where they stand: from the first to behind the last; else absent
    size_t row_count;   // of these
    bool whole;         // for tests: never one by one
    struct ing_market_day *day; // of the bar that was looked at last
};
void ing_page_init(struct ing_page *page);
void ing_page_free(struct ing_page *page);
void ing_page_trim(struct ing_page *page); // gives the memory of an unusually large page back
void ing_page_reserve(struct ing_page *page, size_t count); // for so many items, in a page that has none
struct ing_item *ing_page_add(struct ing_page *page);
// Sorts by event time, key and place; of events with the same time and key only the last stays.
void ing_page_arrange(struct ing_page *page);
// Of a cut-off answer: a row behind the place where its range goes on.
bool ing_page_comes_again(const struct ing_page *page, int64_t event_time_us);
// The row of an item, which lives until the next call; NULL when it is not JSON.
const struct mf_json_node *ing_page_row(const struct ing_page *page, const struct ing_item *item);
// What a dead letter shows of it: as ing_node_write, or its bytes when it is not JSON.
void ing_page_write_row(const struct ing_page *page, const struct ing_item *item, struct mf_buf *out);
// The newest event time of items that are events and do not come again with the rest; INT64_MIN when there is
// none.
int64_t ing_page_last_time(const struct ing_page *page);

// Room for texts that an event's views point to.
struct ing_scratch {
    char numbers[7][MF_DECIMAL_TEXT_SIZE];
    char more_numbers[7][MF_DECIMAL_TEXT_SIZE]; // of a snapshot
    struct ing_contract contract;
    char url_hash[33];
};

struct ing_provider_config {
    const char *base_url;
    const char *const *allowed_hosts; // that next pages may name, NULL-terminated
    const char *secret;               // the key: never leaves in a detail; may be NULL
    const struct mf_calendar *calendar;
    unsigned implausible_factor; // of prices among their neighbours: see plausible.h; 0 = not judged
};

// One answer as the HTTP client gave it, with the work it answers.
struct ing_reply {
    const struct ing_work *work;
    unsigned page;
    int64_t asked_us;
    int status;
    struct mf_str body, data_mode, request_id;
};

struct ing_provider {
    const char *name;           // "polygon"
    const char *const *headers; // sent with each request
    // The first request of the work's range into url (cleared first); *endpoint is the metrics label.
    int (*build_request)(const struct ing_provider_config *config, const struct ing_work *work,
                         struct mf_buf *url, const char **endpoint, struct mf_error *err);
    // The URL of the page that the provider named (cleared first). POISON "next_url_refused".
    int (*build_next)(const struct ing_provider_config *config, struct mf_str next, struct mf_buf *url,
                      struct mf_error *err);
    // Everything there is to know about an answer. The page's views live until its next decode, and no longer
    // than the answer's body.
    void (*decode)(const struct ing_provider_config *config, const struct ing_reply *reply,
                   struct ing_page *page);
    // Fills an event's market fields, envelope except lane and ingest_time. POISON: reason for the
    // dead-letter queue.
    int (*fill_event)(const struct ing_provider_config *config, const struct ing_page *page,
                      const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                      struct mf_error *err);
};
extern const struct ing_provider ing_polygon;

// The member's text; absent when there is none or it is no string.
struct mf_str ing_text_of(const struct mf_json_node *object, const char *key);
// JSON text of a node, as a dead letter carries it: numbers as they were, blanks and escapes as we write
// them.
void ing_node_write(const struct mf_json_node *node, struct mf_buf *out);
// Copies text with each occurrence of the secret (which may be NULL) replaced by "***".
void ing_redact(struct mf_str text, const char *secret, struct mf_buf *out);
// The same as one short line of UTF-8 for logs and reports: no control characters, cut to ING_DETAIL_SIZE.
void ing_safe_text(struct mf_str text, const char *secret, char out[ING_DETAIL_SIZE]);

// Parses an answer's body into page->json. If only rows of its array `rows_key` are not JSON (a bare NaN, a
// lone surrogate, a duplicate key), they become items with a reason and the rest is parsed without them.
int ing_page_parse(struct ing_page *page, struct mf_str body, const char *rows_key,
                   const struct mf_json_node **root, struct mf_error *err);
// What is done with each row of an answer as it is read: the row's node lives during the call, its bytes as
// long as the answer. It may add one item.
struct ing_row_taker {
    void (*take)(void *arg, struct ing_page *page, const struct mf_json_node *row, struct mf_str text,
                 uint32_t index);
    void *arg;
};
// The same for answers of many flat rows, which become no nodes: each is taken while it is read, and the
// root's array holds the first one only. False when the answer is not that plain: what was taken is
// forgotten, and ing_page_parse decides.
bool ing_page_parse_rows(struct ing_page *page, struct mf_str body, const char *rows_key,
                         const struct ing_row_taker *taker, const struct mf_json_node **root);
void ing_page_forget_rows(struct ing_page *page); // its items and what was counted

#endif
