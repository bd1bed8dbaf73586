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
