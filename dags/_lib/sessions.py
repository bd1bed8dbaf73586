# SPDX-License-Identifier: Apache-2.0
"""Trading days: which day a run is about, when it is over, and whether the exchange had a session then, by the
programs' own calendar."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .programs import Run
from .settings import Settings

NEW_YORK = "America/New_York"
# What the provider has of a day is whole when the day is over in New York, at 04:00 or 05:00 UTC (docs/providers.md).
AFTER_THE_DAY = "30 5 * * 2-6"
AFTER_THE_DAY_GROUPED = "45 5 * * 2-6"
# Before that, the regular session is there; the rest is fetched by the run's own end.
AFTER_THE_SESSION = "0 1 * * *"
# A run is about the day that it was some hours before it: longer than from New York's midnight to the runs above, and
# short enough that a run in the afternoon is about its own day.
LOOKS_BACK = timedelta(hours=6)


@dataclass(frozen=True)
class Session:
    day: date
    opens: datetime
    closes: datetime
    early: bool


def parse_day(text: str) -> date:
    """A date as parameters have it; ValueError says which text is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date like 2024-07-05") from None


def day_at(moment: datetime) -> date:
    """The date in New York at a moment."""
    return moment.astimezone(ZoneInfo(NEW_YORK)).date()


def not_over(day: date) -> bool:
    """Whether more may come of a day, as the ingestor sees it: until it ends in New York."""
    return day >= day_at(datetime.now(UTC))


def moment_of_run(context: Mapping[str, Any]) -> datetime:
    """A run's logical date; of one that was started by hand or by an asset the moment at which it may start."""
    run = context["dag_run"]
    moment: datetime = run.logical_date or run.run_after
    return moment


def day_of_run(context: Mapping[str, Any]) -> date:
    """The day a run is about: its parameter `day`, else the date in New York six hours before its moment. A repeat of
    a run has the same one."""
    given = (context.get("params") or {}).get("day")
    if given:
        return parse_day(given)
    return day_at(moment_of_run(context) - LOOKS_BACK)


def calendar_command(settings: Settings, first: date, last: date) -> list[str]:
    return [settings.program("marketflowctl"), "calendar", first.isoformat(), last.isoformat()]


def sessions(settings: Settings, first: date, last: date, on_line: Callable[[str], None]) -> list[Session]:
    """The sessions of these days, both included."""
    command = calendar_command(settings, first, last)
    run = Run(command, settings.program_environment("airflow-calendar"), on_line).wait()
    if run.code != 0:
        raise run.failure()
    return parse_calendar(run.output)


def parse_calendar(text: str) -> list[Session]:
    def moment(value: str) -> datetime:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)

    return [
        Session(parse_day(row["session"]), moment(row["open"]), moment(row["close"]), row["early"] == "true")
        for row in csv.DictReader(text.splitlines())
    ]
