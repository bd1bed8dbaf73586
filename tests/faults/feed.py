# SPDX-License-Identifier: Apache-2.0
"""Seeded load for the processor: bars, news and heartbeats as an ingestor would publish them.

Everything follows from the seed, also what is wrong with it (repeats, corrections, bars out of order, text
that is no event), so that a failing run can be had again. Identities are computed as docs/events.md says.
"""

from __future__ import annotations

import ctypes
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from confluent_kafka import Producer
from line import PARTITIONS, Line

FIRST = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)  # New York opens
SESSION_MINUTES = 390
HOLIDAYS = {date(2024, 1, 15), date(2024, 2, 19), date(2024, 3, 29)}


class Record(NamedTuple):
    """key None: a heartbeat, for `partition`; else the key decides."""

    key: bytes | None
    value: bytes
    partition: int = -1


@dataclass(frozen=True)
class Mix:
    """Shares of what is not simply the next bar."""

    duplicates: float = 0.01
    corrections: float = 0.01
    disorder: float = 0.01
    malformed: float = 0.002
    news: float = 0.01


# Nothing that only a processor with all its memory would treat the same.
PLAIN = Mix(duplicates=0, corrections=0, disorder=0, malformed=0.002, news=0.01)


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


def event_id(source: str, dedupe_key: str, content: Sequence[tuple[str, str]]) -> str:
    """Of a feed's event; content: the market fields in the table's order, numbers in canonical form."""
    text = "".join(f"{name}={len(value.encode())}:{value}\n" for name, value in content)
    return hash128(f"{source}\n{dedupe_key}\n{hash128(text.encode())}".encode())


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def canonical(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _envelope(
    kind: str, identity: str, symbol: str | None, at: datetime, ingested: datetime, lane: str
) -> str:
    named = f'"symbol":"{symbol}",' if symbol is not None else ""
    return (
        f'{{"schema_version":"1.0","event_type":"{kind}","event_id":"{identity}",{named}'
        f'"asset_class":"stock","source":"polygon","lane":"{lane}","event_time":"{stamp(at)}",'
        f'"ingest_time":"{stamp(ingested)}","flags":[],"provenance":{{"mode":"rest"}},'
    )


def bar(
    symbol: str,
    at: datetime,
    prices: Sequence[str],
    volume: str,
    *,
    ingested: datetime | None = None,
    lane: str = "live",
) -> bytes:
    """A bar of one minute; prices: open, high, low, close."""
    content = list(zip(("open", "high", "low", "close"), map(canonical, prices), strict=True))
    content.append(("volume", canonical(volume)))
    identity = event_id("polygon", f"{symbol}|{stamp(at)}|bar.1m.split", content)
    end = at + timedelta(minutes=1)
    head = _envelope("bar", identity, symbol, at, ingested or end + timedelta(seconds=1), lane)
    numbers = ",".join(
        f'"{name}":{text}' for name, text in zip(("open", "high", "low", "close"), prices, strict=True)
    )
    return (
        f'{head}"interval":"1m","window_end":"{stamp(end)}","session_date":"{at.date()}",'
        f'"session":"regular",{numbers},"volume":{volume},"adjusted":"split",'
        f'"vendor_ms":{int(at.timestamp() * 1000)}}}'
    ).encode()


def news(symbol: str, at: datetime, article: str, title: str, lane: str = "live") -> bytes:
    url = f"https://news.example/{article}"
    content = [("url", url), ("title", title), ("publisher", "Example Wire"), ("tickers", symbol)]
    identity = event_id("polygon", f"{symbol}|{stamp(at)}|news.{article}", content)
    head = _envelope("news", identity, symbol, at, at + timedelta(seconds=30), lane)
    return (
        f'{head}"article_id":"{article}","url":"{url}","url_hash":"{hash128(url.encode())}",'
        f'"title":"{title}","publisher":"Example Wire","tickers":["{symbol}"],"keywords":[]}}'
    ).encode()


def heartbeat(complete_to: datetime, lane: str = "live", lane_end: bool = False) -> bytes:
    """The feed of one-minute bars is complete up to there, and the ingestor's clock a little later."""
    clock = complete_to + timedelta(seconds=20)
    content = [("feeds.name", "polygon.bars.1m"), ("feeds.time", stamp(complete_to)), ("clock", stamp(clock))]
    content += [("lane_end", "true")] if lane_end else []
    identity = event_id("polygon", f"|{stamp(clock)}|heartbeat", content)
    head = _envelope("heartbeat", identity, None, clock, clock, lane)
    ending = ',"lane_end":true' if lane_end else ""
    return (
        f'{head}"feeds":{{"polygon.bars.1m":"{stamp(complete_to)}"}},"clock":"{stamp(clock)}"{ending}}}'
    ).encode()


def trading_minutes() -> Iterator[datetime]:
    """The minutes of regular sessions from FIRST on."""
    day = FIRST
    while True:
        if day.weekday() < 5 and day.date() not in HOLIDAYS:
            for minute in range(SESSION_MINUTES):
                yield day + timedelta(minutes=minute)
        day += timedelta(days=1)


class _Walk:
    """Prices and volumes of one symbol, in a vendor's digits; now and then one worth an alert."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._price = rng.uniform(20, 400)

    def next(self) -> tuple[list[str], str]:
        rng = self._rng
        jump = rng.random() < 0.01
        start = self._price
        close = max(2.0, start * (1 + rng.gauss(0, 0.03 if jump else 0.001)))
        self._price = close
        high, low = max(start, close) * 1.0002, min(start, close) * 0.9998
        volume = rng.randint(2_000, 20_000) * (20 if jump else 1)
        return [f"{start:.2f}", f"{high + 0.01:.2f}", f"{low - 0.01:.2f}", f"{close:.2f}"], str(volume)


def records(seed: int, symbols: int = 24, mix: Mix | None = None, lane: str = "live") -> Iterator[Record]:
    """Without end: minute after minute, every symbol's bar, then a heartbeat for each partition."""
    mix = Mix() if mix is None else mix
    rng = random.Random(seed)
    names = [f"F{rng.randrange(100):02d}X{i:03d}" for i in range(symbols)]
    walks = {name: _Walk(rng) for name in names}
    held: list[Record] = []  # bars that come late, but within the ring
    last: dict[str, tuple[datetime, list[str], str]] = {}
    for minute in trading_minutes():
        for name in names:
            prices, volume = walks[name].next()
            record = Record(name.encode(), bar(name, minute, prices, volume, lane=lane))
            yield from _odd(rng, mix, name, minute, last, lane)
            last[name] = (minute, prices, volume)
            if rng.random() < mix.disorder:
                held.append(record)
                continue
            yield record
            if rng.random() < mix.duplicates:
                yield record
        if held and rng.random() < 0.3:
            yield from held
            held.clear()
        for partition in range(PARTITIONS):
            yield Record(None, heartbeat(minute + timedelta(minutes=1), lane), partition)


def _odd(
    rng: random.Random,
    mix: Mix,
    name: str,
    minute: datetime,
    last: dict[str, tuple[datetime, list[str], str]],
    lane: str,
) -> Iterator[Record]:
    key = name.encode()
    if rng.random() < mix.malformed:
        yield Record(key, f'{{"event_type":"bar","symbol":"{name}","broken'.encode())
    if rng.random() < mix.news:
        yield Record(key, news(name, minute, f"{name}-{minute:%d%H%M}", f"{name} beats estimates", lane))
    if name in last and rng.random() < mix.corrections:
        at, prices, volume = last[name]
        again = bar(name, at, prices, str(int(volume) + rng.randint(1, 500)), lane=lane)
        yield Record(key, again)


class Load(threading.Thread):
    """Produces `rate` records a second until stop(): continuous, because a quiet window hides bugs."""

    def __init__(
        self, line: Line, seed: int, *, rate: int = 400, symbols: int = 24, mix: Mix | None = None
    ) -> None:
        super().__init__(daemon=True, name="load")
        self._topic = line.topic("RAW")
        self._records = records(seed, symbols, mix)
        self._rate = rate
        self._producer = Producer(
            {
                "bootstrap.servers": line.parts.broker.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.timeout.ms": 120_000,
                "log_level": 0,  # what it says of brokers that are away on purpose
            }
        )
        self._enough = threading.Event()
        self._failures: list[str] = []
        self.acknowledged = 0

    def run(self) -> None:
        begun, sent = time.monotonic(), 0
        while not self._enough.is_set():
            due = int((time.monotonic() - begun) * self._rate)
            for _ in range(min(due - sent, self._rate)):
                put(self._producer, self._topic, next(self._records), self._on_delivery)
                sent += 1
            self._producer.poll(0.01)

    def stop(self) -> int:
        """Ends and waits until all is acknowledged; how many records that is."""
        self._enough.set()
        if self.is_alive():
            self.join(30)
        assert self._producer.flush(120) == 0
        assert not self._failures, self._failures[:3]
        return self.acknowledged

    def _on_delivery(self, error: object, _: object) -> None:
        if error:
            self._failures.append(str(error))
        else:
            self.acknowledged += 1


def put(producer: Producer, topic: str, record: Record, on_delivery: object = None) -> None:
    while True:
        try:
            producer.produce(
                topic, record.value, record.key, record.partition, on_delivery=on_delivery, timestamp=0
            )
            return
        except BufferError:
            producer.poll(0.1)
