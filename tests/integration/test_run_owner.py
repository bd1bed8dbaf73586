# SPDX-License-Identifier: Apache-2.0
"""A backfill run belongs to one process: the newest one that was started for it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import Any

import pytest
from line import REPLAY_ROWS, REPLAYED, Line
from mflocal import last_json_object, wait_for

pytestmark = pytest.mark.once

RUN = "shared"
DAYS = ["--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day", "--adjusted", "none"]
BACKFILL = ["backfill", "bars", "--symbols", ",".join(REPLAYED), *DAYS, "--run-id", RUN]
# Some fifty pages one after the other, so that a run takes longer than it takes to notice another process.
SMALL_PAGES = {"INGEST_BARS_PAGE_LIMIT": "400", "INGEST_PARALLEL": "1"}
PAGE_MS = 700


def slow_pages(line: Line) -> None:
    line.settings |= SMALL_PAGES
    line.parts.simulator.add_fault("slow", match={"endpoint": "aggs"}, times=None, delay_ms=PAGE_MS)


def wait_asked(line: Line, wanted: int) -> None:
    wait_for(lambda: len(line.asked("/v2/aggs")) >= wanted, 60, f"{wanted} requests")


def owner(line: Line) -> dict[str, Any] | None:
    """The last claim of the run."""
    claims = [m.value for m in line.messages("INGESTOR_WATERMARKS") if m.key == f"owner|{RUN}"]
    return json.loads(claims[-1]) if claims and claims[-1] is not None else None


def taken_over(result: CompletedProcess[str]) -> bool:
    if result.returncode == 0:
        return False
    assert result.returncode == 75, (result.returncode, result.stderr[-4000:])
    summary = last_json_object(result.stdout)
    assert summary["complete"] is False
    assert summary["error"]["code"] == "taken_over"
    assert f"run {RUN} was taken over by another process (" in result.stderr
    return True


@pytest.mark.parametrize("together", [True, False], ids=["together", "one_after_the_other"])
def test_a_shared_run_counts_once(line: Line, together: bool) -> None:
    processor = line.start("processor")
    slow_pages(line)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(line.run, "marketflow-ingestor", *BACKFILL)
        if not together:
            wait_asked(line, 2)
        second = pool.submit(line.run, "marketflow-ingestor", *BACKFILL)
        lost = [taken_over(first.result()), taken_over(second.result())]
    assert sorted(lost) == [False, True]
    assert together or lost == [True, False], "the newer one goes on"
    line.start("sink")
    line.wait_count("raw_bars", REPLAY_ROWS, timeout=120)
    line.wait_count("raw_metrics", REPLAY_ROWS, timeout=120)
    processor.stop()
    assert len({m.event["event_id"] for m in line.messages("METRICS")}) == len(line.messages("METRICS"))
    assert line.count("raw_metrics") == line.number("SELECT count(DISTINCT dedupe_key) FROM raw.raw_metrics")
    assert owner(line) is None, "a complete run has no owner"


def test_an_abandoned_run_is_left_by_its_process(line: Line) -> None:
    slow_pages(line)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(line.run, "marketflow-ingestor", *BACKFILL)
        wait_asked(line, 2)
        summary = line.backfill("--abandon", RUN)
        assert taken_over(running.result())
    assert summary["abandoned"] is True
    values = [m.value or b"" for m in line.messages("RAW_BACKFILL")]
    ends = [at for at, value in enumerate(values) if b'"lane_end":true' in value]
    assert ends and b'"lane_end":true' in values[-1], "nothing follows a lane's end"


def test_an_orderly_stop_gives_the_run_up(line: Line) -> None:
    line.parts.simulator.add_fault("server_error", match={"endpoint": "aggs"}, times=None)
    patience = {"INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("page|series")
    line.backfill(*BACKFILL[1:], code=75, **patience)
    claim = owner(line)
    assert claim is not None
    assert claim["released"] is True
    line.parts.simulator.clear_faults()
    assert line.backfill(*BACKFILL[1:])["complete"] is True
    assert line.events_logged("run_taken_over") == []
