# SPDX-License-Identifier: Apache-2.0
"""What the services cost and how fast a row becomes visible. Each prints one JSON object.

Figures of time are for reading, beside a floor measured in the same run; asserted are counts and memory.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from line import Line, Parts
from mflocal import Session, Simulator, wait_for

EVENTS_PER_SECOND = 100
WARM_UP_S = 10
# Together with the warm-up less than the 57 s after which the provider's clock has met ours.
MEASURED_S = 40.0
CLOCK_RATE = 20
IDLE_S = 30.0
RSS_LIMIT_MIB = 25
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int) -> float:
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS:"):
            return int(text.split()[1]) / 1024
    return 0.0


def pids(line: Line) -> dict[str, int]:
    return {s.name: s.identity.pid for s in line.services if s.identity is not None}


def costs(line: Line, seconds: float) -> dict[str, dict[str, float]]:
    """CPU share (of one core) and memory of each service over the next `seconds`."""
    before, start = {name: cpu_seconds(pid) for name, pid in pids(line).items()}, time.monotonic()
    wait_for(lambda: time.monotonic() - start >= seconds, seconds + 5, "the measured time", 0.2)
    elapsed = time.monotonic() - start
    return {
        name: {
            "cpu_percent": round(100 * (cpu_seconds(pid) - before[name]) / elapsed, 2),
            "rss_mib": round(rss_mib(pid), 1),
        }
        for name, pid in pids(line).items()
    }


def ages(line: Line) -> dict[str, float]:
    """Mean age of a live event, from its ingest_time, when the processor folds it and when its row is committed."""
    names = {"processor": "marketflow_event_age_seconds", "sink": "marketflow_sink_end_to_end_seconds"}
    result = {}
    for service in line.services:
        if base := names.get(service.name):
            count = service.metric(f"{base}_count") or 1
            result[service.name] = round(1000 * (service.metric(f"{base}_sum") or 0) / count, 1)
    return result


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(name: str, value: dict[str, Any]) -> None:
    print("\n" + json.dumps({"bench": name, **value}))


def test_idle(line: Line) -> None:
    """All three run with nothing to do but their heartbeats."""
    line.settings |= {"INGEST_POLL_MS": "60000", "INGEST_SYMBOLS": "AMZN", "INGEST_WARMUP": "false"}
    line.settings["LOG_LEVEL"] = "info"
    for name in ("sink", "processor", "ingestor"):
        line.start(name)
    costs(line, 5)  # the first polls
    services = costs(line, IDLE_S)
    report("idle", {"services": services, "limits": {"cpu_percent": 1.5, "rss_mib": RSS_LIMIT_MIB}})
    assert all(cost["rss_mib"] < RSS_LIMIT_MIB for cost in services.values())  # which no other program sways
    assert all(service.ready() for service in line.services)


def slow_past(line: Line, parts: Parts) -> Simulator:
    """A provider whose clock stands 19 minutes ago, which is within the ingestor's overlap, until it is let run."""
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 19 * 60))
    options = ("--start-now", start, "--clock-rate", "0.001")
    simulator = Simulator(line.layout, die_with_parent=True, key=parts.simulator.key, options=options)
    simulator.start()
    simulator.wait_ready()
    return simulator


def visible_latencies(line: Line, seconds: float) -> list[float]:
    """A reader asks every 50 ms which rows it sees for the first time: now minus their ingest_time, in ms."""
    latencies: list[float] = []
    query = (
        "SELECT event_id, revision, payload->>'ingest_time' FROM raw.raw_bars WHERE lane = 'live' "
        "AND loaded_at > clock_timestamp() - interval '10 seconds'"
    )
    with Session(line.parts.postgres, line.database) as session:
        seen = {(row[0], row[1]) for row in session.query(query)}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rows = session.query(query)
            now = time.time()
            for event_id, revision, ingested in rows:
                if (event_id, revision) not in seen:
                    seen.add((event_id, revision))
                    latencies.append((now - datetime.fromisoformat(ingested).timestamp()) * 1000)
            time.sleep(0.05)  # how often it looks is the measurement's resolution
    return latencies


