# SPDX-License-Identifier: Apache-2.0
"""A small run of tests/bench/dbt: what it measures is there. No figure of time is judged."""

from __future__ import annotations

import dbt_bench


def test_a_small_run_measures_everything() -> None:
    options = dbt_bench.arguments("--symbols=3 --days=30 --sessions=2 --minutes=20 --shares=1".split())
    result = dbt_bench.run(options)
    size = result["sizes"][0]
    assert size["rows"] == 3 * (30 + 1 + 3 * 20)
    assert size["new_rows"] == 3 * 21
    assert size["full"]["seconds"] > 0 and size["one_day"]["seconds"] > 0
    assert result["share"] == size["share"] > 0
    assert size["database_gb"] > 0 and result["growth"] is None


def test_growth_is_an_exponent() -> None:
    def size(new_rows: int, seconds: float) -> dict[str, object]:
        return {"new_rows": new_rows, "one_day": {"seconds": seconds}}

    assert dbt_bench.growth([size(100, 2.0), size(400, 8.0)]) == 1.0
    assert dbt_bench.growth([size(100, 2.0), size(200, 2.1), size(400, 4.0)]) == 0.5
    assert dbt_bench.growth([size(100, 1.0), size(200, 4.0)]) == 2.0
