# SPDX-License-Identifier: Apache-2.0
"""What the live ingestor keeps up to date beside bars and news: symbols and corporate actions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, prometheus, wait_for
from other_clock import NEW_YORK, OtherClock, last_session, ordinary
from served import Served

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


def details(line: Line) -> list[str]:
    """The tickers whose details were asked for."""
    return [request["symbol"] for request in line.asked(TICKERS + "/")]


def events(line: Line, kind: str) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW") if (e := m.event).get("event_type") == kind]


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
    listed = {symbol: event.get("list_date") for symbol, event in described.items()}
    assert listed == {"KO": "2000-01-03", "META": "2012-05-18", "X:BTCUSD": None}
    assert sorted(details(line)) == ["KO", "META"]  # one request each
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
    assert not line.asked("/v3/reference")
    # The next day: another name, and a split that has taken effect.
    line.parts.simulator.add_fault(
        "bad_row", match={"endpoint": "tickers", "symbol": "KO"}, times=None, set={"name": '"Another Name"'}
    )
    split = {"ticker": "KO", "execution_date": str(day + timedelta(days=1)), "split_from": 1, "split_to": 2}
    line.parts.simulator.announce(splits=[split])
    wait_for(lambda: len(line.asked(AGGS)) >= 1, 60, "a poll")
    before = len(line.asked(AGGS))
    clock.at(day + timedelta(days=1), 4, 0)
    wait_for(lambda: len(events(line, "symbol")) == 4, 60, "another description", 0.2)
    wait_for(lambda: line.events_logged("split"), 60, "the split", 0.1)
    wait_for(
        lambda: any("/day/" in r["path"] for r in line.asked(AGGS)[before:]), 60, "the warm-up again", 0.1
    )
    wait_for(lambda: refreshed(line) == 3, 60, "the end of the round", 0.2)
    ko = [event for event in events(line, "symbol") if event["symbol"] == "KO"]
    assert [event["name"] for event in ko] == [described["KO"]["name"], "Another Name"]
    assert details(line) == ["KO"]  # of the one that is described otherwise
    assert ko[1]["list_date"] == "2000-01-03"
    later = [action for action in events(line, "corporate_action") if action not in actions]
    assert [(action["kind"], action["symbol"], action["flags"]) for action in later] == [
        ("split", "KO", ["is_mock"])
    ]


def test_a_split_after_an_outage_leaves_no_hole(line: Line, clock: OtherClock) -> None:
    """What was missed is older than what a split pulls again; a stop before that was pulled changes nothing."""
    day = last_session()
    first = ordinary(day - timedelta(days=4), -1)  # its session is not the one before `day`
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


# Too many to be asked about by name.
MANY = ("AMZN", "DIS", "IBM", "JPM", "META", "NVDA", "TSLA", "WMT", "XOM")
SPLITS = "/v3/reference/splits"


def splits_of(line: Line, symbol: str) -> list[list[str]]:
    """Flags of its splits."""
    found = [e for e in events(line, "corporate_action") if (e["symbol"], e["kind"]) == (symbol, "split")]
    return [event["flags"] for event in found]


def refreshed_on(line: Line, day: date) -> set[str]:
    found = marks(line).items()
    return {key.split("|")[2] for key, mark in found if mark.get("position", "")[:10] == day.isoformat()}


def test_a_symbol_that_comes_back_is_asked_about_by_name(
    line: Line, clock: OtherClock, tmp_path: Path
) -> None:
    """It was away when the whole market was asked about: what happened to it meanwhile is not lost."""
    day = last_session() - timedelta(days=1)
    clock.at(day, 4, 0)
    path = tmp_path / "symbols.csv"
    settings = QUIET | clock.settings | {"INGEST_REFERENCE": "true", "INGEST_REFERENCE_PAGE_LIMIT": "1000"}
    served = Served(line, path, "KO", *MANY, **settings)
    wait_for(lambda: refreshed_on(line, day) == {"KO", *MANY}, 90, "all to be described", 0.2)
    served.write(*MANY)
    served.hang_up()
    later = day + timedelta(days=1)
    split = {"ticker": "KO", "execution_date": str(later), "split_from": 1, "split_to": 2}
    line.parts.simulator.announce(splits=[split])
    line.parts.simulator.forget_requests()
    clock.at(later, 4, 0)
    wait_for(lambda: refreshed_on(line, later) == set(MANY), 90, "the others on the next day", 0.2)
    assert not splits_of(line, "KO")
    assert [request["symbol"] for request in line.asked(SPLITS)] == [""]  # the market, once
    served.write("KO", *MANY)
    served.hang_up()
    wait_for(lambda: "KO" in refreshed_on(line, later), 60, "KO on that day", 0.2)
    wait_for(lambda: splits_of(line, "KO"), 10, "its split", 0.2)
    assert splits_of(line, "KO") == [["is_mock"]]  # it is news
    assert [request["symbol"] for request in line.asked(SPLITS)] == ["", "KO"]


def test_a_market_that_was_refused_for_long_is_caught_up_with(line: Line, clock: OtherClock) -> None:
    """Nine days without an answer, and a restart: the next answer is asked for from the last one on."""
    line.expected_errors.append("plan_limit")
    first = last_session() - timedelta(days=10)
    clock.at(first, 4, 0)
    settings = (
        QUIET | clock.settings | {"INGEST_SYMBOLS": ",".join(("KO", *MANY)), "INGEST_REFERENCE": "true"}
    )
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: refreshed_on(line, first) == {"KO", *MANY}, 90, "all to be described", 0.2)
    missed = first + timedelta(days=1)
    split = {"ticker": "KO", "execution_date": str(missed), "split_from": 1, "split_to": 2}
    line.parts.simulator.announce(splits=[split])
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "splits"}, times=None)
    last = first + timedelta(days=9)
    clock.at(last, 4, 0)
    wait_for(lambda: refreshed_on(line, last) == {"KO", *MANY}, 90, "the round that is refused", 0.2)
    ingestor.stop()
    line.parts.simulator.clear_faults()
    assert not splits_of(line, "KO")
    ingestor.start()
    wait_for(lambda: splits_of(line, "KO"), 60, "the split", 0.2)
    assert splits_of(line, "KO") == [["is_mock"]]


def test_a_new_symbol_that_nobody_answers_for_is_tried_again(line: Line, clock: OtherClock) -> None:
    """Half an hour later, not tomorrow; until then others have their turn."""
    line.expected_errors.append("series_given_up")
    day = last_session()
    clock.at(day, 6, 10)
    endpoints = ("tickers", "ticker_details", "ticker_events", "splits", "dividends")
    for endpoint in endpoints:
        line.parts.simulator.add_fault(
            "server_error", match={"endpoint": endpoint, "symbol": "KO"}, times=None
        )
    patience = {"INGEST_RETRY_ATTEMPTS": "2", "INGEST_RETRY_BASE_MS": "10", "INGEST_RETRY_MAX_MS": "20"}
    patience |= {"INGEST_CIRCUIT_FAILURES": "1000"}
    served = {"INGEST_SYMBOLS": "KO,X:BTCUSD", "INGEST_REFERENCE": "true"}
    line.start("ingestor", **(QUIET | clock.settings | served | patience))
    wait_for(lambda: refreshed_on(line, day) == {"X:BTCUSD"}, 60, "the other one", 0.2)
    wait_for(lambda: len(line.events_logged("series_given_up")) == 6, 60, "all that is asked about KO", 0.2)
    line.parts.simulator.clear_faults()
    clock.at(day, 6, 45)
    wait_for(lambda: refreshed_on(line, day) == {"KO", "X:BTCUSD"}, 60, "KO", 0.2)
    assert sorted(e["symbol"] for e in events(line, "symbol")) == ["KO", "X:BTCUSD"]
    actions = [e for e in events(line, "corporate_action") if e["symbol"] == "KO"]
    assert actions and all("warmup" in event["flags"] for event in actions)


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
