# SPDX-License-Identifier: Apache-2.0
"""What the ingestor owes over hours and outages: ranges that end, nothing said twice, nothing forgotten."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from line import Line
from mflocal import wait_for

NEWS = "/v2/reference/news"
ONE_MINUTE_SERIES = {
    "INGEST_SYMBOLS": "X:BTCUSD",
    "INGEST_POLL_MS": "300",
    "INGEST_WARMUP": "false",
    "INGEST_DAY_BARS": "false",
    "INGEST_NEWS": "false",
}


def test_a_backfill_of_today_ends(line: Line) -> None:
    """A minute begins while the only request is under way; the range does not grow with it."""
    now = time.time()
    to_next_minute_ms = int((60 - now % 60 + 0.5) * 1000)
    line.parts.simulator.add_fault("slow", match={"endpoint": "aggs"}, delay_ms=to_next_minute_ms)
    today = datetime.fromtimestamp(now, UTC).date()
    days = ["--from", str(today - timedelta(days=2)), "--to", str(today)]
    patience = {"POLYGON_REQUEST_TIMEOUT_MS": "120000", "POLYGON_STALL_TIMEOUT_MS": "120000"}
    summary = line.backfill(
        "bars", "--symbols", "X:BTCUSD", *days, "--timespan", "minute", code=75, **patience
    )
    assert summary["complete"] is False  # the day is not over: the next start goes on
    assert summary["symbols"]["X:BTCUSD"]["status"] == "incomplete"
    assert summary["events"]["bar"] > 1440  # of some 2880, and those of today, which may have just begun
    assert len(line.asked("/v2/aggs")) == 1


def polls(line: Line, wanted: int, path: str = "/v2/aggs") -> None:
    """Waits until so many more requests were answered."""
    seen = int(line.parts.simulator.requests(path=path)["total"])
    wait_for(
        lambda: int(line.parts.simulator.requests(path=path)["total"]) >= seen + wanted,
        60,
        f"{wanted} polls",
        0.05,
    )


def test_bad_rows_of_a_poll_are_reported_once(line: Line) -> None:
    """More of them than any small memory holds, polled again and again."""
    bad = 150
    line.settings |= ONE_MINUTE_SERIES | {"INGEST_OVERLAP_MS": "10800000"}
    rows = {"match": {"timespan": "minute"}, "times": None, "variant": "too_precise"}
    for index in range(bad):
        line.parts.simulator.add_fault("bad_row", index=5 + index, **rows)
    line.start("ingestor")
    wait_for(lambda: len(line.messages("DLQ")) >= bad, 60, f"{bad} dead letters", 0.2)
    polls(line, 8)
    letters = [m.event for m in line.messages("DLQ")]
    # The second poll's range begins a minute earlier, and each minute that passes moves the rows: one new bad row.
    assert bad <= len(letters) <= bad + 5
    assert len({letter["raw"] for letter in letters}) == len(letters)


def test_a_refused_answer_is_reported_once(line: Line) -> None:
    line.expected_errors.append("request_rejected")
    line.settings |= ONE_MINUTE_SERIES | {"INGEST_CLOSED_POLL_MS": "200"}
    line.parts.simulator.add_fault("bad_request", match={"endpoint": "aggs"}, times=None)
    ingestor = line.start("ingestor")
    polls(line, 8)
    ingestor.stop()
    letters = [m.event for m in line.messages("DLQ")]
    assert [letter["reason"] for letter in letters] == ["bad_request"]
    assert "index" not in letters[0]["origin"]  # of the whole answer


def test_a_quiet_symbol_is_read_from_where_it_began(line: Line) -> None:
    """No article yet: after an outage, however long, the range begins where the first one did."""
    line.parts.simulator.add_fault("empty_results", match={"path": NEWS}, times=None)
    line.settings |= {"INGEST_SYMBOLS": "AMZN", "INGEST_MINUTE_BARS": "false", "INGEST_DAY_BARS": "false"}
    line.settings |= {"INGEST_NEWS_POLL_MS": "200", "INGEST_NEWS_OVERLAP_MS": "1000"}
    ingestor = line.start("ingestor")

    def marks() -> list[dict[str, Any]]:
        return [m.event for m in line.messages("INGESTOR_WATERMARKS") if m.key and "|news|" in m.key]

    wait_for(lambda: marks() != [], 60, "a watermark", 0.1)
    polls(line, 5, NEWS)
    assert len(marks()) == 1  # polls that bring nothing leave no trace
    assert marks()[0]["events"] == 0
    ingestor.kill()
    began = line.asked(NEWS)[0]["query"]
    line.parts.simulator.forget_requests()
    ingestor.start()
    polls(line, 1, NEWS)
    assert beginning(line.asked(NEWS)[0]["query"]) == beginning(began)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("not_found", {}), ("bad_request", {}), ("large_body", {"bytes": 4 * 1024 * 1024})],
)
def test_one_refused_answer_costs_one_poll(line: Line, kind: str, parameters: dict[str, Any]) -> None:
    """The symbol had data before: it is asked for again at once, not after an hour or a closed market's wait."""
    line.expected_errors.append("fetch|page")
    line.start("ingestor", POLYGON_BODY_MAX_BYTES="1048576", **ONE_MINUTE_SERIES)
    polls(line, 2)
    line.parts.simulator.add_fault(kind, match={"endpoint": "aggs"}, **parameters)
    polls(line, 4)
    assert all(fault["hits"] == 1 for fault in line.parts.simulator.faults())


