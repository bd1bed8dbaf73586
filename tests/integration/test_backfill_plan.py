# SPDX-License-Identifier: Apache-2.0
"""--dry-run: the plan of a backfill and its cost, with nothing asked for and nothing written; and progress."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import wait_for

pytestmark = pytest.mark.once

DAYS = ["--from", "2024-07-01", "--to", "2024-07-12"]
MINUTES = ["bars", "--symbols", "KO,XOM,X:ETHUSD", *DAYS]
# 9 sessions of 960 minutes, 12 days of 1440: a page of 2000 holds two sessions, or a day.
SMALL = {"INGEST_BARS_PAGE_LIMIT": "2000"}
WRITTEN = ("RAW_BACKFILL", "DLQ", "INGESTOR_WATERMARKS", "INGESTOR_BUDGET")
REQUESTS = {"KO": 5, "XOM": 5, "X:ETHUSD": 12}


def plan(line: Line, *arguments: str, **settings: str) -> dict[str, Any]:
    before = len(line.asked())
    written = len(line.messages(*WRITTEN))
    answer = line.backfill(*arguments, "--dry-run", **settings)
    assert len(line.asked()) == before
    assert len(line.messages(*WRITTEN)) == written
    assert answer["dry_run"] is True
    return answer


def test_the_plan_is_what_the_run_asks_for(line: Line) -> None:
    answer = plan(line, *MINUTES, **SMALL, POLYGON_REQUESTS_PER_MINUTE="5", INGEST_PARALLEL="2")
    assert {name: one["requests"] for name, one in answer["symbols"].items()} == REQUESTS
    assert (answer["requests"], answer["bound"]) == (22, "at most")
    assert answer["series"] == answer["series_left"] == 3
    assert answer["seconds"] == 4 * 60  # five at once, and four more minutes
    assert answer["assumed"] == {
        "seconds_per_request": 0.5,
        "parallel": 2,
        "requests_per_minute": 5,
        "requests_per_day": 0,
    }
    # Without a budget it is what one series needs, as its requests go one after the other.
    assert plan(line, *MINUTES, **SMALL, INGEST_PARALLEL="8")["seconds"] == 6
    assert plan(line, *MINUTES, **SMALL, POLYGON_REQUESTS_PER_DAY="10")["seconds"] == 2 * 86400
    summary = line.backfill(*MINUTES, **SMALL)
    assert summary["run_id"] == answer["run_id"]
    assert summary["requests"] == 22
    after = plan(line, *MINUTES, **SMALL)
    assert (after["complete_before"], after["requests"], after["seconds"]) == (True, 0, 0)


def test_what_is_done_is_not_in_the_plan(line: Line) -> None:
    line.expected_errors.append("series_given_up")
    settings = {**SMALL, "INGEST_RETRY_ATTEMPTS": "1"}
    match = {"symbol": "X:ETHUSD"}
    line.parts.simulator.add_fault("server_error", match=match, after=3, times=1)
    line.backfill(*MINUTES, code=75, **settings)
    answer = plan(line, *MINUTES, **settings)
    assert {name: one["requests"] for name, one in answer["symbols"].items()} == {
        "KO": 0,
        "XOM": 0,
        "X:ETHUSD": 9,
    }
    assert answer["series_left"] == 1
    assert answer["symbols"]["X:ETHUSD"]["done_until"] == "2024-07-04T00:00:00.000Z"
    assert answer["symbols"]["KO"]["status"] == "complete"
    assert line.backfill(*MINUTES, **settings)["requests"] == 9


def test_other_feeds_and_a_table(line: Line) -> None:
    """A terminal gets the plan as a table too."""
    news = plan(line, "news", "--symbols", "KO,XOM", *DAYS)
    assert (news["requests"], news["bound"]) == (2, "at least")
    assert plan(line, "symbols", "--symbols", "KO,X:BTCUSD")["requests"] == 4 + 2
    screen = on_a_terminal(line, *MINUTES, "--dry-run", **SMALL)
    rows = [row.split() for row in screen.splitlines()]
    assert ["KO", "incomplete", "2024-07-01T04:00Z", "2024-07-13T04:00Z", "5"] in rows
    assert "3 of 3 series left, at most 22 requests" in screen
    assert "at least 1 requests" in on_a_terminal(line, "bars", "--universe", *DAYS, "--dry-run")
    days = plan(line, "open-close", "--symbols", "KO", *DAYS)
    assert days["bound"] == "at most"
    screen = on_a_terminal(line, "open-close", "--symbols", "KO", *DAYS, "--dry-run")
    assert f"at most {days['requests']} requests" in screen


def test_progress_in_the_log(line: Line) -> None:
    """Every so often: how far the run and the series under way are, how fast, how long still."""
    line.parts.simulator.add_fault("slow", times=None, delay_ms=100)
    result = line.run("marketflow-ingestor", "backfill", *MINUTES, INGEST_PROGRESS_MS="200", **SMALL)
    assert result.returncode == 0
    said = [json.loads(text) for text in result.stderr.splitlines() if text.startswith("{")]
    progress = [one for one in said if one.get("event") == "progress"]
    assert len(progress) >= 3
    shares = [one["share"] for one in progress]
    assert shares == sorted(shares)
    assert 0 < shares[1] < shares[-1] == 1
    assert progress[-1]["series_done"] == progress[-1]["series"] == 3
    assert progress[-1]["events"] == json.loads(result.stdout)["run"]["events"]
    assert any(re.search(r"X:ETHUSD \d+ %", one["under_way"]) for one in progress)
    assert any(re.search(r"ETA \d\d:\d\d:\d\d$", one["msg"]) for one in progress)
    ended = {one["symbol"]: one["status"] for one in said if one.get("event") == "series_ended"}
    assert ended == {"KO": "complete", "XOM": "complete", "X:ETHUSD": "complete"}


def test_progress_on_a_terminal(line: Line) -> None:
    line.parts.simulator.add_fault("slow", times=None, delay_ms=150)
    screen = on_a_terminal(line, *MINUTES, **SMALL)
    last = screen.rstrip().split("\r")[-1]
    assert "100.0 %  3/3 series" in last
    assert re.search(r"\r.*run \w+ +\d+\.\d %  \d/3 series  \d+ events  \d+/s  ETA ", screen)


def test_a_used_up_budget_says_until_when(line: Line) -> None:
    service = line.service(
        "ingestor", INGEST_PROGRESS_MS="200", POLYGON_REQUESTS_PER_DAY="3", INGEST_PARALLEL="1", **SMALL
    )
    service.spec.arguments.extend(["backfill", *MINUTES])
    service.start()

    def told() -> list[str]:
        return [str(one["msg"]) for one in line.events_logged("progress") if "budget used up" in one["msg"]]

    wait_for(lambda: bool(told()), 60, "the end of the budget")
    tomorrow = datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1)
    assert told()[-1].endswith(f"budget used up until {tomorrow:%Y-%m-%d}T00:00:00.000Z")
    assert len(line.asked("/v2/aggs")) == 3
    service.stop()
    assert service.wait_exit(10) == 75
    line.services.remove(service)
    answer = plan(line, *MINUTES, **SMALL)
    assert answer["requests"] == sum(REQUESTS.values()) - 3


def on_a_terminal(line: Line, *arguments: str, code: int = 0, **settings: str) -> str:
    """What `marketflow-ingestor backfill …` writes to a terminal."""
    master, slave = pty.openpty()
    own = {"METRICS_LISTEN": "127.0.0.1:0", "LOG_LEVEL": "error", "PATH": "/usr/bin:/bin"}
    program = subprocess.Popen(
        [line.parts.binaries / "marketflow-ingestor", "backfill", *arguments],
        env={**line.settings, **own, **settings},
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    screen = b""
    try:
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            screen += part
        out, _ = program.communicate(timeout=60)
    finally:
        program.kill()
        program.wait()
        os.close(master)
    assert program.returncode == code, screen
    assert json.loads(out.splitlines()[-1])
    return screen.decode()
