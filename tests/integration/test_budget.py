# SPDX-License-Identifier: Apache-2.0
"""The request budget of one key, shared by processes that know nothing of each other but a topic.

What holds is judged by the provider's own journal. The window is a short one, so that a test sees many.
"""

from __future__ import annotations

import hmac
import json
import time
from typing import Any

from line import Line
from mflocal import ServiceProcess, wait_for
from mflocal.ports import Ports

PER_WINDOW = 5
WINDOW_MS = 4000
GRANT_MS = 1000  # how long a claim is good for: a window of the log is longer by that
SHARED = {"POLYGON_REQUESTS_PER_MINUTE": str(PER_WINDOW), "POLYGON_RATE_WINDOW_MS": str(WINDOW_MS)}
# Live polls these symbols more often than the budget allows; the backfill reads that one, page by page.
LIVE, HISTORY = "X:L", "X:ETHUSD"
POLLING = {"INGEST_SYMBOLS": ",".join(f"X:L{n}USD" for n in range(8)), "INGEST_POLL_MS": "100"}
POLLING |= {"INGEST_DAY_BARS": "false", "INGEST_NEWS": "false", "INGEST_WARMUP": "false"}
BACKFILL = ["backfill", "bars", "--symbols", HISTORY, "--from", "2024-01-02", "--to", "2024-01-05"]
BACKFILL += ["--timespan", "minute"]


def requests(line: Line, symbol: str = "") -> list[dict[str, Any]]:
    seen = line.parts.simulator.requests(path="/v2/aggs")["requests"]
    return [request for request in seen if symbol in request["path"]]


def claims(line: Line, priority: str = "") -> list[dict[str, Any]]:
    records = [json.loads(message.value or b"{}") for message in line.messages("INGESTOR_BUDGET")]
    return [r for r in records if r["kind"] == "claim" and (not priority or r["priority"] == priority)]


def assert_no_window_exceeded(line: Line) -> None:
    """By the provider's count; what it refused was asked for too."""
    moments = [request["at_ms"] for request in requests(line)]
    assert moments == sorted(moments)
    gaps = [late - early for early, late in zip(moments, moments[PER_WINDOW:], strict=False)]
    assert gaps, "too few requests to fill a window"
    assert min(gaps) >= WINDOW_MS, (min(gaps), moments)


def backfill_service(line: Line, page_limit: int, **settings: str) -> ServiceProcess:
    service = line.service(
        "ingestor",
        KAFKA_INSTANCE_ID=f"{line.name}-backfill",
        INGEST_BARS_PAGE_LIMIT=str(page_limit),
        **settings,
    )
    service.name = "backfill"
    service.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{Ports(line.layout).take('metrics-backfill')}"
    service.spec.arguments.extend(BACKFILL)
    return service


def wait_for_requests(line: Line, symbol: str, count: int, timeout: float = 90) -> None:
    wait_for(lambda: len(requests(line, symbol)) >= count, timeout, f"{count} requests for {symbol}")


def test_two_processes_share_a_budget_and_live_goes_first(line: Line) -> None:
    backfill = backfill_service(line, 50, **SHARED)  # far more pages than the test has time for
    backfill.start()
    wait_for_requests(line, HISTORY, PER_WINDOW + 1)
    live = line.start("ingestor", **POLLING, **SHARED)
    wait_for_requests(line, LIVE, 1)
    before = len(requests(line, HISTORY))
    first = requests(line, LIVE)[0]["at_ms"]
    wait_for_requests(line, LIVE, 4 * PER_WINDOW)
    # It wants more than there is, so that the backfill has what it had been granted already.
    last = requests(line, LIVE)[4 * PER_WINDOW - 1]["at_ms"]
    between = [r for r in requests(line, HISTORY)[before:] if first + GRANT_MS < r["at_ms"] < last]
    assert not between, (first, last, between)
    live.stop()
    after = len(requests(line, HISTORY))
    wait_for_requests(line, HISTORY, after + 2 * PER_WINDOW)  # nobody is before it any more
    backfill.stop()
    assert_no_window_exceeded(line)
    assert {record["priority"] for record in claims(line)} == {"live", "backfill"}


def test_killed_with_a_claim(line: Line) -> None:
    """A kill wastes a claim and loses nothing: the next process knows what the day's others were granted."""
    service = backfill_service(line, 200, **SHARED)  # 29 pages
    for _ in range(3):
        known = len(claims(line))
        service.start()
        wait_for(lambda known=known: len(claims(line)) > known, 60, "a claim", 0.01)
        assert service.running()
        service.kill()
    service.start()
    wait_for(lambda: not service.running(), 180, "the backfill's end")
    assert service.wait_exit(1) == 0
    assert_no_window_exceeded(line)


