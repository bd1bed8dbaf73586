# SPDX-License-Identifier: Apache-2.0
"""What a bar is here: numbers kept as the text that will be sent.

Prices travel as text from the source to the answer, so a replayed file's own digits come out as they
went in; arithmetic on them (adjusting, aggregating) is exact decimal arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

REPLAY = "replay"
SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Bar:
    """One base aggregate. `start_ms` is the window's start; `known_ms` is when it became final."""

    start_ms: int
    known_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    vwap: str | None = None
    trades: int | None = None


class Source(Protocol):
    """Base bars of one kind of data; a pure function of its arguments."""

    label: str

    def base_bars(
        self, symbol: str, unit: str, start_ms: int, end_ms: int, backwards: bool, adjusted: bool
    ) -> Iterator[Bar]:
        """Bars of unit second, minute or day with start in [start_ms, end_ms), in time order
        (newest first when `backwards`), whether or not they are final yet."""
        ...


def plain(value: Decimal) -> str:
    """Decimal text without exponent and without trailing zeros after the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def merge(bars: list[Bar], start_ms: int) -> Bar:
    """One bar over several in time order: first open, last close, extremes, exact volume sum."""
    if len(bars) == 1 and bars[0].start_ms == start_ms:
        return bars[0]
    volume = sum((Decimal(bar.volume) for bar in bars), Decimal(0))
    weighted = [bar for bar in bars if bar.vwap is not None]
    vwap = None
    if len(weighted) == len(bars) and volume > 0:
        value = sum((Decimal(b.vwap or 0) * Decimal(b.volume) for b in weighted), Decimal(0))
        vwap = plain((value / volume).quantize(Decimal("0.000001")))
    trades = [bar.trades for bar in bars]
    return Bar(
        start_ms=start_ms,
        known_ms=max(bar.known_ms for bar in bars),
        open=bars[0].open,
        high=max(bars, key=lambda bar: Decimal(bar.high)).high,
        low=min(bars, key=lambda bar: Decimal(bar.low)).low,
        close=bars[-1].close,
        volume=plain(volume),
        vwap=vwap,
        trades=None if None in trades else sum(count or 0 for count in trades),
    )
