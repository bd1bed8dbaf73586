# SPDX-License-Identifier: Apache-2.0
"""Bars of every timespan: what the provider has of a range is what is published of it, however it is asked for."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import Line

pytestmark = pytest.mark.feeds

INTERVALS = {
    "second": "1s", "5second": "5s", "minute": "1m", "5minute": "5m", "15minute": "15m", "30minute": "30m",
    "hour": "1h", "4hour": "4h", "day": "1d", "week": "1w", "month": "1mo", "quarter": "3mo", "year": "1y",
}  # fmt: skip
LONG = ("week", "month", "quarter", "year")


def bars(line: Line) -> list[dict[str, Any]]:
    events = [m.event for m in line.messages("RAW_BACKFILL")]
    return sorted((e for e in events if e["event_type"] == "bar"), key=lambda e: str(e["event_time"]))


def provider_rows(
    line: Line, symbol: str, timespan: str, first: str, last: str, adjusted: bool
) -> list[dict[str, Any]]:
    """All rows of the range, as a client with the largest pages sees them."""
    span = timespan.lstrip("0123456789")
    simulator = line.parts.simulator
    url = f"{simulator.url}/v2/aggs/ticker/{symbol}/range/{timespan.removesuffix(span) or 1}/{span}/{first}/{last}"
    url += f"?adjusted={str(adjusted).lower()}&limit=50000&sort=asc"
    rows: list[dict[str, Any]] = []
    while url:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {simulator.key}"})
        with urllib.request.urlopen(request) as answer:
            body = json.load(answer)
        rows += body.get("results", [])
        url = body.get("next_url", "")
    return rows


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def same(event: dict[str, Any], row: dict[str, Any]) -> bool:
    named = [("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v")]
    return event["vendor_ms"] == row["t"] and all(event[mine] == row[theirs] for mine, theirs in named)


@dataclass(frozen=True)
class Case:
    timespan: str
    symbol: str
    first: str
    last: str
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.timespan}-{self.symbol}" + ("-small" if self.settings else "")


SMALL = (("INGEST_BARS_PAGE_LIMIT", "300"),)
CASES = [
    Case("second", "NVDA", "2024-07-03", "2024-07-03"),  # an early close: 13 hours, 46 800 seconds
    Case("5second", "X:BTCUSD", "2024-01-02", "2024-01-02"),
    Case("minute", "NVDA", "2024-03-08", "2024-03-12", SMALL),  # the clocks change in between
    Case("5minute", "NVDA", "2024-01-02", "2024-01-04", SMALL),
    Case("15minute", "C:EURUSD", "2024-01-05", "2024-01-08"),
    Case("30minute", "NVDA", "2024-01-02", "2024-02-29"),
    Case("hour", "NVDA", "2024-01-02", "2024-01-31", (("INGEST_BARS_PAGE_LIMIT", "10"),)),
    Case("4hour", "NVDA", "2024-03-01", "2024-03-20"),
    Case("4hour", "X:BTCUSD", "2024-03-01", "2024-03-20", SMALL),
    Case("day", "IBM", "2003-01-01", "2004-12-31", SMALL),
    Case("week", "IBM", "2003-01-05", "2004-12-25", (("INGEST_BARS_PAGE_LIMIT", "20"),)),
    Case("month", "IBM", "2003-01-01", "2006-12-31"),
    Case("quarter", "IBM", "2001-01-01", "2012-12-31", (("INGEST_BARS_PAGE_LIMIT", "92"),)),
    Case("year", "X:ETHUSD", "2015-01-01", "2023-12-31", (("INGEST_BARS_PAGE_LIMIT", "400"),)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_that_the_provider_has(line: Line, case: Case) -> None:
    arguments = ["bars", "--symbols", case.symbol, "--from", case.first, "--to", case.last]
    summary = line.backfill(*arguments, "--timespan", case.timespan, **dict(case.settings))
    assert summary["complete"] is True
    requests = line.asked("/v2/aggs")
    rows = provider_rows(line, case.symbol, case.timespan, case.first, case.last, adjusted=True)
    got = bars(line)
    assert len(rows) > 5
    assert [event["vendor_ms"] for event in got] == [row["t"] for row in rows]
    assert all(same(event, row) for event, row in zip(got, rows, strict=True))
    assert {event["interval"] for event in got} == {INTERVALS[case.timespan]}
    assert {event["adjusted"] for event in got} == {"split" if ":" not in case.symbol else "none"}
    assert all(instant(event["event_time"]) < instant(event["window_end"]) for event in got)
    assert not line.messages("DLQ")
    assert summary["events"]["bar"] == len(rows)
    assert summary["out_of_range"] == summary["duplicates"] == summary["foreign"] == 0
    # A month in one request at most; a day of seconds around the clock is more than a page.
    if not case.settings:
        assert len(requests) == (2 if case.timespan in ("30minute", "5second") else 1)


def test_an_answer_that_is_cut_off_without_a_word(line: Line) -> None:
    """No next_url on pages that their limit has filled: the range goes on behind the last row."""
    line.parts.simulator.add_fault("missing_next_url", match={"endpoint": "aggs"}, times=None)
    days = ["--from", "2024-01-02", "--to", "2024-01-03"]
    summary = line.backfill(
        "bars", "--symbols", "NVDA", *days, "--timespan", "5minute", INGEST_BARS_PAGE_LIMIT="100"
    )
    assert summary["complete"] is True
    requests = line.asked("/v2/aggs")
    assert len(requests) > 10
    assert all("limit=100" in request["query"] for request in requests)
    line.parts.simulator.clear_faults()
    rows = provider_rows(line, "NVDA", "5minute", days[1], days[3], adjusted=True)
    got = bars(line)
    assert [event["vendor_ms"] for event in got] == [row["t"] for row in rows]
    assert all(same(event, row) for event, row in zip(got, rows, strict=True))


def test_windows_and_sessions_of_a_day(line: Line) -> None:
    """Hours begin at 09:00 and not with the session, in New York; what lies in two sessions says full."""
    line.backfill(
        "bars", "--symbols", "NVDA", "--from", "2024-01-02", "--to", "2024-01-02", "--timespan", "hour"
    )
    by_start = {event["event_time"]: event for event in bars(line)}
    opening = by_start["2024-01-02T14:00:00.000Z"]
    assert opening["session"] == "full"
    assert opening["window_end"] == "2024-01-02T15:00:00.000Z"
    assert by_start["2024-01-02T13:00:00.000Z"]["session"] == "pre"
    assert by_start["2024-01-02T20:00:00.000Z"]["session"] == "regular"
    assert by_start["2024-01-03T00:00:00.000Z"]["session"] == "post"
    assert {event["session_date"] for event in by_start.values()} == {"2024-01-02"}


def test_a_range_is_taken_to_whole_windows(line: Line) -> None:
    """From a Wednesday to a Tuesday: both weeks, each from Sunday to the last session's close."""
    arguments = [
        "bars",
        "--symbols",
        "IBM",
        "--from",
        "2003-04-09",
        "--to",
        "2003-04-15",
        "--timespan",
        "week",
    ]
    assert line.backfill(*arguments)["complete"] is True
    windows = [(e["event_time"], e["window_end"], e["session_date"], e["session"]) for e in bars(line)]
    assert windows == [
        ("2003-04-06T05:00:00.000Z", "2003-04-11T20:00:00.000Z", "2003-04-06", "full"),
        ("2003-04-13T04:00:00.000Z", "2003-04-17T20:00:00.000Z", "2003-04-13", "full"),  # Good Friday
    ]  # the clocks changed on the first of these Sundays


