# SPDX-License-Identifier: Apache-2.0
"""Cases of docs/provider-cases.md that need the whole ingestor: pages, keys, endpoints, days without trading."""

from __future__ import annotations

import itertools
import json
import re
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, prometheus, wait_for
from mflocal.layout import write_private
from mflocal.ports import Ports

pytestmark = pytest.mark.sanitized

FB_DAYS = 196
FB = ["bars", "--symbols", "FB", "--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day"]
FB += ["--adjusted", "none"]
# Articles of eight weeks, a few per page.
NEWS = ["news", "--symbols", "NVDA", "--from", "2024-01-02", "--to", "2024-01-14"]
FEW = {"INGEST_NEWS_PAGE_LIMIT": "10"}


def events(line: Line, kind: str, role: str = "RAW_BACKFILL") -> list[dict[str, Any]]:
    return [e for m in line.messages(role) if (e := m.event)["event_type"] == kind]


def articles(line: Line, run: str) -> Counter[str]:
    got = [event for event in events(line, "news") if event["lane"] == f"backfill:{run}"]
    return Counter(event["article_id"] for event in got)


@pytest.fixture
def whole(line: Line) -> Counter[str]:
    """What an undisturbed run brings, over at least nine pages."""
    assert line.backfill(*NEWS, "--run-id", "whole", **FEW)["complete"] is True
    assert max(r["page"] for r in line.asked("/v2/reference/news")) >= 9
    line.parts.simulator.forget_requests()
    found = articles(line, "whole")
    assert set(found.values()) == {1}
    return found


# --- pages -------------------------------------------------------------------------------------------------


def test_a_limit_on_page_seven_goes_on_there(line: Line, whole: Counter[str]) -> None:
    """N05: no page before the seventh is asked for again, and nothing is published twice."""
    line.parts.simulator.add_fault("rate_limited", match={"endpoint": "news", "page": 7}, retry_after=1)
    assert line.backfill(*NEWS, "--run-id", "limited", **FEW)["complete"] is True
    seen = line.asked("/v2/reference/news")
    assert [r["page"] for r in seen if r["status"] == 429] == [7]
    assert [r["page"] for r in seen if r["status"] == 200] == sorted({r["page"] for r in seen})
    assert articles(line, "limited") == whole


def test_an_empty_page_in_the_middle_is_no_end(line: Line, whole: Counter[str]) -> None:
    """N10."""
    line.parts.simulator.add_fault("empty_page", match={"endpoint": "news", "page": 4})
    assert line.backfill(*NEWS, "--run-id", "empty", **FEW)["complete"] is True
    assert line.parts.simulator.faults()[0]["hits"] == 1
    assert articles(line, "empty") == whole


def test_a_page_that_leads_to_itself_ends_the_range(line: Line, whole: Counter[str]) -> None:
    """N09: what came before it is published, the run says that it is not complete, and a later start is."""
    line.expected_errors.append("next_page_refused|request_rejected")
    line.parts.simulator.add_fault("repeating_next_url", match={"endpoint": "news", "page": 3}, times=None)
    assert line.backfill(*NEWS, "--run-id", "loop", code=75, **FEW)["complete"] is False
    assert len(line.asked("/v2/reference/news")) < 10
    assert 0 < len(articles(line, "loop")) < len(whole)
    line.parts.simulator.clear_faults()
    assert line.backfill(*NEWS, "--run-id", "loop", **FEW)["complete"] is True
    assert set(articles(line, "loop")) == set(whole)


@pytest.mark.parametrize("host", ["api.polygon.io", "api.massive.com:443"])
def test_a_page_may_name_either_of_the_vendors_hosts(line: Line, whole: Counter[str], host: str) -> None:
    """N52: it is asked for on the configured base, the only place that the key goes to."""
    line.parts.simulator.add_fault("foreign_next_url", match={"endpoint": "news"}, times=None, host=host)
    assert line.backfill(*NEWS, "--run-id", "hosts", **FEW)["complete"] is True
    assert articles(line, "hosts") == whole


@pytest.mark.parametrize(
    "host", ["api.massive.com.evil.invalid", "me@api.massive.com", "api.massive.com:8443", "[::1]"]
)
def test_a_page_at_another_host_is_refused(line: Line, host: str) -> None:
    """N08."""
    line.expected_errors.append("next_page_refused")
    line.parts.simulator.add_fault("foreign_next_url", match={"endpoint": "news"}, times=None, host=host)
    assert line.backfill(*NEWS, code=75, **FEW)["complete"] is False
    assert len(line.asked("/v2/reference/news")) == 1


# --- rows --------------------------------------------------------------------------------------------------


