# SPDX-License-Identifier: Apache-2.0
"""The simulator's own time: follows the machine's clock until a test moves it.

Everything that depends on "now" (which bars exist, which news is out, the market's state) asks this
clock and nothing else, so a test can stand on any day and step over a minute's end.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def parse_instant(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 text (UTC unless it says otherwise) or of digits."""
    if text.lstrip("-").isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def format_instant(instant_ms: int) -> str:
    """RFC 3339 with milliseconds and a Z."""
    moment = datetime.fromtimestamp(instant_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant_ms % 1000:03d}Z"


class Clock:
    """Virtual milliseconds: an origin, a rate, and the monotonic moment it was set at."""

    def __init__(self, start_ms: int | None = None) -> None:
        self._rate = 1.0
        self._frozen = False
        self._real = start_ms is None
        self._origin_ms = start_ms if start_ms is not None else int(time.time() * 1000)
        self._set_at = time.monotonic()

    def now_ms(self) -> int:
        if self._real:
            return int(time.time() * 1000)
        if self._frozen:
            return self._origin_ms
        return self._origin_ms + int((time.monotonic() - self._set_at) * 1000 * self._rate)

    def _restart_at(self, instant_ms: int) -> None:
        self._origin_ms = instant_ms
        self._set_at = time.monotonic()
        self._real = False

    def set(self, instant_ms: int) -> None:
        self._restart_at(instant_ms)

    def advance(self, delta_ms: int) -> None:
        self._restart_at(self.now_ms() + delta_ms)

    def freeze(self, frozen: bool) -> None:
        self._restart_at(self.now_ms())
        self._frozen = frozen

    def set_rate(self, rate: float) -> None:
        """Virtual milliseconds per real one; the past is not moved."""
        if not 0 < rate <= 100_000:
            raise ValueError("rate must be above 0 and at most 100000")
        self._restart_at(self.now_ms())
        self._rate = rate

    def follow_machine(self) -> None:
        """Back to the machine's clock at its own speed."""
        self._real, self._frozen, self._rate = True, False, 1.0

    def describe(self) -> dict[str, object]:
        return {
            "now": format_instant(self.now_ms()),
            "now_ms": self.now_ms(),
            "real": self._real,
            "frozen": self._frozen,
            "rate": self._rate,
        }
