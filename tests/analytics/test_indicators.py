# SPDX-License-Identifier: Apache-2.0
"""Indicators in SQL and the processor's, where both exist: 1e-8 absolute or 1e-9 of the value."""

from __future__ import annotations

import math

import pytest
from builds import Builds

# Column of int_rolling_metrics, column of the metric.
SAME = (
    "sma_5", "sma_10", "sma_20", "sma_50", "sma_200", "volatility_20", "volatility_ann_pct", "bb_up", "bb_low",
    "high_52w", "low_52w", "position_52w_pct", "momentum_10", "roc_10",
)  # fmt: skip


@pytest.mark.parametrize("column", SAME)
@pytest.mark.parametrize("target", ["postgresql", "fakesnow"])
def test_sql_equals_the_processor(target: str, column: str, request: pytest.FixtureRequest) -> None:
    builds: Builds = request.getfixturevalue(target)
    rows = builds.warehouse.rows(
        f"select r.symbol, r.trade_date, r.{column}, t.{column} from intermediate.int_rolling_metrics as r "
        "inner join staging.stg_technical_indicators as t on r.symbol = t.symbol and r.trade_date = t.trade_date "
        f"and t.bar_interval = '1d' where t.{column} is not null or r.{column} is not null"
    )
    assert len(rows) > 100
    wrong = [
        row for row in rows
        if row[2] is None or row[3] is None
        or not math.isclose(float(row[2]), float(row[3]), rel_tol=1e-9, abs_tol=1e-8)
    ]  # fmt: skip
    assert not wrong, f"{len(wrong)} of {len(rows)}: {wrong[:3]}"


@pytest.mark.parametrize("target", ["postgresql", "fakesnow"])
def test_returns_equal_the_processor(target: str, request: pytest.FixtureRequest) -> None:
    builds: Builds = request.getfixturevalue(target)
    rows = builds.warehouse.rows(
        "select r.daily_return, t.ret_1 from intermediate.int_daily_returns as r "
        "inner join staging.stg_technical_indicators as t on r.symbol = t.symbol and r.trade_date = t.trade_date "
        "and t.bar_interval = '1d' where t.ret_1 is not null"
    )
    assert len(rows) > 100
    assert all(math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-8) for a, b in rows)
