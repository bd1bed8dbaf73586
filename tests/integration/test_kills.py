# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random points: the same rows as an undisturbed run, no message lost or doubled.

The points come from a seed, which MARKETFLOW_TEST_SEED changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from line import REPLAY_ROWS, Line
from mflocal import ServiceProcess, WaitTimeout, wait_for

KILLS = 10
SEED = int(os.environ.get("MARKETFLOW_TEST_SEED", "20241121"))
pytestmark = pytest.mark.kills


class Killer(threading.Thread):
    """Kills and restarts a service `KILLS` times, each time after it has made some progress."""

    def __init__(self, service: ServiceProcess, progress: Callable[[], float], seed: int) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._progress = progress
        self._random = random.Random(seed)
        self.done = 0
        self.over = threading.Event()
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            while self.done < KILLS:
                self._kill_once()
        except BaseException as problem:
            self.problem = problem
        finally:
            self.over.set()
        threading.Event().wait()  # a service ends with the thread that started it

    def wait(self, timeout: float) -> None:
        """Returns after the last kill; the service runs on."""
        assert self.over.wait(timeout), f"{self.done} kills within {timeout:g} s"
        assert self.problem is None, self.problem
        assert self.done == KILLS

    def _kill_once(self) -> None:
        # Anywhere from the start-up to the middle of a batch: sometimes before any progress is made.
        before, patience = self._progress(), self._random.uniform(0.0, 1.5)
        with contextlib.suppress(WaitTimeout):
            wait_for(lambda: self._progress() != before, patience, "progress", 0.01)
        time.sleep(self._random.uniform(0.0, 0.3))  # that the moment is random is the point
        self._service.kill()
        self._service.start()
        self.done += 1