def test_adjusted_or_not(line: Line) -> None:
    """Years before a split of two for one, as they were and as they are told now."""
    days = ["--from", "2003-01-01", "--to", "2004-12-31", "--timespan", "year"]
    line.backfill("bars", "--symbols", "AAPL", *days, "--adjusted", "none")
    line.backfill("bars", "--symbols", "AAPL", *days, "--adjusted", "split")
    closes: dict[str, list[float]] = {"none": [], "split": []}
    for event in bars(line):
        closes[event["adjusted"]].append(event["close"])
    assert len(closes["none"]) == 2
    assert closes["none"] == pytest.approx([2 * close for close in closes["split"]])


def test_the_week_in_progress_comes_when_it_is_over(line: Line) -> None:
    today = datetime.now(UTC).date()
    first = (today - timedelta(days=14)).isoformat()
    arguments = [
        "bars",
        "--symbols",
        "X:BTCUSD",
        "--from",
        first,
        "--to",
        today.isoformat(),
        "--timespan",
        "week",
    ]
    summary = line.backfill(*arguments, code=75)
    assert summary["complete"] is False
    got = bars(line)
    assert len(got) == 2
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    assert got[-1]["window_end"] == f"{sunday}T00:00:00.000Z"
    # No day that is to come was asked for: the provider refuses those.
    assert all(request["path"].endswith(f"/{today}") for request in line.asked("/v2/aggs"))
    assert line.backfill(*arguments, code=75)["events"]["bar"] == 0
    assert len(bars(line)) == 2


def test_long_windows_reach_their_tables(line: Line) -> None:
    """Through the processor, which makes metrics of them and no roll-ups, to the warehouse."""
    line.start("sink")
    line.start("processor")
    wanted: dict[str, int] = {}
    for timespan in LONG:
        days = ["--from", "2001-01-01", "--to", "2012-12-31", "--timespan", timespan]
        summary = line.backfill("bars", "--symbols", "IBM", *days)
        wanted[INTERVALS[timespan]] = summary["events"]["bar"]
    assert wanted["3mo"] == 48
    assert wanted["1y"] == 12
    total = sum(wanted.values())
    line.wait_count("raw_bars", total)
    line.wait_count("raw_metrics", total)
    for table in ("raw_bars", "raw_metrics"):
        counted = line.query(f"SELECT payload->>'interval', count(*) FROM raw.{table} GROUP BY 1")
        assert {interval: int(count) for interval, count in counted} == wanted
    assert line.number("SELECT count(*) FROM raw.raw_bars WHERE payload->>'source' <> 'polygon'") == 0
    assert line.number("SELECT count(*) FROM raw.raw_alerts WHERE payload->>'interval' IN ('3mo', '1y')") == 0
    quarter = "payload->>'interval' = '3mo' AND payload->>'session_date' = '2008-04-01'"
    ends = line.query(f"SELECT payload->>'window_end' FROM raw.raw_bars WHERE {quarter}")
    assert ends == [["2008-06-30T20:00:00.000Z"]]
    assert not line.messages("DLQ")
