// SPDX-License-Identifier: Apache-2.0
// Event contracts (schema 1.x): one struct per type, one encoder, one decoder that validates. Everything here
// is pure. Views in a struct mf_event are borrowed: from the JSON document and the bytes of the decode, or
// from whoever filled the struct. Failure class of decode and encode: POISON, code = the stable reason of the
// first problem ("missing_field", "bad_type", "bad_value", "bad_time", "unknown_event_type",
// "unsupported_version", "ohlc_inconsistent", "number_out_of_range", "event_id_mismatch", json_* of the
// reader, …).
#ifndef MF_EVENT_H
#define MF_EVENT_H

#include "buf.h"
#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "hash.h"
#include "json_reader.h"

#define MF_EVENT_SCHEMA_VERSION "1.0"
#define MF_EVENT_SIZE_MAX ((size_t)256 * 1024) // bytes of one encoded event, dead letters excepted
// A dead letter carries up to MF_DEAD_LETTER_RAW_MAX bytes as base64, so it may be larger than what it
// reports on.
#define MF_DEAD_LETTER_SIZE_MAX ((size_t)384 * 1024)
#define MF_SYMBOL_MAX 64    // bytes
#define MF_EVENT_ID_SIZE 33 // 32 hex digits, terminated
#define MF_DEDUPE_KEY_MAX 512
#define MF_RUN_ID_MAX 64      // bytes of a backfill run's id in a lane
#define MF_REQUEST_ID_MAX 128 // bytes of a provider's id of an answer
#define MF_FLAGS_TEXT_SIZE 64 // room for every flag of mf_flags_format, terminated
#define MF_EVENT_KEY_MAX 512  // a composed Kafka key, terminated

enum mf_event_type {
    MF_EVENT_BAR,
    MF_EVENT_OPTION_BAR,
    MF_EVENT_NEWS,
    MF_EVENT_SYMBOL,
    MF_EVENT_CORPORATE_ACTION,
    MF_EVENT_FEED_STATUS,
    MF_EVENT_HEARTBEAT,
    MF_EVENT_METRIC,
    MF_EVENT_ALERT,
    MF_EVENT_DEAD_LETTER,
    MF_EVENT_TYPE_MAX
};

enum mf_asset_class {
    MF_ASSET_STOCK,
    MF_ASSET_OPTION,
    MF_ASSET_FX,
    MF_ASSET_CRYPTO,
    MF_ASSET_INDEX,
    MF_ASSET_CLASS_MAX
};

enum mf_provenance_mode { MF_MODE_REST, MF_MODE_WS, MF_MODE_REPLAY, MF_MODE_SYNTHETIC, MF_MODE_MAX };

// Flags of the envelope, in the order in which they are written.
enum mf_event_flag {
    MF_FLAG_IS_MOCK = 1u << 0,
    MF_FLAG_WARMUP = 1u << 1,
    MF_FLAG_DELAYED = 1u << 2,
    MF_FLAG_FORMING = 1u << 3,
    MF_FLAG_PROXY_VWAP = 1u << 4,
    MF_FLAG_PARTIAL = 1u << 5,
    MF_FLAG_ALL = (1u << 6) - 1
};

enum mf_interval {
    MF_INTERVAL_1S,
    MF_INTERVAL_5S,
    MF_INTERVAL_1M,
    MF_INTERVAL_5M,
    MF_INTERVAL_15M,
    MF_INTERVAL_30M,
    MF_INTERVAL_1H,
    MF_INTERVAL_4H,
    MF_INTERVAL_1D,
    MF_INTERVAL_1W,
    MF_INTERVAL_1MO,
    MF_INTERVAL_3MO, // a quarter of the calendar year
    MF_INTERVAL_1Y,
    MF_INTERVAL_MAX
};

enum mf_session { MF_SESSION_PRE, MF_SESSION_REGULAR, MF_SESSION_POST, MF_SESSION_FULL, MF_SESSION_MAX };
enum mf_adjusted { MF_ADJUSTED_NONE, MF_ADJUSTED_SPLIT, MF_ADJUSTED_SPLIT_DIV, MF_ADJUSTED_MAX };

