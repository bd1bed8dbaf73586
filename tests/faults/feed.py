# SPDX-License-Identifier: Apache-2.0
"""Seeded load for the processor: every kind of event, as an ingestor would publish it.

Everything follows from the seed, also what is wrong with it (repeats, corrections, bars out of order or too
late, pauses, text that is no event), so that a failing run can be had again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple, Protocol

import events
from confluent_kafka import Producer
from events import MINUTE, Instrument
from line import PARTITIONS, Parts

FIRST = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)  # New York opens
SESSION_MINUTES = 390
HOLIDAYS = {date(2024, 1, 15), date(2024, 2, 19), date(2024, 3, 29)}
FEEDS = ("coinbase.bars.1m", "polygon.bars.1m", "polygon.bars.5m")
WORDS = "earnings beat merger talks the SEC says guidance raised halt recall secular growth".split()
RING = 64  # bars that a series remembers


class Record(NamedTuple):
    """key None: for every consumer of `partition`; else the key decides."""

    key: bytes | None
    value: bytes
    partition: int = -1
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Mix:
    """Shares of what is not simply the next bar, per instrument and minute."""

    duplicates: float = 0.01
    corrections: float = 0.008
    disorder: float = 0.01
    late: float = 0.001  # told when the ring has passed it
    forming: float = 0.005
    pauses: float = 0.002
    malformed: float = 0.002
    future: float = 0.001
    news: float = 0.015
    edits: float = 0.3  # of the news
    reference: float = 0.004
    options: float = 0.02


def instruments(rng: random.Random, count: int) -> list[Instrument]:
    """Stocks, and here and there a coin or a currency pair."""
    made = []
    for number in range(count):
        name = f"F{rng.randrange(100):02d}X{number:03d}"
        kind = {3: "crypto", 5: "fx"}.get(number % 8, "stock")
        made.append(Instrument({"crypto": "X:", "fx": "C:"}.get(kind, "") + name, kind))
    return made


def trading_minutes() -> Iterator[datetime]:
    """The minutes of regular sessions from FIRST on."""
    day = FIRST
    while True:
        if day.weekday() < 5 and day.date() not in HOLIDAYS:
            for minute in range(SESSION_MINUTES):
                yield day + timedelta(minutes=minute)
        day += timedelta(days=1)


def records(seed: int, symbols: int = 24, mix: Mix | None = None, lane: str = "live") -> Iterator[Record]:
    """Without end: minute after minute, every instrument's events, then a heartbeat for each partition."""
    rng = random.Random(seed)
    mix = Mix() if mix is None else mix
    feeds = [_Feed(of, number, rng, mix, lane) for number, of in enumerate(instruments(rng, symbols))]
    for number, minute in enumerate(trading_minutes()):
        for feed in feeds:
            yield from feed.minute(minute)
        if number % 30 == 29:
            name = rng.choice(FEEDS)
            yield Record(name.encode(), events.feed_status(name, minute, number * symbols, lane=lane))
        for partition in range(PARTITIONS):
            yield Record(None, events.heartbeat(minute + MINUTE, lane, feeds=FEEDS), partition)


def history(seed: int, count: int, lane: str) -> Iterator[Record]:
    """A back-fill run of that many records, to its end; then one that was a dead letter and comes again."""
    run = list(islice(records(seed, lane=lane), count))
    yield from run
    end = FIRST + timedelta(days=60)
    for partition in range(PARTITIONS):
        yield Record(None, events.heartbeat(end, lane, feeds=FEEDS, lane_end=True), partition)
    again = next(record for record in run if events.kind_of(record.value) == "bar")
    yield again._replace(headers=(("mf-origin-topic", b"market.raw.backfill"),))


