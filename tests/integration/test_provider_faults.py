# SPDX-License-Identifier: Apache-2.0
"""Every misbehaviour of a provider that the simulator can show ends in the documented reaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from line import PARTITIONS, Line

pytestmark = pytest.mark.sanitized

FB_DAYS = 196
BACKFILL = ["bars", "--symbols", "FB", "--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day"]
BACKFILL += ["--adjusted", "none"]


def bars(line: Line) -> list[dict[str, Any]]:
    events = [m.event for m in line.messages("RAW_BACKFILL")]
    return [event for event in events if event["event_type"] == "bar"]


def lane_ends(line: Line) -> set[int]:
    """The partitions on which a lane was closed."""
    values = [(m.partition, m.value or b"") for m in line.messages("RAW_BACKFILL")]
    return {partition for partition, value in values if b'"lane_end":true' in value}


def dead_letters(line: Line) -> list[dict[str, Any]]:
    return [m.event for m in line.messages("DLQ")]


@dataclass(frozen=True)
class Recovers:
    """One fault after which the backfill completes by itself with every bar."""

    kind: str
    parameters: dict[str, Any] = field(default_factory=dict)
    retries: int = 1
    settings: dict[str, str] = field(default_factory=dict)


RECOVERED = [
    Recovers("server_error", {"status": 500}),
    Recovers("server_error", {"status": 504, "body": "html"}),
    Recovers("truncated"),
    Recovers("not_json"),
    Recovers("disconnect"),
    Recovers("bad_gzip"),
    Recovers("hang", {"seconds": 60}, settings={"POLYGON_REQUEST_TIMEOUT_MS": "1500"}),
    Recovers("slow", {"delay_ms": 300}, retries=0),
    Recovers("delayed", retries=0),
    Recovers("duplicate_rows", retries=0),
    Recovers("out_of_order", retries=0),
    Recovers("out_of_range", retries=0),
]


@pytest.mark.parametrize(
    "fault", RECOVERED, ids=lambda f: f"{f.kind}-{'-'.join(map(str, f.parameters.values()))}"
)
def test_fault_is_survived(line: Line, fault: Recovers) -> None:
    line.parts.simulator.add_fault(fault.kind, match={"endpoint": "aggs"}, **fault.parameters)
    summary = line.backfill(*BACKFILL, **fault.settings)
    assert summary["complete"] is True
    assert summary["retries"] >= fault.retries
    got = bars(line)
    assert len(got) == FB_DAYS
    assert len({event["event_time"] for event in got}) == FB_DAYS
    assert [e["event_time"] for e in got] == sorted(e["event_time"] for e in got)
    assert line.parts.simulator.faults()[0]["hits"] == 1
    assert not dead_letters(line)


def test_delayed_data_are_marked(line: Line) -> None:
    line.parts.simulator.add_fault("delayed", times=None)
    line.backfill(*BACKFILL)
    assert all("delayed" in event["flags"] for event in bars(line))


@pytest.mark.parametrize("kind", ["null_results", "absent_results", "empty_results"])
def test_an_empty_answer_is_asked_again(line: Line, kind: str) -> None:
    """Days on which the symbol must have traded: one empty answer is not believed."""
    line.parts.simulator.add_fault(kind, match={"endpoint": "aggs"})
    summary = line.backfill(*BACKFILL)
    assert summary["complete"] is True
    assert len(bars(line)) == FB_DAYS


# Without Retry-After the wait is the setting's, which is neither the header's nor the default.
RATE_LIMIT_WAIT_MS = 1500
RATE_LIMITS = [
    ({"body": True, "retry_after": 1}, 1000),
    ({"body": False, "retry_after": 1}, 1000),
    ({"body": True}, RATE_LIMIT_WAIT_MS),
    ({"body": False}, RATE_LIMIT_WAIT_MS),
]
RATE_LIMIT_NAMES = ["with-body", "without-body", "with-body-only", "with-nothing"]


@pytest.mark.parametrize(("parameters", "wait_ms"), RATE_LIMITS, ids=RATE_LIMIT_NAMES)
def test_too_many_requests_waits(line: Line, parameters: dict[str, Any], wait_ms: int) -> None:
    line.parts.simulator.add_fault("rate_limited", match={"endpoint": "aggs"}, **parameters)
    summary = line.backfill(*BACKFILL, POLYGON_RATE_LIMIT_WAIT_MS=str(RATE_LIMIT_WAIT_MS))
    assert summary["complete"] is True
    assert len(bars(line)) == FB_DAYS
    seen = line.asked("/v2/aggs")
    assert seen[0]["status"] == 429
    assert len(seen) == 2  # one refused, one after the wait: no hammering
    assert wait_ms <= seen[1]["at_ms"] - seen[0]["at_ms"] < wait_ms + 20_000  # not the default's minute


def test_a_rejected_key_stops_all_work(line: Line) -> None:
    line.expected_errors.append("key")
    line.parts.simulator.add_fault("unauthorized", times=None)
    summary = line.backfill_replay(code=75)
    assert summary["complete"] is False
    assert len(line.asked("/v2/aggs")) <= 5  # what was in flight; nothing after the first refusal
    assert not bars(line)
    line.parts.simulator.clear_faults()
    assert line.backfill_replay()["complete"] is True


def test_a_plan_limit_is_partial_not_success(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"symbol": "FB"}, times=None)
    arguments = ["bars", "--symbols", "FB,GOOG", *BACKFILL[3:]]
    summary = line.backfill(*arguments, code=75)
    assert summary["complete"] is False
    assert summary["symbols"]["FB"]["status"] != summary["symbols"]["GOOG"]["status"]
    assert {event["symbol"] for event in bars(line)} == {"GOOG"}
    assert not lane_ends(line)  # the next start goes on in it
    line.parts.simulator.clear_faults()
    assert line.backfill(*arguments)["complete"] is True
    assert len([event for event in bars(line) if event["symbol"] == "FB"]) == FB_DAYS
    assert len({(event["symbol"], event["event_time"]) for event in bars(line)}) == len(bars(line))
    assert lane_ends(line) == set(range(PARTITIONS))


def test_an_end_that_grows_and_is_not_covered_comes_once(line: Line) -> None:
    """What the plan left out of today is asked for again as such, and not from the position as well."""
    line.expected_errors.append("plan")
    today = datetime.now(UTC).date()
    days = ["--from", str(today - timedelta(days=1)), "--to", str(today)]
    arguments = ["bars", "--symbols", "X:BTCUSD", *days, "--timespan", "minute"]
    small = {"INGEST_BARS_PAGE_LIMIT": "1500"}
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "aggs"}, after=1, times=1)
    line.backfill(*arguments, code=75, **small)
    summary = line.backfill(*arguments, code=75, **small)
    times = [event["event_time"] for event in bars(line)]
    assert times[-1].startswith(str(today))
    assert len(set(times)) == len(times) == summary["run"]["events"]


def test_an_unknown_ticker_is_recorded(line: Line) -> None:
    line.parts.simulator.add_fault("not_found", match={"symbol": "FB"}, times=None)
    result = line.run("marketflow-ingestor", "backfill", "bars", "--symbols", "FB,GOOG", *BACKFILL[3:])
    summary = json.loads(result.stdout.splitlines()[-1])
    assert "FB" in summary["symbols"]
    assert summary["symbols"]["FB"]["status"] != summary["symbols"]["GOOG"]["status"]
    assert {event["symbol"] for event in bars(line)} == {"GOOG"}
    again = line.backfill("bars", "--symbols", "FB,GOOG", *BACKFILL[3:])
    assert again["complete_before"] is True
    assert {name: one["status"] for name, one in again["symbols"].items()} == {
        "FB": "unknown_ticker",
        "GOOG": "complete",
    }


def paged(line: Line) -> list[str]:
    """A backfill of many pages: minute bars, whose base aggregates fill several."""
    return [
        "bars",
        "--symbols",
        "X:BTCUSD",
        "--from",
        "2024-01-02",
        "--to",
        "2024-02-20",
        "--timespan",
        "minute",
    ]


@pytest.mark.parametrize("kind", ["foreign_next_url", "repeating_next_url"])
def test_a_bad_next_url_is_refused(line: Line, kind: str) -> None:
    line.expected_errors.append("next_url|page")
    line.parts.simulator.add_fault(kind, match={"endpoint": "aggs", "page": 1}, times=None)
    summary = line.backfill(*paged(line), code=75)
    assert summary["complete"] is False
    assert summary["symbols"]["X:BTCUSD"]["status"] != "complete"
    assert not any("evil" in str(r) for r in line.asked("/v2/aggs"))


def test_an_empty_page_with_a_next_one_goes_on(line: Line) -> None:
    line.parts.simulator.add_fault("empty_page", match={"endpoint": "aggs", "page": 1})
    line.backfill(*paged(line))
    first = len(bars(line))
    assert first > 40_000


REFUSED = [
    "high_below_low",
    "close_above_high",
    "negative_price",
    "zero_price",
    "negative_volume",
    "null_close",
]
REFUSED += ["text_close", "too_precise", "too_large", "missing_close", "nan", "infinity"]


def test_bad_rows_become_dead_letters(line: Line) -> None:
    """Rows that contradict themselves go to the queue with their reason; their neighbours stand."""
    for index, variant in enumerate(REFUSED):
        row = {"index": 3 + 2 * index, "variant": variant}
        line.parts.simulator.add_fault("bad_row", match={"endpoint": "aggs"}, **row)
    summary = line.backfill(*BACKFILL)
    assert summary["rejected"] == len(REFUSED)
    assert summary["dead_lettered"] == len(REFUSED)
    assert len(bars(line)) == FB_DAYS - len(REFUSED)
    letters = dead_letters(line)
    assert len(letters) == len(REFUSED)
    for letter in letters:
        assert letter["stage"] == "ingest"
        assert letter["reason"] and letter["detail"]
        assert letter["symbol"] == "FB"
        assert letter["raw"]
    assert len({letter["origin"]["index"] for letter in letters}) == len(REFUSED)


def test_numbers_in_other_forms(line: Line) -> None:
    """Quotes are removed and exponents expanded; the values are those of an undisturbed run."""
    line.backfill(*BACKFILL, "--run-id", "plain")
    for index, variant in enumerate(["exponent", "string_numbers", "integer_decimal"]):
        line.parts.simulator.add_fault("bad_row", match={"endpoint": "aggs"}, index=index, variant=variant)
    line.backfill(*BACKFILL, "--run-id", "odd")
    lanes: dict[str, dict[str, list[float]]] = {"backfill:plain": {}, "backfill:odd": {}}
    for event in bars(line):
        numbers = [float(event[name]) for name in ("open", "high", "low", "close", "volume")]
        lanes[event["lane"]][event["event_time"]] = numbers
    assert lanes["backfill:odd"] == lanes["backfill:plain"]
    texts = [m.value or b"" for m in line.messages("RAW_BACKFILL") if b'"open"' in (m.value or b"")]
    for text in texts:
        assert b'"open":"' not in text
        assert b"e+" not in text.split(b'"open"')[1].split(b'"adjusted"')[0]


def test_a_key_echoed_in_an_error_is_redacted(line: Line) -> None:
    """Line.finish looks for the key in every log and metric."""
    line.expected_errors.append("key|answer|request")
    line.parts.simulator.add_fault("key_echo", match={"endpoint": "aggs"}, times=1)
    line.run("marketflow-ingestor", "backfill", *BACKFILL)
    assert line.parts.simulator.faults()[0]["hits"] == 1
    key = line.parts.simulator.key.encode()
    assert not any(key in (m.value or b"") for role in ("RAW_BACKFILL", "DLQ") for m in line.messages(role))


def test_a_redirect_is_not_followed(line: Line) -> None:
    line.expected_errors.append("redirect|request|answer")
    line.parts.simulator.add_fault("redirect", match={"endpoint": "aggs"}, times=1)
    line.run("marketflow-ingestor", "backfill", *BACKFILL)
    assert len(bars(line)) in (0, FB_DAYS)
    assert all(r["path"].startswith("/v2/aggs") for r in line.asked("/v2/aggs"))


def test_the_key_travels_in_the_header_only(line: Line) -> None:
    line.backfill(*BACKFILL)
    seen = line.asked("/v2/aggs")
    assert seen
    assert line.parts.simulator.key not in json.dumps(seen)


def test_corrections_are_published_once(line: Line) -> None:
    """A past bar changes within the overlap: the new content goes out, unchanged bars do not."""
    line.settings |= {"INGEST_SYMBOLS": "X:BTCUSD", "INGEST_POLL_MS": "300", "INGEST_WARMUP": "false"}
    for name in ("sink", "processor", "ingestor"):
        line.start(name)
    line.wait_count("raw_bars", 3, "payload->>'interval' = '1m'")
    line.parts.simulator.add_fault("correction", match={"timespan": "minute"}, times=None, last=2, percent=1)
    # A rolled-up bar may have a revision for another reason: the overlap reaches further back than the start did.
    line.wait_count("raw_bars", 1, "revision = 1 AND payload->>'interval' = '1m'", timeout=90)
    corrected = line.messages("BARS_FILTERED")
    assert any(
        m.headers.get("mf-revision") == "1" and "corrected" in m.headers["mf-flags"] for m in corrected
    )
    # Unchanged bars are not said again: two words in a row about one bar always differ.
    last: dict[tuple[str, str], str] = {}
    for event in (m.event for m in line.messages("RAW") if b'"event_type":"bar"' in (m.value or b"")):
        key = (event["symbol"], event["event_time"])
        assert last.get(key) != event["event_id"]
        last[key] = event["event_id"]
