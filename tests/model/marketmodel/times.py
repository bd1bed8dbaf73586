# SPDX-License-Identifier: Apache-2.0
"""Times of events, and midnight where the exchanges are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def parse_ms(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def format_ms(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def new_york_midnight(day: str) -> int:
    return round(datetime.combine(date.fromisoformat(day), datetime.min.time(), NEW_YORK).timestamp() * 1000)
