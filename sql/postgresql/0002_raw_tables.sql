-- SPDX-License-Identifier: Apache-2.0
-- RAW: every event that came, each revision once, as it came. One column set for all tables; one table per event type.

CREATE SCHEMA IF NOT EXISTS raw;

CREATE TABLE raw.raw_bars (
    event_id text NOT NULL,
    revision integer NOT NULL,
    event_type text NOT NULL,
    symbol text NOT NULL,
    event_time timestamptz NOT NULL,
    ingest_time timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    payload jsonb NOT NULL,
    schema_version text NOT NULL,
    source text NOT NULL,
    lane text NOT NULL,
    flags text NOT NULL DEFAULT '',
    dedupe_key text NOT NULL,
    kafka_topic text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    load_id uuid NOT NULL,
    PRIMARY KEY (event_id, revision),
    CONSTRAINT revision_not_negative CHECK (revision >= 0),
    CONSTRAINT event_id_is_128_bits CHECK (length(event_id) = 32),
    CONSTRAINT symbol_length CHECK (length(symbol) BETWEEN 1 AND 64),
    CONSTRAINT lane_known CHECK (lane = 'live' OR lane LIKE 'backfill:%'),
    CONSTRAINT kafka_position CHECK (kafka_partition >= 0 AND kafka_offset >= 0)
);

COMMENT ON COLUMN raw.raw_bars.event_time IS 'When it happened on the market (bars: start of the window)';
COMMENT ON COLUMN raw.raw_bars.ingest_time IS 'When the ingestor had it';
COMMENT ON COLUMN raw.raw_bars.loaded_at IS 'When the row was written: the watermark of incremental models';
COMMENT ON COLUMN raw.raw_bars.payload IS 'The whole event';
COMMENT ON COLUMN raw.raw_bars.flags IS 'Comma list: is_mock, warmup, delayed, forming, proxy_vwap, partial, late, corrected';
COMMENT ON COLUMN raw.raw_bars.dedupe_key IS 'Events of one source with one key are revisions of each other';
COMMENT ON COLUMN raw.raw_bars.load_id IS 'Flush that wrote the row';

-- Rows come in the order of loaded_at, so a few kilobytes of BRIN serve "what is new since".
CREATE INDEX raw_bars_loaded_at_idx ON raw.raw_bars USING brin (loaded_at);
CREATE INDEX raw_bars_symbol_event_time_idx ON raw.raw_bars USING btree (symbol, event_time DESC);

CREATE TABLE raw.raw_news (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_option_bars (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_alerts (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_metrics (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_symbols (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_corporate_actions (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_feed_status (LIKE raw.raw_bars INCLUDING ALL);
CREATE TABLE raw.raw_dead_letters (LIKE raw.raw_bars INCLUDING ALL);

ALTER TABLE raw.raw_bars ADD CONSTRAINT event_type_known CHECK (event_type = 'bar');
ALTER TABLE raw.raw_news ADD CONSTRAINT event_type_known CHECK (event_type = 'news');
ALTER TABLE raw.raw_option_bars ADD CONSTRAINT event_type_known CHECK (event_type = 'option_bar');
ALTER TABLE raw.raw_alerts ADD CONSTRAINT event_type_known CHECK (event_type = 'alert');
ALTER TABLE raw.raw_metrics ADD CONSTRAINT event_type_known CHECK (event_type = 'metric');
ALTER TABLE raw.raw_symbols ADD CONSTRAINT event_type_known CHECK (event_type = 'symbol');
ALTER TABLE raw.raw_corporate_actions ADD CONSTRAINT event_type_known CHECK (event_type = 'corporate_action');
ALTER TABLE raw.raw_feed_status ADD CONSTRAINT event_type_known CHECK (event_type = 'feed_status');
ALTER TABLE raw.raw_dead_letters ADD CONSTRAINT event_type_known CHECK (event_type = 'dead_letter');

COMMENT ON TABLE raw.raw_bars IS 'OHLCV bars, vendor''s and derived';
COMMENT ON TABLE raw.raw_news IS 'News articles, one row per article and ticker';
COMMENT ON TABLE raw.raw_option_bars IS 'Option bars; symbol is the underlying';
COMMENT ON TABLE raw.raw_alerts IS 'Alerts with rule, version, value, threshold and baseline';
COMMENT ON TABLE raw.raw_metrics IS 'Statistics and indicators per bar';
COMMENT ON TABLE raw.raw_symbols IS 'Symbol metadata';
COMMENT ON TABLE raw.raw_corporate_actions IS 'Splits, dividends, renames';
COMMENT ON TABLE raw.raw_feed_status IS 'State of the feeds';
COMMENT ON TABLE raw.raw_dead_letters IS 'Records that were refused, with reason, origin and bytes';
