# SPDX-License-Identifier: Apache-2.0
"""What is known about instruments: fetched whole, in pages, resumable, and in its raw table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from line import PARTITIONS, Line, Message

TICKERS = "/v3/reference/tickers"
STOCKS = ["symbols", "--market", "stocks"]


def events(line: Line, kind: str = "symbol") -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW_BACKFILL") if (e := m.event)["event_type"] == kind]


def requests(line: Line, path: str = TICKERS) -> list[dict[str, Any]]:
    return list(line.parts.simulator.requests(path=path)["requests"])


def lane_ends(line: Line) -> set[int]:
    values = [(m.partition, m.value or b"") for m in line.messages("RAW_BACKFILL")]
    return {partition for partition, value in values if b'"lane_end":true' in value}


def test_a_market_comes_in_pages(line: Line) -> None:
    summary = line.backfill(*STOCKS, INGEST_REFERENCE_PAGE_LIMIT="4")
    assert summary["complete"] is True
    got = events(line)
    assert summary["events"]["symbol"] == len(got) == len({event["symbol"] for event in got})
    assert {"AAPL", "NVDA", "ZZGONE"} <= {event["symbol"] for event in got}
    assert not {event["symbol"] for event in got if ":" in event["symbol"]}
    seen = requests(line)
    assert len(seen) > 4
    assert all(request["rows"] <= 4 for request in seen)
    gone = {event["symbol"]: event for event in got if event["active"] is False}
    assert gone["ZZLOST"]["delist_date"] == "2019-11-01"
    assert len(gone) == 3
    apple = next(event for event in got if event["symbol"] == "AAPL")
    assert apple["name"] == "Apple Inc."
    assert (apple["exchange"], apple["type"], apple["currency"]) == ("XNAS", "CS", "usd")
    assert apple["figi"].startswith("BBG")
    assert apple["aliases"] == []
    # Delisted first: a ticker in use again is said last as what it is now.
    assert "active=false" in seen[0]["query"]
    assert lane_ends(line) == set(range(PARTITIONS))
    assert line.backfill(*STOCKS)["complete_before"] is True
    assert len(requests(line)) == len(seen)


def test_single_symbols_and_one_that_nobody_knows(line: Line) -> None:
    line.parts.simulator.add_fault("empty_results", match={"symbol": "NOSUCH"}, times=None)
    summary = line.backfill("symbols", "--symbols", "IBM,ZZGONE,NOSUCH,X:BTCUSD")
    assert summary["complete"] is True
    assert {name: one["status"] for name, one in summary["symbols"].items()} == {
        "IBM": "complete",
        "ZZGONE": "complete",
        "NOSUCH": "unknown_ticker",
        "X:BTCUSD": "complete",
    }
    assert sorted(event["symbol"] for event in events(line)) == ["IBM", "X:BTCUSD", "ZZGONE"]
    assert not line.messages("DLQ")


def test_a_kill_between_pages_costs_no_page_twice(line: Line) -> None:
    """The start after a failure goes on at the page it had reached, in the pass it was in."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "4", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    failing = {"endpoint": "tickers", "page": 3}
    line.parts.simulator.add_fault("server_error", match=failing, times=1)
    assert line.backfill(*STOCKS, code=75, **small)["complete"] is False
    before = len(requests(line))
    assert line.backfill(*STOCKS, **small)["complete"] is True
    assert requests(line)[before]["page"] == 3
    symbols = [event["symbol"] for event in events(line)]
    assert len(symbols) == len(set(symbols))


def test_a_plan_without_tickers_is_partial(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "tickers"}, times=1)
    summary = line.backfill(*STOCKS, code=75)
    assert summary["symbols"]["market:stocks"]["status"] == "partial"
    assert not lane_ends(line)
    assert line.backfill(*STOCKS)["complete"] is True
    assert {"AAPL", "ZZGONE"} <= {event["symbol"] for event in events(line)}


@pytest.mark.parametrize("kind", ["foreign_next_url", "repeating_next_url"])
def test_a_bad_next_url_is_refused(line: Line, kind: str) -> None:
    line.expected_errors.append("next_url|page")
    line.parts.simulator.add_fault(kind, match={"endpoint": "tickers"}, times=None)
    summary = line.backfill(*STOCKS, code=75, INGEST_REFERENCE_PAGE_LIMIT="2")
    assert summary["symbols"]["market:stocks"]["status"] == "refused"


def test_an_empty_page_with_a_next_one_goes_on(line: Line) -> None:
    line.parts.simulator.add_fault("empty_page", match={"endpoint": "tickers", "page": 1})
    summary = line.backfill(*STOCKS, INGEST_REFERENCE_PAGE_LIMIT="4")
    assert summary["complete"] is True
    assert {"AAPL", "TSLA", "XOM"} <= {event["symbol"] for event in events(line)}


def test_bad_rows_become_dead_letters(line: Line) -> None:
    variants = ["missing_name", "missing_ticker", "bad_ticker", "bad_updated", "bad_delisted"]
    for index, variant in enumerate(variants):
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "tickers"}, after=1, index=index, variant=variant
        )
    line.parts.simulator.add_fault("duplicate_rows", match={"endpoint": "tickers"}, after=1, count=1)
    summary = line.backfill(*STOCKS)
    assert summary["rejected"] == summary["dead_lettered"] == len(variants)
    assert summary["duplicates"] == 1
    letters = [m.event for m in line.messages("DLQ")]
    assert {letter["reason"] for letter in letters} == {"missing_field", "bad_symbol", "bad_time", "bad_date"}
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.symbols"}
    assert {letter["symbol"] for letter in letters} == {"_UNKNOWN"}
    assert len(events(line)) == summary["events"]["symbol"]


def test_symbols_reach_their_table(line: Line, tmp_path: Path) -> None:
    """From history and, as the live feed would send them, from market.raw."""
    for name in ("sink", "processor"):
        line.start(name)
    summary = line.backfill("symbols", "--symbols", "IBM,KO,ZZGONE")
    line.wait_count("raw_symbols", 3)
    assert summary["events"]["symbol"] == 3
    live = next(event for event in events(line) if event["symbol"] == "IBM")
    other = live | {"lane": "live", "name": "Another name"}
    del other["event_id"]
    file = tmp_path / "event.json"
    file.write_text(json.dumps(other) + "\n")
    completed = line.run("marketflowctl", "events", "complete", str(file))
    line.produce("RAW", [completed.stdout.strip().encode()], b"IBM")
    line.wait_count("raw_symbols", 4)
    assert [m.key for m in of_live(line)] == ["IBM"]
    rows = line.query(
        "SELECT symbol, payload->>'active', payload->>'lane' = 'live' FROM raw.raw_symbols ORDER BY 1, 3"
    )
    assert rows == [["IBM", "true", "f"], ["IBM", "true", "t"], ["KO", "true", "f"], ["ZZGONE", "false", "f"]]


def of_live(line: Line) -> list[Message]:
    return [m for m in line.messages("SYMBOLS_FILTERED") if m.event["lane"] == "live"]
