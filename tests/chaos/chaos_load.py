# SPDX-License-Identifier: Apache-2.0
"""Continuous load on the sink's topics, with everything that a processor could leave there: committed and aborted
transactions, records that are no events, events that are sent twice, revisions. Remembers what it was told is
committed, and what it aborted.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaException, Producer
from events import Instrument, bar, news

SYMBOLS = [Instrument(f"SYM{i:02d}") for i in range(48)]
START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
BATCH_S = 0.1


def event_id(value: bytes) -> str:
    return value.split(b'"event_id":"', 1)[1][:32].decode()


@dataclass
class Tally:
    committed: set[str] = field(default_factory=set)  # event ids that a commit was confirmed for
    aborted: set[str] = field(default_factory=set)
    records: int = 0
    poison: int = 0
    repeats: int = 0
    transactions: int = 0
    aborts: int = 0
    unknown: int = 0  # transactions of which nobody said how they ended


class Load(threading.Thread):
    """Runs until stop(). `rate` events a second; `bars` and `news` are the topics."""

    def __init__(self, bootstrap: str, bars: str, news_topic: str, rate: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.tally = Tally()
        self._servers, self._bars, self._news = bootstrap, bars, news_topic
        self._rate = rate
        self._random = random.Random(seed)
        self._ending = threading.Event()
        self._number = 0
        self._recent: list[bytes] = []
        self.failure: BaseException | None = None

    def stop(self) -> None:
        self._ending.set()
        self.join(120)
        if self.is_alive():
            raise AssertionError("the load does not end")
        if self.failure is not None:
            raise self.failure

    # --- events -----------------------------------------------------------------------------------

    def _event(self) -> tuple[str, bytes, bytes]:
        self._number += 1
        of = SYMBOLS[self._number % len(SYMBOLS)]
        at = START + timedelta(minutes=self._number // len(SYMBOLS))
        if self._random.random() < 0.05:
            return self._news, of.symbol.encode(), news(of, at, f"article-{self._number}", "A headline")
        price = f"{100 + self._number % 997 / 100:.2f}"
        return self._bars, of.symbol.encode(), bar(of, at, [price] * 4, str(self._number % 10_000))

    def _batch(self, producer: Producer, count: int) -> set[str]:
        """Puts events on their topics; the ids of those that must be loaded if this is committed."""
        ids: set[str] = set()
        for _ in range(count):
            chance = self._random.random()
            if chance < 0.002:
                producer.produce(self._bars, b"poison %d" % self._number, b"SYM00")
                self.tally.poison += 1
                continue
            topic, key, value = self._event()
            producer.produce(topic, value, key)
            ids.add(event_id(value))
            if chance < 0.01:  # the same again, and as a correction
                producer.produce(topic, value, key)
                producer.produce(topic, value, key, headers=[("mf-revision", b"1")])
                self.tally.repeats += 2
            producer.poll(0)
        self.tally.records += count
        return ids

    # --- transactions -----------------------------------------------------------------------------

    def _producer(self) -> Producer:
        producer = Producer(
            {
                "bootstrap.servers": self._servers,
                "transactional.id": "chaos-load",
                "transaction.timeout.ms": 30_000,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        while not self._ending.is_set():
            try:
                producer.init_transactions(10)
                break
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
        return producer

    def _transaction(self, producer: Producer, count: int) -> None:
        """Raises KafkaException when nobody knows how it ended."""
        producer.begin_transaction()
        ids = self._batch(producer, count)
        self.tally.transactions += 1
        if self._random.random() < 0.05:
            producer.flush(10)  # so that there is something to abort
            producer.abort_transaction(30)
            self.tally.aborts += 1
            self.tally.aborted |= ids
            return
        producer.commit_transaction(30)
        self.tally.committed |= ids

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:  # told by stop()
            self.failure = error

    def _run(self) -> None:
        producer = self._producer()
        while not self._ending.is_set():
            due = time.monotonic() + BATCH_S
            try:
                self._transaction(producer, max(1, int(self._rate * BATCH_S)))
            except (KafkaException, BufferError):
                # A broker that was away: the transaction's end is open, the next producer settles it.
                self.tally.unknown += 1
                producer = self._producer()
            self._ending.wait(max(0.0, due - time.monotonic()))
