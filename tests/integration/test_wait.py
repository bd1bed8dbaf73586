# SPDX-License-Identifier: Apache-2.0
"""marketflowctl wait: until what was published is in the warehouse, and no longer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from line import PARTITIONS, Line
from mflocal import wait_for


def manifest_of(line: Line, path: Path, beyond: int = 0) -> Path:
    """The last offset of each raw partition that has one."""
    last: dict[int, int] = {}
    for message in line.messages("RAW_BACKFILL"):
        last[message.partition] = message.offset
    raw = [
        {"topic": line.topic("RAW_BACKFILL"), "partition": p, "offset": o + beyond} for p, o in last.items()
    ]
    path.write_text(json.dumps({"manifest_version": "1.0", "run_id": "a-run", "raw": raw}))
    return path


def test_wait_ends_when_everything_is_loaded(line: Line, tmp_path: Path) -> None:
    line.backfill_replay(["FB", "GOOG"])
    path = manifest_of(line, tmp_path / "manifest.json")
    bars = sum(m.event["event_type"] == "bar" for m in line.messages("RAW_BACKFILL"))
    settings = {**line.settings, "METRICS_LISTEN": "127.0.0.1:0", "PATH": "/usr/bin:/bin"}
    waiting = subprocess.Popen(
        [line.parts.binaries / "marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "120"],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line.start("processor")
        wait_for(lambda: len(line.messages("BARS_FILTERED")) == bars, 60, "filtered bars", 0.3)
        assert waiting.poll() is None  # nothing is loaded yet
        line.start("sink")
        out, errors = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0, errors
    # At once, without looking twice: the rows are there.
    assert line.count("raw_bars") == bars
    answer = json.loads(out)
    assert answer["run_id"] == "a-run"
    assert answer["output_partitions"] == 9 * PARTITIONS
    assert answer["raw_partitions"] >= 1


def test_wait_gives_up_in_time_and_says_where(line: Line, tmp_path: Path) -> None:
    line.backfill_replay(["FB"])
    path = manifest_of(line, tmp_path / "manifest.json")
    result = line.run("marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "1")
    assert result.returncode == 75
    assert f"{line.name}-processor has" in result.stderr
    line.start("processor")
    result = line.run("marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "10")
    assert result.returncode == 75
    assert f"{line.name}-sink has" in result.stderr


def test_wait_refuses_what_is_no_manifest_of_this_cluster(line: Line, tmp_path: Path) -> None:
    line.backfill_replay(["FB"])
    beyond = manifest_of(line, tmp_path / "beyond.json", beyond=1000)
    result = line.run("marketflowctl", "wait", "--manifest", str(beyond))
    assert result.returncode == 78
    assert "manifest_offset" in result.stderr
    bad = tmp_path / "bad.json"
    bad.write_text('{"manifest_version":"1.0","raw":[{"topic":"t","partition":0}]}')
    result = line.run("marketflowctl", "wait", "--manifest", str(bad))
    assert result.returncode == 78
    assert "bad.json: raw[0].offset is missing" in result.stderr
    assert line.run("marketflowctl", "wait").returncode == 78
