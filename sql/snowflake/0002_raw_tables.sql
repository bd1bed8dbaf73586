-- SPDX-License-Identifier: Apache-2.0
-- RAW: every event that came, as it came. Append-only: the key is declared, not enforced, and a record that is loaded
-- again after an offset was moved back by hand has two rows; what reads RAW takes one per (event_id, revision). Times
-- are UTC without a zone, so that cutting a date off them does not depend on who looks.

CREATE SCHEMA IF NOT EXISTS raw;

CREATE TABLE IF NOT EXISTS raw.raw_bars (
    event_id VARCHAR NOT NULL,
    revision NUMBER(10, 0) NOT NULL,
    event_type VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    event_time TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it happened on the market (bars: start of the window)',
    ingest_time TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the ingestor had it',
    loaded_at TIMESTAMP_NTZ(6) NOT NULL DEFAULT SYSDATE() COMMENT 'When the row was written: the watermark of models',
    payload VARIANT NOT NULL COMMENT 'The whole event',
    schema_version VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    lane VARCHAR NOT NULL,
    flags VARCHAR NOT NULL,
    dedupe_key VARCHAR NOT NULL COMMENT 'Events of one source with one key are revisions of each other',
    kafka_topic VARCHAR NOT NULL,
    kafka_partition NUMBER(10, 0) NOT NULL,
    kafka_offset NUMBER(20, 0) NOT NULL,
    load_id VARCHAR(36) NOT NULL COMMENT 'Flush that wrote the row',
    CONSTRAINT raw_bars_pk PRIMARY KEY (event_id, revision) NOT ENFORCED
)
COMMENT = 'OHLCV bars, those of the vendor and derived ones';

CREATE TABLE IF NOT EXISTS raw.raw_news LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_option_bars LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_alerts LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_metrics LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_symbols LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_corporate_actions LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_feed_status LIKE raw.raw_bars;
CREATE TABLE IF NOT EXISTS raw.raw_dead_letters LIKE raw.raw_bars;

COMMENT ON TABLE raw.raw_news IS 'News articles, one row per article and ticker';
COMMENT ON TABLE raw.raw_option_bars IS 'Option bars; symbol is the underlying';
COMMENT ON TABLE raw.raw_alerts IS 'Alerts with rule, version, value, threshold and baseline';
COMMENT ON TABLE raw.raw_metrics IS 'Statistics and indicators per bar';
COMMENT ON TABLE raw.raw_symbols IS 'Symbol metadata';
COMMENT ON TABLE raw.raw_corporate_actions IS 'Splits, dividends, renames';
COMMENT ON TABLE raw.raw_feed_status IS 'State of the feeds';
COMMENT ON TABLE raw.raw_dead_letters IS 'Records that were refused, with reason, origin and bytes';
