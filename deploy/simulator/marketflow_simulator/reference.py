# SPDX-License-Identifier: Apache-2.0
"""What is known about symbols beside their bars: instruments that are gone, identifiers, splits, dividends.

The splits of the replayed symbols are those that its bars are adjusted by. Everything else is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from .noise import bits, key_of, uniform
from .replay import SPLITS

_FIGI_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ0123456789"
_FIGI, _DIGITS = 201, 9


@dataclass(frozen=True, slots=True)
class Gone:
    """An invented instrument that is not traded any more; `day` is its last."""

    name: str
    day: date


DELISTED = {
    "ZZGONE": Gone("Gone Holdings (invented)", date(2016, 5, 31)),
    "ZZLOST": Gone("Lost & Found Corp (invented)", date(2019, 11, 1)),
    "ZZOLD": Gone("Old Things plc (invented)", date(2008, 2, 29)),
}


def figi_of(seed: int, symbol: str) -> str:
    """Twelve characters that look like a composite FIGI and belong to nothing."""
    key = key_of(seed, "figi|" + symbol)
    drawn = (bits(key, _FIGI, at) % len(_FIGI_LETTERS) for at in range(_DIGITS))
    return "BBG" + "".join(_FIGI_LETTERS[at] for at in drawn)


# A company that changed its name, which is public; and an invented one that did so twice.
RENAMES = {
    "META": ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META")),
    "ZZNEW": ((date(2001, 2, 5), "ZZOLDER"), (date(2010, 7, 1), "ZZMID"), (date(2018, 11, 5), "ZZNEW")),
}
_FIRST_NAMED = date(2000, 1, 3)


def names_of(symbol: str) -> tuple[tuple[date, str], ...] | None:
    """The tickers of the instrument that has this one now, oldest first; None for one that has gone."""
    return None if symbol in DELISTED else RENAMES.get(symbol, ((_FIRST_NAMED, symbol),))


@dataclass(frozen=True, slots=True)
class Action:
    """A split or dividend: the day it first shows in the price, and its row."""

    day: date
    row: dict[str, object]


_INVENTED_SPLITS = {"ZZOLD": ((date(2006, 9, 5), 10, 1),), "ZZLOST": ((date(2014, 7, 1), 2, 3),)}
_PAYERS = ("DIS", "IBM", "JPM", "KO", "WMT", "XOM")
_AMOUNT = 202
_FIRST_YEAR = 2000


def _identity(kind: str, symbol: str, day: date) -> str:
    return f"{key_of(0, f'{kind}|{symbol}|{day}'):016x}{key_of(1, f'{kind}|{symbol}|{day}'):016x}"


def split(symbol: str, day: date, before: float, after: float) -> Action:
    """One split as the endpoint shows it."""
    return Action(
        day,
        {
            "execution_date": day.isoformat(),
            "id": _identity("split", symbol, day),
            "split_from": before,
            "split_to": after,
            "ticker": symbol,
        },
    )


def splits(seed: int, today: date) -> list[Action]:
    """All of them, oldest first. Neither the seed nor the day changes what happened."""
    del seed, today
    known = [(day, symbol, 1, ratio) for symbol, found in SPLITS.items() for day, ratio in found]
    known += [(day, symbol, *ratio) for symbol, found in _INVENTED_SPLITS.items() for day, *ratio in found]
    return [split(symbol, day, before, after) for day, symbol, before, after in sorted(known)]


def _second_wednesday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(2 - first.weekday()) % 7 + 7)


def _dividend(seed: int, symbol: str, quarter: int, day: date) -> Action:
    cents = 20 + bits(key_of(seed, "dividend|" + symbol), _AMOUNT, quarter // 4) % 80
    half = uniform(bits(key_of(seed, "dividend|" + symbol), _AMOUNT, 1_000)) < 0.5
    return Action(
        day,
        {
            "cash_amount": round(cents / 100 + (0.005 if half else 0), 3),
            "currency": "USD",
            "declaration_date": (day - timedelta(days=42)).isoformat(),
            "dividend_type": "CD",
            "ex_dividend_date": day.isoformat(),
            "frequency": 4,
            "id": _identity("dividend", symbol, day),
            "pay_date": (day + timedelta(days=21)).isoformat(),
            "record_date": (day + timedelta(days=1)).isoformat(),
            "ticker": symbol,
        },
    )


def _quarters(until: date) -> Iterator[tuple[int, date]]:
    for year in range(_FIRST_YEAR, until.year + 1):
        for at, month in enumerate((3, 6, 9, 12)):
            if (day := _second_wednesday(year, month)) <= until:
                yield year * 4 + at, day


def dividends(seed: int, today: date) -> list[Action]:
    """Four a year, declared six weeks ahead: what is declared is shown, though its day has not come."""
    declared = list(_quarters(today + timedelta(days=42)))
    return [_dividend(seed, symbol, at, day) for at, day in declared for symbol in _PAYERS]
