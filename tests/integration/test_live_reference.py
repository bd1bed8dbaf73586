# SPDX-License-Identifier: Apache-2.0
"""What the live ingestor keeps up to date beside bars and news: symbols and corporate actions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, prometheus, wait_for
from other_clock import HOLIDAYS, NEW_YORK, OtherClock, is_movable_holiday, last_session

pytestmark = pytest.mark.feeds

AGGS, TICKERS = "/v2/aggs", "/v3/reference/tickers"
QUIET = {
    "INGEST_WARMUP": "false",
    "INGEST_DAY_BARS": "false",
    "INGEST_NEWS": "false",
    "INGEST_RECONCILE": "false",
    "INGEST_POLL_MS": "300",
    "INGEST_CLOSED_POLL_MS": "600000",
    "INGEST_HEARTBEAT_MS": "200",
    "INGEST_SETTLE_MS": "0",
}


def events(line: Line, kind: str) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW") if (e := m.event).get("event_type") == kind]


def asked(line: Line, path: str = AGGS) -> list[dict[str, Any]]:
    return list(line.parts.simulator.requests(path=path)["requests"])


def metric(service: ServiceProcess, name: str) -> float:
    samples = prometheus.parse(prometheus.fetch(service.url + "/metrics")[1])
    return sum(s.value for s in samples if s.name == name)


def heartbeats(line: Line, service: ServiceProcess, count: int) -> None:
    """Waits for so many more."""
    before = metric(service, "marketflow_ingest_heartbeats_total")
    wait_for(
        lambda: metric(service, "marketflow_ingest_heartbeats_total") >= before + 4 * count, 60, "heartbeats"
    )


def test_what_has_changed_is_published_once_a_day(line: Line, clock: OtherClock) -> None:
    day = last_session() - timedelta(days=1)
    clock.at(day, 4, 0)
    served = {"INGEST_SYMBOLS": "KO,META,X:BTCUSD", "INGEST_REFERENCE": "true"}
    settings = QUIET | clock.settings | served | {"INGEST_DAY_BARS": "true", "INGEST_WARMUP": "true"}
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: len(events(line, "symbol")) == 3, 60, "three descriptions", 0.2)
    wait_for(lambda: len(marks(line)) == 3, 60, "what is remembered of them", 0.2)
    described = {event["symbol"]: event for event in events(line, "symbol")}
    assert described["META"]["aliases"][0]["symbol"] == "FB"
    actions = events(line, "corporate_action")
    renames = [action for action in actions if action["kind"] == "ticker_change"]
    assert [(action["old_symbol"], action["new_symbol"]) for action in renames] == [("FB", "META")]
    dividends = [action for action in actions if action["kind"] == "dividend"]
    assert 3 <= len(dividends) <= 6  # of the last year and a bit
    assert {action["symbol"] for action in dividends} == {"KO"}
    assert all("warmup" in action["flags"] for action in actions)
    # A restart on the same day asks nothing.
    ingestor.stop()
    line.parts.simulator.forget_requests()
    ingestor.start()
    ingestor.wait_ready()
    heartbeats(line, ingestor, 30)
    assert not asked(line, "/v3/reference")
    # The next day: another name, and a split that has taken effect.
    line.parts.simulator.add_fault(
        "bad_row", match={"endpoint": "tickers", "symbol": "KO"}, times=None, set={"name": '"Another Name"'}
    )
    split = {"ticker": "KO", "execution_date": str(day + timedelta(days=1)), "split_from": 1, "split_to": 2}
    line.parts.simulator.announce(splits=[split])
    wait_for(lambda: len(asked(line)) >= 1, 60, "a poll")
    before = len(asked(line))
    clock.at(day + timedelta(days=1), 4, 0)
    wait_for(lambda: len(events(line, "symbol")) == 4, 60, "another description", 0.2)
    wait_for(lambda: line.events_logged("split"), 60, "the split", 0.1)
    wait_for(lambda: any("/day/" in r["path"] for r in asked(line)[before:]), 60, "the warm-up again", 0.1)
    wait_for(lambda: refreshed(line) == 3, 60, "the end of the round", 0.2)
    names = [event["name"] for event in events(line, "symbol") if event["symbol"] == "KO"]
    assert names == [described["KO"]["name"], "Another Name"]
    later = [action for action in events(line, "corporate_action") if action not in actions]
    assert [(action["kind"], action["symbol"], action["flags"]) for action in later] == [
        ("split", "KO", ["is_mock"])
    ]


def test_a_split_after_an_outage_leaves_no_hole(line: Line, clock: OtherClock) -> None:
    """What was missed is older than what a split pulls again; a stop before that was pulled changes nothing."""
    day = last_session()
    first = day - timedelta(days=4)  # its session is not the one before `day`
    while first.weekday() >= 5 or (first.month, first.day) in HOLIDAYS or is_movable_holiday(first):
        first -= timedelta(days=1)
    clock.at(first, 10, 0)
    served = {"INGEST_SYMBOLS": "KO", "INGEST_REFERENCE": "true"}
    settings = QUIET | clock.settings | served | {"INGEST_DAY_BARS": "true", "INGEST_WARMUP": "true"}
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: series_status(line) == ["complete", "complete"], 60, "the warm-up", 0.2)
    wait_for(lambda: len(marks(line)) == 1, 60, "what is remembered of KO", 0.2)
    ingestor.stop()
    old = max(minutes(line))
    line.parts.simulator.add_fault("slow", match={"endpoint": "aggs"}, times=None, delay_ms=60000)
    split = {"ticker": "KO", "execution_date": str(day), "split_from": 1, "split_to": 2}
    line.parts.simulator.announce(splits=[split])
    clock.at(day, 12, 0)
    ingestor.start()
    wait_for(lambda: series_status(line) == ["running", "running"], 60, "the split", 0.1)
    ingestor.kill()
    assert max(minutes(line)) == old
    line.parts.simulator.clear_faults()
    ingestor.start()
    wait_for(lambda: max(minutes(line)) > moment(day, 11, 30), 60, "the present", 0.2)
    wait_for(lambda: series_status(line) == ["complete", "complete"], 60, "the end of the warm-up", 0.2)
    found = minutes(line)
    assert any(old < when < moment(first, 16, 0) for when in found)
    # An alert may come of what is new, and of nothing else.
    assert {when <= old for when, flags in found.items() if "warmup" in flags} == {True}
    assert {when <= old for when, flags in found.items() if "warmup" not in flags} == {False}


def moment(day: date, hour: int, minute: int) -> str:
    when = datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def minutes(line: Line) -> dict[str, list[str]]:
    """Flags of the minutes that were published, by their time."""
    return {e["event_time"]: e["flags"] for e in events(line, "bar") if e["interval"] == "1m"}


def series_status(line: Line) -> list[str]:
    found = line.messages("INGESTOR_WATERMARKS")
    newest = {m.key: m.event for m in found if m.key and m.key.startswith("polygon|bars|")}
    return [mark["status"] for mark in newest.values()]


def marks(line: Line) -> dict[str, dict[str, Any]]:
    found = line.messages("INGESTOR_WATERMARKS")
    return {m.key: m.event for m in found if m.key and m.key.startswith("polygon|symbols|")}


def refreshed(line: Line) -> int:
    """How many symbols were described on the newest of the days."""
    days = [mark["position"][:10] for mark in marks(line).values()]
    return days.count(max(days))