def test_prices_of_another_symbol_are_dead_letters(line: Line) -> None:
    """N15: a row in the middle that shows twenty times the price; its neighbours stand."""
    other = dict.fromkeys("ohlc", "611.5")
    line.parts.simulator.add_fault("bad_row", match={"endpoint": "aggs"}, index=50, set=other)
    summary = line.backfill(*FB)
    assert (summary["rejected"], summary["dead_lettered"]) == (1, 1)
    assert len(events(line, "bar")) == FB_DAYS - 1
    letter = line.messages("DLQ")[0].event
    assert (letter["reason"], letter["symbol"]) == ("implausible_price", "FB")


def closes(line: Line, lane: str, symbol: str) -> dict[str, float]:
    got = [e for e in events(line, "bar") if e["lane"] == lane and e["symbol"] == symbol]
    return {event["session_date"]: float(event["close"]) for event in got}


def jump(days: dict[str, float], ex_date: str) -> float:
    """By how much the price fell over the night before the split."""
    order = sorted(days)
    at = order.index(ex_date)
    return days[order[at - 1]] / days[order[at]]


def test_prices_jump_where_splits_are_known_and_nowhere_else(line: Line) -> None:
    """N16, N17: bars as traded show each split once, on its day; adjusted ones show none. N15: a split is no
    implausible price, however closely prices are looked at."""
    symbols = ["--symbols", "AAPL,MSFT", "--from", "2000-03-01", "--to", "2013-03-01"]
    line.backfill("splits", *symbols)
    splits = [
        (e["symbol"], e["ex_date"], e["split_to"] / e["split_from"]) for e in events(line, "corporate_action")
    ]
    assert len(splits) == len(set(splits)) == 3
    for adjusted in ("none", "split"):
        bars = ["bars", *symbols, "--timespan", "day", "--adjusted", adjusted, "--run-id", adjusted]
        assert line.backfill(*bars, INGEST_IMPLAUSIBLE_FACTOR="2")["rejected"] == 0
    for symbol in ("AAPL", "MSFT"):
        raw, even = (closes(line, f"backfill:{lane}", symbol) for lane in ("none", "split"))
        expected = {day: ratio for name, day, ratio in splits if name == symbol}
        found = {day for day in sorted(raw)[1:] if not 0.55 < jump(raw, day) < 1.8}
        # The history has days on which a price halved by itself; each known split is among the jumps.
        assert expected.keys() <= found
        for day, ratio in expected.items():
            assert 0.8 < jump(raw, day) / ratio < 1.25
            assert 0.8 < jump(even, day) < 1.25
        assert {
            day for day in sorted(even)[1:] if not 0.55 < jump(even, day) < 1.8
        } == found - expected.keys()


# --- days without trading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("timespan", ["day", "minute"])
def test_a_holiday_is_no_failure(line: Line, timespan: str) -> None:
    """N51: no bars, asked for once, complete, exit 0."""
    christmas = ["--from", "2023-12-23", "--to", "2023-12-25", "--timespan", timespan]
    summary = line.backfill("bars", "--symbols", "NVDA,TSLA", *christmas)
    assert summary["complete"] is True
    assert not events(line, "bar")
    assert not line.messages("DLQ")
    assert len(line.asked("/v2/aggs")) == 2


def test_what_has_not_begun_is_not_asked_for(line: Line) -> None:
    """N07: the vendor refuses the future in the words of a plan's limit. No day of New York's future is asked for,
    also when it has begun in UTC, and a day that has not is refused before anything is asked."""
    now = datetime.now(UTC)
    days = ["--from", (now - timedelta(days=20)).date().isoformat(), "--timespan", "day", "--to"]
    line.backfill("bars", "--symbols", "NVDA", *days, now.date().isoformat(), code=75)  # it grows on
    assert events(line, "bar")
    seen = line.asked("/v2/aggs")
    last = seen[-1]["path"].rsplit("/", 1)[1]
    new_york = [(now - timedelta(hours=hours)).date().isoformat() for hours in (5, 4)]
    assert last in new_york
    line.expected_errors.append("start_failed")
    line.backfill("bars", "--symbols", "NVDA", *days, "2099-12-31", code=78)
    assert len(line.asked("/v2/aggs")) == len(seen)


# --- keys and endpoints ------------------------------------------------------------------------------------


def states(line: Line, feed: str) -> list[str]:
    status = [e for e in events(line, "feed_status", "RAW") if e["feed"] == feed]
    return [event["state"] for event in status]


def check(service: ServiceProcess, name: str) -> dict[str, Any]:
    return dict(service.readiness()["checks"][name])


LIVE = {"INGEST_SYMBOLS": "X:BTCUSD,X:ETHUSD,X:SOLUSD", "INGEST_POLL_MS": "200", "INGEST_NEWS_POLL_MS": "200"}
LIVE |= {"INGEST_DAY_BARS": "false", "INGEST_WARMUP": "false", "INGEST_HEARTBEAT_MS": "200"}


