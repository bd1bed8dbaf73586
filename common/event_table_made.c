// SPDX-License-Identifier: Apache-2.0
// Field tables of what our services make: heartbeats, metrics, alerts, dead letters. Data only.
#include "common/event_table_rows.h"

static const struct mf_event_field heartbeat_fields[] = {
    ENVELOPE(0),
    FIELD("feeds", mf_kind_feeds, REQUIRED | CONTENT, heartbeat,
          "Per feed, the time up to which it is complete.", .max = MF_HEARTBEAT_FEEDS_MAX),
    FIELD("clock", mf_kind_time, REQUIRED | CONTENT, heartbeat.clock_us, "The ingestor's time."),
    FIELD("lane_end", mf_kind_true, CONTENT, heartbeat.lane_end, "The backfill lane ends here."),
};
TABLE(mf_event_table_heartbeat, heartbeat, heartbeat_fields,
      "Progress of the feeds, to every partition; without a symbol.");

// What is known of the symbol when the event is made. No market fields: another name makes no other
// statistic.
#define SYMBOL_METADATA(m)                                                                            \
    FIELD("symbol_name", mf_kind_text, 0, m.symbol_name, "Name of the company or pair, where known.", \
          .max = 1024),                                                                               \
        FIELD("exchange", mf_kind_text, 0, m.exchange, "Primary exchange, where known.", .max = 64),  \
        FIELD("symbol_type", mf_kind_text, 0, m.symbol_type,                                          \
              "The provider's kind of security, where known.", .max = 64)

#define METRIC(id, name_, description_)                                                            \
    {                                                                                              \
        .name = (name_), .name_len = sizeof(name_) - 1, .kind = &mf_kind_metric, .rules = CONTENT, \
        .index = MF_METRIC_FIELD_##id, .description = (description_)                               \
    }

const char *const mf_metric_field_names[MF_METRIC_FIELD_MAX] = {
#define MF_METRIC_FIELD_NAME(id, name) [MF_METRIC_FIELD_##id] = (name),
    MF_METRIC_FIELD_TABLE(MF_METRIC_FIELD_NAME)
#undef MF_METRIC_FIELD_NAME
};

