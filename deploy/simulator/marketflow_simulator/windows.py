# SPDX-License-Identifier: Apache-2.0
"""Windows of range aggregates: where they start, where they end, how a range is snapped to them.

Provider rules: windows are cut in New York time (UTC for crypto and FX); minute, hour and second
windows are counted from local midnight, so hour bars start at 09:00 and not at 09:30; weeks start on
Sunday; a range snaps outward, its start down to a window's start, its end up to the end of the window
it falls in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from .sessions import local_date, midnight_ms, zone_of

_LENGTH_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
_BASE_UNIT = {"second": "second", "minute": "minute", "hour": "minute"}
SPANS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_EPOCH_SUNDAY = date(1970, 1, 4)


@dataclass(frozen=True, slots=True)
class Windows:
    """The window grid of one (symbol, multiplier, timespan)."""

    symbol: str
    multiplier: int
    span: str

    @property
    def base_unit(self) -> str:
        """What `limit` counts: seconds, minutes (also for hours) or days."""
        return _BASE_UNIT.get(self.span, "day")

    @property
    def is_base(self) -> bool:
        """One window is exactly one base aggregate."""
        return self.multiplier == 1 and self.span == self.base_unit

    def start(self, instant_ms: int) -> int:
        """Start of the window that holds `instant_ms`."""
        zone = zone_of(self.symbol)
        day = local_date(instant_ms, zone)
        length = _LENGTH_MS.get(self.span)
        if length is None:
            return midnight_ms(self._first_date(day), zone)
        midnight = midnight_ms(day, zone)
        length *= self.multiplier
        return midnight + (instant_ms - midnight) // length * length

    def end(self, start_ms: int) -> int:
        """End of the window that starts at `start_ms`; a day's last window may be cut short."""
        zone = zone_of(self.symbol)
        day = local_date(start_ms, zone)
        length = _LENGTH_MS.get(self.span)
        if length is None:
            return midnight_ms(self._next_date(self._first_date(day)), zone)
        return min(start_ms + length * self.multiplier, midnight_ms(day + timedelta(days=1), zone))

    def _first_date(self, day: date) -> date:
        if self.span == "day":
            return day - timedelta(days=(day.toordinal() - 1) % self.multiplier)
        if self.span == "week":
            weeks = (day - _EPOCH_SUNDAY).days // 7
            return _EPOCH_SUNDAY + timedelta(weeks=weeks // self.multiplier * self.multiplier)
        months = self._months()
        index = (day.year * 12 + day.month - 1) // months * months
        return date(index // 12, index % 12 + 1, 1)

    def _next_date(self, first: date) -> date:
        if self.span == "day":
            return first + timedelta(days=self.multiplier)
        if self.span == "week":
            return first + timedelta(weeks=self.multiplier)
        index = first.year * 12 + first.month - 1 + self._months()
        return date(index // 12, index % 12 + 1, 1)

    def _months(self) -> int:
        return self.multiplier * {"month": 1, "quarter": 3, "year": 12}[self.span]


def range_bound(text: str, symbol: str, is_end: bool) -> int:
    """Milliseconds of a range's bound: digits as they are; a date is its local midnight, and as the
    end of a range the last millisecond of that day. Raises ValueError for anything else."""
    if text.isdigit():
        return int(text)
    day = date.fromisoformat(text)
    zone = zone_of(symbol)
    return midnight_ms(day + timedelta(days=1), zone) - 1 if is_end else midnight_ms(day, zone)
