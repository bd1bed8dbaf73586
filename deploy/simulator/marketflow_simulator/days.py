# SPDX-License-Identifier: Apache-2.0
"""Days in other shapes than a range: the whole market on one, the last one of a ticker, and one with what came
before and after its session.

All of them show the day bars that a range request shows, digit for digit; only their stamp is another one, the
session's close.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from .bars import Bar, Source
from .page import Page, Row, row_of_bar
from .reference import DELISTED
from .sessions import asset_class, local_date, midnight_ms, session, zone_of
from .universe import KNOWN, REPLAY_NAMES

OTC = ("ZZOTCA", "ZZOTCB")  # invented, traded over the counter
_LOOK_BACK_DAYS = 14


def parse_day(text: str) -> date:
    """Raises ValueError for what is not YYYY-MM-DD."""
    return datetime.strptime(text, "%Y-%m-%d").date()


def market_symbols(day: date, with_otc: bool) -> list[str]:
    """The stocks that were there on that day, by name."""
    names = {name for name in KNOWN if asset_class(name) == "stock"} | set(REPLAY_NAMES)
    names |= {name for name, gone in DELISTED.items() if day <= gone.day}
    return sorted(names | set(OTC if with_otc else ()))


def day_bar(source: Source, symbol: str, day: date, adjusted: bool, now_ms: int) -> Bar | None:
    """The bar of the day, once it is known."""
    zone = zone_of(symbol)
    start, end = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    found = next(iter(source.base_bars(symbol, "day", start, end, False, adjusted)), None)
    return found if found is not None and found.known_ms <= now_ms else None


def row_of_day(symbol: str, bar: Bar) -> Row:
    row = {"T": json.dumps(symbol)} | row_of_bar(bar) | {"t": str(bar.known_ms)}
    return row | ({"otc": "true"} if symbol in OTC else {})


def last_bar(source: Source, symbol: str, adjusted: bool, now_ms: int) -> Bar | None:
    """The newest day bar that is known."""
    today = local_date(now_ms, zone_of(symbol))
    for back in range(_LOOK_BACK_DAYS):
        bar = day_bar(source, symbol, today - timedelta(days=back), adjusted, now_ms)
        if bar is not None:
            return bar
    return None


def _minutes(source: Source, symbol: str, start: int, end: int, backwards: bool) -> Iterator[Bar]:
    return iter(source.base_bars(symbol, "minute", start, end, backwards, True))


def outside_hours(source: Source, symbol: str, day: date) -> Row:
    """The first price before the session and the last one after it, of those that there are."""
    hours = session(asset_class(symbol), day)
    if hours is None:
        return {}
    before = next(_minutes(source, symbol, hours.start_ms, hours.regular_start_ms, False), None)
    after = next(_minutes(source, symbol, hours.regular_end_ms, hours.end_ms, True), None)
    row = {"afterHours": after.close} if after is not None else {}
    return row | ({"preMarket": before.open} if before is not None else {})


def row_of_open_close(source: Source, symbol: str, day: date, bar: Bar) -> Row:
    """The flat answer's members, in the order of the documentation."""
    row = {"from": json.dumps(day.isoformat()), "symbol": json.dumps(symbol)}
    row |= {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume}
    return row | outside_hours(source, symbol, day)


def page_of_days(
    kind: str, label: str, symbol: str, rows: Iterable[Row], adjusted: bool, request_id: str
) -> Page:
    """Rows in the envelope of aggregates; the whole market's has no ticker."""
    shown = list(rows)
    head = {"ticker": json.dumps(symbol)} if symbol else {}
    head |= {
        "queryCount": str(len(shown)),
        "resultsCount": str(len(shown)),
        "adjusted": str(adjusted).lower(),
    }
    tail = {"status": '"OK"', "request_id": json.dumps(request_id)}
    return Page(kind=kind, label=label, head=head, rows=shown, tail=tail, symbol=symbol)
