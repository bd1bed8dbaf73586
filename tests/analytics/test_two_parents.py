# SPDX-License-Identifier: Apache-2.0
"""What stands on two tables that were not built to the same moment loses nothing, nor what stands on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from history import LOADED_FROM, Row, dedupe_key
from mflocal import Layout, Postgres
from warehouses import PostgresWarehouse

HOUR = 3_600_000
BARS = ["base_bars", "stg_raw_bars", "stg_market_data_unified"]
METRICS = ["base_metrics", "stg_raw_metrics", "stg_technical_indicators"]
BELOW = [
    "int_multi_timeframe_pulse",
    "int_realtime_enriched",
    "fact_intraday_metrics",
    "mart_realtime_signals",
]


@pytest.fixture(scope="module")
def warehouse(layout: Layout, binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("parents")
    server = Postgres(Layout(directory / "state", layout.cache), die_with_parent=True, durable=False)
    try:
        server.start()
        server.wait_ready()
        made = PostgresWarehouse.create(server, binaries, directory / "dbt")
        made.build("--select", "resource_type:seed", "--exclude-resource-type", "test", "unit_test")
        yield made
    finally:
        server.stop()
        server.reset()


def event(kind: str, number: int, symbol: str, loaded_hours: float, **fields: Any) -> Row:
    made: dict[str, Any] = {
        "schema_version": "1.0", "event_type": kind, "event_id": f"{number:032x}", "symbol": symbol,
        "asset_class": "stock", "lane": "live", "event_time": "2024-03-01T15:00:00.000Z",
        "ingest_time": "2024-03-01T15:01:02.000Z", "flags": [], "provenance": {"mode": "rest"},
        "interval": "1m", "adjusted": "none",
    }  # fmt: skip
    made |= fields
    table = {"bar": "raw_bars", "metric": "raw_metrics"}[kind]
    loaded = LOADED_FROM + int(loaded_hours * HOUR)
    return Row(table, json.dumps(made), fields.get("revision", 0), "", dedupe_key(made), number, loaded, made)


def bar(number: int, symbol: str, loaded_hours: float, **fields: Any) -> Row:
    known = {
        "source": "polygon", "window_end": "2024-03-01T15:01:00.000Z", "session_date": "2024-03-01",
        "session": "full", "open": 10, "high": 10, "low": 10, "close": 10, "volume": 100,
    }  # fmt: skip
    return event("bar", number, symbol, loaded_hours, **(known | fields))


def metric(number: int, symbol: str, loaded_hours: float) -> Row:
    return event(
        "metric", number, symbol, loaded_hours, source="processor", parent_source="polygon", cause="c",
        bar_time="2024-03-01T15:00:00.000Z", n_obs=1, warmup=True, ma_15m=10, revision=0,
    )  # fmt: skip


def run(warehouse: PostgresWarehouse, *models: str) -> None:
    result = warehouse.dbt("run", "--select", *models)
    assert result.code == 0, "\n".join(result.failed()) or result.output[-4000:]


def symbols(warehouse: PostgresWarehouse, table: str) -> list[str]:
    return sorted({row[0] for row in warehouse.rows(f"select symbol from {table}")})


def test_one_parent_may_be_newer_than_the_other(warehouse: PostgresWarehouse) -> None:
    """The statistics of a retry are newer than the bars of the run before it: bars that were loaded between come with
    the next build, and go all the way down."""
    warehouse.load([bar(1, "AAA", 0)])
    run(warehouse, *BARS, *METRICS, *BELOW)
    warehouse.load([bar(2, "BBB", 24), metric(3, "AAA", 36)])
    run(warehouse, *METRICS, *BELOW)
    assert symbols(warehouse, "staging.stg_technical_indicators") == ["AAA"]
    run(warehouse, *BARS, *METRICS, *BELOW)
    for table in (
        "staging.stg_technical_indicators",
        "intermediate.int_multi_timeframe_pulse",
        "intermediate.int_realtime_enriched",
        "marts_market.fact_intraday_metrics",
        "marts_market.mart_realtime_signals",
    ):
        assert symbols(warehouse, table) == ["AAA", "BBB"], table


def test_a_quiet_parent_holds_nothing_back(warehouse: PostgresWarehouse) -> None:
    """A table to which nothing came is built as far as the others: what stands on both reads no old load again."""
    warehouse.load([bar(4, "CCC", 240)])
    run(warehouse, *BARS, *METRICS, *BELOW)
    marks = {str(row[0]) for row in warehouse.rows(
        "select loaded_through from staging.build_marks where mark_name not like 'run %'"
    )}  # fmt: skip
    assert marks == {"2024-03-30 00:00:00"}
