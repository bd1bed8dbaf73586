# SPDX-License-Identifier: Apache-2.0
"""--universe: the run finds its symbols itself, once; and cursors that have expired."""

from __future__ import annotations

import json
from typing import Any

import pytest
from line import PARTITIONS, Line
from mflocal import wait_for

pytestmark = pytest.mark.once

TICKERS = "/v3/reference/tickers"
RUN = "all-stocks"
WEEK = ["--from", "2024-07-01", "--to", "2024-07-05", "--timespan", "day"]
ALL = ["bars", "--universe", *WEEK, "--run-id", RUN]
PAGES = {"INGEST_REFERENCE_PAGE_LIMIT": "4"}
# The simulator's stocks that are traded.
STOCKS = {"AAPL", "AMZN", "DIS", "FB", "GOOG", "IBM", "JPM", "KO", "MSFT", "NVDA", "TSLA", "WMT", "XOM"}
# The replayed ones have no bars in 2024.
TRADED = STOCKS - {"AAPL", "FB", "GOOG", "IBM", "MSFT"}


def lookups(line: Line) -> list[dict[str, Any]]:
    return line.asked(TICKERS)


def events(line: Line) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW_BACKFILL") if (e := m.event)["event_type"] != "heartbeat"]


def stored_parts(line: Line) -> list[str]:
    last = {m.key: m.value for m in line.messages("INGESTOR_WATERMARKS") if m.key}
    return sorted(key for key, value in last.items() if key.startswith("universe|") and value is not None)


def test_all_stocks_of_the_market(line: Line) -> None:
    plan = line.backfill(*ALL, "--dry-run", **PAGES)
    assert (plan["universe_known"], plan["requests"], plan["bound"]) == (False, 1, "at least")
    assert not lookups(line)
    summary = line.backfill(*ALL, **PAGES)
    assert summary["complete"] is True
    assert set(summary["symbols"]) == STOCKS
    assert {event["event_type"] for event in events(line)} == {"bar"}
    assert {event["symbol"] for event in events(line)} == TRADED
    seen = lookups(line)
    assert len(seen) == 4
    assert "market=stocks" in seen[0]["query"] and "active=true" in seen[0]["query"]
    assert not stored_parts(line), "a complete run leaves its record only"
    asked = line.parts.simulator.requests()["total"]
    again = line.backfill(*ALL, **PAGES)
    assert (again["complete_before"], again["run"]) == (True, summary["run"])
    assert line.parts.simulator.requests()["total"] == asked


def test_the_list_is_the_runs(line: Line) -> None:
    """A search that was interrupted goes on at its page; what was found stays, whatever is listed later."""
    line.expected_errors.append("series_given_up")
    once = {**PAGES, "INGEST_RETRY_ATTEMPTS": "1", "INGEST_PARALLEL": "1"}
    simulator = line.parts.simulator
    simulator.add_fault("server_error", match={"endpoint": "tickers", "page": 3})
    summary = line.backfill(*ALL, code=75, **once)
    assert summary["error"]["code"] == "server_error"
    assert not events(line)
    assert [part.split("|")[1] for part in stored_parts(line)] == ["00000", "00001"]
    simulator.add_fault("server_error", match={"symbol": "KO"})
    summary = line.backfill(*ALL, code=75, **once)
    assert [request["page"] for request in lookups(line)] == [1, 2, 3, 3, 4]
    assert summary["symbols"]["KO"]["status"] == "incomplete"
    assert set(summary["symbols"]) == STOCKS
    # There are other stocks now.
    simulator.add_fault("empty_results", match={"endpoint": "tickers"}, times=None)
    known = line.backfill(*ALL, "--dry-run", **once)
    assert (known["universe_known"], known["series"], known["series_left"], known["requests"]) == (
        True,
        13,
        1,
        1,
    )
    summary = line.backfill(*ALL, **once)
    assert set(summary["symbols"]) == STOCKS
    assert {event["symbol"] for event in events(line)} == TRADED
    assert len(lookups(line)) == 5


