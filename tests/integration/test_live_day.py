# SPDX-License-Identifier: Apache-2.0
"""A trading day of the live ingestor in minutes: what a restart remembers, what the night brings."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, prometheus, wait_for
from other_clock import NEW_YORK, OtherClock, last_session

pytestmark = pytest.mark.feeds

AGGS = "/v2/aggs"
MINUTES = {
    "INGEST_WARMUP": "false",
    "INGEST_DAY_BARS": "false",
    "INGEST_NEWS": "false",
    "INGEST_POLL_MS": "300",
    "INGEST_CLOSED_POLL_MS": "1000",
    "INGEST_HEARTBEAT_MS": "1000",
    "INGEST_RECONCILE_AFTER_MS": "60000",
}


def bars(line: Line) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW") if (e := m.event).get("event_type") == "bar"]


def counts(line: Line) -> Counter[tuple[str, str]]:
    return Counter((bar["symbol"], bar["event_time"]) for bar in bars(line))


def metric(service: ServiceProcess, name: str, **labels: str) -> float:
    samples = prometheus.parse(prometheus.fetch(service.url + "/metrics")[1])
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_restart_remembers_what_it_published(line: Line) -> None:
    """The watermark carries no hashes of minutes: the events themselves are read back."""
    settings = MINUTES | {"INGEST_SYMBOLS": "X:BTCUSD,X:ETHUSD", "INGEST_OVERLAP_MS": "7200000"}
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: len(counts(line)) > 200, 60, "two hours of two symbols")
    ingestor.kill()
    before = counts(line)
    assert set(before.values()) == {1}
    seen = len(line.asked(AGGS))
    ingestor.start()
    wait_for(lambda: len(line.asked(AGGS)) >= seen + 4, 60, "polls after the restart")
    ingestor.stop()
    assert set(counts(line).values()) == {1}
    assert sum(line["bars"] for line in line.events_logged("read_back")) >= sum(before.values())
    marks = [m.event for m in line.messages("INGESTOR_WATERMARKS") if m.key and "|minute|" in m.key]
    assert marks
    assert not any("overlap" in mark for mark in marks)


@pytest.mark.parametrize("killed", [False, True])
def test_the_night_brings_what_the_day_missed(line: Line, clock: OtherClock, killed: bool) -> None:
    """N19: a correction that no poll saw is published after the session, once, and so is the morning before
    the symbols were served; all else is left alone, also by a process that has to read back what was published."""
    day = last_session()
    clock.at(day, 15, 50)
    settings = MINUTES | clock.settings | {"INGEST_SYMBOLS": "KO,PEP", "INGEST_OVERLAP_MS": "3600000"}
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: len(counts(line)) > 80, 60, "the hour before")
    # A bar of hours ago changes when the overlap has left it.
    clock.at(day, 17, 30)
    wait_for(
        lambda: text(datetime(day.year, day.month, day.day, 17, 29, tzinfo=NEW_YORK)) in times(line),
        60,
        "17:29",
    )
    changed = sorted(when for symbol, when in counts(line) if symbol == "KO")[5]
    stamp = ms(datetime.fromisoformat(changed))
    line.parts.simulator.add_fault(
        "correction", match={"symbol": "KO", "timespan": "minute"}, times=None, t=stamp, percent=1
    )
    gone = sorted(when for symbol, when in counts(line) if symbol == "PEP")[7]
    ends = text(datetime.fromisoformat(gone) + timedelta(minutes=1))
    line.parts.simulator.add_fault(
        "missing_rows",
        match={"symbol": "PEP", "timespan": "minute"},
        times=None,
        **{"from": gone, "to": ends},
    )
    clock.at(day, 20, 0, 30)
    wait_for(lambda: ingestor_at(line, clock, day, 19, 59), 60, "the end of the session")
    before = counts(line)
    assert set(before.values()) == {1}
    line.parts.simulator.forget_requests()
    if killed:
        ingestor.kill()
    clock.at(day, 20, 1, 10)
    if killed:
        ingestor.start()
        ingestor.wait_ready()
    reconciled = "marketflow_ingest_reconcile_bars_total"
    wait_for(lambda: metric(ingestor, reconciled, result="unchanged") == len(before) - 2, 60, "both")
    wait_for(lambda: metric(ingestor, "marketflow_ingest_reconcile_pending_symbols") == 0, 60, "the end")
    after = counts(line)
    assert {key: n for key, n in after.items() if n != 1} == {("KO", changed): 2}
    assert set(after) > set(before)
    assert min(times(line)) < text(datetime(day.year, day.month, day.day, 5, tzinfo=NEW_YORK))
    one, two = (bar for bar in bars(line) if (bar["symbol"], bar["event_time"]) == ("KO", changed))
    assert one["close"] != two["close"]
    assert one["event_id"] != two["event_id"]
    assert two["flags"] == one["flags"]
    assert metric(ingestor, reconciled, result="corrected") == 1
    assert metric(ingestor, reconciled, result="added") == len(after) - len(before)
    # A log takes nothing back: what the provider no longer has is said.
    assert metric(ingestor, reconciled, result="vanished") == 1
    assert {entry["symbol"]: entry["vanished"] for entry in line.events_logged("session_reconciled")} == {
        "KO": 0,
        "PEP": 1,
    }
    nothing_again(line, ingestor, reconciled, after)


def nothing_again(
    line: Line, ingestor: ServiceProcess, reconciled: str, known: Counter[tuple[str, str]]
) -> None:
    """It was done, and a restart does not do it again."""
    ingestor.stop()
    line.parts.simulator.forget_requests()
    ingestor.start()
    ingestor.wait_ready()
    wait_for(lambda: len(line.asked(AGGS)) >= 6, 60, "polls after the restart")
    assert metric(ingestor, reconciled) == 0
    assert counts(line) == known


def times(line: Line) -> set[str]:
    return {when for _, when in counts(line)}


def ingestor_at(line: Line, clock: OtherClock, day: Any, hour: int, minute: int) -> bool:
    """Both symbols were read to the session's end: their polls end after it."""
    end = ms(datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK) + timedelta(minutes=1)) - 1
    reads = {r["path"].split("/")[4]: int(r["path"].split("/")[-1]) for r in line.asked(AGGS)}
    return len(reads) == 2 and all(until >= end for until in reads.values())