static const struct mf_event_field metric_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("interval", mf_kind_name, REQUIRED, metric.interval, "Of the bars.",
          NAMES(mf_interval_names, MF_INTERVAL_MAX)),
    FIELD("adjusted", mf_kind_name, REQUIRED, metric.adjusted, "Of the bars.",
          NAMES(mf_adjusted_names, MF_ADJUSTED_MAX)),
    FIELD("bar_time", mf_kind_time, REQUIRED, metric.bar_time_us, "Start of the bar that it belongs to."),
    FIELD("revision", mf_kind_i32, REQUIRED, metric.revision, "0, then 1 more for every change."),
    FIELD("parent_source", mf_kind_source, REQUIRED, metric.parent_source, "Source of the bars.",
          .names = mf_source_names),
    FIELD("cause", mf_kind_hex, REQUIRED, metric.cause, "event_id of the record that caused it.",
          HEX(32, 32)),
    FIELD("n_obs", mf_kind_i32, REQUIRED | CONTENT, metric.n_obs, "Bars of the series so far."),
    FIELD("warmup", mf_kind_plain_bool, REQUIRED | CONTENT, metric.warmup,
          "Some statistic still lacks bars."),
    METRIC(RET_1, "ret_1", "Close over the previous close, minus 1."),
    METRIC(VOLUME_MEAN_20, "volume_mean_20", "Mean volume of the previous 20 bars."),
    METRIC(VOLUME_SD_20, "volume_sd_20", "Sample deviation of their volume."),
    METRIC(VOLUME_Z_20, "volume_z_20", "Deviations of this volume from that mean."),
    METRIC(REL_VOLUME_20, "rel_volume_20", "This volume over that mean."),
    METRIC(VOLATILITY_20, "volatility_20", "Sample deviation of the last 20 returns."),
    METRIC(VOLATILITY_ANN_PCT, "volatility_ann_pct", "The same per year, percent."),
    METRIC(SMA_5, "sma_5", "Mean close of 5 bars."),
    METRIC(SMA_10, "sma_10", "Mean close of 10 bars."),
    METRIC(SMA_20, "sma_20", "Mean close of 20 bars."),
    METRIC(SMA_50, "sma_50", "Mean close of 50 bars."),
    METRIC(SMA_200, "sma_200", "Mean close of 200 bars; 1d only."),
    METRIC(EMA_12, "ema_12", "Exponential mean of closes, 12."),
    METRIC(EMA_20, "ema_20", "Exponential mean of closes, 20."),
    METRIC(EMA_26, "ema_26", "Exponential mean of closes, 26."),
    METRIC(RSI_14, "rsi_14", "Relative strength index, Wilder, 0 to 100."),
    METRIC(MACD, "macd", "ema_12 - ema_26."),
    METRIC(MACD_SIGNAL, "macd_signal", "Exponential mean of macd, 9."),
    METRIC(MACD_HIST, "macd_hist", "macd - macd_signal."),
    METRIC(BB_MID, "bb_mid", "Middle Bollinger band, 20 bars."),
    METRIC(BB_UP, "bb_up", "Two population deviations above it."),
    METRIC(BB_LOW, "bb_low", "Two population deviations below it."),
    METRIC(ATR_14, "atr_14", "Average true range, Wilder."),
    METRIC(ADX_14, "adx_14", "Average directional index."),
    METRIC(PLUS_DI_14, "plus_di_14", "Upward directional indicator."),
    METRIC(MINUS_DI_14, "minus_di_14", "Downward directional indicator."),
    METRIC(VWAP_SESSION, "vwap_session", "Volume-weighted average price since the session began."),
    METRIC(VWAP_DEV_PCT, "vwap_dev_pct", "Close above it, percent."),
    METRIC(MOMENTUM_10, "momentum_10", "Close minus the close 10 bars ago."),
    METRIC(ROC_10, "roc_10", "The same as a rate, percent."),
    METRIC(HIGH_52W, "high_52w", "Highest of 252 sessions; 1d only."),
    METRIC(LOW_52W, "low_52w", "Lowest of 252 sessions; 1d only."),
    METRIC(POSITION_52W_PCT, "position_52w_pct", "Close between the two, percent; 1d only."),
    METRIC(MA_15M, "ma_15m", "Mean close of 15 bars; 1m only."),
    METRIC(MA_1H, "ma_1h", "Mean close of 60 bars; 1m only."),
    METRIC(VOLATILITY_15M, "volatility_15m", "Sample deviation of 15 returns, percent; 1m only."),
    METRIC(VOLUME_SUM_15M, "volume_sum_15m", "Volume of 15 bars; 1m only."),
    FIELD("vol_regime", mf_kind_text, CONTENT, metric.vol_regime, "HIGH, ELEVATED, NORMAL or LOW; 1m only.",
          .max = 32),
    FIELD("market_regime", mf_kind_text, CONTENT, metric.market_regime,
          "trend_up, trend_down, volatile or range.", .max = 32),
    METRIC(MTF_STRENGTH, "mtf_strength", "Agreement of the trends of all intervals, percent."),
    SYMBOL_METADATA(metric),
};
TABLE(mf_event_table_metric, metric, metric_fields,
      "Statistics of one bar, those that have enough bars; made by the processor.");

