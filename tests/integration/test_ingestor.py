# SPDX-License-Identifier: Apache-2.0
"""What the ingestor owes over hours and outages: ranges that end, nothing said twice, nothing forgotten."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from line import Line


def asked(line: Line, path: str = "/v2/aggs") -> list[dict[str, Any]]:
    return list(line.parts.simulator.requests(path=path)["requests"])


def test_a_backfill_of_today_ends(line: Line) -> None:
    """A minute begins while the only request is under way; the range does not grow with it."""
    now = time.time()
    to_next_minute_ms = int((60 - now % 60 + 0.5) * 1000)
    line.parts.simulator.add_fault("slow", match={"endpoint": "aggs"}, delay_ms=to_next_minute_ms)
    today = datetime.fromtimestamp(now, UTC).date()
    days = ["--from", str(today - timedelta(days=1)), "--to", str(today)]
    patience = {"POLYGON_REQUEST_TIMEOUT_MS": "120000", "POLYGON_STALL_TIMEOUT_MS": "120000"}
    summary = line.backfill(
        "bars", "--symbols", "X:BTCUSD", *days, "--timespan", "minute", code=75, **patience
    )
    assert summary["complete"] is False  # the day is not over: the next start goes on
    assert summary["symbols"]["X:BTCUSD"]["status"] == "incomplete"
    assert summary["events"]["bar"] > 1440
    assert len(asked(line)) == 1
