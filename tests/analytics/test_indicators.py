# SPDX-License-Identifier: Apache-2.0
"""Indicators in SQL and the processor's, where both exist: 1e-8 absolute or 1e-9 of the value."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from builds import Builds

# Column of int_rolling_metrics, column of the metric.
SAME = (
    "sma_5", "sma_10", "sma_20", "sma_50", "sma_200", "volatility_20", "volatility_ann_pct", "bb_up", "bb_low",
    "high_52w", "low_52w", "position_52w_pct", "momentum_10", "roc_10",
)  # fmt: skip
TARGETS = ["postgresql", pytest.param("fakesnow", marks=pytest.mark.deep)]


def close(a: Any, b: Any) -> bool:
    return a is not None and b is not None and math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-8)


@pytest.mark.parametrize("target", TARGETS)
def test_sql_equals_the_processor(target: str, request: pytest.FixtureRequest) -> None:
    builds: Builds = request.getfixturevalue(target)
    columns = ", ".join(f"r.{column}, t.{column}" for column in SAME)
    rows = builds.warehouse.rows(
        f"select r.symbol, r.trade_date, {columns} from intermediate.int_rolling_metrics as r "
        "inner join staging.stg_technical_indicators as t on r.symbol = t.symbol and r.trade_date = t.trade_date "
        "and t.bar_interval = '1d'"
    )
    for number, column in enumerate(SAME):
        pairs = [(row[:2], *row[2 + 2 * number : 4 + 2 * number]) for row in rows]
        pairs = [pair for pair in pairs if pair[1] is not None or pair[2] is not None]
        wrong = [pair for pair in pairs if not close(*pair[1:])]
        assert len(pairs) > 100, column
        assert not wrong, f"{column}: {len(wrong)} of {len(pairs)}: {wrong[:3]}"


@pytest.mark.parametrize("target", TARGETS)
def test_returns_equal_the_processor(target: str, request: pytest.FixtureRequest) -> None:
    builds: Builds = request.getfixturevalue(target)
    rows = builds.warehouse.rows(
        "select r.daily_return, t.ret_1 from intermediate.int_daily_returns as r "
        "inner join staging.stg_technical_indicators as t on r.symbol = t.symbol and r.trade_date = t.trade_date "
        "and t.bar_interval = '1d' where t.ret_1 is not null"
    )
    assert len(rows) > 100
    assert all(close(a, b) for a, b in rows)


def series(builds: Builds, text: str) -> list[list[float | None]]:
    """Numbers of one symbol's days, in order."""
    rows = builds.warehouse.rows(f"{text} where symbol = 'MSFT' order by trade_date")
    return [[None if value is None else float(value) for value in row] for row in rows]


def test_volatility_is_what_its_definition_says(postgresql: Builds) -> None:
    rows = series(
        postgresql,
        "select v.volatility_10_ann_pct, v.volatility_60_ann_pct, v.parkinson_20_ann_pct, v.atr_14_sma, "
        "v.drawdown_252_pct, r.daily_return, r.high_price, r.low_price, r.true_range, r.close_price "
        "from intermediate.int_volatility_features as v inner join intermediate.int_daily_returns as r "
        "using (symbol, trade_date)",
    )
    assert len(rows) == 300
    returns, highs, lows, ranges, closes = ([row[place] for row in rows] for place in range(5, 10))
    year = 100 * math.sqrt(252)
    for n, (vol_10, vol_60, parkinson, atr, drawdown, *_) in enumerate(rows):
        logs = [math.log(h / low) ** 2 for h, low in zip(highs[: n + 1], lows[: n + 1], strict=True)]
        wanted = [
            (vol_10, n >= 10 and year * statistics.stdev(returns[n - 9 : n + 1])),
            (vol_60, n >= 60 and year * statistics.stdev(returns[n - 59 : n + 1])),
            (parkinson, n >= 19 and year * math.sqrt(statistics.mean(logs[-20:]) / (4 * math.log(2)))),
            (atr, n >= 13 and statistics.mean(ranges[n - 13 : n + 1])),
            (drawdown, n >= 251 and 100 * (closes[n] / max(closes[n - 251 : n + 1]) - 1)),
        ]
        for number, (found, value) in enumerate(wanted):
            assert (found is None) if value is False else close(found, value), (n, number, found, value)


def test_strategies_are_what_their_returns_make(postgresql: Builds) -> None:
    names = ("momentum", "mean_reversion", "macd")
    columns = ", ".join(f"{name}_return, {name}_return_63, {name}_sharpe_63" for name in names)
    rows = series(postgresql, f"select {columns} from marts_market.fct_polygon__stock_bars_performance")
    judged = 0
    for place in range(0, 3 * len(names), 3):
        returns = [row[place] for row in rows]
        for n, row in enumerate(rows):
            window = [value for value in returns[max(0, n - 62) : n + 1] if value is not None]
            if len(window) < 63:
                assert row[place + 1] is None and row[place + 2] is None
                continue
            judged += 1
            total, deviation = math.prod(1 + value for value in window) - 1, statistics.stdev(window)
            assert math.isclose(row[place + 1] or 0, total, abs_tol=1e-5)
            if deviation == 0:
                assert row[place + 2] is None
            else:
                sharpe = math.sqrt(252) * statistics.mean(window) / deviation
                assert math.isclose(row[place + 2] or 0, sharpe, rel_tol=1e-4, abs_tol=1e-5)
    assert judged > 300
