// SPDX-License-Identifier: Apache-2.0
// Field tables of what comes from feeds, in canonical order (events.md). Data only.
#include "common/event_table_rows.h"

const struct mf_event_field mf_event_provenance_fields[MF_PROVENANCE_FIELD_COUNT] = {
    FIELD("mode", mf_kind_name, REQUIRED, mode,
          "How it was obtained; synthetic and replay are never live data.",
          NAMES(mf_mode_names, MF_MODE_MAX)),
    FIELD("request_id", mf_kind_text, 0, request_id, "The provider's id of the answer.",
          .max = MF_REQUEST_ID_MAX),
    FIELD("page", mf_kind_i64, NOT_NEGATIVE, page, "Page of a paged answer, from 0.", .absent = -1),
};

// Bars and option bars: m is the struct mf_bar.
#define BAR_WINDOW(m)                                                                                       \
    FIELD("interval", mf_kind_name, REQUIRED, m.interval, "Length of the window.",                          \
          NAMES(mf_interval_names, MF_INTERVAL_MAX)),                                                       \
        FIELD("window_end", mf_kind_time, REQUIRED, m.window_end_us, "End of the window, not part of it."), \
        FIELD("session_date", mf_kind_date, REQUIRED, m.session_date, "Trading date where it is traded."),  \
        FIELD("session", mf_kind_name, REQUIRED, m.session, "Part of the trading day.",                     \
              NAMES(mf_session_names, MF_SESSION_MAX))
#define BAR_MARKET(m)                                                                                     \
    FIELD("open", mf_kind_decimal, REQUIRED | CONTENT | POSITIVE, m.open, "First price."),                \
        FIELD("high", mf_kind_decimal, REQUIRED | CONTENT | POSITIVE, m.high, "Highest price."),          \
        FIELD("low", mf_kind_decimal, REQUIRED | CONTENT | POSITIVE, m.low, "Lowest price."),             \
        FIELD("close", mf_kind_decimal, REQUIRED | CONTENT | POSITIVE, m.close, "Last price."),           \
        FIELD("volume", mf_kind_decimal, REQUIRED | CONTENT | NOT_NEGATIVE, m.volume,                     \
              "Units; may be a fraction."),                                                               \
        FIELD("vwap", mf_kind_decimal, CONTENT | POSITIVE, m.vwap, "Volume-weighted average price."),     \
        FIELD("trade_count", mf_kind_i64, CONTENT | NOT_NEGATIVE, m.trade_count, "Trades in the window.", \
              .absent = -1)
#define BAR_REST(m)                                                                                     \
    FIELD("adjusted", mf_kind_name, REQUIRED, m.adjusted, "What the prices are adjusted for.",          \
          NAMES(mf_adjusted_names, MF_ADJUSTED_MAX)),                                                   \
        FIELD("otc", mf_kind_bool, CONTENT, m.otc, "Traded over the counter."),                         \
        FIELD("pre_market", mf_kind_decimal, CONTENT | POSITIVE, m.pre_market,                          \
              "First price before the session; of a day, from feeds that give it."),                    \
        FIELD("after_hours", mf_kind_decimal, CONTENT | POSITIVE, m.after_hours,                        \
              "Last price after the session, likewise."),                                               \
        FIELD("vendor_ms", mf_kind_i64, FED, m.vendor_ms, "The vendor's own stamp, Unix milliseconds.", \
              .absent = INT64_MIN),                                                                     \
        FIELD("parent_source", mf_kind_source, MADE, m.parent_source,                                   \
              "Source of the series it was made from.", .names = mf_source_names),                      \
        FIELD("revision", mf_kind_i32, MADE, m.revision, "0, then 1 more for every change."),           \
        FIELD("cause", mf_kind_hex, MADE, m.cause, "event_id of the record that caused it.", HEX(32, 32))

static const struct mf_event_field bar_fields[] = {
    ENVELOPE(REQUIRED),
    BAR_WINDOW(bar),
    BAR_MARKET(bar),
    BAR_REST(bar),
};
TABLE(mf_event_table_bar, bar, bar_fields,
      "Prices and volume of one window. low <= open, close <= high; window_end - event_time is the interval "
      "up to 4h.");

