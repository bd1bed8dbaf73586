# SPDX-License-Identifier: Apache-2.0
"""How long from the provider's answer to a visible row: measured by looking.

A thread asks the warehouse every 50 ms for rows it has not seen and notes the time at which it saw them. What
is reported is therefore what a reader of the table gets, commit and the reader's own interval included. Only
rows of the live lane count, without those that warm the processor up.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from .postgres import Postgres
from .waiting import LocalError
from .warehouse import Session

_INTERVAL = 0.05
# loaded_at is when the row's transaction began; a row becomes visible within that transaction's time.
_RECENT = """
SELECT kafka_topic || '/' || kafka_partition || '/' || kafka_offset,
       extract(epoch FROM (payload ->> 'ingest_time')::timestamptz)
  FROM {table}
 WHERE loaded_at > now() - interval '20 seconds'
   AND lane = 'live'
   AND NOT coalesce(jsonb_exists(payload -> 'flags', 'warmup'), false)
"""
_QUERY = " UNION ALL ".join(_RECENT.format(table=f"raw.{name}") for name in ("raw_bars", "raw_news"))


@dataclass(frozen=True)
class Latency:
    """Milliseconds; None when no row was seen."""

    samples: int
    p50: float | None
    p99: float | None
    worst: float | None


def percentile(ordered: list[float], share: float) -> float:
    """By linear interpolation between the two nearest of the ordered values (type 7)."""
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


class LatencyReader:
    """Looks from start() to stop(); rows already visible at start() are not counted."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._delays: list[float] = []
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(30)

    def samples(self) -> int:
        return len(self._delays)

    def stop(self) -> Latency:
        self._stop.set()
        self._thread.join(30)
        if self._problem:
            raise LocalError(f"measuring latency: {self._problem}")
        ordered = sorted(self._delays)
        if not ordered:
            return Latency(0, None, None, None)
        p50, p99 = (round(percentile(ordered, share) * 1000, 1) for share in (0.50, 0.99))
        return Latency(len(ordered), p50, p99, round(ordered[-1] * 1000, 1))

    def _run(self) -> None:
        try:
            with Session(self._postgres) as session:
                seen = {key for key, _ in session.query(_QUERY)}
                self._ready.set()
                while not self._stop.wait(_INTERVAL):
                    rows = session.query(_QUERY)
                    now = time.time()
                    self._delays.extend(now - float(born) for key, born in rows if key not in seen)
                    seen = {key for key, _ in rows}  # what left the window cannot come back
        except (LocalError, ValueError, OSError) as problem:
            self._problem = str(problem)
        finally:
            self._ready.set()
