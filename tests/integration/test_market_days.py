# SPDX-License-Identifier: Apache-2.0
"""Days that the exchanges announce beside the built-in calendar: they are followed, kept, withdrawn, said once."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, wait_for
from other_clock import NEW_YORK, OtherClock, last_session, ordinary

pytestmark = pytest.mark.feeds

STATUS = "/v1/marketstatus"
ANNOUNCED = "marketflow_ingest_announced_days"
SETTINGS = {
    "INGEST_MARKET_STATUS": "true",
    "INGEST_WARMUP": "false",
    "INGEST_NEWS": "false",
    "INGEST_POLL_MS": "100",
    "INGEST_CLOSED_POLL_MS": "1000",
    "INGEST_SETTLE_MS": "1000",
    "INGEST_HEARTBEAT_MS": "500",
}


@pytest.fixture(autouse=True)
def no_days(line: Line) -> Iterator[None]:
    line.parts.simulator.forget_days()
    yield
    line.parts.simulator.forget_days()


def minutes(line: Line, symbol: str) -> int:
    return len(line.asked(f"/v2/aggs/ticker/{symbol}/range/1/minute/"))


def days(line: Line, symbol: str) -> int:
    return len(line.asked(f"/v2/aggs/ticker/{symbol}/range/1/day/"))


def day_bars(line: Line, symbol: str) -> dict[str, dict[str, Any]]:
    events = [m.event for m in line.messages("RAW") if m.key == symbol]
    return {e["session_date"]: e for e in events if e["event_type"] == "bar" and e["interval"] == "1d"}


def announced(service: ServiceProcess) -> dict[str, float]:
    return {s.labels["difference"]: s.value for s in service.metrics() if s.name == ANNOUNCED}


def wait_announced(service: ServiceProcess, **counts: int) -> None:
    wanted = {"closed": 0, "other_hours": 0, "opened": 0} | counts
    wait_for(lambda: announced(service) == wanted, 60, f"announced days {wanted}", 0.1)


def said(line: Line, event: str) -> list[str]:
    """The days that log lines of this kind name, in order."""
    return [entry["date"] for entry in line.events_logged(event)]


def assert_closed(line: Line) -> None:
    """KO is asked for at the pace of a closed market, ten times slower than what never closes, and not for its day."""
    line.parts.simulator.forget_requests()
    wait_for(lambda: minutes(line, "KO") >= 5, 60, "polls at the pace of a closed market", 0.1)
    assert minutes(line, "X:BTCUSD") > 3 * minutes(line, "KO")
    assert days(line, "KO") == 0


def test_an_unscheduled_closure(line: Line, clock: OtherClock) -> None:
    """No poll at the open pace, no day bar that is waited for; a restart that is refused the list knows it still."""
    day = last_session()
    clock.at(day, 16, 10)  # by the built-in calendar the day bar is there
    line.parts.simulator.announce_days({"date": day.isoformat(), "name": "Mourning"})
    settings = SETTINGS | clock.settings | {"INGEST_SYMBOLS": "KO,X:BTCUSD"}
    ingestor = line.start("ingestor", **settings)
    wait_announced(ingestor, closed=1)
    wait_for(lambda: days(line, "KO"), 60, "the first request for days")
    assert_closed(line)
    assert day.isoformat() not in day_bars(line, "KO")
    assert said(line, "announced_day") == [day.isoformat()]
    # As far as anything can have come, all has come.
    noon = datetime.combine(day, time(12), NEW_YORK).astimezone(UTC).isoformat()
    wait_for(lambda: complete_to(line, "polygon.bars.1m") > noon, 60, "a heartbeat of the closed day")
    ingestor.kill()
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "status"}, times=None)
    ingestor.start()
    ingestor.wait_ready()
    assert announced(ingestor) == {"closed": 1, "other_hours": 0, "opened": 0}
    assert [entry["days"] for entry in line.events_logged("announced_days_kept")] == [1]
    wait_for(lambda: len(line.events_logged("market_status_not_offered")) == 2, 60, "both are refused")
    assert_closed(line)
    assert all(check["ok"] for check in ingestor.readiness()["checks"].values())
    assert said(line, "announced_day") == [day.isoformat()]


def complete_to(line: Line, feed: str) -> str:
    beats = [m.event for m in line.messages("RAW") if m.event["event_type"] == "heartbeat"]
    return max((beat["feeds"].get(feed, "") for beat in beats), default="")


def test_an_early_close_moves_the_day_bar(line: Line, clock: OtherClock) -> None:
    day = last_session()
    line.parts.simulator.announce_days({"date": day.isoformat(), "status": "early-close", "close": "13:00"})
    clock.at(day, 12, 59, 40)
    settings = SETTINGS | clock.settings | {"INGEST_SYMBOLS": "KO", "INGEST_MINUTE_BARS": "false"}
    ingestor = line.start("ingestor", **settings)
    wait_announced(ingestor, other_hours=1)
    wait_for(lambda: day.isoformat() in day_bars(line, "KO"), 90, "the day bar after the early close")
    bar = day_bars(line, "KO")[day.isoformat()]
    close = datetime.combine(day, time(13), NEW_YORK).astimezone(UTC)
    assert bar["window_end"] == close.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert bar["ingest_time"] < close.replace(hour=close.hour + 2).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_market_that_does_not_open(line: Line, clock: OtherClock) -> None:
    """The list says nothing, the market's status does, and nothing is traded."""
    day = last_session()
    clock.at(day, 11, 0)
    line.parts.simulator.announce_days({"date": day.isoformat(), "listed": False})
    settings = SETTINGS | clock.settings | {"INGEST_SYMBOLS": "KO,X:BTCUSD"}
    ingestor = line.start("ingestor", **settings)
    wait_announced(ingestor, closed=1)
    wait_for(lambda: days(line, "KO"), 60, "the first request for days")
    assert_closed(line)