def test_a_key_is_rotated_without_a_restart(line: Line, other_key: str) -> None:
    """N06, N52: the old key stops all work, loudly and without hammering; SIGHUP takes the new one over."""
    line.expected_errors.append("key")
    simulator = line.parts.simulator
    ingestor = line.start("ingestor", **LIVE)
    wait_for(lambda: len(line.asked("/v2")) > 10, 60, "requests")
    write_private(simulator.key_file, other_key + "\n")
    wait_for(lambda: ingestor.metric("marketflow_ingest_key_rejected") == 1, 60, "the refusal")
    wait_for(
        lambda: ingestor.metric("marketflow_http_client_in_flight_requests") == 0,
        60,
        "the last request's end",
    )
    simulator.forget_requests()
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["parked"], 60, "the feed to be parked")
    assert not line.asked("/v2")
    assert check(ingestor, "key")["ok"] is False
    assert prometheus.fetch(ingestor.url + "/livez")[0] == 200
    assert len(line.events_logged("key_rejected_all_stopped")) == 1
    assert ingestor.identity is not None
    ingestor.identity.send(signal.SIGHUP)
    wait_for(lambda: ingestor.metric("marketflow_ingest_key_rejected") == 0, 60, "the new key to be taken")
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["ok"], 60, "the feed to go on")
    assert check(ingestor, "key")["ok"] is True
    statuses = [r["status"] for r in line.asked("/v2")]
    assert 401 not in statuses
    for text in (ingestor_log(line), prometheus.fetch(ingestor.url + "/metrics")[1]):
        assert other_key not in text


def ingestor_log(line: Line) -> str:
    return "".join(path.read_text(errors="replace") for path in line.layout.log.glob("*.log"))


def test_a_broken_endpoint_is_left_alone(line: Line) -> None:
    """Bars fail, whoever asks for them: they are tried one at a time, and news goes on."""
    open_ms = 1500
    circuit = {"INGEST_CIRCUIT_FAILURES": "4", "INGEST_CIRCUIT_OPEN_MS": str(open_ms)}
    simulator = line.parts.simulator
    ingestor = line.start("ingestor", **LIVE, **circuit, INGEST_RETRY_BASE_MS="10", INGEST_RETRY_MAX_MS="50")
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["ok"], 60, "the feed to be well")
    simulator.add_fault("server_error", match={"endpoint": "aggs"}, times=None)
    wait_for(
        lambda: ingestor.metric("marketflow_circuit_state", endpoint="bars") == 2, 60, "the circuit to open"
    )
    simulator.forget_requests()
    wait_for(lambda: len(line.asked("/v2/aggs")) >= 3, 60, "three that find out")
    tried = [r["at_ms"] for r in line.asked("/v2/aggs")]
    assert all(later - earlier >= open_ms for earlier, later in itertools.pairwise(tried))
    assert len(line.asked("/v2/reference/news")) > 3
    assert ingestor.metric("marketflow_circuit_state", endpoint="news") == 0
    broken = check(ingestor, "circuits")
    assert broken["ok"] is False
    assert re.match(r"bars is (half_)?open after \d+ failures in a row: ", broken["detail"])
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["failed"], 60, "the feed to be told as failed")
    assert states(line, "polygon.news")[-1] == "ok"
    simulator.clear_faults()
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["ok"], 60, "the feed to be well again")
    assert check(ingestor, "circuits")["ok"] is True
    assert ingestor.metric("marketflow_circuit_opened_total", endpoint="bars") == 1
    assert len(line.events_logged("circuit_closed")) == 1


def heartbeats_of(line: Line, feed: str) -> int:
    return sum(feed in event["feeds"] for event in events(line, "heartbeat", "RAW"))


def test_a_symbol_that_cannot_warm_up_is_named_and_holds_nobody_back(line: Line) -> None:
    """Its minutes wait for its days, which fail without end: they count as failing, and the feed goes on."""
    broken = {"endpoint": "aggs", "symbol": "X:ETHUSD", "timespan": "day"}
    line.parts.simulator.add_fault("server_error", match=broken, times=None)
    settings = LIVE | {"INGEST_DAY_BARS": "true", "INGEST_WARMUP": "true", "INGEST_CIRCUIT_FAILURES": "0"}
    settings |= {"INGEST_SYMBOLS": "X:BTCUSD,X:ETHUSD", "INGEST_HEARTBEAT_EXCLUDE_MS": "1000"}
    line.start("ingestor", **settings, INGEST_RETRY_BASE_MS="10", INGEST_RETRY_MAX_MS="50")
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["late"], 60, "the feed to be told as late")
    status = [e for e in events(line, "feed_status", "RAW") if e["feed"] == "polygon.bars.1m"]
    assert status[-1]["excluded"] == ["X:ETHUSD"]
    wait_for(lambda: heartbeats_of(line, "polygon.bars.1m") > 0, 60, "heartbeats of the others")
    line.parts.simulator.clear_faults()
    wait_for(lambda: states(line, "polygon.bars.1m")[-1:] == ["ok"], 60, "the feed to be well")