def test_a_gap_of_the_vendor_is_said_until_it_is_filled(line: Line, clock: OtherClock) -> None:
    """N13: five minutes that three symbols have and KO lacks; the night has them."""
    day = last_session()
    first = datetime(day.year, day.month, day.day, 10, 0, tzinfo=NEW_YORK)
    gap = (text(first), text(first + timedelta(minutes=5)))
    line.parts.simulator.add_fault(
        "missing_rows", match={"symbol": "KO"}, times=None, **{"from": gap[0], "to": gap[1]}
    )
    clock.at(day, 10, 6)
    settings = MINUTES | clock.settings | {"INGEST_SYMBOLS": "KO,PEP,XOM,WMT,DIS"}
    line.start("ingestor", **settings)
    wait_for(lambda: len(counts(line)) > 60, 60, "the minutes before", 0.2)
    clock.at(day, 10, 40)

    def gaps(symbol: str) -> list[tuple[str, str]]:
        """As the newest status has them."""
        newest = statuses(line)[-1]
        assert newest["shard"] == "0/1"
        assert newest["state"] == ("gap" if newest["gaps"] else "ok")
        assert newest["expected"] >= newest["received"]
        named = [(g["from"], g["to"]) for g in newest["gaps"] if symbol in g["cause"].split()[1].split(",")]
        assert all(g["cause"].startswith("vendor_gap ") for g in newest["gaps"])
        return named

    wait_for(lambda: statuses(line) and covers(gaps("KO"), gap), 60, "the gap", 0.2)
    assert not covers(gaps("PEP"), gap)
    line.parts.simulator.clear_faults()
    clock.at(day, 20, 0, 30)
    wait_for(lambda: min(map(max, seen(line).values())) >= "2", 60, "bars")
    clock.at(day, 20, 1, 10)
    wait_for(lambda: not covers(gaps("KO"), gap), 90, "the gap's end", 0.2)
    filled = [bar for bar in bars(line) if bar["symbol"] == "KO" and gap[0] <= bar["event_time"] < gap[1]]
    assert len(filled) >= 3  # what the vendor has by now, and nothing else


def statuses(line: Line) -> list[dict[str, Any]]:
    found = [e for m in line.messages("RAW") if (e := m.event).get("event_type") == "feed_status"]
    return [status for status in found if status["feed"] == "polygon.bars.1m"]


def covers(gaps: list[tuple[str, str]], wanted: tuple[str, str]) -> bool:
    return any(start <= wanted[0] and wanted[1] <= end for start, end in gaps)


def seen(line: Line) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for symbol, when in counts(line):
        found.setdefault(symbol, []).append(when)
    return found