def floor_latencies(line: Line, rounds: int) -> list[float]:
    """The trip without us, in ms: a record to the broker and back, a row inserted and seen; one after the other."""
    topic, payload = line.topic("INGESTOR_BUDGET"), json.dumps({"filler": "x" * 480})
    producer = Producer({"bootstrap.servers": line.parts.broker.bootstrap, "linger.ms": 0})
    consumer = Consumer({"bootstrap.servers": line.parts.broker.bootstrap, "group.id": f"{line.name}-floor"})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    latencies: list[float] = []
    with Session(line.parts.postgres, line.database) as session:
        session.query("CREATE TEMP TABLE floor (payload jsonb)")
        for _ in range(rounds):
            start = time.monotonic()
            producer.produce(topic, payload, b"floor", 0)
            producer.flush(30)
            message = consumer.poll(30)
            assert message is not None and message.error() is None
            session.query(f"INSERT INTO floor VALUES ('{payload}')")
            latencies.append((time.monotonic() - start) * 1000)
    consumer.close()
    return latencies[rounds // 10 :]  # connecting is not part of it


def test_latency_at_a_hundred_events_a_second(line: Line, parts: Parts) -> None:
    """The provider's clock runs twenty times as fast until it meets ours: 300 symbols, a minute bar each every 3 s."""
    simulator = slow_past(line, parts)
    try:
        symbols = [f"X:COIN{i:03d}USD" for i in range(EVENTS_PER_SECOND * 60 // CLOCK_RATE)]
        line.settings |= simulator.env
        line.settings |= {
            "INGEST_SYMBOLS": ",".join(symbols),
            "INGEST_POLL_MS": "3000",
            "INGEST_WARMUP": "false",
        }
        line.settings |= {"INGEST_NEWS": "false", "INGEST_DAY_BARS": "false", "LOG_LEVEL": "info"}
        for name in ("sink", "processor", "ingestor"):
            line.start(name)
        # The twenty minutes of overlap that the second polls bring are not what is measured, nor is a broker
        # that has just started.
        line.wait_count("raw_bars", 18 * len(symbols), timeout=60)
        wait_for(lambda: line.count("raw_bars") == len(line.messages("BARS_FILTERED")), 60, "all of it", 0.2)
        simulator.set_clock(rate=CLOCK_RATE)
        line.wait_count("raw_bars", line.count("raw_bars") + EVENTS_PER_SECOND * WARM_UP_S, timeout=120)
        before, start = line.count("raw_bars"), time.monotonic()
        cpu = {name: cpu_seconds(pid) for name, pid in pids(line).items()}
        latencies = visible_latencies(line, MEASURED_S)
        elapsed = time.monotonic() - start
        rate = (line.count("raw_bars") - before) / elapsed
        services = {
            name: {
                "cpu_percent": round(100 * (cpu_seconds(pid) - cpu[name]) / elapsed, 1),
                "rss_mib": round(rss_mib(pid), 1),
            }
            for name, pid in pids(line).items()
        }
        latency = {
            "p50": round(statistics.median(latencies), 1),
            "p99": round(percentile(latencies, 0.99), 1),
            "max": round(max(latencies), 1),
        }
        floor = statistics.median(floor_latencies(line, 50))
        result = {"events_per_second": round(rate, 1), "rows": len(latencies), "latency_ms": latency}
        result |= {"floor_p50_ms": round(floor, 1), "p50_to_floor": round(latency["p50"] / floor, 1)}
        report("latency", {**result, "mean_age_ms": ages(line), "services": services})
        assert len(latencies) > EVENTS_PER_SECOND * MEASURED_S / 2
    finally:
        for service in reversed(line.services):
            service.stop()
        simulator.stop()