@pytest.mark.parametrize("kind", ["bad_request", "not_found"])
def test_a_search_whose_page_is_gone_begins_anew(line: Line, kind: str) -> None:
    line.expected_errors.append("series_given_up|request_rejected|unknown_ticker")
    once = {**PAGES, "INGEST_RETRY_ATTEMPTS": "1"}
    simulator = line.parts.simulator
    simulator.add_fault("server_error", match={"endpoint": "tickers", "page": 3})
    line.backfill(*ALL, code=75, **once)
    simulator.add_fault(kind, match={"endpoint": "tickers", "page": 3})
    assert set(line.backfill(*ALL, **once)["symbols"]) == STOCKS
    assert [request["page"] for request in lookups(line)] == [1, 2, 3, 3, 1, 2, 3, 4]


def test_some_types_and_exchanges(line: Line) -> None:
    line.parts.simulator.add_fault(
        "bad_row", match={"endpoint": "tickers"}, times=None, index=1, set={"type": '"ETF"'}
    )
    line.parts.simulator.add_fault(
        "bad_row", match={"endpoint": "tickers"}, times=None, index=2, set={"primary_exchange": '"XNYS"'}
    )
    news = ["news", "--universe", "--from", "2024-07-01", "--to", "2024-07-01"]
    found = line.backfill(*news, "--type", "CS", "--exchange", "XNAS", "--dry-run")
    assert found["universe_known"] is False
    summary = line.backfill(*news, "--type", "CS,ADRC", "--exchange", "XNAS", **PAGES)
    # Of each page of four, without its second and its third one; the last page's only row is both.
    assert set(summary["symbols"]) == {"AAPL", "FB", "GOOG", "KO", "MSFT", "WMT"}
    summary = line.backfill(*news, "--type", "ETF", **PAGES)
    assert set(summary["symbols"]) == {"AMZN", "IBM", "NVDA", "XOM"}
    # Stored or not, a list of nothing is no list.
    line.expected_errors.append("service_failed")
    for _ in range(2):
        nothing = line.backfill(*news, "--type", "WARRANT", code=78, timeout=60, **PAGES)
        assert nothing["error"]["code"] == "no_symbols"


def test_an_abandoned_run_forgets_its_list(line: Line) -> None:
    line.expected_errors.append("series_given_up")
    line.parts.simulator.add_fault("server_error", match={"symbol": "KO"}, times=None)
    line.backfill(*ALL, code=75, INGEST_RETRY_ATTEMPTS="1", **PAGES)
    assert len(stored_parts(line)) == 4
    assert line.backfill("--abandon", RUN)["abandoned"] is True
    assert not stored_parts(line)
    ends = [m for m in line.messages("RAW_BACKFILL") if b'"lane_end":true' in (m.value or b"")]
    assert len(ends) == PARTITIONS


def keys_left(line: Line) -> dict[str, bytes]:
    """What the run has on the watermarks topic, but its record."""
    last = {m.key: m.value for m in line.messages("INGESTOR_WATERMARKS") if m.key}
    return {k: v for k, v in last.items() if v is not None and not k.startswith(("run|", "owner|"))}


def test_what_a_complete_run_left_is_forgotten_by_the_next_start(line: Line) -> None:
    """As if the process had been killed between the run's record and the end of the series' marks."""
    summary = line.backfill(*ALL, **PAGES)
    left: dict[str, bytes] = {}
    for message in line.messages("INGESTOR_WATERMARKS"):
        if message.key and message.value and not message.key.startswith(("run|", "owner|")):
            left[message.key] = message.value
    assert len(left) > len(STOCKS)
    assert not keys_left(line)
    for key, value in left.items():
        line.produce("INGESTOR_WATERMARKS", [value], key=key.encode())
    assert set(keys_left(line)) == set(left)
    line.backfill(*ALL, "--dry-run", **PAGES)
    assert set(keys_left(line)) == set(left), "a plan writes nothing"
    again = line.backfill(*ALL, **PAGES)
    assert (again["complete_before"], again["run"]) == (True, summary["run"])
    assert not keys_left(line)


