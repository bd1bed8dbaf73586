# SPDX-License-Identifier: Apache-2.0
"""Processes that share the request budget of a key, and what the provider's own journal says about them."""

from __future__ import annotations

import json
from typing import Any

from line import Line
from mflocal import ServiceProcess, wait_for
from mflocal.ports import Ports

PER_WINDOW = 5
GRANT_MS = 1000  # how long a claim is good for: a window of the log is longer by that
# Live polls these symbols more often than the budget allows; a backfill reads one, page by page.
LIVE, HISTORY, OTHER = "X:L", "X:ETHUSD", "X:SOLUSD"
POLLING = {"INGEST_SYMBOLS": ",".join(f"X:L{n}USD" for n in range(8)), "INGEST_POLL_MS": "100"}
POLLING |= {"INGEST_DAY_BARS": "false", "INGEST_NEWS": "false", "INGEST_WARMUP": "false"}


def shared(window_ms: int) -> dict[str, str]:
    return {"POLYGON_REQUESTS_PER_MINUTE": str(PER_WINDOW), "POLYGON_RATE_WINDOW_MS": str(window_ms)}


def backfill(symbol: str = HISTORY) -> list[str]:
    days = ["--from", "2024-01-02", "--to", "2024-01-05", "--timespan", "minute"]
    return ["backfill", "bars", "--symbols", symbol, *days]


def requests(line: Line, symbol: str = "") -> list[dict[str, Any]]:
    seen = line.asked("/v2/aggs")
    return [request for request in seen if symbol in request["path"]]


def claims(line: Line, priority: str = "") -> list[dict[str, Any]]:
    records = [json.loads(message.value or b"{}") for message in line.messages("INGESTOR_BUDGET")]
    return [r for r in records if r["kind"] == "claim" and (not priority or r["priority"] == priority)]


def assert_no_window_exceeded(line: Line, window_ms: int) -> None:
    """By the provider's count; what it refused was asked for too."""
    moments = [request["at_ms"] for request in requests(line)]
    assert moments == sorted(moments)
    gaps = [late - early for early, late in zip(moments, moments[PER_WINDOW:], strict=False)]
    assert gaps, "too few requests to fill a window"
    assert min(gaps) >= window_ms, (min(gaps), moments)


def backfill_service(line: Line, page_limit: int, symbol: str = HISTORY, **settings: str) -> ServiceProcess:
    name = "backfill" if symbol == HISTORY else "other"
    service = line.service(
        "ingestor",
        KAFKA_INSTANCE_ID=f"{line.name}-{name}",
        INGEST_BARS_PAGE_LIMIT=str(page_limit),
        **settings,
    )
    service.name = name
    service.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{Ports(line.layout).take(f'metrics-{name}')}"
    service.spec.arguments.extend(backfill(symbol))
    return service


def wait_for_requests(line: Line, symbol: str, count: int, timeout: float = 90) -> None:
    wait_for(
        lambda: len(requests(line, symbol)) >= count, timeout, f"{count} requests for {symbol or 'anything'}"
    )


def spend_windows(line: Line, window_ms: int, windows: int) -> list[dict[str, Any]]:
    """A backfill and a live process share a budget; a third joins after a third of the time, after two thirds the
    live one is killed, with whatever it has claimed. Ends when so many windows have passed since the first request, and
    returns the requests."""
    far_ms, patience = windows * window_ms, 60 + 3 * windows * (window_ms + GRANT_MS) / 1000
    settings = shared(window_ms)
    processes = [backfill_service(line, 50, **settings)]
    processes[0].start()
    # Two of five requests are the live one's.
    polling = POLLING | {"INGEST_SYMBOLS": f"{LIVE}0USD", "INGEST_POLL_MS": str(window_ms // 2)}
    live = line.service("ingestor", **polling, **settings)
    live.start()

    def passed(share: float) -> bool:
        seen = requests(line)
        return bool(seen) and seen[-1]["at_ms"] - seen[0]["at_ms"] >= share * far_ms

    wait_for(lambda: passed(1 / 3), patience, "a third of the time", 0.2)
    processes.append(backfill_service(line, 50, OTHER, **settings))
    processes[1].start()
    wait_for(lambda: passed(2 / 3), patience, "two thirds of the time", 0.2)
    live.kill()
    wait_for(lambda: passed(1), patience, "all of the time", 0.2)
    for process in processes:
        process.stop()
    seen = requests(line)
    for symbol in (HISTORY, LIVE, OTHER):
        assert any(symbol in request["path"] for request in seen), symbol
    last = [r for r in seen if r["at_ms"] - seen[0]["at_ms"] >= 2 / 3 * far_ms]
    assert {name for name in (HISTORY, OTHER) for r in last if name in r["path"]} == {HISTORY, OTHER}
    return seen
