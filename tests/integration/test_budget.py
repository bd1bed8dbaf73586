# SPDX-License-Identifier: Apache-2.0
"""The request budget of one key, shared by processes that know nothing of each other but a topic.

What holds is judged by the provider's own journal. The window is a short one, so that a test sees many.
"""

from __future__ import annotations

import hmac
import json
import time

import pytest
from budget_users import (
    GRANT_MS,
    HISTORY,
    LIVE,
    PER_WINDOW,
    POLLING,
    assert_no_window_exceeded,
    backfill,
    backfill_service,
    claims,
    requests,
    shared,
    spend_windows,
    wait_for_requests,
)
from line import Line
from mflocal import wait_for

pytestmark = pytest.mark.once

WINDOW_MS = 1500
SHARED = shared(WINDOW_MS)
BACKFILL = backfill()


def test_two_processes_share_a_budget_and_live_goes_first(line: Line) -> None:
    history = backfill_service(line, 50, **SHARED)  # far more pages than the test has time for
    history.start()
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
    history.stop()
    assert_no_window_exceeded(line, WINDOW_MS)
    assert {record["priority"] for record in claims(line)} == {"live", "backfill"}


def test_a_third_process_joins_and_one_is_killed(line: Line) -> None:
    """The same over ten minutes, in windows of a minute, is in the suite faults."""
    seen = spend_windows(line, WINDOW_MS, 9)
    assert_no_window_exceeded(line, WINDOW_MS)
    # Nine windows hold 45 requests; those of the log are longer by the grant's second, and a kill wastes a claim.
    assert len(seen) > 9 * PER_WINDOW * WINDOW_MS / (WINDOW_MS + GRANT_MS) / 2


def test_killed_with_a_claim(line: Line) -> None:
    """A kill wastes a claim and loses nothing: the next process knows what the day's others were granted."""
    service = backfill_service(line, 600, **SHARED)  # 10 pages
    for _ in range(3):
        known = len(claims(line))
        service.start()
        wait_for(lambda known=known: len(claims(line)) > known, 60, "a claim", 0.01)
        assert service.running()
        service.kill()
    service.start()
    wait_for(lambda: not service.running(), 180, "the backfill's end")
    assert service.wait_exit(1) == 0
    assert_no_window_exceeded(line, WINDOW_MS)


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
    history = backfill_service(line, 500, **limits)
    history.start()
    wait_for(lambda: (history.metric(parked) or 0) > time.time(), 60, "the backfill to be parked")
    history.stop()
    assert len(requests(line)) == per_day


def test_far_from_the_limit_a_claim_is_for_many(line: Line) -> None:
    """Without others and with room, a claim costs one record for many requests; the key is on none of them."""
    symbols = ",".join(f"X:C{number:03}USD" for number in range(60))
    settings = {"POLYGON_REQUESTS_PER_MINUTE": "60000", "INGEST_SYMBOLS": symbols, "INGEST_POLL_MS": "1000"}
    live = line.start("ingestor", **(POLLING | settings))
    wait_for(lambda: line.parts.simulator.requests()["total"] >= 300, 120, "300 requests")
    live.stop()
    asked = line.parts.simulator.requests()["total"]
    written = claims(line)
    assert len(written) * 4 < asked, (len(written), asked)
    key = line.parts.simulator.key.encode()
    for message in line.messages("INGESTOR_BUDGET"):
        assert key not in (message.value or b"")
        assert message.key is not None
        assert len(message.key) == 32