static const struct mf_event_field contract_fields[] = {
    FIELD("ticker", mf_kind_text, REQUIRED, option_bar.ticker, "The contract, as the feed writes it.",
          .max = MF_SYMBOL_MAX),
    FIELD("underlying", mf_kind_symbol, REQUIRED, option_bar.underlying, "Same as symbol.",
          .max = MF_SYMBOL_MAX),
    FIELD("expiration", mf_kind_date, REQUIRED, option_bar.expiration, "Last day."),
    FIELD("strike", mf_kind_decimal, REQUIRED | POSITIVE, option_bar.strike, "Strike price."),
    FIELD("type", mf_kind_name, REQUIRED, option_bar.type, "Right.",
          NAMES(mf_option_type_names, MF_OPTION_TYPE_MAX)),
    FIELD("shares_per_contract", mf_kind_decimal, REQUIRED | POSITIVE, option_bar.shares_per_contract,
          "100 but for adjusted and mini contracts."),
    FIELD("exercise", mf_kind_text, REQUIRED, option_bar.exercise, "american, european or bermudan.",
          .max = 16),
};

// The time is none of the content: what has not changed since is the same event.
static const struct mf_event_field snapshot_fields[] = {
    FIELD("time", mf_kind_time, REQUIRED, option_bar.snapshot.time_us,
          "When the provider was asked; the bar may be of an earlier day, the contract's last one with a "
          "trade."),
    FIELD("open_interest", mf_kind_decimal, CONTENT | NOT_NEGATIVE, option_bar.snapshot.open_interest,
          "Contracts held at the end of the last trading day."),
    FIELD("implied_volatility", mf_kind_decimal, CONTENT | NOT_NEGATIVE,
          option_bar.snapshot.implied_volatility, "Of the underlying, as a fraction per year."),
    FIELD("delta", mf_kind_decimal, CONTENT, option_bar.snapshot.delta,
          "Change of the contract's price per 1 of the underlying's."),
    FIELD("gamma", mf_kind_decimal, CONTENT, option_bar.snapshot.gamma, "Change of delta, likewise."),
    FIELD("theta", mf_kind_decimal, CONTENT, option_bar.snapshot.theta, "Change of the price per day."),
    FIELD("vega", mf_kind_decimal, CONTENT, option_bar.snapshot.vega,
          "Change of the price per 0.01 of implied volatility."),
    FIELD("underlying_price", mf_kind_decimal, CONTENT | POSITIVE, option_bar.snapshot.underlying_price,
          "Price of the underlying."),
};

static const struct mf_event_field option_bar_fields[] = {
    ENVELOPE(REQUIRED),
    BAR_WINDOW(option_bar.bar),
    BAR_MARKET(option_bar.bar),
    BAR_REST(option_bar.bar),
    OBJECT("contract", REQUIRED, "The contract.", contract_fields),
    FIELD("days_to_expiration", mf_kind_i64, REQUIRED, option_bar.days_to_expiration,
          "Calendar days from session_date to expiration.", .absent = INT64_MIN),
    OBJECT("snapshot", CONTENT, "What was known of the contract at a moment, of day bars only.",
           snapshot_fields),
};
TABLE(mf_event_table_option_bar, option_bar, option_bar_fields,
      "A bar of one option contract. With a snapshot it is another content of the same day: whoever wants "
      "the bar "
      "takes the latest, whoever wants snapshots those that have one.");

static const struct mf_event_field sentiment_fields[] = {
    FIELD("label", mf_kind_text, REQUIRED | CONTENT, news.sentiment_label, "The provider's word.", .max = 64),
    FIELD("score", mf_kind_decimal, CONTENT, news.sentiment_score, "The provider's number."),
    FIELD("relevance", mf_kind_decimal, CONTENT | NOT_NEGATIVE, news.sentiment_relevance,
          "Of the article for this ticker."),
    FIELD("reason", mf_kind_text, CONTENT, news.sentiment_reason, "The provider's explanation.",
          .max = 16384),
};