// The numbers of a bar beside their texts, so that who computes with them need not read them again.
struct mf_bar_numbers {
    struct mf_decimal_number open, high, low, close, volume;
    struct mf_decimal_number vwap; // 0 when absent
};

struct mf_bar {
    enum mf_interval interval;
    int64_t window_end_us;
    struct mf_date session_date; // exchange-local
    enum mf_session session;
    struct mf_str open, high, low, close, volume; // number text as the feed gave it (normalised)
    struct mf_str vwap;                           // absent when the feed gives none
    int64_t trade_count;                          // -1 = absent
    enum mf_adjusted adjusted;
    int otc; // -1 absent, 0, 1
    // Of a day, where the feed gives them: the first price before the session and the last one after it.
    struct mf_str pre_market, after_hours; // may be absent
    // The vendor's own stamp; required for bars from a feed, INT64_MIN = absent (derived bars)
    int64_t vendor_ms;
    struct mf_str parent_source; // derived bars only (source processor)
    int revision;                // derived bars only; -1 = absent
    struct mf_str cause;         // derived bars only: event_id of the record that caused it
    // Set by decode; encode and check take no notice. has_numbers is false in a struct that was filled, and
    // when a number has more than the 18 digits of a struct mf_decimal_number; numbers then says nothing.
    bool has_numbers;
    struct mf_bar_numbers numbers;
};

enum mf_option_type { MF_OPTION_CALL, MF_OPTION_PUT, MF_OPTION_TYPE_MAX };

struct mf_option_bar {
    struct mf_bar bar;                // symbol of the event = underlying
    struct mf_str ticker, underlying; // "O:AAPL250117C00150000", "AAPL"
    struct mf_date expiration;        // exchange-local
    struct mf_str strike;             // number text
    enum mf_option_type type;
    struct mf_str shares_per_contract; // number text; 100 but for adjusted and mini contracts
    struct mf_str exercise;            // "american", "european", "bermudan"
    int64_t days_to_expiration;        // calendar days; INT64_MIN = absent
    struct {                           // what was known of the contract at a moment; interval 1d only
        int64_t time_us;               // INT64_MIN = there is none of it
        struct mf_str open_interest, implied_volatility, delta, gamma, theta, vega; // number text, any may
        struct mf_str underlying_price;                                             // be absent
    } snapshot;
};

#define MF_NEWS_TICKERS_MAX 256
#define MF_NEWS_KEYWORDS_MAX 256

struct mf_news {
    // Description, author may be absent
    struct mf_str article_id, url, url_hash, title, description, author, publisher;
    struct mf_str tickers[MF_NEWS_TICKERS_MAX];
    size_t ticker_count;
    struct mf_str keywords[MF_NEWS_KEYWORDS_MAX];
    size_t keyword_count;
    struct mf_str sentiment_label;                      // absent = no sentiment object
    struct mf_str sentiment_score, sentiment_relevance; // number text
    struct mf_str sentiment_reason;
    struct mf_str lang;
};

#define MF_SYMBOL_ALIASES_MAX 64
struct mf_symbol_alias {
    struct mf_str symbol;
    struct mf_date from, to; // year 0 = open on that side
};
struct mf_symbol_info {
    struct mf_str name, exchange, type, currency, figi; // all but name may be absent
    struct mf_date list_date, delist_date;              // year 0 = absent
    struct mf_symbol_alias aliases[MF_SYMBOL_ALIASES_MAX];
    size_t alias_count;
    int active; // -1 absent, 0, 1
};

enum mf_action_kind { MF_ACTION_SPLIT, MF_ACTION_DIVIDEND, MF_ACTION_TICKER_CHANGE, MF_ACTION_KIND_MAX };
struct mf_corporate_action {
    enum mf_action_kind kind;
    struct mf_date ex_date;
    struct mf_str split_from, split_to;   // number text; both required for a split
    struct mf_str cash_amount, currency;  // cash_amount required for a dividend
    struct mf_str old_symbol, new_symbol; // both required for a ticker change
};

