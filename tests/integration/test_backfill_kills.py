# SPDX-License-Identifier: Apache-2.0
"""A backfill killed with SIGKILL again and again: every event is there, at most one page twice, and its last words are
true: they are about the whole run, whatever the killed ones did not get to say.

The points come from a seed, which MARKETFLOW_TEST_SEED changes.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from line import PARTITIONS, REPLAY_ROWS, REPLAYED, Line, Message
from mflocal import wait_for

SEED = int(os.environ.get("MARKETFLOW_TEST_SEED", "20241121"))
PARALLEL = 2
pytestmark = [pytest.mark.kills, pytest.mark.long]


@dataclass(frozen=True)
class Case:
    arguments: tuple[str, ...]
    settings: dict[str, str]
    kind: str  # of its events
    kills: int


DAYS = ("--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day", "--adjusted", "none")
# Some 150 requests.
BARS = Case(("bars", "--symbols", ",".join(REPLAYED), *DAYS), {"INGEST_BARS_PAGE_LIMIT": "80"}, "bar", 20)
# Its pages hang together by cursors, and articles share their seconds.
NEWS = Case(
    ("news", "--symbols", "NVDA,KO,TSLA", "--from", "2024-01-02", "--to", "2024-01-08"),
    {"INGEST_NEWS_PAGE_LIMIT": "4"},
    "news",
    20,
)


@dataclass(frozen=True)
class Run:
    line: Line
    case: Case
    deaths: list[float]  # when each process was killed
    summary: dict[str, Any]
    manifest: dict[str, Any]


def run_until(line: Line, service: Any, requests: int, moment: float) -> None:
    """Returns when the provider has seen that many more requests, or it ended, and a moment has passed."""

    def seen() -> int:
        return int(line.parts.simulator.requests()["total"])

    target = seen() + requests
    wait_for(lambda: not service.running() or seen() >= target, 60, "a request or the end", 0.005)
    time.sleep(moment)  # random: the point is to hit the service anywhere


def killed(line: Line, case: Case, tmp_path: Path) -> Run:
    print(f"MARKETFLOW_TEST_SEED={SEED}")
    rng = random.Random(f"{SEED}|{case.kind}")
    line.settings |= {**case.settings, "INGEST_PARALLEL": str(PARALLEL)}
    line.settings |= {"POLYGON_REQUESTS_PER_MINUTE": "20", "POLYGON_RATE_WINDOW_MS": "2000"}
    path = tmp_path / "manifest.json"
    service = line.service("ingestor", KAFKA_INSTANCE_ID=f"{line.name}-backfill")
    service.spec.arguments.extend(["backfill", *case.arguments, "--manifest", str(path)])
    deaths = []
    for _ in range(case.kills):
        service.start()
        run_until(line, service, rng.randint(0, 4), rng.uniform(0, 0.1))
        assert service.running(), "the backfill ended before it could be killed often enough"
        service.kill()
        deaths.append(time.time())
    line.services.remove(service)
    summary = line.backfill(*case.arguments, "--manifest", str(path))
    assert summary["complete"] is True
    return Run(line, case, deaths, summary, json.loads(path.read_text()))


def events(run: Run) -> list[Message]:
    wanted = f'"event_type":"{run.case.kind}"'.encode()
    return [m for m in run.line.messages("RAW_BACKFILL") if wanted in (m.value or b"")]


def identity(event: dict[str, Any]) -> str:
    return f"{event['symbol']} {event['event_time']} {event.get('article_id', '')}"


def moment_of(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["ingest_time"]).timestamp()


def assert_one_page_twice(run: Run, published: list[Message]) -> None:
    """Of a symbol, a process repeats at most the page that the one before it did not see acknowledged, and first."""
    pages: dict[str, dict[float, list[str]]] = {}
    for message in published:
        event = message.event
        # A page is published at one moment.
        pages.setdefault(event["symbol"], {}).setdefault(moment_of(event), []).append(identity(event))
    for symbol, by_moment in pages.items():
        done: set[str] = set()
        before: set[str] = set()
        life_before = -1
        for moment, found in by_moment.items():
            assert len(found) == len(set(found))
            life = sum(death <= moment for death in run.deaths)
            again = done & set(found)
            assert not again or life != life_before, f"{symbol}: repeated by the process that published it"
            assert again <= before, f"{symbol}: more than the last page again"
            done |= set(found)
            before, life_before = set(found), life


def assert_last_words(run: Run, unique: set[str], rejected: int) -> None:
    """Summary and manifest against what is on the topics."""
    total, symbols = run.summary["run"], run.summary["symbols"]
    assert total["events"] == len(unique)
    assert total["rejected"] == total["dead_lettered"] == rejected
    by_symbol = Counter(key.split(" ", 1)[0] for key in unique)
    assert {name: one["events_total"] for name, one in symbols.items()} == by_symbol
    assert {one["symbol"]: one["received"] for one in run.manifest["series"]} == by_symbol
    ends = {m.partition: m.offset for m in run.line.messages("RAW_BACKFILL")}
    assert {one["partition"]: one["offset"] for one in run.manifest["raw"]} == ends
    lanes = [m.partition for m in run.line.messages("RAW_BACKFILL") if b'"lane_end":true' in (m.value or b"")]
    assert set(lanes) == set(range(PARTITIONS))


def assert_budget(run: Run) -> None:
    """20 requests in 2 s, by the provider's own count, for all the processes together."""
    moments = [r["at_ms"] for r in run.line.asked()]
    gaps = [late - early for early, late in zip(moments, moments[20:], strict=False)]
    assert gaps and min(gaps) >= 2000