class _Feed:
    """One instrument: prices and volumes in a vendor's digits, now and then one worth an alert; and what is
    said of it besides."""

    def __init__(self, of: Instrument, number: int, rng: random.Random, mix: Mix, lane: str) -> None:
        self._of, self._number, self._rng, self._mix, self._lane = of, number, rng, mix, lane
        self._sources = ("polygon", "coinbase") if of.asset_class == "crypto" else ("polygon",)
        self._price = rng.uniform(20, 400)
        self._told: deque[tuple[datetime, str, list[str]]] = deque(maxlen=40)  # bars, for corrections
        self._held: list[tuple[int, Record]] = []  # bars that come that many minutes later
        self._article: tuple[datetime, str] | None = None
        self._silent = self._minutes = 0

    def minute(self, at: datetime) -> Iterator[Record]:
        self._minutes += 1
        yield from self._reference(at)
        yield from self._odd(at)
        yield from self._news(at)
        if self._silent > 0:
            self._silent -= 1
        elif self._rng.random() < self._mix.pauses:
            self._silent = self._rng.randrange(4, 25)
        else:
            yield from self._bars(at)
        due = [record for minute, record in self._held if minute <= self._minutes]
        self._held = [item for item in self._held if item[0] > self._minutes]
        yield from due

    def _record(self, value: bytes) -> Record:
        return Record(self._of.symbol.encode(), value)

    def _bars(self, at: datetime) -> Iterator[Record]:
        rng, mix = self._rng, self._mix
        if rng.random() < mix.forming:
            yield self._record(self._bar(at, self._prices(0.0001), "polygon", flags=["forming"]))
        prices = self._prices(0.03 if rng.random() < 0.01 else 0.001)
        for source in self._sources:
            record = self._record(self._bar(at, prices, source))
            self._told.append((at, source, prices))
            yield from self._in_time(record)
            prices = self._prices(0.002)
        if self._number % 8 == 7 and self._minutes % 5 == 0:  # a vendor that has five minutes of its own
            yield self._record(self._bar(at - 4 * MINUTE, prices, "polygon", minutes=5))
        if self._of.asset_class == "stock" and rng.random() < mix.options:
            yield from self._option(at)

    def _option(self, at: datetime) -> Iterator[Record]:
        """One of three contracts: prices that jump, told twice, corrected at once."""
        rng = self._rng
        strike = rng.choice(("100", "105", "110"))
        ticker = f"O:{self._of.symbol}240621C00{strike}000"
        contract = {"expiration": "2024-06-21", "strike": strike, "ticker": ticker}
        for _ in range(rng.choice((1, 1, 1, 2))):
            prices = [rng.choice(("3.10", "3.25", "3.3", "7.05"))] * 4
            volume = str(rng.randrange(50))
            value = events.bar(self._of, at, prices, volume, lane=self._lane, contract=contract)
            yield self._record(value)
            if rng.random() < 0.2:
                yield self._record(value)

    def _in_time(self, record: Record) -> Iterator[Record]:
        rng, mix = self._rng, self._mix
        chance = rng.random()
        if chance < mix.late:
            self._held.append((self._minutes + RING + rng.randrange(6, 40), record))
        elif chance < mix.late + mix.disorder:
            self._held.append((self._minutes + rng.randrange(1, 12), record))
        else:
            yield record
            if rng.random() < mix.duplicates:
                yield record

    def _prices(self, deviation: float) -> list[str]:
        start = self._price
        close = max(2.0, start * (1 + self._rng.gauss(0, deviation)))
        self._price = close
        high, low = max(start, close) * 1.0002, min(start, close) * 0.9998
        return [f"{start:.2f}", f"{high + 0.01:.2f}", f"{low - 0.01:.2f}", f"{close:.2f}"]

    def _bar(
        self,
        at: datetime,
        prices: list[str],
        source: str,
        *,
        minutes: int = 1,
        flags: list[str] | None = None,
    ) -> bytes:
        rng = self._rng
        volume = rng.randint(2_000, 20_000) * (20 if rng.random() < 0.01 else 1)
        text = f"{volume}.{rng.randrange(1000):03d}5" if self._of.asset_class == "crypto" else str(volume)
        if flags is None:
            flags = ["warmup"] if self._minutes <= 3 else ["delayed"] if rng.random() < 0.003 else []
        return events.bar(
            self._of,
            at,
            prices,
            text,
            minutes=minutes,
            source=source,
            vwap=f"{(float(prices[1]) + float(prices[2])) / 2:.4f}" if rng.random() < 0.9 else None,
            trades=rng.randrange(1, 500) if rng.random() < 0.8 else None,
            flags=flags,
            lane=self._lane,
        )

    def _odd(self, at: datetime) -> Iterator[Record]:
        rng, mix, name = self._rng, self._mix, self._of.symbol
        if rng.random() < mix.malformed:
            yield self._record(f'{{"event_type":"bar","symbol":"{name}","broken'.encode())
        if rng.random() < mix.future:
            ahead = at + timedelta(days=30)
            prices = self._prices(0)
            yield self._record(events.bar(self._of, ahead, prices, "77", ingested=at, lane=self._lane))
        if self._told and rng.random() < mix.corrections:
            before, source, prices = rng.choice(self._told)
            yield self._record(self._bar(before, prices, source))

    def _reference(self, at: datetime) -> Iterator[Record]:
        rng, of = self._rng, self._of
        if self._minutes == 1 or rng.random() < self._mix.reference / 2:
            name, exchange = f"{of.symbol} {rng.choice(('Inc.', 'Société'))}", rng.choice(("XNAS", ""))
            yield self._record(events.symbol(of, at, name, exchange=exchange, lane=self._lane))
        if rng.random() < self._mix.reference / 2:
            ex_date = str((at + timedelta(days=rng.randrange(3))).date())
            yield self._record(events.split(of, at, ex_date, rng.randrange(2, 5), lane=self._lane))

    def _news(self, at: datetime) -> Iterator[Record]:
        rng = self._rng
        if self._article is not None and rng.random() < self._mix.edits:
            yield self._record(self._told_of(*self._article))
            self._article = None
        burst = rng.randrange(2, 7) if rng.random() < 0.1 else 1
        for number in range(burst if rng.random() < self._mix.news else 0):
            self._article = (at, f"{self._of.symbol}-{at:%m%d%H%M}-{number}")
            yield self._record(self._told_of(*self._article))

    def _told_of(self, at: datetime, article: str) -> bytes:
        rng = self._rng
        sentiment = None
        if rng.random() < 0.7:
            score = f"{rng.uniform(-1, 1):.3f}" if rng.random() < 0.6 else None
            sentiment = (rng.choice(("positive", "negative", "neutral", "Bullish")), score)
        title = " ".join(rng.choices(WORDS, k=6))
        return events.news(self._of, at, article, title, sentiment=sentiment, lane=self._lane)


class Fed(Protocol):
    """A scene."""

    parts: Parts
    at_end: list[Callable[[], object]]

    def topic(self, role: str) -> str: ...


class Load(threading.Thread):
    """Produces `rate` records a second until stop(): continuous, because a quiet window hides bugs."""

    def __init__(
        self, line: Fed, seed: int, *, rate: int = 400, symbols: int = 24, mix: Mix | None = None
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
        line.at_end.append(self._enough.set)  # of a test that fails, too

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
                topic,
                record.value,
                record.key,
                record.partition,
                on_delivery=on_delivery,
                timestamp=0,
                headers=list(record.headers),
            )
            return
        except BufferError:
            producer.poll(0.1)
