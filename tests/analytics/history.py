# SPDX-License-Identifier: Apache-2.0
"""What the sink would have written: invented events through the real processor, as rows of RAW in batches.

The rows of a batch are shuffled; some come a batch later than they were published, so that every model sees late rows,
corrections before what they correct, and dates that it has been built for already.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from feed import MINUTE, Event, Feed, bar, complete, envelope, number
from marketmodel.times import format_ms, new_york_midnight, parse_ms

Calendar = Callable[[str], tuple[int, int] | None]
TABLES = {
    "bar": "raw_bars",
    "option_bar": "raw_option_bars",
    "news": "raw_news",
    "symbol": "raw_symbols",
    "corporate_action": "raw_corporate_actions",
    "feed_status": "raw_feed_status",
    "metric": "raw_metrics",
    "alert": "raw_alerts",
    "dead_letter": "raw_dead_letters",
}
STOCKS = ("AAPL", "MSFT", "TSLA")
CHAIN = ["O:AAPL240315C00150000", "O:AAPL240621C00150000"]
# First loads; those of a later batch come hours after.
LOADED_FROM = parse_ms("2024-03-20T00:00:00.000Z")
BATCH_MS = 6 * 3_600_000


@dataclass
class Row:
    """One row of RAW, with its payload as the text that was published."""

    table: str
    payload: str
    revision: int
    flags: str
    dedupe_key: str
    offset: int
    loaded_ms: int = 0
    event: dict[str, Any] = field(default_factory=dict)


def dedupe_key(event: dict[str, Any]) -> str:
    """As docs/events.md defines it."""
    kind = event["event_type"]
    parent = event.get("parent_source")
    if kind in ("bar", "option_bar"):
        parts = [kind, event["interval"], event["adjusted"], parent]
        if kind == "option_bar":
            parts.append(event["contract"]["ticker"])
    elif kind == "metric":
        parts = [kind, event["interval"], event["adjusted"], parent]
    elif kind == "alert":
        parts = [
            kind,
            event["rule_id"],
            event["interval"],
            parent,
            event.get("article_id"),
            event.get("contract"),
        ]
    elif kind == "news":
        parts = [kind, event["article_id"]]
    elif kind == "corporate_action":
        parts = [kind, event["kind"]]
    elif kind == "dead_letter":
        origin = event["origin"]
        parts = [kind, f"{event['stage']}/{origin['topic']}/{origin['partition']}/{origin['offset']}"]
    else:
        parts = [kind] if kind == "symbol" else [kind, event["feed"]]
    return f"{event['symbol']}|{event['event_time']}|" + ".".join(part for part in parts if part)


def daily_bars(
    rng: random.Random, calendar: Calendar, symbols: tuple[str, ...], first: date, days: int
) -> list[Event]:
    """Daily bars of a vendor, split-adjusted, up to the days of the minutes and a little into them."""
    events = []
    for symbol in symbols:
        price, day, done = rng.uniform(20, 300), first, 0
        while done < days:
            text = day.isoformat()
            day += timedelta(1)
            session = calendar(text)
            if not session:
                continue
            done += 1
            open_ = price * (1 + rng.gauss(0, 0.005))
            price = max(1.0, price * (1 + rng.gauss(0.0004, 0.018)))
            high, low = (
                max(open_, price) * (1 + rng.random() * 0.01),
                min(open_, price) * (1 - rng.random() * 0.01),
            )
            prices = tuple(f"{value:.2f}" for value in (open_, high, low, price))
            volume = str(int(rng.lognormvariate(15, 0.4)))
            window = (new_york_midnight(text), session[1])
            event = bar(
                symbol, "stock", "polygon", "1d", window, (text, "full"), prices, volume, None, "split"
            )
            if rng.random() < 0.9:
                event["trade_count"] = rng.randrange(1000, 50_000)
            events.append(event)
            if rng.random() < 0.02:  # corrected some time after
                other = dict(event) | {
                    "volume": number(str(int(volume) + 7)),
                    "ingest_time": event["event_time"],
                }
                other["ingest_time"] = later(event["ingest_time"], rng.randrange(1, 400) * MINUTE)
                events.append(other)
            if (
                rng.random() < 0.03
            ):  # told by an open-close too, which knows less of the day and more of its edges
                other = {name: value for name, value in event.items() if name != "trade_count"}
                other |= {"pre_market": number(f"{open_:.2f}"), "after_hours": number(f"{price:.2f}")}
                other["ingest_time"] = later(event["ingest_time"], rng.randrange(400, 800) * MINUTE)
                events.append(other)
    events.sort(key=lambda event: event["ingest_time"])
    return events


def later(text: str, milliseconds: int) -> str:
    return format_ms(parse_ms(text) + milliseconds)


def chain(calendar: Calendar, symbol: str, contracts: list[str], days: tuple[str, ...]) -> list[Event]:
    """The chain of an underlying, asked for twice on each day; of some days the bar alone is told once more."""
    events = []
    for number_, (ticker, day) in enumerate(itertools.product(contracts, days)):
        session = calendar(day)
        assert session
        window = (new_york_midnight(day), session[1])
        text = f"{5 + number_}.25"
        event = bar(symbol, "option", "polygon", "1d", window, (day, "full"), (text,) * 4, "40")  # type: ignore[arg-type]
        expiration = f"20{ticker[-15:-13]}-{ticker[-13:-11]}-{ticker[-11:-9]}"
        event |= {"event_type": "option_bar", "contract": {
            "ticker": ticker, "underlying": symbol, "expiration": expiration, "strike": number("150"),
            "type": "call", "shares_per_contract": number("100"), "exercise": "american",
        }}  # fmt: skip
        event["days_to_expiration"] = (date.fromisoformat(expiration) - date.fromisoformat(day)).days
        for minutes in (-60, 30):  # while the session is open, and after it
            known = {"open_interest": number(str(100 + number_)), "implied_volatility": number("0.31")}
            known |= {"delta": number("0.52"), "gamma": number("0.031"), "theta": number("-0.12")}
            known |= {"vega": number(f"0.{20 + minutes // 30}"), "underlying_price": number("171.5")}
            asked = format_ms(session[1] + minutes * MINUTE)
            told = {"ingest_time": asked, "snapshot": {"time": asked, **known}}
            events.append(dict(event) | told | {"flags": ["forming"] if minutes < 0 else []})
        if number_ % 2:
            other = dict(event) | {"volume": number("41")}
            events.append(other | {"ingest_time": format_ms(session[1] + 90 * MINUTE)})
    return events


def feed_statuses(first: int, last: int) -> list[Event]:
    events = []
    for number_, time in enumerate(range(first, last, 6 * 3_600_000)):
        event = envelope("feed_status", "polygon.bars.1m", "stock", "polygon", time, time)
        gap = {"from": event["event_time"], "to": event["event_time"], "cause": "provider"}
        event |= {"feed": "polygon.bars.1m", "state": "gap" if number_ % 3 == 2 else "ok"}
        event |= {"expected": 390, "received": 390 - number_ % 3, "gaps": [gap] if number_ % 3 == 2 else []}
        event |= {"excluded": [], "last_event_time": event["event_time"], "lag_ms": 2000 + number_}
        events.append(event)
    return events


def published(binaries: Path, events: list[Event]) -> list[bytes]:
    """What the processor publishes for them."""
    lines = complete(binaries, events)
    lines.insert(len(lines) // 2, b"this is no event")
    command = [str(binaries / "marketflow-processor"), "replay", "-"]
    result = subprocess.run(
        command, input=b"\n".join(lines) + b"\n", capture_output=True, env={}, timeout=300
    )
    assert result.returncode == 0, result.stderr.decode()[:2000]
    return result.stdout.splitlines()


def rows_of(lines: list[bytes]) -> list[Row]:
    """Rows of RAW in the order of their topics. The revision of what a feed said is not in the payload: it counts the
    changes of content under one key."""
    rows: list[Row] = []
    last: dict[tuple[str, str], tuple[str, int]] = {}
    for line in lines:
        event = json.loads(line, parse_float=str, parse_int=str)
        key = dedupe_key(event)
        if event["source"] == "processor" and event["event_type"] != "dead_letter":
            revision = int(event["revision"])
        else:
            known = last.get((event["source"], key))
            if known and known[0] == event["event_id"]:
                continue
            revision = known[1] + 1 if known else 0
            last[event["source"], key] = (event["event_id"], revision)
        flags = ",".join([*event["flags"], *(["corrected"] if revision else [])])
        rows.append(
            Row(TABLES[event["event_type"]], line.decode(), revision, flags, key, len(rows), 0, event)
        )
    return rows


def told_again(row: Row, offset: int, **changes: Any) -> Row:
    """The row as revision 0 of a backfill run (or what `changes` say), published at `offset`."""
    told = {"lane": "backfill:mend", "revision": 0, "event_id": row.event["event_id"][::-1]}
    text = json.dumps(json.loads(row.payload) | told | changes)
    event = json.loads(text, parse_float=str, parse_int=str)
    return Row(
        row.table, text, 0, row.flags.removesuffix("corrected").rstrip(","), row.dedupe_key, offset, 0, event
    )


def told_otherwise(rows: list[Row]) -> list[Row]:
    """What a backfill run says of events that live data made too, and a symbol listed on a day that never was."""
    made = [row for row in rows if row.event["source"] == "processor" and "is_mock" not in row.flags]
    bars = [row for row in made if row.event["event_type"] == "bar" and row.event["interval"] == "1h"][:3]
    warm = [row for row in made if row.event["event_type"] == "metric" and row.event["interval"] == "1m"]
    alerts = [row for row in made if row.event["event_type"] == "alert"][:3]
    told = [(row, {"volume": 987654}) for row in bars]
    told += [(row, {"n_obs": 9000, "warmup": False, "rsi_14": 43.21}) for row in warm[:3]]
    told += [(row, {"n_obs": 1, "warmup": True, "rsi_14": 12.34}) for row in warm[-3:]]
    told += [(row, {"message": "of a backfill"}) for row in alerts]
    again = [told_again(row, len(rows) + place, **changes) for place, (row, changes) in enumerate(told)]
    symbol = next(row for row in rows if row.event["event_type"] == "symbol")
    text = json.dumps(
        json.loads(symbol.payload) | {"symbol": "NEVER", "list_date": "0000-01-01", "event_id": 32 * "0"}
    )
    event = json.loads(text, parse_float=str, parse_int=str)
    key = dedupe_key(event)
    return [*again, Row(symbol.table, text, 0, symbol.flags, key, len(rows) + len(again), 0, event)]


def history(
    binaries: Path, calendar: Calendar, seed: int = 5, minute_days: int = 2, days: int = 300
) -> list[Row]:
    """Everything that was published, in order: a year of daily bars, some days of minutes, news, options."""
    rng = random.Random(seed)
    feed = Feed(rng, calendar, trouble=1.0)
    first = date(2024, 3, 7) - timedelta(days=round((days - minute_days) * 365.25 / 252))
    minutes = feed.minutes(minute_days, ("AAPL", "X:BTCUSD"), ("polygon", "yahoo"), news=25)
    minutes = [e for e in minutes if e["event_type"] != "corporate_action"]
    for event in minutes:
        if (
            event["event_type"] == "bar"
            and event["source"] == "yahoo"
            and rng.random() < 0.2
            and "is_mock" not in event["flags"]
        ):
            event["flags"] = ["is_mock", *event["flags"]]
    events = daily_bars(rng, calendar, STOCKS, first, days)
    events += minutes + feed.options(minute_days, "AAPL", contracts=3)
    events += chain(calendar, "AAPL", CHAIN, ("2024-03-07", "2024-03-08"))
    events += feed_statuses(parse_ms("2024-03-07T12:00:00.000Z"), parse_ms("2024-03-11T12:00:00.000Z"))
    rows = rows_of(published(binaries, events))
    return rows + told_otherwise(rows)


def batches(rows: list[Row], count: int = 3, seed: int = 11, held_back: float = 0.06) -> list[list[Row]]:
    """The rows in as many loads, hours apart, each shuffled; some rows come in a later one than is their turn."""
    rng = random.Random(seed)
    parts: list[list[Row]] = [[] for _ in range(count)]
    for place, row in enumerate(rows):
        turn = min(count - 1, place * count // len(rows))
        # Most of the history is in the first load, and what is held back is of any age.
        turn = turn if rng.random() > held_back else rng.randrange(turn, count)
        parts[turn].append(row)
    for number_, part in enumerate(parts):
        rng.shuffle(part)
        for place, row in enumerate(part):
            row.loaded_ms = LOADED_FROM + number_ * BATCH_MS + place * 200_000 // max(1, len(part))
    return parts