def test_a_market_that_opens_all_the_same(line: Line, clock: OtherClock) -> None:
    """The list says closed, but it is open and trades: its status has the last word about today."""
    day = last_session()
    clock.at(day, 11, 0)
    line.parts.simulator.announce_days({"date": day.isoformat(), "happens": False})
    settings = SETTINGS | clock.settings | {"INGEST_SYMBOLS": "KO", "INGEST_MARKET_STATUS_MS": "1000"}
    ingestor = line.start("ingestor", **settings)
    wait_for(lambda: len(line.asked(STATUS)) >= 6, 60, "three rounds")
    wait_announced(ingestor)
    assert len(said(line, "announced_day")) <= 1  # where the list was answered first
    assert said(line, "announced_day") == said(line, "announcement_withdrawn")


def session_ahead() -> date:
    """Weeks ahead, a day that is no holiday whatever the year."""
    return ordinary(datetime.now(NEW_YORK).date() + timedelta(days=40), 1)


def hang_up(line: Line, ingestor: ServiceProcess) -> None:
    """SIGHUP asks again at once."""
    seen = len(line.asked(STATUS))
    assert ingestor.identity is not None
    ingestor.identity.send(signal.SIGHUP)
    wait_for(lambda: len(line.asked(STATUS)) >= seen + 2, 60, "both are asked for again", 0.05)


def test_announcements_come_and_go(line: Line) -> None:
    """Each is said once, whatever the number of times it is asked for; what is said no more is withdrawn."""
    day = session_ahead().isoformat()
    settings = SETTINGS | {"INGEST_SYMBOLS": "X:BTCUSD"}
    line.parts.simulator.announce_days({"date": day})
    ingestor = line.start("ingestor", **settings)
    wait_announced(ingestor, closed=1)
    hang_up(line, ingestor)
    hang_up(line, ingestor)
    assert said(line, "announced_day") == [day]
    line.parts.simulator.announce_days({"date": day, "status": "early-close"})
    hang_up(line, ingestor)
    wait_announced(ingestor, other_hours=1)
    line.parts.simulator.announce_days({"date": day, "exchanges": ["NASDAQ"]})
    hang_up(line, ingestor)
    wait_announced(ingestor)
    assert said(line, "announced_day") == [day, day]
    assert said(line, "announcement_withdrawn") == [day]
    hang_up(line, ingestor)
    assert said(line, "disputed_day") == [day]
    ingestor.stop()
    kept = [m.event for m in line.messages("INGESTOR_WATERMARKS") if m.key == "market|us_equities"]
    assert [len(record["days"]) for record in kept] == [1, 1, 0]


