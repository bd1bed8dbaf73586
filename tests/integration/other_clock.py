# SPDX-License-Identifier: Apache-2.0
"""Another time for an ingestor and the simulator: sessions that end within a test.

The ingestor runs under libfaketime, which reads its offset from a file again and again; its monotonic clock
stays the machine's. The time is that of a session which is over: brokers refuse or drop what lies elsewhere.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from line import Line

NEW_YORK = ZoneInfo("America/New_York")
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
WAITS = Path(__file__).parents[1] / "faults" / "faked_waits.c"  # what libfaketime lacks
HOLIDAYS = {(1, 1), (6, 19), (7, 3), (7, 4), (7, 5), (11, 25), (12, 24), (12, 25), (12, 26), (12, 31)}


def ordinary(day: date, step: int) -> date:
    """The first day from `day` on, in steps of so many days, that has a whole ordinary session in New York."""
    while day.weekday() >= 5 or (day.month, day.day) in HOLIDAYS or is_movable_holiday(day):
        day += timedelta(days=step)
    return day


def last_session() -> date:
    """One that is over, with another day's distance to now."""
    return ordinary(datetime.now(NEW_YORK).date() - timedelta(days=2), -1)


def is_movable_holiday(day: date) -> bool:
    """Mondays and the two days in November that may be one, and Good Friday: rather one day too many."""
    monday = day.weekday() == 0 and day.month in (1, 2, 5, 9)
    november = day.month == 11 and 22 <= day.day <= 29 and day.weekday() in (3, 4)
    return monday or november or (day.weekday() == 4 and day.month in (3, 4))


class OtherClock:
    """Settings for the ingestor that is to live in that time, and the hand that moves both clocks."""

    def __init__(self, line: Line) -> None:
        assert FAKETIME.is_file(), f"{FAKETIME} is not there: install the Debian package libfaketime"
        self.line = line
        # Waits for a thread's end are over at once where libfaketime has moved the clock to another day.
        line.expected_errors.append("kafka_destroy_hung")
        self.file = line.layout.state / "offset"
        library = line.layout.state / "faked_waits.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(WAITS)], check=True)
        self.settings = {
            "LD_PRELOAD": f"{library} {FAKETIME}",
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, moment: datetime) -> datetime:
        offset = (moment - datetime.now(UTC)).total_seconds()
        written = self.file.with_suffix(".new")
        written.write_text(f"{offset:+.3f}\n")
        written.replace(self.file)  # a half written one would be read
        self.line.parts.simulator.set_clock(now=moment.astimezone(UTC).isoformat())
        return moment

    def at(self, day: date, hour: int, minute: int, second: int = 0) -> datetime:
        """That wall time of New York, from now on."""
        return self.set(datetime.combine(day, time(hour, minute, second), NEW_YORK))


@pytest.fixture
def clock(line: Line) -> Iterator[OtherClock]:
    """Of the ingestor and the simulator; the simulator has its own time and announces nothing afterwards."""
    try:
        yield OtherClock(line)
    finally:
        line.parts.simulator.set_clock(real=True)
        line.parts.simulator.announce()
