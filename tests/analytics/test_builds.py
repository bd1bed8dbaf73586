# SPDX-License-Identifier: Apache-2.0
"""What comes of RAW: the same whether built piece by piece or anew, and the same on both warehouses."""

from __future__ import annotations

import itertools

import pytest
from builds import Builds
from contents import differences


@pytest.fixture(params=["postgresql", pytest.param("fakesnow", marks=pytest.mark.deep)])
def builds(request: pytest.FixtureRequest) -> Builds:
    found: Builds = request.getfixturevalue(request.param)
    return found


def test_incremental_equals_full_refresh(builds: Builds) -> None:
    """Loads that are shuffled, with late rows and corrections: every incremental model, built on what was there, is
    what it is when everything is built anew."""
    names = [n["name"] for n in builds.tables("incremental")]
    assert len(names) >= 25
    found = {name: differences(builds.anew[name], builds.stages[-1][name]) for name in names}
    assert not {name: texts for name, texts in found.items() if texts}


def test_the_loads_had_something_to_say(builds: Builds) -> None:
    """The later loads changed rows that were there already, in the models where that is hard: else the test above
    shows nothing."""
    first, last = builds.stages[0], builds.stages[-1]
    changes = list(itertools.pairwise(builds.stages))
    for name in (
        "stg_market_data_unified",
        "int_rolling_metrics",
        "mart_stock_performance",
        "mart_daily_summary",
    ):
        for before, after in changes:
            old = {tuple(map(repr, row)) for row in before[name].rows}
            new = {tuple(map(repr, row)) for row in after[name].rows}
            assert old - new, f"{name}: no row was changed"
    for name in (
        "mart_realtime_signals",
        "fact_alerts",
        "fact_intraday_metrics",
        "int_polygon__stocks_options_joined",
    ):
        assert len(last[name].rows) > len(first[name].rows) >= 0


def test_nothing_is_silently_missing(builds: Builds) -> None:
    """Every event of RAW is in the typed tables, accepted or rejected."""
    kinds = (
        "bars",
        "option_bars",
        "news",
        "alerts",
        "metrics",
        "symbols",
        "corporate_actions",
        "feed_status",
        "dead_letters",
    )
    tables = [f"{schema}_{kind}" for kind in kinds for schema in ("raw.raw", "staging.base")]
    counts = builds.warehouse.all_rows(
        [f"select count(*) from (select distinct source, dedupe_key from {table}) as k" for table in tables]
    )
    found = dict(zip(tables, (int(rows[0][0]) for rows in counts), strict=True))
    for kind in kinds:
        assert found[f"raw.raw_{kind}"] == found[f"staging.base_{kind}"] > 0, kind


def test_both_warehouses_say_the_same(postgresql: Builds, fakesnow: Builds) -> None:
    """Checksums of every mart and intermediate model, after each load."""
    assert postgresql.manifest["metadata"]["adapter_type"] == "postgres"
    assert fakesnow.manifest["metadata"]["adapter_type"] == "snowflake"
    for stage, (one, other) in enumerate(zip(postgresql.stages, fakesnow.stages, strict=True)):
        assert one.keys() == other.keys()
        found = {n: differences(one[n], other[n], 2) for n in one if one[n].checksum() != other[n].checksum()}
        texts = [text for found_here in found.values() for text in found_here]
        assert not found, f"after load {stage + 1}: {sorted(found)}\n" + "\n".join(texts)[:6000]
