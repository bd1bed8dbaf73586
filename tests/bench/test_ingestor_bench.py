# SPDX-License-Identifier: Apache-2.0
"""A small run of tests/bench/ingestor: everything it measures with is there and agrees. No figure of time is judged."""

from __future__ import annotations

import os
from pathlib import Path

import ingestor_bench
import pytest
from mflocal import REPOSITORY

WANTED = {
    "bars",
    "bars_per_s",
    "cpu_s_per_million",
    "peak_rss_mib",
    "floor_cpu_s_per_million",
    "cpu_ratio_to_floor",
    "python_cpu_s_per_million",
    "live_cpu_share",
    "live_rss_mib",
    "live_late_p99_ms",
}


def build() -> Path:
    path = Path(os.environ.get("MARKETFLOW_BIN_DIR") or REPOSITORY / "build" / "dev" / "bin").parent
    if not (path / "tests" / "bench" / "ingestor_floor").is_file():
        pytest.exit(f"{path} holds no programs; run tests/run bench", returncode=2)
    return path


def test_a_small_run_measures_everything(tmp_path: Path) -> None:
    options = ingestor_bench.arguments(
        f"--bars=20000 --symbols=2 --rounds=1 --build={build()} "
        "--live-symbols=40 --live-period=1 --live-warm-up=2 --live-seconds=5".split()
    )
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or REPOSITORY / ".local")
    result = ingestor_bench.run(options, tmp_path, cache)
    assert set(result) >= WANTED, result
    # The backfill, the floor and the peer have been found to agree on the number of records.
    assert 20_000 <= result["bars"] < 30_000, result
    assert 400 < result["event_bytes"] < 1_000, result
    assert all(result[key] > 0 for key in WANTED - {"live_late_p99_ms"}), result
    # Memory is what no other program sways; a large run stays below the same bounds.
    assert result["peak_rss_mib"] < 48 and result["live_rss_mib"] < 64, result
    # At least a round of polls, and not many more than there are periods.
    assert 40 <= result["live_polls_per_s"] * 5 <= 40 * 8, result
    print("\n" + str(result))
