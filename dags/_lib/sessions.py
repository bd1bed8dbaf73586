# SPDX-License-Identifier: Apache-2.0
"""Trading days: which day a run is about, and whether the exchange had a session then, by the programs'
own calendar."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .programs import Run
from .settings import Settings

NEW_YORK = "America/New_York"


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
    """The date in New York at a moment: a run shortly after midnight UTC is about the day before."""
    return moment.astimezone(ZoneInfo(NEW_YORK)).date()


def day_of_run(context: Mapping[str, Any]) -> date:
    """The day a run is about: its parameter `day`, else the date in New York at its logical date. A repeat of a run
    has the same one; a run that was started by hand or by an asset has the moment at which it may start."""
    given = (context.get("params") or {}).get("day")
    if given:
        return parse_day(given)
    run = context["dag_run"]
    return day_at(run.logical_date or run.run_after)


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