enum mf_feed_state {
    MF_FEED_OK,
    MF_FEED_LATE,
    MF_FEED_GAP,
    MF_FEED_PARKED,
    MF_FEED_FAILED,
    MF_FEED_STATE_MAX
};
#define MF_FEED_GAPS_MAX 64
#define MF_FEED_EXCLUDED_MAX 256
struct mf_feed_gap {
    int64_t from_us, to_us;
    struct mf_str cause;
};
struct mf_feed_status {
    struct mf_str feed; // "polygon.bars.1m"; also the Kafka key
    enum mf_feed_state state;
    int64_t expected, received; // records; -1 = absent
    struct mf_feed_gap gaps[MF_FEED_GAPS_MAX];
    size_t gap_count;
    struct mf_str excluded[MF_FEED_EXCLUDED_MAX]; // symbols
    size_t excluded_count;
    int64_t last_event_time_us; // INT64_MIN = absent
    int64_t lag_ms;             // INT64_MIN = absent
    struct mf_str shard;        // absent = of the whole feed
};

#define MF_HEARTBEAT_FEEDS_MAX 32
struct mf_heartbeat {
    struct {
        struct mf_str name; // "polygon.bars.1m"
        int64_t complete_to_us;
    } feeds[MF_HEARTBEAT_FEEDS_MAX];
    size_t feed_count;
    int64_t clock_us; // the ingestor's time
    bool lane_end;
};

// Numeric fields of a metric event, in the order in which they are written (events.md).
// clang-format off
#define MF_METRIC_FIELD_TABLE(X)                                                                                       \
    X(RET_1, "ret_1") X(VOLUME_MEAN_20, "volume_mean_20") X(VOLUME_SD_20, "volume_sd_20")                              \
    X(VOLUME_Z_20, "volume_z_20") X(REL_VOLUME_20, "rel_volume_20") X(VOLATILITY_20, "volatility_20")                  \
    X(VOLATILITY_ANN_PCT, "volatility_ann_pct") X(SMA_5, "sma_5") X(SMA_10, "sma_10") X(SMA_20, "sma_20")              \
    X(SMA_50, "sma_50") X(SMA_200, "sma_200") X(EMA_12, "ema_12") X(EMA_20, "ema_20") X(EMA_26, "ema_26")              \
    X(RSI_14, "rsi_14") X(MACD, "macd") X(MACD_SIGNAL, "macd_signal") X(MACD_HIST, "macd_hist") X(BB_MID, "bb_mid")    \
    X(BB_UP, "bb_up") X(BB_LOW, "bb_low") X(ATR_14, "atr_14") X(ADX_14, "adx_14") X(PLUS_DI_14, "plus_di_14")          \
    X(MINUS_DI_14, "minus_di_14") X(VWAP_SESSION, "vwap_session") X(VWAP_DEV_PCT, "vwap_dev_pct")                      \
    X(MOMENTUM_10, "momentum_10") X(ROC_10, "roc_10") X(HIGH_52W, "high_52w") X(LOW_52W, "low_52w")                    \
    X(POSITION_52W_PCT, "position_52w_pct") X(MA_15M, "ma_15m") X(MA_1H, "ma_1h") X(VOLATILITY_15M, "volatility_15m")  \
    X(VOLUME_SUM_15M, "volume_sum_15m") X(MTF_STRENGTH, "mtf_strength")
// clang-format on

enum mf_metric_field {
#define MF_METRIC_FIELD_ENUM(id, name) MF_METRIC_FIELD_##id,
    MF_METRIC_FIELD_TABLE(MF_METRIC_FIELD_ENUM)
#undef MF_METRIC_FIELD_ENUM
        MF_METRIC_FIELD_MAX
};
extern const char *const mf_metric_field_names[MF_METRIC_FIELD_MAX];

