# SPDX-License-Identifier: Apache-2.0
"""Raw events as an ingestor writes them; identities are computed as docs/events.md says."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

Content = Sequence[tuple[str, str]]
MINUTE = timedelta(minutes=1)


class Instrument(NamedTuple):
    symbol: str
    asset_class: str = "stock"

    @property
    def adjusted(self) -> str:
        return "split" if self.asset_class == "stock" else "none"


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def _xxh3() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
    function.restype = _Hash128
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return function


_XXH3 = _xxh3()


def hash128(data: bytes) -> str:
    value = _XXH3(data, len(data))
    return f"{value.high:016x}{value.low:016x}"


def event_id(source: str, dedupe_key: str, content: Content) -> str:
    """Of a feed's event; content: the market fields in the table's order, numbers in canonical form."""
    text = "".join(f"{name}={len(value.encode())}:{value}\n" for name, value in content)
    return hash128(f"{source}\n{dedupe_key}\n{hash128(text.encode())}".encode())


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def canonical(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


class _Event:
    """One event on its way to bytes. A field's value is JSON text; content is given beside it."""

    def __init__(
        self, of: Instrument | None, kind: str, at: datetime, ingested: datetime, lane: str,
        source: str = "polygon", flags: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._of, self._kind, self._at, self._source = of, kind, at, source
        named = f'"symbol":"{of.symbol}",' if of else ""
        self._tail = (
            f'{named}"asset_class":"{of.asset_class if of else "stock"}","source":"{source}","lane":"{lane}",'
            f'"event_time":"{stamp(at)}","ingest_time":"{stamp(ingested)}",'
            f'"flags":{json.dumps(list(flags), separators=(",", ":"))},"provenance":{{"mode":"rest"}}'
        )
        self._content: list[tuple[str, str]] = []

    def add(self, name: str, value: str, *content: str) -> None:
        """content: what the content hash has for it, one entry per item of a list."""
        self._tail += f',"{name}":{value}'
        self._content += [(name, item) for item in content]

    def text(self, name: str, value: str, content: bool = True) -> None:
        self.add(name, json.dumps(value), *([value] if content else []))

    def number(self, name: str, value: str) -> None:
        self.add(name, value, canonical(value))

    def inner(self, name: str, value: str, content: Content) -> None:
        self._tail += f',"{name}":{value}'
        self._content += content

    def done(self, dedupe_kind: str) -> bytes:
        symbol = self._of.symbol if self._of else ""
        identity = event_id(self._source, f"{symbol}|{stamp(self._at)}|{dedupe_kind}", self._content)
        head = f'{{"schema_version":"1.0","event_type":"{self._kind}","event_id":"{identity}",'
        return f"{head}{self._tail}}}".encode()


def bar(
    of: Instrument | str, at: datetime, prices: Sequence[str], volume: str, *,
    minutes: int = 1, source: str = "polygon", vwap: str | None = None, trades: int | None = None,
    flags: Sequence[str] = (), ingested: datetime | None = None, lane: str = "live",
    contract: Mapping[str, str] | None = None,
) -> bytes:  # fmt: skip
    """prices: open, high, low, close. With a contract: of one option on the instrument."""
    of = Instrument(of) if isinstance(of, str) else of
    end = at + minutes * MINUTE
    kind = "bar" if contract is None else "option_bar"
    shown = of if contract is None else of._replace(asset_class="option")
    event = _Event(shown, kind, at, ingested or end + timedelta(seconds=1), lane, source, flags)
    event.text("interval", f"{minutes}m", content=False)
    event.text("window_end", stamp(end), content=False)
    event.text("session_date", str(at.date()), content=False)
    event.text("session", "regular" if of.asset_class == "stock" else "full", content=False)
    for name, price in zip(("open", "high", "low", "close"), prices, strict=True):
        event.number(name, price)
    event.number("volume", volume)
    if vwap is not None:
        event.number("vwap", vwap)
    if trades is not None:
        event.number("trade_count", str(trades))
    event.text("adjusted", of.adjusted, content=False)
    event.add("vendor_ms", str(int(at.timestamp() * 1000)))
    name = f"{kind}.{minutes}m.{of.adjusted}"
    if contract is None:
        return event.done(name)
    days = (datetime.fromisoformat(contract["expiration"]).date() - at.date()).days
    event.add(
        "contract",
        f'{{"ticker":"{contract["ticker"]}","underlying":"{of.symbol}","expiration":"{contract["expiration"]}",'
        f'"strike":{contract["strike"]},"type":"call","shares_per_contract":100,"exercise":"american"}}',
    )
    event.add("days_to_expiration", str(days))
    return event.done(f"{name}.{contract['ticker']}")


def news(
    of: Instrument, at: datetime, article: str, title: str, *,
    sentiment: tuple[str, str | None] | None = None, lane: str = "live",
) -> bytes:  # fmt: skip
    """sentiment: the provider's word and number."""
    event = _Event(of, "news", at, at + timedelta(seconds=30), lane)
    url = f"https://news.example/{article}"
    event.text("article_id", article, content=False)
    event.text("url", url)
    event.text("url_hash", hash128(url.encode()), content=False)
    event.text("title", title)
    event.text("publisher", "Example Wire")
    event.add("tickers", f'["{of.symbol}"]', of.symbol)
    event.add("keywords", "[]")
    if sentiment is not None:
        label, score = sentiment
        number = f',"score":{score}' if score is not None else ""
        content = [("sentiment.label", label)]
        content += [("sentiment.score", canonical(score))] if score is not None else []
        event.inner("sentiment", f'{{"label":"{label}"{number}}}', content)
    return event.done(f"news.{article}")


def symbol(of: Instrument, at: datetime, name: str, *, exchange: str = "", lane: str = "live") -> bytes:
    event = _Event(of, "symbol", at, at + timedelta(seconds=5), lane)
    event.text("name", name)
    if exchange:
        event.text("exchange", exchange)
    event.text("type", "CS")
    event.add("aliases", "[]")
    event.add("active", "true", "true")
    return event.done("symbol")


def split(of: Instrument, at: datetime, ex_date: str, shares: int, *, lane: str = "live") -> bytes:
    event = _Event(of, "corporate_action", at, at + timedelta(seconds=5), lane)
    event.text("kind", "split", content=False)
    event.text("ex_date", ex_date)
    event.number("split_from", "1")
    event.number("split_to", str(shares))
    return event.done("corporate_action.split")


def feed_status(feed: str, at: datetime, received: int, *, lane: str = "live") -> bytes:
    event = _Event(Instrument(feed), "feed_status", at, at, lane)
    event.text("feed", feed, content=False)
    event.text("state", "ok")
    event.number("expected", str(received))
    event.number("received", str(received))
    event.add("gaps", "[]")
    event.add("excluded", "[]")
    event.text("last_event_time", stamp(at))
    event.number("lag_ms", "0")
    return event.done(f"feed_status.{feed}")


def heartbeat(
    complete_to: datetime, lane: str = "live", *, feeds: Sequence[str] = ("polygon.bars.1m",),
    lane_end: bool = False,
) -> bytes:  # fmt: skip
    """The feeds are complete up to there, and the ingestor's clock is a little later."""
    clock = complete_to + timedelta(seconds=20)
    event = _Event(None, "heartbeat", clock, clock, lane)
    told = stamp(complete_to)
    content = [item for feed in sorted(feeds) for item in (("feeds.name", feed), ("feeds.time", told))]
    event.inner("feeds", json.dumps(dict.fromkeys(sorted(feeds), told), separators=(",", ":")), content)
    event.text("clock", stamp(clock))
    if lane_end:
        event.add("lane_end", "true", "true")
    return event.done("heartbeat")


def kind_of(value: bytes) -> str:
    """The event_type, `` where the bytes are no event."""
    try:
        event: Any = json.loads(value)
    except ValueError:
        return ""
    return str(event.get("event_type", "")) if isinstance(event, dict) else ""