def test_a_hangup_asks_for_an_unknown_symbol_again(line: Line) -> None:
    line.expected_errors.append("fetch|page")
    line.parts.simulator.add_fault("not_found", match={"endpoint": "aggs"}, times=None)
    ingestor = line.start("ingestor", **ONE_MINUTE_SERIES)
    wait_for(lambda: line.asked("/v2/aggs"), 60, "the first request")
    wait_for(lambda: line.messages("DLQ"), 60, "its refusal")
    line.parts.simulator.clear_faults()
    assert ingestor.identity is not None
    ingestor.identity.send(signal.SIGHUP)
    polls(line, 3)


def beginning(query: str) -> str:
    return parse_qs(query)["published_utc.gte"][0]


MANY = 3000  # series, and a queue of a third as many records
SMALL_QUEUE = {"KAFKA_QUEUE_MESSAGES": "1000"}


def many_series(line: Line, run: str) -> tuple[list[str], list[str]]:
    """The watermarks of a run whose series are all complete, as the ingestor writes them: symbols and keys."""
    symbols = [f"X:C{number:04}USD" for number in range(MANY)]
    keys = [f"polygon|bars|{symbol}|day|none|{run}" for symbol in symbols]
    day = {"from": "2024-01-02T00:00:00.000Z", "to": "2024-01-03T00:00:00.000Z"}
    mark = {"version": 1, "status": "complete", **day, "position": day["to"], "page": 0, "events": 1}
    producer = line.producer()
    for key in keys:
        producer.produce(line.topic("INGESTOR_WATERMARKS"), json.dumps(mark).encode(), key.encode(), 0)
        producer.poll(0)
    assert producer.flush(60) == 0
    return symbols, keys


def watermarks(line: Line) -> dict[str | None, bytes | None]:
    return {m.key: m.value for m in line.messages("INGESTOR_WATERMARKS")}


def test_a_run_of_many_series_is_completed(line: Line, tmp_path: Path) -> None:
    """Its last records wait for room in the queue, none of them is passed over."""
    symbols, keys = many_series(line, "many")
    file = tmp_path / "symbols.csv"
    file.write_text("symbol\n" + "\n".join(symbols) + "\n")
    days = ["--from", "2024-01-02", "--to", "2024-01-02", "--timespan", "day", "--run-id", "many"]
    summary = line.backfill("bars", "--symbols-file", str(file), *days, **SMALL_QUEUE)
    assert summary["complete"] is True
    known = watermarks(line)
    assert json.loads(known["run|many"] or b"{}")["status"] == "complete"
    assert [key for key in keys if known[key] is not None] == []


def test_a_run_of_many_series_is_abandoned(line: Line) -> None:
    _, keys = many_series(line, "many")
    run = json.dumps({"version": 1, "status": "running", "arguments": "", "series": MANY, "events": 0})
    producer = line.producer()
    producer.produce(line.topic("INGESTOR_WATERMARKS"), run.encode(), b"run|many", 0)
    assert producer.flush(60) == 0
    summary = line.backfill("--abandon", "many", **SMALL_QUEUE)
    assert summary == {"run_id": "many", "abandoned": True, "series": MANY}
    known = watermarks(line)
    assert json.loads(known["run|many"] or b"{}")["status"] == "abandoned"
    assert [key for key in keys if known[key] is not None] == []


def test_a_complete_run_is_not_abandoned(line: Line) -> None:
    """It stays complete: the same command fetches nothing again."""
    day = ["--from", "2012-03-01", "--to", "2012-03-01", "--timespan", "day", "--run-id", "done"]
    backfill = ["bars", "--symbols", "IBM", *day]
    assert line.backfill(*backfill)["complete"] is True
    before = watermarks(line)
    assert line.backfill("--abandon", "done") == {
        "run_id": "done",
        "abandoned": False,
        "reason": "the run is complete",
    }
    assert watermarks(line) == before
    requests = len(line.asked("/v2/aggs"))
    assert line.backfill(*backfill)["complete_before"] is True
    assert len(line.asked("/v2/aggs")) == requests