def test_bad_rows_and_bad_answers(line: Line) -> None:
    """A bad row is a dead letter, once; the others count. An answer that is none is asked for again."""
    day = session_ahead().isoformat()
    rows = [
        {"exchange": exchange, "name": "Storm", "date": day, "status": "closed"}
        for exchange in ("NYSE", "NASDAQ")
    ]
    bad = {"exchange": "NYSE", "name": "Storm", "date": "2026-02-30", "status": "closed"}
    upcoming = {"path": f"{STATUS}/upcoming"}
    line.parts.simulator.add_fault("not_json", match=upcoming, times=1)
    line.parts.simulator.add_fault(
        "not_json", match=upcoming, after=1, times=None, body=json.dumps([*rows, bad])
    )
    ingestor = line.start("ingestor", **(SETTINGS | {"INGEST_SYMBOLS": "X:BTCUSD"}))
    wait_announced(ingestor, closed=1)
    hang_up(line, ingestor)
    hang_up(line, ingestor)
    letters = [m.event for m in line.messages("DLQ")]
    assert [(letter["reason"], letter["symbol"]) for letter in letters] == [("bad_date", "_UNKNOWN")]
    assert letters[0]["origin"]["feed"] == "polygon.holidays"
    assert ingestor.metric("marketflow_ingest_records_total", type="feed_status", result="invalid") >= 1


def test_a_broken_endpoint_makes_nothing_less_ready(line: Line) -> None:
    """Its circuits open, its requests are tried again and again, and the polls and /readyz know nothing of it."""
    line.parts.simulator.add_fault("server_error", match={"endpoint": "status"}, times=None)
    impatient = {
        "INGEST_CIRCUIT_FAILURES": "2",
        "INGEST_CIRCUIT_OPEN_MS": "60000",
        "INGEST_RETRY_BASE_MS": "10",
        "INGEST_RETRY_MAX_MS": "50",
    }
    ingestor = line.start("ingestor", **(SETTINGS | impatient | {"INGEST_SYMBOLS": "X:BTCUSD"}))
    for endpoint in ("holidays", "market_state"):
        wait_for(
            lambda e=endpoint: ingestor.metric("marketflow_circuit_state", endpoint=e) == 2, 60, "a circuit"
        )
    polled = minutes(line, "X:BTCUSD")
    wait_for(lambda: minutes(line, "X:BTCUSD") >= polled + 5, 60, "polls")
    assert all(check["ok"] for check in ingestor.readiness()["checks"].values())
    states = {m.event["state"] for m in line.messages("RAW") if m.event["event_type"] == "feed_status"}
    assert states == {"ok"}


def test_switched_off(line: Line) -> None:
    """Nothing is asked, and what was kept is left alone."""
    line.parts.simulator.announce_days({"date": session_ahead().isoformat()})
    settings = SETTINGS | {"INGEST_SYMBOLS": "X:BTCUSD"}
    ingestor = line.start("ingestor", **settings)
    wait_announced(ingestor, closed=1)
    ingestor.stop()
    line.services.remove(ingestor)
    line.parts.simulator.forget_requests()
    ingestor = line.start("ingestor", **(settings | {"INGEST_MARKET_STATUS": "false"}))
    wait_for(lambda: minutes(line, "X:BTCUSD") >= 5, 60, "polls")
    assert line.asked(STATUS) == []
    assert announced(ingestor) == {}