static const struct mf_event_field news_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("article_id", mf_kind_text, REQUIRED, news.article_id, "The provider's id of the article.",
          .max = 256),
    FIELD("url", mf_kind_text, REQUIRED | CONTENT, news.url, "Address of the article.", .max = 4096),
    FIELD("url_hash", mf_kind_hex, REQUIRED, news.url_hash, "Hash of the address, to find reprints.",
          HEX(16, 64)),
    FIELD("title", mf_kind_text, REQUIRED | CONTENT, news.title, "Headline.", .max = 8192),
    FIELD("description", mf_kind_text, CONTENT, news.description, "Abstract.", .max = 131072),
    FIELD("author", mf_kind_text, CONTENT, news.author, "Who wrote it.", .max = 1024),
    FIELD("publisher", mf_kind_text, REQUIRED | CONTENT, news.publisher, "Who published it.", .max = 1024),
    FIELD("tickers", mf_kind_texts, REQUIRED | CONTENT, news.tickers, "Every ticker of the article.",
          LIST(news.ticker_count, MF_NEWS_TICKERS_MAX), .item_size = MF_SYMBOL_MAX),
    FIELD("keywords", mf_kind_texts, REQUIRED | CONTENT, news.keywords, "The publisher's keywords.",
          LIST(news.keyword_count, MF_NEWS_KEYWORDS_MAX), .item_size = 512),
    OBJECT("sentiment", CONTENT, "What the provider thinks of it for this ticker.", sentiment_fields),
    FIELD("lang", mf_kind_text, 0, news.lang, "Language, BCP 47.", .max = 35),
};
TABLE(mf_event_table_news, news, news_fields,
      "One article for one ticker: an article about three tickers is three events.");

#define ALIAS(name_, kind_, rules_, member, description_, ...) \
    FIELD_OF(struct mf_symbol_alias, name_, kind_, rules_, member, description_, __VA_ARGS__)
static const struct mf_event_field alias_fields[] = {
    ALIAS("symbol", mf_kind_symbol, REQUIRED | CONTENT, symbol, "The other name.", .max = MF_SYMBOL_MAX),
    ALIAS("from", mf_kind_date, CONTENT, from, "First day; left out when open."),
    ALIAS("to", mf_kind_date, CONTENT, to, "Last day; left out when open."),
};

static const struct mf_event_field symbol_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("name", mf_kind_text, REQUIRED | CONTENT, symbol_info.name, "Name of the company or pair.",
          .max = 1024),
    FIELD("exchange", mf_kind_text, CONTENT, symbol_info.exchange, "Primary exchange.", .max = 64),
    FIELD("type", mf_kind_text, CONTENT, symbol_info.type, "The provider's kind of security.", .max = 64),
    FIELD("currency", mf_kind_text, CONTENT, symbol_info.currency, "Of its prices.", .max = 16),
    FIELD("figi", mf_kind_text, CONTENT, symbol_info.figi, "Financial instrument global identifier.",
          .max = 32),
    FIELD("list_date", mf_kind_date, CONTENT, symbol_info.list_date, "First day."),
    FIELD("delist_date", mf_kind_date, CONTENT, symbol_info.delist_date, "Last day."),
    FIELD("aliases", mf_kind_objects, REQUIRED | CONTENT, symbol_info.aliases, "Other names it has or had.",
          LIST(symbol_info.alias_count, MF_SYMBOL_ALIASES_MAX), .item_size = sizeof(struct mf_symbol_alias),
          ROWS(alias_fields)),
    FIELD("active", mf_kind_bool, REQUIRED | CONTENT, symbol_info.active, "Traded now."),
};
TABLE(mf_event_table_symbol, symbol_info, symbol_fields, "What is known about an instrument.");