def test_a_claim_of_a_dead_process_counts_for_its_window(line: Line) -> None:
    dead = {"version": 1, "kind": "claim", "process": "00000000000000dd", "number": 1, "priority": "backfill"}
    dead |= {"count": PER_WINDOW, "per_minute": PER_WINDOW, "per_day": 0, "window_ms": WINDOW_MS}
    known_as = hmac.new(line.parts.simulator.key.encode(), b"marketflow request budget 1|polygon", "sha256")
    key = known_as.hexdigest()[:32].encode()
    written_ms = int(time.time() * 1000)
    line.produce("INGESTOR_BUDGET", [json.dumps(dead).encode()], key=key, partition=0)
    summary = line.backfill(*BACKFILL[1:], INGEST_BARS_PAGE_LIMIT="50000", **SHARED)
    assert summary["complete"] is True
    assert requests(line)[0]["at_ms"] >= written_ms + WINDOW_MS + GRANT_MS
    assert {message.key for message in line.messages("INGESTOR_BUDGET")} == {key.decode()}


def test_a_limit_that_one_is_told_of_holds_the_other(line: Line) -> None:
    wait_ms = 4000
    far = {"POLYGON_REQUESTS_PER_MINUTE": "60000", "POLYGON_RATE_LIMIT_WAIT_MS": str(wait_ms)}
    live = line.start("ingestor", **POLLING, **far)
    wait_for_requests(line, LIVE, 5)
    line.parts.simulator.add_fault("rate_limited", match={"symbol": HISTORY})
    summary = line.backfill(*BACKFILL[1:], INGEST_BARS_PAGE_LIMIT="50000", **far)
    assert summary["complete"] is True
    refused = next(r for r in requests(line, HISTORY) if r["status"] == 429)
    wait_for(lambda: requests(line, LIVE)[-1]["at_ms"] > refused["at_ms"] + wait_ms, 30, "live to go on")
    told_ms = 1000  # what was granted before it was told is good for that long at most
    held = [r for r in requests(line) if told_ms < r["at_ms"] - refused["at_ms"] < wait_ms]
    assert not held, (refused, held)
    assert live.metric("marketflow_budget_holds_total") == 1
    live.stop()


def test_a_day_that_is_used_up_parks_the_provider(line: Line) -> None:
    per_day = 3
    parked = "marketflow_budget_parked_until_timestamp_seconds"
    limits = {"POLYGON_REQUESTS_PER_DAY": str(per_day)}
    for _ in range(2):  # a restart does not count anew
        live = line.service("ingestor", **POLLING, **limits)
        live.start()
        wait_for(lambda live=live: (live.metric(parked) or 0) > time.time(), 60, "the provider to be parked")
        until = live.metric(parked)
        assert until is not None
        assert until % 86_400 == 0
        assert live.metric("marketflow_budget_used_today") == per_day
        assert len(requests(line)) == per_day
        check = live.readiness()["checks"]["budget"]
        assert check["ok"] is False
        assert "used up until" in check["detail"]
        live.stop()
    backfill = backfill_service(line, 500, **limits)
    backfill.start()
    wait_for(lambda: (backfill.metric(parked) or 0) > time.time(), 60, "the backfill to be parked")
    backfill.stop()
    assert len(requests(line)) == per_day


def test_far_from_the_limit_a_claim_is_for_many(line: Line) -> None:
    """Without others and with room, a claim costs one record for many requests; the key is on none of them."""
    symbols = ",".join(f"X:C{number:03}USD" for number in range(60))
    settings = {"POLYGON_REQUESTS_PER_MINUTE": "60000", "INGEST_SYMBOLS": symbols, "INGEST_POLL_MS": "1000"}
    live = line.start("ingestor", **(POLLING | settings))
    wait_for(lambda: line.parts.simulator.requests()["total"] >= 600, 120, "600 requests")
    live.stop()
    asked = line.parts.simulator.requests()["total"]
    written = claims(line)
    assert len(written) * 4 < asked, (len(written), asked)
    key = line.parts.simulator.key.encode()
    for message in line.messages("INGESTOR_BUDGET"):
        assert key not in (message.value or b"")
        assert message.key is not None
        assert len(message.key) == 32