struct mf_metric_event {
    enum mf_interval interval;
    enum mf_adjusted adjusted; // of the parent series
    int64_t bar_time_us;       // window start of the bar
    int revision;
    struct mf_str parent_source;                      // source of the parent series
    struct mf_str cause;                              // event_id of the record that caused it
    uint32_t n_obs;                                   // bars of the series seen so far, this one included
    bool warmup;                                      // some field of the interval is still missing
    struct mf_str vol_regime, market_regime;          // absent unless warm
    struct mf_str symbol_name, exchange, symbol_type; // the symbol's metadata, where known
    uint64_t present;                                 // bit per enum mf_metric_field: values[…] is set
    // The same for texts[…], the number text that decode found: it is written again as it was. Without it the
    // text is made from the value.
    uint64_t with_text;
    double values[MF_METRIC_FIELD_MAX];
    struct mf_str texts[MF_METRIC_FIELD_MAX];
};

enum mf_severity { MF_SEVERITY_INFO, MF_SEVERITY_WARNING, MF_SEVERITY_CRITICAL, MF_SEVERITY_MAX };
enum mf_direction { MF_DIRECTION_NONE, MF_DIRECTION_UP, MF_DIRECTION_DOWN, MF_DIRECTION_MAX };
enum mf_alert_state { MF_ALERT_FIRING, MF_ALERT_RESOLVED, MF_ALERT_STATE_MAX };

#define MF_ALERT_BASELINE_MAX 8
struct mf_alert {
    struct mf_str rule_id, rule_version;
    struct mf_str interval;    // "1m", …, or "news"
    enum mf_adjusted adjusted; // of the parent series; MF_ADJUSTED_MAX = left out (news rules)
    enum mf_severity severity;
    enum mf_direction direction;
    double value, threshold;
    struct {
        struct mf_str name;
        double value;
    } baseline[MF_ALERT_BASELINE_MAX];
    size_t baseline_count;
    struct mf_str message;
    enum mf_alert_state state;
    struct mf_str reason; // why it resolved or changed: "cleared", "corrected", "rule_changed"; may be absent
    int64_t resolved_time_us;  // 0 = absent
    int64_t cooldown_until_us; // 0 = absent
    int revision;
    struct mf_str parent_source;
    struct mf_str article_id; // news rules only
    struct mf_str contract;   // ticker of the option whose bars the rule looked at; else absent
    struct mf_str cause;
    struct mf_str symbol_name, exchange, symbol_type; // the symbol's metadata, where known
};

// Where a dead letter came from: a Kafka coordinate, or a place in a provider's answer (stage "ingest").
struct mf_origin {
    struct mf_str topic; // absent for stage "ingest"
    int64_t partition, offset, timestamp_ms;
    struct mf_str provider, feed, request_id; // stage "ingest"; request_id may be absent
    int64_t page, index;                      // stage "ingest"; -1 = absent
};

#define MF_DEAD_LETTER_RAW_MAX ((size_t)256 * 1024)
#define MF_DEAD_LETTER_RAW_KEPT ((size_t)64 * 1024)
struct mf_dead_letter {
    struct mf_str stage;  // ingest, process, sink
    struct mf_str reason; // stable code
    struct mf_str detail; // a sentence
    struct mf_str
        raw; // the bytes themselves (encode cuts and hashes them), or base64 text when raw_is_base64
    bool raw_is_base64; // as decode leaves it; encode then writes raw, raw_size and raw_sha256 as they are
    size_t raw_size;    // decoded: bytes of the original, before it was cut to MF_DEAD_LETTER_RAW_KEPT
    struct mf_str raw_sha256; // decoded: hex SHA-256 of the original; absent when raw is whole
    unsigned attempts;
    struct mf_origin origin;
};