def feed_slowly(line: Line, values: list[tuple[bytes, bytes, int]], killer: Killer) -> None:
    """Produces while the kills go on, so that each of them finds work under way."""
    producer = line.producer()
    share = max(1, len(values) // (KILLS * 4))
    killer.start()
    for start in range(0, len(values), share):
        for key, value, partition in values[start : start + share]:
            producer.produce(line.topic("RAW_BACKFILL"), value, key, partition)
        assert producer.flush(60) == 0
        wanted = start * KILLS // len(values)
        wait_for(lambda wanted=wanted: killer.done >= wanted or killer.over.is_set(), 120, f"{wanted} kills")
    killer.wait(180)


def recorded_history(line: Line, symbols: list[str]) -> list[tuple[bytes, bytes, int]]:
    """The backfill topic's records as the ingestor wrote them, to be fed again at our own pace."""
    line.backfill_replay(symbols)
    return [((m.key or "").encode(), m.value or b"", m.partition) for m in line.messages("RAW_BACKFILL")]


def bars_of(messages: list[Any]) -> Counter[bytes]:
    return Counter(m.value for m in messages if m.value and b'"event_type":"bar"' in m.value)


LIVE = ("X:BTCUSD", "X:ETHUSD", "X:SOLUSD", "X:DOGEUSD")


def minutes_of(line: Line, symbol: str, first_ms: int, last_ms: int) -> list[int]:
    """The beginnings of the minutes that the provider has, both ends included."""
    simulator = line.parts.simulator
    path = f"/v2/aggs/ticker/{symbol}/range/1/minute/{first_ms}/{last_ms}?limit=50000&sort=asc"
    headers = {"Authorization": f"Bearer {simulator.key}"}
    with urllib.request.urlopen(urllib.request.Request(simulator.url + path, headers=headers)) as answer:
        body = json.load(answer)
    assert "next_url" not in body
    return [int(row["t"]) for row in body["results"]]


def test_live_ingestor_killed(line: Line) -> None:
    """Two days of minutes and those that pass meanwhile: no hole and nothing twice, whenever it is killed."""
    line.settings |= {"INGEST_SYMBOLS": ",".join(LIVE), "INGEST_DAY_BARS": "false", "INGEST_NEWS": "false"}
    line.settings |= {"INGEST_POLL_MS": "200", "INGEST_BARS_PAGE_LIMIT": "60", "INGEST_PARALLEL": "2"}
    line.start("sink")
    line.start("processor")
    line.parts.simulator.add_fault("slow", times=None, delay_ms=100)
    ingestor = line.start("ingestor")
    killer = Killer(ingestor, lambda: line.parts.simulator.requests()["total"], SEED + 3)
    killer.start()
    killer.wait(240)

    def warm() -> set[str | None]:
        marks = [m for m in line.messages("INGESTOR_WATERMARKS") if m.key and "|minute|" in m.key]
        return {m.key for m in marks if m.event["status"] == "complete"}

    assert line.messages("RAW") and len(warm()) < len(LIVE), "the kills were not in the middle of it"
    line.parts.simulator.clear_faults()
    wait_for(lambda: len(warm()) == len(LIVE), 120, "the end of the warm-up", 0.5)
    ingestor.stop()
    bars = [m.event for m in line.messages("RAW") if b'"event_type":"bar"' in (m.value or b"")]
    published = {(bar["symbol"], time_ms(bar["event_time"])) for bar in bars}
    fetched = "source <> 'processor'"  # not those that were rolled up
    line.wait_count("raw_bars", len(published), fetched)
    assert line.count("raw_bars", fetched) == len(published)
    rows = line.query(
        f"SELECT symbol, (extract(epoch FROM event_time) * 1000)::bigint FROM raw.raw_bars WHERE {fetched}"
    )
    assert {(symbol, int(at)) for symbol, at in rows} == published
    for symbol in LIVE:
        got = sorted(at for name, at in published if name == symbol)
        assert got[-1] - got[0] > 86_400_000
        assert got == minutes_of(line, symbol, got[0], got[-1])


def time_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_processor_killed(line: Line) -> None:
    """Every input record leads to its filtered event once, whatever the moment of death."""
    values = recorded_history(line, ["AAPL", "MSFT", "FB"])
    fresh = line.topic("RAW_BACKFILL") + ".again"
    line.settings["KAFKA_TOPIC_RAW_BACKFILL"] = fresh
    assert line.run("marketflowctl", "topics", "apply").returncode == 0
    line.topic = lambda role, old=line.topic: fresh if role == "RAW_BACKFILL" else old(role)  # type: ignore[method-assign]
    processor = line.start("processor")
    killer = Killer(processor, lambda: len(line.messages("BARS_FILTERED", committed=False)), SEED + 1)
    feed_slowly(line, values, killer)
    expected = Counter(value for _, value, _ in values if b'"event_type":"bar"' in value)
    total = sum(expected.values())
    wait_for(
        lambda: sum(bars_of(line.messages("BARS_FILTERED")).values()) >= total, 120, f"{total} filtered", 0.5
    )
    assert bars_of(line.messages("BARS_FILTERED")) == expected


def test_sink_killed(line: Line) -> None:
    sink = line.start("sink")
    line.start("processor")
    values = recorded_history(line, ["AAPL", "IBM", "MSFT", "GOOG", "FB"])
    killer = Killer(sink, lambda: line.count("raw_bars"), SEED + 2)
    killer.start()
    killer.wait(240)
    bars = sum(1 for _, value, _ in values if b'"event_type":"bar"' in value)
    assert bars == REPLAY_ROWS
    line.wait_count("raw_bars", bars, timeout=300)
    line.wait_count("raw_metrics", bars, timeout=300)
    published = {role: len(line.messages(role)) for role in ("BARS_FILTERED", "METRICS", "ALERTS")}
    line.wait_count("raw_alerts", published["ALERTS"])
    for role, table in (("BARS_FILTERED", "raw_bars"), ("METRICS", "raw_metrics"), ("ALERTS", "raw_alerts")):
        assert line.count(table) == published[role], table
        offsets = f"SELECT count(DISTINCT (kafka_topic, kafka_partition, kafka_offset)) FROM raw.{table}"
        assert line.number(offsets) == published[role], table
