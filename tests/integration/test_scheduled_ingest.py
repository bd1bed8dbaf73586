# SPDX-License-Identifier: Apache-2.0
"""The ingests that the DAGs schedule, at the hours at which they are scheduled: for the newest session, with the
requests that the DAGs make."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from line import Line
from other_clock import OtherClock, last_session

sys.path.append(str(Path(__file__).resolve().parents[2] / "dags"))
from _lib import plan, sessions

pytestmark = pytest.mark.feeds

GROUP = ["KO", "PEP"]


def run_after(day: date, cron: str) -> datetime:
    """When this schedule runs after a session, as it does on the following day (UTC)."""
    minute, hour, *_ = cron.split()
    return datetime.combine(day + timedelta(days=1), time(int(hour), int(minute)), UTC)


def about(moment: datetime) -> date:
    run = SimpleNamespace(logical_date=moment, run_after=moment)
    return sessions.day_of_run({"params": {}, "dag_run": run})


def fetch(line: Line, clock: OtherClock, asked: dict[str, Any], code: int) -> dict[str, Any]:
    manifest = line.layout.state / f"{plan.name_of(asked)}.json"
    arguments = plan.backfill_arguments(asked, str(manifest))
    return line.backfill(*arguments[1:], code=code, **clock.settings)


def test_the_ingest_after_the_day_completes_it(line: Line, clock: OtherClock) -> None:
    day = last_session()
    moment = clock.set(run_after(day, sessions.AFTER_THE_DAY))
    assert about(moment) == day
    for asked in plan.requests("bars", [GROUP], [(day, day)], ["day", "minute"]):
        summary = fetch(line, clock, asked, 0)
        assert summary["complete"] is True
        assert all(summary["symbols"][symbol]["events"] > 0 for symbol in GROUP)
    moment = clock.set(run_after(day, sessions.AFTER_THE_DAY_GROUPED))
    assert about(moment) == day
    summary = fetch(line, clock, plan.request("grouped", GROUP, day, day), 0)
    assert summary["complete"] is True
    assert summary["run"]["events"] > 0


def test_the_pipeline_of_the_evening_completes_its_day_after_midnight(line: Line, clock: OtherClock) -> None:
    """At 01:00 UTC nothing can be complete; the same requests are, once New York's day has ended."""
    day = last_session()
    moment = clock.set(run_after(day, sessions.AFTER_THE_SESSION))
    assert about(moment) == day
    asked = plan.requests("bars", [GROUP], [(day, day)], ["day", "minute"])
    early = [fetch(line, clock, one, 75) for one in asked]
    for summary in early:
        assert "error" not in summary
        assert not any("error" in one for one in summary["symbols"].values())
        assert summary["run"]["events"] > 0
    clock.at(day + timedelta(days=1), 0, 1)
    for one, before in zip(asked, early, strict=True):
        summary = fetch(line, clock, one, 0)
        assert (summary["complete"], summary["run_id"]) == (True, before["run_id"])
        assert summary["run"]["events"] >= before["run"]["events"]