static const struct mf_event_field corporate_action_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("kind", mf_kind_name, REQUIRED, corporate_action.kind, "What happens.",
          NAMES(mf_action_kind_names, MF_ACTION_KIND_MAX)),
    FIELD("ex_date", mf_kind_date, REQUIRED | CONTENT, corporate_action.ex_date,
          "First day it shows in the price."),
    FIELD("split_from", mf_kind_decimal, CONTENT | POSITIVE, corporate_action.split_from,
          "Shares before; of a split."),
    FIELD("split_to", mf_kind_decimal, CONTENT | POSITIVE, corporate_action.split_to,
          "Shares after; of a split."),
    FIELD("cash_amount", mf_kind_decimal, CONTENT | NOT_NEGATIVE, corporate_action.cash_amount,
          "Per share; of a dividend."),
    FIELD("currency", mf_kind_text, CONTENT, corporate_action.currency, "Of cash_amount.", .max = 16),
    FIELD("old_symbol", mf_kind_symbol, CONTENT, corporate_action.old_symbol, "Of a ticker change.",
          .max = MF_SYMBOL_MAX),
    FIELD("new_symbol", mf_kind_symbol, CONTENT, corporate_action.new_symbol, "Of a ticker change.",
          .max = MF_SYMBOL_MAX),
};
TABLE(mf_event_table_corporate_action, corporate_action, corporate_action_fields,
      "A split, dividend or change of ticker.");

#define GAP(name_, kind_, rules_, member, description_, ...) \
    FIELD_OF(struct mf_feed_gap, name_, kind_, rules_, member, description_, __VA_ARGS__)
static const struct mf_event_field gap_fields[] = {
    GAP("from", mf_kind_time, REQUIRED | CONTENT, from_us, "Start of what is missing."),
    GAP("to", mf_kind_time, REQUIRED | CONTENT, to_us, "End of it."),
    GAP("cause", mf_kind_text, REQUIRED | CONTENT, cause, "Why.", .max = 128),
};

static const struct mf_event_field feed_status_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("feed", mf_kind_text, REQUIRED, feed_status.feed, "Its name, like polygon.bars.1m.", .max = 128),
    FIELD("state", mf_kind_name, REQUIRED | CONTENT, feed_status.state, "How it is.",
          NAMES(mf_feed_state_names, MF_FEED_STATE_MAX)),
    FIELD("expected", mf_kind_i64, REQUIRED | CONTENT | NOT_NEGATIVE, feed_status.expected,
          "Records expected.", .absent = -1),
    FIELD("received", mf_kind_i64, REQUIRED | CONTENT | NOT_NEGATIVE, feed_status.received,
          "Records received.", .absent = -1),
    FIELD("gaps", mf_kind_objects, REQUIRED | CONTENT, feed_status.gaps, "What is missing.",
          LIST(feed_status.gap_count, MF_FEED_GAPS_MAX), .item_size = sizeof(struct mf_feed_gap),
          ROWS(gap_fields)),
    FIELD("excluded", mf_kind_texts, REQUIRED | CONTENT, feed_status.excluded,
          "Symbols left out of the feed's progress.", LIST(feed_status.excluded_count, MF_FEED_EXCLUDED_MAX),
          .item_size = MF_SYMBOL_MAX),
    FIELD("last_event_time", mf_kind_time, REQUIRED | CONTENT, feed_status.last_event_time_us,
          "Of the newest record."),
    FIELD("lag_ms", mf_kind_i64, REQUIRED | CONTENT, feed_status.lag_ms,
          "How far it is behind, milliseconds.", .absent = INT64_MIN),
    FIELD("shard", mf_kind_text, CONTENT, feed_status.shard,
          "Part of the symbols that this is about, i/n: of ingestor i of n.", .max = 16),
};
TABLE(mf_event_table_feed_status, feed_status, feed_status_fields, "State of a feed.");

const struct mf_event_table *const mf_event_tables[MF_EVENT_TYPE_MAX] = {
    [MF_EVENT_BAR] = &mf_event_table_bar,
    [MF_EVENT_OPTION_BAR] = &mf_event_table_option_bar,
    [MF_EVENT_NEWS] = &mf_event_table_news,
    [MF_EVENT_SYMBOL] = &mf_event_table_symbol,
    [MF_EVENT_CORPORATE_ACTION] = &mf_event_table_corporate_action,
    [MF_EVENT_FEED_STATUS] = &mf_event_table_feed_status,
    [MF_EVENT_HEARTBEAT] = &mf_event_table_heartbeat,
    [MF_EVENT_METRIC] = &mf_event_table_metric,
    [MF_EVENT_ALERT] = &mf_event_table_alert,
    [MF_EVENT_DEAD_LETTER] = &mf_event_table_dead_letter,
};
