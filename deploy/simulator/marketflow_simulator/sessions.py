# SPDX-License-Identifier: Apache-2.0
"""When a market trades: US equities by session, FX by week, crypto always.

The equity rules are the New York Stock Exchange's published holiday rules, enough to invent data
from 2000 on; the services' own calendar is in common/ and deliberately shares nothing with this one,
so that the two can disagree in a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from .announced import DAYS

NEW_YORK = ZoneInfo("America/New_York")
MINUTE_MS = 60_000
DAY_MS = 86_400_000

# Closures that no rule gives: mourning, attacks, storms.
_ONE_OFF_CLOSURES = frozenset(
    date.fromisoformat(text)
    for text in (
        "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02",
        "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day in epoch milliseconds; `regular_*` lies inside [start_ms, end_ms)."""

    start_ms: int
    regular_start_ms: int
    regular_end_ms: int
    end_ms: int
    early: bool


def asset_class(symbol: str) -> str:
    """stock, option, fx, crypto or index, by the provider's ticker prefix."""
    prefixes = {"X:": "crypto", "C:": "fx", "O:": "option", "I:": "index"}
    return prefixes.get(symbol[:2], "stock")


def zone_of(symbol: str) -> tzinfo:
    """Windows of crypto and FX are cut at UTC midnight, all others at New York's."""
    return UTC if asset_class(symbol) in ("crypto", "fx") else NEW_YORK


def midnight_ms(day: date, zone: tzinfo) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(moment.timestamp()) * 1000


def local_date(instant_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(instant_ms // 1000, zone).date()


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth (1..) given weekday of a month; nth = -1 is the last one."""
    if nth > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def easter(year: int) -> date:
    """Western Easter Sunday by the anonymous Gregorian algorithm (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    f = (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _observed(day: date) -> date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


@lru_cache(maxsize=64)
def holidays(year: int) -> dict[date, str]:
    """Full-day closures of one year by date."""
    named = {
        _nth_weekday(year, 1, 0, 3): "Martin Luther King, Jr. Day",
        _nth_weekday(year, 2, 0, 3): "Washington's Birthday",
        easter(year) - timedelta(days=2): "Good Friday",
        _nth_weekday(year, 5, 0, -1): "Memorial Day",
        _observed(date(year, 7, 4)): "Independence Day",
        _nth_weekday(year, 9, 0, 1): "Labor Day",
        _nth_weekday(year, 11, 3, 4): "Thanksgiving",
        _observed(date(year, 12, 25)): "Christmas",
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != 5:  # the exchange does not close on 31 December instead
        named[_observed(new_year)] = "New Years Day"
    if year >= 2022:
        named[_observed(date(year, 6, 19))] = "Juneteenth"
    named.update({day: "Closed" for day in _ONE_OFF_CLOSURES if day.year == year})
    return named


@lru_cache(maxsize=64)
def early_closes(year: int) -> dict[date, str]:
    """Days that end at 13:00 New York time."""
    days = {_nth_weekday(year, 11, 3, 4) + timedelta(days=1): "Thanksgiving"}
    for day, name in ((date(year, 12, 24), "Christmas"), (date(year, 7, 3), "Independence Day")):
        if day.weekday() < 5 and day not in holidays(year):
            days[day] = name
    return days


@lru_cache(maxsize=1024)
def session(symbol_class: str, day: date) -> Session | None:
    """The session of `day` (New York date for stocks, UTC date else), or None when closed."""
    if symbol_class in ("crypto", "fx"):
        return _around_the_clock(symbol_class, day)
    hours = _hours(day)
    if hours is None:
        return None
    opens, closes = hours
    early = closes < time(16)
    start, end = time(4), time(17) if early else time(20)
    if symbol_class == "option":  # which trade in the regular session only
        start, end = opens, closes
    return Session(_at(day, start), _at(day, opens), _at(day, closes), _at(day, end), early)


def _hours(day: date) -> tuple[time, time] | None:
    """When the regular session opens and closes in New York: as announced, or by the rules."""
    special = DAYS.get(day)
    if special is not None and special.takes_place:
        return None if special.open is None or special.close is None else (special.open, special.close)
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    return time(9, 30), time(13) if day in early_closes(day.year) else time(16)


def _at(day: date, moment: time) -> int:
    return int(datetime.combine(day, moment, NEW_YORK).timestamp()) * 1000


def _around_the_clock(symbol_class: str, day: date) -> Session | None:
    start = midnight_ms(day, UTC)
    end = start + DAY_MS
    if symbol_class == "fx":  # the week runs from Sunday 17:00 to Friday 17:00 in New York
        if day.weekday() == 5:
            return None
        five = datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK)
        if day.weekday() == 6:
            start = int(five.timestamp()) * 1000
        elif day.weekday() == 4:
            end = int(five.timestamp()) * 1000
    return Session(start, start, end, end, False)


def market_state(now_ms: int) -> str:
    """open, extended-hours or closed, for US equities."""
    today = session("stock", local_date(now_ms, NEW_YORK))
    if today is None or not today.start_ms <= now_ms < today.end_ms:
        return "closed"
    regular = today.regular_start_ms <= now_ms < today.regular_end_ms
    return "open" if regular else "extended-hours"