def test_a_backfill_gives_a_broken_endpoint_up_and_can_go_on(line: Line) -> None:
    """Twenty symbols on a dead provider: the run ends soon, says why, and the next start finishes it."""
    line.expected_errors.append("series_given_up")
    simulator = line.parts.simulator
    simulator.add_fault("server_error", match={"endpoint": "aggs"}, times=None)
    symbols = ",".join(f"X:G{number:02}USD" for number in range(20))
    run = ["bars", "--symbols", symbols, "--from", "2024-01-02", "--to", "2024-01-03", "--timespan", "day"]
    settings = {"INGEST_CIRCUIT_FAILURES": "5", "INGEST_CIRCUIT_OPEN_MS": "200", "INGEST_RETRY_ATTEMPTS": "3"}
    settings |= {"INGEST_RETRY_BASE_MS": "10", "INGEST_RETRY_MAX_MS": "50"}
    summary = line.backfill(*run, code=75, **settings)
    assert summary["complete"] is False
    assert len(line.asked("/v2/aggs")) < 20
    simulator.clear_faults()
    assert line.backfill(*run, **settings)["complete"] is True
    assert len({e["symbol"] for e in events(line, "bar")}) == 20


def test_answers_about_one_symbol_open_no_circuit(line: Line) -> None:
    line.expected_errors.append("unknown_ticker")
    line.parts.simulator.add_fault("not_found", match={"endpoint": "aggs"}, times=6)
    symbols = "X:HAUSD,X:HBUSD,X:HCUSD,X:HDUSD,X:HEUSD,X:HFUSD,X:HGUSD"
    run = ["bars", "--symbols", symbols, "--from", "2024-01-02", "--to", "2024-01-03", "--timespan", "day"]
    result = line.run(
        "marketflow-ingestor", "backfill", *run, INGEST_CIRCUIT_FAILURES="2", INGEST_PARALLEL="1"
    )
    summary = json.loads(result.stdout.splitlines()[-1])
    assert Counter(one["status"] for one in summary["symbols"].values()) == {
        "unknown_ticker": 6,
        "complete": 1,
    }
    assert not line.events_logged("circuit_opened")


def test_two_producers_of_the_same_bars(line: Line) -> None:
    """N44: after a failover both publish; the bars are the same events, folded once and stored once."""
    bars = {"INGEST_SYMBOLS": "X:BTCUSD", "INGEST_NEWS": "false", "INGEST_DAY_BARS": "false"}
    # Each of them publishes two sessions of minutes before its first live bar.
    for name in ("sink", "processor"):
        line.start(name)
    line.start("ingestor", **bars)
    line.wait_count("raw_bars", 1000, "payload->>'interval' = '1m' AND payload->>'source' = 'polygon'")
    marks = line.topic("INGESTOR_WATERMARKS") + ".other"  # knows nothing of the first one
    result = line.run("marketflowctl", "topics", "apply", KAFKA_TOPIC_INGESTOR_WATERMARKS=marks)
    assert result.returncode == 0, result.stderr
    second = line.service(
        "ingestor", KAFKA_INSTANCE_ID=f"{line.name}-second", KAFKA_TOPIC_INGESTOR_WATERMARKS=marks, **bars
    )
    second.name = "second"
    second.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{Ports(line.layout).take('metrics-second')}"
    second.start()

    def doubled() -> int:
        keys = Counter(e["event_id"] for e in events(line, "bar", "RAW") if e["source"] == "polygon")
        return sum(1 for count in keys.values() if count > 1)

    wait_for(lambda: doubled() >= 1000, 120, "a thousand bars by both", 1)
    processor = line.services[1]
    wait_for(lambda: processor.lag() == 0, 60, "the processor to have read them")
    # Within the ring a repeat goes no further; beyond it, it passes as late and the warehouse's key knows it.
    told = Counter(
        m.event["event_id"]
        for m in line.messages("BARS_FILTERED")
        if m.event["source"] == "polygon" and "late" not in m.headers.get("mf-flags", "")
    )
    assert set(told.values()) == {1}
    assert line.count("raw_bars", "revision > 0") == 0
    assert line.number("SELECT count(*) - count(DISTINCT event_id) FROM raw.raw_bars") == 0
