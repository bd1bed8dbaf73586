# SPDX-License-Identifier: Apache-2.0
"""The ingestor's work in Python, for tests/bench/ingestor: the same pages to the same events.

It goes about it as the vendor's client and a careful user of it do: requests for the pages, json for their text,
numbers as floats, one dict per bar through json.dumps, confluent-kafka with a delivery report for each record. Each bar
is placed in its session, checked, and given an id over its content (BLAKE2, which Python brings along, for XXH3).
Prints one JSON object: records, seconds, and CPU seconds of the process from the first request to the last
acknowledgement.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from confluent_kafka import KafkaError, Message, Producer

NEW_YORK = ZoneInfo("America/New_York")
MINUTE_MS = 60_000
SCHEMA_VERSION = "1.0"


class Rejected(ValueError):
    """The row is no bar."""


def asset_class(symbol: str) -> str:
    return {"X:": "crypto", "C:": "fx", "I:": "index"}.get(symbol[:2], "stock")


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Sessions:
    """Which part of the trading day a bar is of; a day's bounds are computed once."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.zone = NEW_YORK if kind in ("stock", "index") else UTC
        self.day, self.start_ms, self.end_ms = date.min, 0, 0

    def place(self, ms: int) -> tuple[str, str]:
        if not self.start_ms <= ms < self.end_ms:
            self.day = datetime.fromtimestamp(ms / 1000, self.zone).date()
            start = datetime(self.day.year, self.day.month, self.day.day, tzinfo=self.zone)
            self.start_ms = int(start.timestamp() * 1000)
            self.end_ms = int((start + timedelta(days=1)).timestamp() * 1000)
        if self.kind not in ("stock", "index"):
            return self.day.isoformat(), "full"
        minute = (ms - self.start_ms) // MINUTE_MS
        return self.day.isoformat(), "pre" if minute < 570 else "regular" if minute < 960 else "post"


def check(row: dict[str, Any], asked_ms: int) -> None:
    for name in ("o", "h", "l", "c", "v", "t"):
        if not isinstance(row.get(name), (int, float)):
            raise Rejected(f"{name} is missing")
    if min(row["o"], row["h"], row["l"], row["c"]) <= 0 or row["v"] < 0:
        raise Rejected("negative")
    if row["h"] < max(row["o"], row["c"], row["l"]) or row["l"] > min(row["o"], row["c"]):
        raise Rejected("high and low do not hold open and close")
    if row["t"] % MINUTE_MS or row["t"] > asked_ms + 2 * MINUTE_MS:
        raise Rejected("not the start of a minute that has been")


def event_of(row: dict[str, Any], symbol: str, page: dict[str, Any], sessions: Sessions) -> dict[str, Any]:
    start = row["t"]
    session_date, session = sessions.place(start)
    market = {
        "interval": "1m",
        "window_end": iso(start + MINUTE_MS),
        "session_date": session_date,
        "session": session,
        "open": row["o"],
        "high": row["h"],
        "low": row["l"],
        "close": row["c"],
        "volume": row["v"],
    }
    if "vw" in row:
        market["vwap"] = row["vw"]
    if "n" in row:
        market["trade_count"] = row["n"]
    market["adjusted"] = "none" if page["kind"] != "stock" else "split"
    market["vendor_ms"] = start
    event_time = iso(start)
    identity = f"polygon|{symbol}|{event_time}|bar.1m|{market}"
    return {
        "schema_version": SCHEMA_VERSION,
        "event_type": "bar",
        "event_id": hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        "symbol": symbol,
        "asset_class": page["kind"],
        "source": "polygon",
        "lane": "backfill:peer",
        "event_time": event_time,
        "ingest_time": page["ingest_time"],
        "flags": [] if "vw" in row else ["proxy_vwap"],
        "provenance": {"mode": "rest", "request_id": page["request_id"], "page": 0},
        **market,
    }


class Peer:
    def __init__(self, bootstrap: str, topic: str, key: str) -> None:
        self.topic = topic
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 100_000,
            }
        )
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {key}"
        self.acknowledged = self.rejected = 0

    def on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise SystemExit(f"a record was not acknowledged: {error}")
        self.acknowledged += 1

    def send(self, symbol: str, value: bytes) -> None:
        while True:
            try:
                self.producer.produce(self.topic, value, symbol.encode(), on_delivery=self.on_delivery)
                return
            except BufferError:
                self.producer.poll(0.01)

    def take(self, symbol: str, url: str) -> None:
        asked_ms = int(time.time() * 1000)
        answer = self.session.get(url, timeout=60)
        answer.raise_for_status()
        body = json.loads(answer.content)
        kind = asset_class(symbol)
        page = {"kind": kind, "ingest_time": iso(asked_ms), "request_id": body["request_id"]}
        sessions, before = Sessions(kind), 0
        for row in body["results"]:
            try:
                check(row, asked_ms)
                if row["t"] <= before:
                    raise Rejected("twice")
            except Rejected:
                self.rejected += 1
                continue
            before = row["t"]
            event = event_of(row, symbol, page, sessions)
            self.send(symbol, json.dumps(event, separators=(",", ":")).encode())
            self.producer.poll(0)


def main() -> None:
    bootstrap, topic, key_file, pages = sys.argv[1:]
    lines = [line.split() for line in Path(pages).read_text().splitlines()]
    begin, usage = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    peer = Peer(bootstrap, topic, Path(key_file).read_text().strip())
    for symbol, url in lines:
        peer.take(symbol, url)
    assert peer.producer.flush(120) == 0 and peer.rejected == 0
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    print(json.dumps({"records": peer.acknowledged, "seconds": time.monotonic() - begin, "cpu_s": cpu}))


if __name__ == "__main__":
    main()