struct mf_event {
    enum mf_event_type type;
    struct mf_str schema_version; // absent = MF_EVENT_SCHEMA_VERSION when encoding
    struct mf_str event_id;       // absent when encoding = computed
    struct mf_str symbol;         // absent for heartbeats
    enum mf_asset_class asset_class;
    struct mf_str source;   // "polygon", …, "processor"
    struct mf_str lane;     // "live" or "backfill:<run id>"
    int64_t event_time_us;  // multiples of 1 000
    int64_t ingest_time_us; // multiples of 1 000
    unsigned flags;
    enum mf_provenance_mode mode;
    struct mf_str request_id; // absent = left out
    int64_t page;             // -1 = left out
    struct mf_hash128
        content; // of a decoded event: as mf_event_content_hash gives it. Encode takes no notice
    union {
        // BAR; OPTION_BAR and the reference types are validated by envelope in this version
        struct mf_bar bar;
        struct mf_option_bar option_bar;
        struct mf_news news;
        struct mf_symbol_info symbol_info;
        struct mf_corporate_action corporate_action;
        struct mf_feed_status feed_status;
        struct mf_heartbeat heartbeat;
        struct mf_metric_event metric;
        struct mf_alert alert;
        struct mf_dead_letter dead_letter;
    };
};

// Sets every field to "absent" and the type; the way to begin an event. Touches only the part that the type
// uses, and of a metric neither values nor texts, which count where a bit says so.
void mf_event_init(struct mf_event *event, enum mf_event_type type);

// Encodes in the canonical field order of events.md, computing event_id when absent. Appends to out.
// POISON when mf_event_check finds something (what is written can always be read back), or the event is
// larger than MF_EVENT_SIZE_MAX ("event_too_large"); out is then as it was.
int mf_event_encode(const struct mf_event *event, struct mf_buf *out, struct mf_error *err);

// All problems of one event, for `marketflowctl events validate`; bounded.
#define MF_EVENT_PROBLEMS_MAX 32
struct mf_event_problem {
    char code[MF_ERROR_CODE_SIZE];
    char field[64]; // "open", "provenance.mode"; empty = the whole record
    char message[160];
};
struct mf_event_problems {
    struct mf_event_problem items[MF_EVENT_PROBLEMS_MAX];
    size_t count; // may exceed the array: how many there were
};

// Presence, limits, ranges and consistency of a filled event: everything decode checks beyond JSON types and
// event_id. problems may be NULL.
int mf_event_check(const struct mf_event *event, struct mf_event_problems *problems, struct mf_error *err);

// Decodes and validates one record value. json is scratch owned by the caller. The event's views live in json
// or in bytes: they die with the next use of json and with bytes, whichever comes first. problems may be
// NULL. On failure *event may hold anything. Unknown fields are ignored; another MAJOR version is
// "unsupported_version". Checks: required fields, types, enums, formats, number range and decimals, bar
// consistency (low <= open, close <= high, prices > 0, volume >= 0, window_end = start + interval where the
// interval is of fixed length, ms-aligned times), event_id equal to the computed one.
int mf_event_decode(struct mf_json *json, struct mf_str bytes, struct mf_event *event,
                    struct mf_event_problems *problems, struct mf_error *err);

// As mf_event_decode, for records written by hand: one that lacks nothing but its event_id gets it. *whole:
// the record itself, or its canonical form with the id, in `out` (cleared first).
int mf_event_complete(struct mf_json *json, struct mf_str bytes, struct mf_event *event, struct mf_buf *out,
                      struct mf_str *whole, struct mf_event_problems *problems, struct mf_error *err);

// Identity (events.md). dedupe_key is "symbol|event_time|kind"; out is terminated. POISON
// "dedupe_key_too_long". All of these expect an event that passes mf_event_check.
int mf_event_dedupe_key(const struct mf_event *event, char out[MF_DEDUPE_KEY_MAX], size_t *out_len,
                        struct mf_error *err);
// Market fields only, canonical numbers
struct mf_hash128 mf_event_content_hash(const struct mf_event *event);
int mf_event_id(const struct mf_event *event, char out[MF_EVENT_ID_SIZE], struct mf_error *err);
// The revision that the warehouse knows the event by: of what the processor made it is in the payload, of
// what it passed on in the header mf-revision (absent = 0). Those of a dead letter belong to the record that
// it holds: it is always 0. POISON "bad_revision".
int mf_event_revision(const struct mf_event *event, struct mf_str header, int64_t *revision,
                      struct mf_error *err);
