# SPDX-License-Identifier: Apache-2.0
"""The assets that join the DAGs. An event's `extra` says of which day or range it is and, of manifests, where they
lie."""

from __future__ import annotations

from airflow.sdk import Asset

STOCK_MANIFESTS = Asset(name="marketflow_stock_manifests", uri="marketflow://manifests/stocks")
OPTION_MANIFESTS = Asset(name="marketflow_option_manifests", uri="marketflow://manifests/options")
# Topics that a DAG has filled, whoever loads them then.
KAFKA_BARS = Asset(name="marketflow_kafka_bars", uri="marketflow://kafka/market.raw.backfill/bars")
KAFKA_NEWS = Asset(name="marketflow_kafka_news", uri="marketflow://kafka/market.raw.backfill/news")
# Tables of the warehouse, loaded and counted.
RAW_BARS = Asset(name="marketflow_raw_bars", uri="marketflow://warehouse/raw/raw_bars")
RAW_OPTION_BARS = Asset(name="marketflow_raw_option_bars", uri="marketflow://warehouse/raw/raw_option_bars")
RAW_DAILY = Asset(
    name="marketflow_raw_daily_stock_metrics", uri="marketflow://warehouse/raw/daily_stock_metrics"
)
RAW_REALTIME = Asset(
    name="marketflow_raw_realtime", uri="marketflow://warehouse/raw/realtime_stock_analytics"
)
MARTS = Asset(name="marketflow_marts", uri="marketflow://warehouse/marts")
REALTIME_MARTS = Asset(name="marketflow_realtime_marts", uri="marketflow://warehouse/marts/realtime")
TEST_RESULTS = Asset(name="marketflow_dbt_results", uri="marketflow://warehouse/ops/dbt_run_results")
STREAM_HEALTH = Asset(name="marketflow_stream_health", uri="marketflow://ops/stream_health")
