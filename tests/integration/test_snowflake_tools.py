# SPDX-License-Identifier: Apache-2.0
"""marketflowctl verify, wait and marketflow-sink load-results on the Snowflake dialect, over fakesnow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from line import Line
from mflocal import REPOSITORY, wait_for
from snowflake import SnowflakeLine

pytestmark = pytest.mark.sink

RESULTS = REPOSITORY / "tests" / "data" / "results"


@pytest.fixture
def line(snowflake_line: SnowflakeLine) -> SnowflakeLine:
    return snowflake_line


def verify(line: Line, code: int) -> dict[str, Any]:
    result = line.run("marketflowctl", "verify", "--format", "json", "--list", "1000")
    assert result.returncode == code, (result.returncode, result.stdout[-2000:], result.stderr[-2000:])
    return dict(json.loads(result.stdout))


def test_verify_finds_what_is_missing_and_doubled(line: SnowflakeLine) -> None:
    assert line.feed_bars() == 196
    line.produce("BARS_FILTERED", [b"poison"], b"FB")
    sink = line.start("sink")
    line.wait_count("raw_bars", 196, timeout=60)
    line.wait_count("raw_dead_letters", 1, timeout=60)
    wait_for(lambda: line.run("marketflowctl", "verify").returncode == 0, 60, "a verdict of ok", 0.5)
    found = verify(line, 0)
    assert found["dead_letters"] == 1 and found["rows"] == 197  # with the letter's own row
    sink.stop()
    gone = line.number("SELECT count(*) FROM raw.raw_bars WHERE kafka_offset % 50 = 7")
    twice = line.number("SELECT count(*) FROM raw.raw_bars WHERE kafka_offset % 50 = 9")
    assert gone and twice
    line.sql("DELETE FROM raw.raw_bars WHERE kafka_offset % 50 = 7")
    line.sql("INSERT INTO raw.raw_bars SELECT * FROM raw.raw_bars WHERE kafka_offset % 50 = 9")
    found = verify(line, 1)
    assert found["missing"] == gone
    assert {m["offset"] % 50 for m in found["missing_list"]} == {7}
    # The key is not enforced here: only rows of one offset count.
    assert found["doubled"] == twice
    assert {d["offset"] % 50 for d in found["doubled_list"]} == {9}


def test_wait_ends_when_everything_is_loaded(line: SnowflakeLine, tmp_path: Path) -> None:
    line.start("processor")
    line.backfill_replay(["FB"])
    last = {m.partition: m.offset for m in line.messages("RAW_BACKFILL")}
    raw = [{"topic": line.topic("RAW_BACKFILL"), "partition": p, "offset": o} for p, o in last.items()]
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"manifest_version": "1.0", "raw": raw}))
    line.start("sink")
    result = line.run("marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "90")
    assert result.returncode == 0, result.stderr
    assert line.count("raw_bars") == 196


def test_results_are_loaded_once(line: SnowflakeLine) -> None:
    names = ("target/run_results.json", "target/sources.json", "gx_validation.json", "gx_checkpoint.json")
    files = [str(RESULTS / name) for name in names]
    for again in (False, True):
        answer = line.run("marketflow-sink", "load-results", *files)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.count("were there already") == (5 if again else 0)
        assert line.number("SELECT count(*) FROM ops.dbt_run_results") == 8
        assert line.number("SELECT count(*) FROM ops.dq_results") == 10
    assert line.number("SELECT failures FROM ops.dbt_run_results WHERE status = 'fail'") == 17
    assert line.number("SELECT count(*) FROM ops.dq_results WHERE NOT success") == 5