// Kafka key: the symbol; the feed's name for feed_status; "stage/topic/partition/offset" for dead letters
// (composed in scratch, cut when longer). Heartbeats have none (their partition is given). Valid as long as
// the event and scratch.
struct mf_str mf_event_key(const struct mf_event *event, char scratch[MF_EVENT_KEY_MAX]);

// Names of the enums, as in the payloads; parse returns false on anything else.
const char *mf_event_type_name(enum mf_event_type type);
bool mf_event_type_parse(struct mf_str text, enum mf_event_type *type);
const char *mf_asset_class_name(enum mf_asset_class asset_class);
bool mf_asset_class_parse(struct mf_str text, enum mf_asset_class *asset_class);
const char *mf_mode_name(enum mf_provenance_mode mode);
const char *mf_interval_name(enum mf_interval interval);
bool mf_interval_parse(struct mf_str text, enum mf_interval *interval);
// 0 for 1mo, 3mo and 1y; 1d = 24 h (a session's real end is the calendar's)
int64_t mf_interval_us(enum mf_interval interval);
// The same, and of those the longest that there is: 31, 92 and 366 days.
int64_t mf_interval_longest_us(enum mf_interval interval);
const char *mf_session_name(enum mf_session session);
const char *mf_adjusted_name(enum mf_adjusted adjusted);
const char *mf_severity_name(enum mf_severity severity);
const char *mf_direction_name(enum mf_direction direction);
const char *mf_alert_state_name(enum mf_alert_state state);
const char *mf_option_type_name(enum mf_option_type type);
const char *mf_action_kind_name(enum mf_action_kind kind);
const char *mf_feed_state_name(enum mf_feed_state state);
bool mf_source_is_known(struct mf_str source); // a provider of events.md, or "processor"
bool mf_lane_is_valid(struct mf_str lane);     // "live", or "backfill:" and 1..64 of [A-Za-z0-9._-]
// "is_mock,warmup": for the header mf-flags and the warehouse's flags column. Returns the length.
size_t mf_flags_format(unsigned flags, char *out, size_t out_size);

// Asset class by the feed's symbol form: "X:" crypto, "C:" fx, "I:" index, "O:" option, else stock.
enum mf_asset_class mf_asset_class_of_symbol(struct mf_str symbol);
// A symbol as Marketflow accepts it: 1..MF_SYMBOL_MAX bytes of [A-Za-z0-9.:_/-].
bool mf_symbol_is_valid(struct mf_str symbol);

// The field reference for docs/events.md, from the same tables that the validator uses.
void mf_events_markdown(struct mf_buf *out);

// Kafka header names that the pipeline writes.
#define MF_HEADER_REVISION "mf-revision"
#define MF_HEADER_FLAGS "mf-flags"
#define MF_HEADER_SYMBOL_NAME "mf-symbol-name"
#define MF_HEADER_SYMBOL_EXCHANGE "mf-symbol-exchange"
#define MF_HEADER_SYMBOL_TYPE "mf-symbol-type"
#define MF_HEADER_ORIGIN_TOPIC "mf-origin-topic"
#define MF_HEADER_ORIGIN_PARTITION "mf-origin-partition"
#define MF_HEADER_ORIGIN_OFFSET "mf-origin-offset"
#define MF_HEADER_ORIGIN_TIMESTAMP "mf-origin-timestamp"
#define MF_HEADER_ORIGIN_PROVIDER "mf-origin-provider"
#define MF_HEADER_ORIGIN_FEED "mf-origin-feed"
#define MF_HEADER_ORIGIN_REQUEST "mf-origin-request"
#define MF_HEADER_ORIGIN_PAGE "mf-origin-page"
#define MF_HEADER_ORIGIN_INDEX "mf-origin-index"
#define MF_HEADER_REPLAYED "mf-replayed"

#endif
