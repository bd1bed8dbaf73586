# SPDX-License-Identifier: Apache-2.0
"""Days in other shapes than a range: the whole market's, a symbol's last one, one with the prices around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import PARTITIONS, Line

pytestmark = pytest.mark.feeds

GROUPED = "/v2/aggs/grouped"
OPEN_CLOSE = "/v1/open-close"
# Christmas: open until 13:00, closed, open, a weekend, open.
CHRISTMAS = ["--from", "2003-12-24", "--to", "2003-12-29"]
SESSIONS = ["2003-12-24", "2003-12-26", "2003-12-29"]
OF_THE_BAR = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "trade_count",
    "adjusted",
    "interval",
    "session_date",
)


def bars(line: Line) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW_BACKFILL") if (e := m.event)["event_type"] == "bar"]


def asked(line: Line, path: str) -> list[str]:
    return [request["path"] for request in line.asked(path)]


def lane_ends(line: Line) -> set[int]:
    values = [(m.partition, m.value or b"") for m in line.messages("RAW_BACKFILL")]
    return {partition for partition, value in values if b'"lane_end":true' in value}


def ids(events: list[dict[str, Any]], symbol: str) -> set[str]:
    return {event["event_id"] for event in events if event["symbol"] == symbol}


def test_the_whole_market_a_day_at_a_time(line: Line) -> None:
    """One request for each day on which the exchange was open, and none for the others."""
    plan = line.backfill("grouped", *CHRISTMAS, "--dry-run")
    assert (plan["requests"], plan["bound"]) == (len(SESSIONS), "at most")
    summary = line.backfill("grouped", *CHRISTMAS)
    assert summary["complete"] is True
    assert asked(line, GROUPED) == [f"{GROUPED}/locale/us/market/stocks/{day}" for day in SESSIONS]
    got = bars(line)
    assert summary["events"]["bar"] == len(got)
    assert {"AAPL", "IBM", "NVDA", "KO"} <= {event["symbol"] for event in got}
    assert {event["session_date"] for event in got} == set(SESSIONS)
    assert {(event["interval"], event["session"], event["adjusted"]) for event in got} == {
        ("1d", "full", "split")
    }
    apple = next(e for e in got if e["symbol"] == "AAPL" and e["session_date"] == "2003-12-24")
    assert apple["event_time"] == "2003-12-24T05:00:00.000Z"  # midnight, whatever the stamp
    assert apple["window_end"] == "2003-12-24T18:00:00.000Z"
    assert apple["vendor_ms"] == 1072288800000  # the close
    assert len({(e["symbol"], e["event_time"]) for e in got}) == len(got)
    assert lane_ends(line) == set(range(PARTITIONS))
    assert not line.messages("DLQ")
    assert line.backfill("grouped", *CHRISTMAS)["complete_before"] is True
    assert len(asked(line, GROUPED)) == len(SESSIONS)


def test_symbols_and_over_the_counter(line: Line) -> None:
    summary = line.backfill("grouped", "--symbols", "IBM,ZZOTCA,ZZNOBODY", *CHRISTMAS, "--otc")
    assert summary["complete"] is True
    got = bars(line)
    assert {event["symbol"] for event in got} == {"IBM", "ZZOTCA"}
    assert {event["symbol"] for event in got if event.get("otc") is True} == {"ZZOTCA"}
    assert summary["foreign"] > 10
    summary = line.backfill("grouped", "--symbols", "IBM,ZZOTCA,ZZNOBODY", *CHRISTMAS)
    assert summary["events"]["bar"] == len(SESSIONS)  # another run, without those


@pytest.mark.parametrize("adjusted", ["split", "none"])
def test_the_same_bars_as_those_of_a_range(line: Line, adjusted: str) -> None:
    """Whichever way a day comes, it is one bar: the same id, and one row."""
    line.start("sink")
    line.start("processor")
    days = ["--from", "2004-06-14", "--to", "2004-06-18", "--adjusted", adjusted]
    line.backfill("bars", "--symbols", "AAPL,NVDA", *days, "--timespan", "day")
    line.backfill("grouped", "--symbols", "AAPL,NVDA", *days)
    got = bars(line)
    for symbol in ("AAPL", "NVDA"):
        mine = [event for event in got if event["symbol"] == symbol]
        assert len(mine) == 10
        assert len(ids(got, symbol)) == 5
        by_id = {event["event_id"]: event for event in mine}
        for event in mine:
            other = by_id[event["event_id"]]
            assert [event.get(name) for name in OF_THE_BAR] == [other.get(name) for name in OF_THE_BAR]
    line.wait_count("raw_bars", 10)
    line.wait_count("raw_metrics", 10)
    assert line.count("raw_bars") == 10
    keys = line.query("SELECT DISTINCT dedupe_key FROM raw.raw_bars WHERE symbol = 'NVDA' ORDER BY 1")
    assert keys[0] == [f"NVDA|2004-06-14T04:00:00.000Z|bar.1d.{adjusted}"]
    assert len(keys) == 5


def test_bad_rows_of_a_market(line: Line) -> None:
    for at, variant in enumerate(("missing_symbol", "bad_symbol", "high_below_low", "text_close")):
        match = {"endpoint": "grouped"}
        line.parts.simulator.add_fault("bad_row", match=match, variant=variant, index=2 * at)
    summary = line.backfill("grouped", "--from", "2004-06-14", "--to", "2004-06-14")
    assert summary["complete"] is True
    letters = [m.event for m in line.messages("DLQ")]
    reasons = {letter["reason"]: letter for letter in letters}
    assert set(reasons) == {"missing_field", "bad_symbol", "ohlc_inconsistent", "bad_number"}
    assert len(letters) == summary["dead_lettered"] == summary["rejected"] == 4
    assert len(bars(line)) == summary["events"]["bar"] > 8
    assert reasons["ohlc_inconsistent"]["symbol"] not in {event["symbol"] for event in bars(line)}
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.grouped"}


def test_a_holiday_is_a_success(line: Line) -> None:
    """N51: nothing to be fetched, nothing asked for, nothing wrong."""
    closed = ["--from", "2024-01-13", "--to", "2024-01-15"]  # a weekend and Martin Luther King Day
    for command in (["grouped"], ["open-close", "--symbols", "NVDA"]):
        summary = line.backfill(*command, *closed)
        assert summary["complete"] is True
        assert summary["events"]["bar"] == summary["requests"] == 0
        assert {series["status"] for series in summary["symbols"].values()} == {"complete"}


def test_an_empty_market_is_asked_again(line: Line) -> None:
    """N01: on a day with a session somebody traded."""
    line.parts.simulator.add_fault("null_results", match={"endpoint": "grouped"})
    summary = line.backfill("grouped", "--from", "2004-06-14", "--to", "2004-06-14")
    assert summary["complete"] is True and summary["retries"] == 1
    assert len(bars(line)) > 10


def test_an_interrupted_run_goes_on_at_its_day(line: Line) -> None:
    line.expected_errors.append("fetch")
    week = ["--from", "2004-06-14", "--to", "2004-06-18"]
    line.parts.simulator.add_fault(
        "server_error", match={"path": f"{GROUPED}/locale/us/market/stocks/2004-06-16"}, times=2
    )
    summary = line.backfill("grouped", *week, code=75, INGEST_RETRY_ATTEMPTS="1")
    assert summary["complete"] is False
    line.parts.simulator.clear_faults()
    assert line.backfill("grouped", *week)["complete"] is True
    days = [path[-10:] for path in asked(line, GROUPED)]
    assert days == ["2004-06-14", "2004-06-15", *["2004-06-16"] * (len(days) - 4), "2004-06-17", "2004-06-18"]
    got = bars(line)
    assert len({(e["symbol"], e["event_time"]) for e in got}) == len(got)


def test_days_that_the_plan_does_not_cover(line: Line) -> None:
    """N07: skipped over a weekend, recorded, and asked for by the next start without the days between."""
    line.expected_errors.append("plan_limit")
    days = ["--from", "2004-06-17", "--to", "2004-06-22"]
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "grouped"}, after=1, times=2)
    summary = line.backfill("grouped", *days, code=75)
    assert summary["symbols"]["market:stocks"]["status"] == "partial"
    line.parts.simulator.clear_faults()
    assert line.backfill("grouped", *days)["complete"] is True
    asked_days = [path[-10:] for path in asked(line, GROUPED)]
    assert asked_days == ["2004-06-17", "2004-06-18", "2004-06-21", "2004-06-22", "2004-06-18", "2004-06-21"]
    assert {event["session_date"] for event in bars(line)} == set(asked_days)


def test_the_last_day_of_symbols(line: Line) -> None:
    summary = line.backfill("previous", "--symbols", "NVDA,X:BTCUSD,AAPL")
    assert summary["complete"] is True
    got = {event["symbol"]: event for event in bars(line)}
    assert set(got) == {"NVDA", "X:BTCUSD"}  # the replayed history ended long ago
    assert summary["symbols"]["AAPL"]["events"] == 0
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert got["X:BTCUSD"]["session_date"] == yesterday.isoformat()
    day = got["NVDA"]["session_date"]
    line.backfill("bars", "--symbols", "NVDA", "--from", day, "--to", day, "--timespan", "day")
    assert len(ids(bars(line), "NVDA")) == 1


def test_open_and_close(line: Line) -> None:
    days = ["--from", "2023-12-29", "--to", "2024-01-03"]
    summary = line.backfill("open-close", "--symbols", "NVDA,X:BTCUSD", *days)
    assert summary["complete"] is True
    assert [path[-10:] for path in asked(line, OPEN_CLOSE)] == ["2023-12-29", "2024-01-02", "2024-01-03"]
    got = bars(line)
    assert [event["session_date"] for event in got] == ["2023-12-29", "2024-01-02", "2024-01-03"]
    assert all("pre_market" in event and "after_hours" in event for event in got)
    assert all("proxy_vwap" in event["flags"] and "vwap" not in event for event in got)
    line.backfill("bars", "--symbols", "NVDA", *days, "--timespan", "day")
    by_time: dict[str, list[dict[str, Any]]] = {}
    for event in bars(line):
        by_time.setdefault(event["event_time"], []).append(event)
    for pair in by_time.values():
        assert len(pair) == 2
        assert len({tuple(event[name] for name in OF_THE_BAR[:5]) for event in pair}) == 1


def test_open_close_of_a_ticker_that_came_later(line: Line) -> None:
    """A day without a bar is no error; a ticker without any day is unknown, and that is recorded."""
    days = ["--from", "2012-05-16", "--to", "2012-05-22", "--adjusted", "none"]
    summary = line.backfill("open-close", "--symbols", "FB,IBM", *days)
    assert summary["complete"] is True
    assert summary["symbols"]["FB"]["status"] == "complete"
    facebook = [event for event in bars(line) if event["symbol"] == "FB"]
    assert [event["session_date"] for event in facebook] == ["2012-05-18", "2012-05-21", "2012-05-22"]
    assert "pre_market" not in facebook[0]
    early = ["--from", "2005-03-01", "--to", "2005-03-02", "--adjusted", "none"]
    summary = line.backfill("open-close", "--symbols", "FB", *early)
    assert summary["complete"] is True
    assert summary["symbols"]["FB"]["status"] == "unknown_ticker"
    assert not line.messages("DLQ")


def test_open_close_answers_that_are_none(line: Line) -> None:
    for at, variant in enumerate(("missing_close", "other_day", "other_symbol", "string_numbers")):
        match = {"endpoint": "open_close", "path": f"{OPEN_CLOSE}/NVDA/2024-01-0{2 + at}"}
        line.parts.simulator.add_fault("bad_row", match=match, variant=variant)
    summary = line.backfill("open-close", "--symbols", "NVDA", "--from", "2024-01-02", "--to", "2024-01-05")
    assert summary["complete"] is True
    assert [event["session_date"] for event in bars(line)] == ["2024-01-05"]
    letters = [m.event for m in line.messages("DLQ")]
    assert [letter["reason"] for letter in letters] == ["missing_field"]
    assert letters[0]["symbol"] == "NVDA"
    assert summary["out_of_range"] == summary["foreign"] == 1


def test_prices_around_the_session_reach_the_table(line: Line) -> None:
    line.start("sink")
    line.start("processor")
    line.backfill("open-close", "--symbols", "NVDA", "--from", "2024-01-02", "--to", "2024-01-05")
    line.wait_count("raw_bars", 4)
    line.wait_count("raw_metrics", 4)
    rows = line.query(
        "SELECT payload->>'pre_market', payload->>'after_hours' FROM raw.raw_bars ORDER BY event_time"
    )
    wanted = [[str(event["pre_market"]), str(event["after_hours"])] for event in bars(line)]
    assert [[float(cell) for cell in row] for row in rows] == [
        [float(cell) for cell in row] for row in wanted
    ]