def test_the_run_is_completed_before_it_is_ones_own(line: Line) -> None:
    """Between the first look and the claim, another process completes the run and forgets its list."""
    slow = line.service("ingestor", KAFKA_INSTANCE_ID=f"{line.name}-slow", **PAGES)
    slow.spec.arguments.extend(["backfill", *ALL])
    line.parts.simulator.add_fault("slow", match={"symbol": "KO"}, times=None, delay_ms=20000)
    slow.start()
    wait_for(lambda: any("|bars|" in key for key in keys_left(line)), 60, "the first mark")
    slow.kill()
    line.services.remove(slow)
    second = line.service("ingestor", KAFKA_INSTANCE_ID=f"{line.name}-second", **PAGES)
    second.spec.arguments.extend(["backfill", *ALL])

    def claims() -> int:
        keys = [m.key for m in line.messages("INGESTOR_WATERMARKS") if m.value]
        return sum(bool(key) and key.startswith("owner|") for key in keys)

    before = claims()
    second.start()
    wait_for(lambda: claims() > before, 60, "the claim")
    run = next(m for m in reversed(line.messages("INGESTOR_WATERMARKS")) if m.key == f"run|{RUN}")
    assert run.value
    record = json.dumps(json.loads(run.value) | {"status": "complete"}).encode()
    producer = line.producer()
    topic = line.topic("INGESTOR_WATERMARKS")
    producer.produce(topic, record, f"run|{RUN}")
    for key in keys_left(line):
        producer.produce(topic, None, key)
    assert producer.flush(60) == 0
    assert second.wait_exit(60) == 0
    line.services.remove(second)


@pytest.mark.parametrize("arguments", [["--symbols", "KO"], ["--type", "cs"], ["--exchange", ""]])
def test_what_does_not_go_together(line: Line, arguments: list[str]) -> None:
    refused = line.run("marketflow-ingestor", "backfill", *ALL, *arguments)
    assert refused.returncode == 78
    assert arguments[0] in refused.stderr


# --- cursors ------------------------------------------------------------------------------------------

PAGED = {"INGEST_BARS_PAGE_LIMIT": "100"}
DAY = ["bars", "--symbols", "KO", "--from", "2024-07-02", "--to", "2024-07-02"]


@pytest.mark.parametrize("kind", ["bad_request", "not_found"])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "of_this_process"])
def test_a_cursor_that_has_expired(line: Line, kind: str, stored: bool) -> None:
    """The series goes on from its newest event: nothing is missing, nothing comes twice."""
    line.expected_errors.append("series_given_up|request_rejected|unknown_ticker")
    match = {"symbol": "KO", "page": 3}
    if stored:
        line.parts.simulator.add_fault("server_error", match=match)
        line.backfill(*DAY, code=75, INGEST_RETRY_ATTEMPTS="1", **PAGED)
    line.parts.simulator.add_fault(kind, match=match)
    summary = line.backfill(*DAY, **PAGED)
    assert summary["symbols"]["KO"]["status"] == "complete"
    times = [event["event_time"] for event in events(line)]
    assert times == sorted(set(times))
    assert summary["run"]["events"] == len(times)
    whole = line.backfill(*DAY, "--again")
    assert whole["events"]["bar"] == len(times)
    # The answer itself is a dead letter: nobody else would know of it.
    assert summary["run"]["dead_lettered"] == len(line.messages("DLQ")) == 1
    assert json.dumps(summary).count("incomplete") == 0


def test_a_range_that_is_covered_later_is_saved_page_by_page(line: Line) -> None:
    """The plan grows, and the start that asks for the range again does not get to its end."""
    line.expected_errors.append("series_given_up|plan")
    line.parts.simulator.add_fault("forbidden", match={"symbol": "KO"})
    line.backfill(*DAY, code=75, **PAGED)
    assert not events(line)
    line.parts.simulator.add_fault("server_error", match={"symbol": "KO", "page": 3})
    line.backfill(*DAY, code=75, INGEST_RETRY_ATTEMPTS="1", **PAGED)
    done = len(events(line))
    assert done > 0
    summary = line.backfill(*DAY, **PAGED)
    times = [event["event_time"] for event in events(line)]
    assert times == sorted(set(times))
    assert summary["run"]["events"] == len(times) > done
    assert line.backfill(*DAY, "--again")["events"]["bar"] == len(times)
