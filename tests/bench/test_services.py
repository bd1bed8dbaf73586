# SPDX-License-Identifier: Apache-2.0
"""What the services cost and how fast a row becomes visible. Each prints one JSON object.

Figures are for reading; what is asserted are ratios against a floor measured in the same run, and counts.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from line import Line, Parts
from mflocal import Session, Simulator, wait_for

EVENTS_PER_SECOND = 100
MEASURED_S = 60.0
IDLE_S = 30.0
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
    report("idle", {"services": costs(line, IDLE_S)})
    assert all(service.ready() for service in line.services)


def live_simulator(parts: Parts, line: Line) -> Simulator:
    """A provider whose clock runs sixty times as fast, some hours ago: a minute bar per symbol and second."""
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 6 * 3600))
    options = ("--start-now", start, "--clock-rate", "60")
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


def test_latency_at_a_hundred_events_a_second(line: Line, parts: Parts) -> None:
    simulator = live_simulator(parts, line)
    try:
        symbols = [f"X:COIN{i:03d}USD" for i in range(EVENTS_PER_SECOND)]
        line.settings |= simulator.env
        line.settings |= {
            "INGEST_SYMBOLS": ",".join(symbols),
            "INGEST_POLL_MS": "1000",
            "INGEST_WARMUP": "false",
        }
        line.settings["LOG_LEVEL"] = "info"
        for name in ("sink", "processor", "ingestor"):
            line.start(name)
        line.wait_count("raw_bars", EVENTS_PER_SECOND * 5, timeout=120)
        before = line.count("raw_bars")
        start = time.monotonic()
        latencies = visible_latencies(line, MEASURED_S)
        rate = (line.count("raw_bars") - before) / (time.monotonic() - start)
        result = {
            "events_per_second": round(rate, 1),
            "rows": len(latencies),
            "latency_ms": {
                "p50": round(statistics.median(latencies), 1),
                "p99": round(percentile(latencies, 0.99), 1),
                "max": round(max(latencies), 1),
            },
            "services": costs(line, 10),
        }
        report("latency", result)
        assert len(latencies) > EVENTS_PER_SECOND * MEASURED_S / 2
    finally:
        for service in reversed(line.services):
            service.stop()
        simulator.stop()