static const struct mf_event_field alert_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("rule_id", mf_kind_text, REQUIRED, alert.rule_id, "The rule.", .max = 64),
    FIELD("rule_version", mf_kind_text, REQUIRED | CONTENT, alert.rule_version,
          "Its version and its thresholds' hash.", .max = 64),
    FIELD("interval", mf_kind_series, REQUIRED, alert.interval, "Of the bars, or news."),
    FIELD("adjusted", mf_kind_name, 0, alert.adjusted, "Of the bars.",
          NAMES(mf_adjusted_names, MF_ADJUSTED_MAX)),
    FIELD("severity", mf_kind_name, REQUIRED | CONTENT, alert.severity, "How bad.",
          NAMES(mf_severity_names, MF_SEVERITY_MAX)),
    FIELD("direction", mf_kind_name, REQUIRED | CONTENT, alert.direction, "Which way.",
          NAMES(mf_direction_names, MF_DIRECTION_MAX)),
    FIELD("value", mf_kind_statistic, REQUIRED | CONTENT, alert.value, "What was measured."),
    FIELD("threshold", mf_kind_statistic, REQUIRED | CONTENT, alert.threshold, "What it passed."),
    FIELD("baseline", mf_kind_baseline, REQUIRED | CONTENT, alert, "What it was compared with.",
          .max = MF_ALERT_BASELINE_MAX),
    FIELD("message", mf_kind_text, REQUIRED, alert.message, "A sentence for people.", .max = 1024),
    FIELD("state", mf_kind_name, REQUIRED | CONTENT, alert.state, "firing, then resolved.",
          NAMES(mf_alert_state_names, MF_ALERT_STATE_MAX)),
    FIELD("reason", mf_kind_text, CONTENT, alert.reason, "Why it resolved or changed.", .max = 64),
    FIELD("resolved_time", mf_kind_time, CONTENT, alert.resolved_time_us, "When it resolved; only then."),
    FIELD("cooldown_until", mf_kind_time, CONTENT, alert.cooldown_until_us,
          "No new one of the same severity before."),
    FIELD("revision", mf_kind_i32, REQUIRED, alert.revision, "0, then 1 more for every change."),
    FIELD("parent_source", mf_kind_source, 0, alert.parent_source, "Source of what it was made from.",
          .names = mf_source_names),
    FIELD("article_id", mf_kind_text, 0, alert.article_id, "The article; of news rules, and only there.",
          .max = 256),
    FIELD("contract", mf_kind_text, 0, alert.contract, "Its ticker, of rules that look at option bars.",
          .max = MF_SYMBOL_MAX),
    FIELD("cause", mf_kind_hex, REQUIRED, alert.cause, "event_id of the record that caused it.", HEX(32, 32)),
    SYMBOL_METADATA(alert),
};
TABLE(mf_event_table_alert, alert, alert_fields, "A rule that fired or resolved; made by the processor.");

static const struct mf_event_field origin_fields[] = {
    FIELD("topic", mf_kind_text, 0, dead_letter.origin.topic, "Where the record was read.", .max = 249),
    FIELD("partition", mf_kind_i64, NOT_NEGATIVE, dead_letter.origin.partition, "With topic.", .absent = -1),
    FIELD("offset", mf_kind_i64, NOT_NEGATIVE, dead_letter.origin.offset, "With topic.", .absent = -1),
    FIELD("timestamp", mf_kind_i64, NOT_NEGATIVE, dead_letter.origin.timestamp_ms,
          "With topic; the record's, Unix milliseconds.", .absent = -1),
    FIELD("provider", mf_kind_text, 0, dead_letter.origin.provider, "Who answered; for stage ingest.",
          .max = 64),
    FIELD("feed", mf_kind_text, 0, dead_letter.origin.feed, "With provider.", .max = 128),
    FIELD("request_id", mf_kind_text, 0, dead_letter.origin.request_id, "With provider, where it gives one.",
          .max = 128),
    FIELD("page", mf_kind_i64, NOT_NEGATIVE, dead_letter.origin.page, "With provider; from 0.", .absent = -1),
    FIELD("index", mf_kind_i64, NOT_NEGATIVE, dead_letter.origin.index,
          "With provider; place in the page, from 0.", .absent = -1),
};

static const struct mf_event_field dead_letter_fields[] = {
    ENVELOPE(REQUIRED),
    FIELD("stage", mf_kind_text, REQUIRED, dead_letter.stage, "ingest, process or sink.", .max = 16),
    FIELD("reason", mf_kind_text, REQUIRED | CONTENT, dead_letter.reason, "Stable code.",
          .max = MF_ERROR_CODE_SIZE),
    FIELD("detail", mf_kind_text, REQUIRED, dead_letter.detail, "A sentence for people.", .max = 1024),
    FIELD("raw", mf_kind_raw, REQUIRED | CONTENT, dead_letter,
          "The bytes; above 256 KiB the first 64 KiB of them."),
    FIELD("raw_size", mf_kind_raw_size, CONTENT, dead_letter, "Bytes of the original; only when it was cut."),
    FIELD("raw_sha256", mf_kind_hex, 0, dead_letter.raw_sha256,
          "SHA-256 of the original; only when it was cut.", HEX(64, 64)),
    FIELD("attempts", mf_kind_i32, REQUIRED, dead_letter.attempts, "How often it was tried."),
    OBJECT("origin", REQUIRED, "Where it was read: a Kafka record, or a place in a provider's answer.",
           origin_fields),
};
TABLE(mf_event_table_dead_letter, dead_letter, dead_letter_fields,
      "A record that could not be used. symbol is _UNKNOWN when it could not be read; the times are the "
      "origin's.");