def test_bars(line: Line, tmp_path: Path) -> None:
    # In each page the sixth row is a bad one, every time it is asked for.
    line.parts.simulator.add_fault("bad_row", times=None, variant="high_below_low", index=5)
    run = killed(line, BARS, tmp_path)
    published = events(run)
    unique = {identity(m.event) for m in published}
    letters = [m.event for m in line.messages("DLQ")]
    rows = {(letter["symbol"], json.loads(base64.b64decode(letter["raw"]))["t"]) for letter in letters}
    assert len(unique) + len(rows) == REPLAY_ROWS
    assert_last_words(run, unique, len(rows))
    assert_one_page_twice(run, published)
    assert_budget(run)
    # A page per range, each counted once; an empty one is asked for twice. A kill costs at most what was under way.
    total, asked = run.summary["run"], line.asked()
    assert total["pages"] == len({request["path"] for request in asked})
    empty = len({request["path"] for request in asked if request["status"] == 200 and request["rows"] == 0})
    assert len(asked) <= total["pages"] + empty + 2 * PARALLEL * len(run.deaths)
    assert len(letters) <= len(rows) + PARALLEL * len(run.deaths)
    # The days whose rows were bad are all that is missing.
    missing = {s["symbol"]: s["missing_days"] for s in run.manifest["series"]}
    bad = Counter(symbol for symbol, _ in rows)
    assert {symbol: missing[symbol] for symbol in ("IBM", "MSFT", "AAPL")} == {
        symbol: bad[symbol] for symbol in ("IBM", "MSFT", "AAPL")
    }


def test_news(line: Line, tmp_path: Path) -> None:
    run = killed(line, NEWS, tmp_path)
    published = events(run)
    unique = {identity(m.event) for m in published}
    assert_one_page_twice(run, published)
    assert_last_words(run, unique, 0)
    assert_budget(run)
    # The same as a run that nobody disturbed.
    line.settings["KAFKA_TOPIC_RAW_BACKFILL"] = other = line.topic("RAW_BACKFILL") + ".again"
    assert line.run("marketflowctl", "topics", "apply").returncode == 0
    quick = {"POLYGON_REQUESTS_PER_MINUTE": "0", "INGEST_NEWS_PAGE_LIMIT": "1000"}
    whole = line.backfill(*NEWS.arguments, "--again", **quick)
    old = line.topic
    line.topic = lambda role: other if role == "RAW_BACKFILL" else old(role)  # type: ignore[method-assign]
    assert {identity(m.event) for m in events(run)} == unique
    assert whole["run"]["events"] == len(unique)
