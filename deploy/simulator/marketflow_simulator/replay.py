# SPDX-License-Identifier: Apache-2.0
"""Real daily history: AAPL, FB, GOOG, IBM and MSFT, 2000-03-01 to 2013-03-01, as it was traded.

Read from the CSV file that the PyPI package ``bokeh_sampledata`` ships; the package documents the
series as public domain (its module ``stocks``: source, archived copy, the publisher's notice). The
package itself is never imported, because importing it needs pandas.

``adjusted=false`` answers the file's own numbers, digit for digit. ``adjusted=true`` applies the
splits inside the history, which are public facts of the companies: Apple two for one on 2000-06-21
and on 2005-02-28, Microsoft two for one on 2003-02-18 (each company's investor-relations page lists
them, and the file's prices halve on those days). Splits after the history's end are not applied:
the answer is what an adjusted series looked like on its last day.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import importlib.util
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from .bars import REPLAY, Bar, plain
from .sessions import NEW_YORK, midnight_ms, session

EXPECTED_ROWS = 12_154
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
SPLITS: dict[str, tuple[tuple[date, int], ...]] = {
    "AAPL": ((date(2000, 6, 21), 2), (date(2005, 2, 28), 2)),
    "MSFT": ((date(2003, 2, 18), 2),),
}


class ReplayError(Exception):
    """The data package is missing or is not the one that was counted."""


def data_file() -> Path:
    """Where the installed package keeps the series; found without importing the package."""
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or not spec.submodule_search_locations:
        raise ReplayError("package bokeh_sampledata is not installed; see requirements.lock")
    return Path(next(iter(spec.submodule_search_locations))) / "_data" / "stocks.csv.gz"


class Replay:
    """The history in memory: per symbol one tuple of (day start, bar) in time order."""

    label = REPLAY

    def __init__(self, path: Path | None = None) -> None:
        self._bars: dict[str, list[Bar]] = {symbol: [] for symbol in SYMBOLS}
        with gzip.open(path or data_file(), "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            next(reader)
            for ticker, day, open_, high, low, close, volume, _adjusted_close in reader:
                bar = self._bar(date.fromisoformat(day), open_, high, low, close, volume)
                self._bars[ticker].append(bar)
        for bars in self._bars.values():
            bars.sort(key=lambda bar: bar.start_ms)
        if self.row_count() != EXPECTED_ROWS:
            raise ReplayError(f"{self.row_count()} rows of history, expected {EXPECTED_ROWS}")
        self._starts = {name: [b.start_ms for b in bars] for name, bars in self._bars.items()}

    @staticmethod
    def _bar(day: date, open_: str, high: str, low: str, close: str, volume: str) -> Bar:
        start = midnight_ms(day, NEW_YORK)
        hours = session("stock", day)
        known = hours.regular_end_ms if hours else start + 16 * 3_600_000
        return Bar(start, known, open_, high, low, close, volume)

    def row_count(self) -> int:
        return sum(len(bars) for bars in self._bars.values())

    def covers(self, symbol: str) -> bool:
        return symbol in self._bars

    def base_bars(
        self, symbol: str, unit: str, start_ms: int, end_ms: int, backwards: bool, adjusted: bool
    ) -> Iterator[Bar]:
        """Day bars of the range; the history has no finer ones, so other units are empty."""
        if unit != "day":
            return
        starts = self._starts[symbol]
        low, high = bisect.bisect_left(starts, start_ms), bisect.bisect_left(starts, end_ms)
        chosen = self._bars[symbol][low:high]
        for bar in reversed(chosen) if backwards else chosen:
            yield adjust(bar, symbol) if adjusted else bar


def adjust(bar: Bar, symbol: str) -> Bar:
    """The bar in the shares of the history's last day: prices divided, volume multiplied."""
    factor = 1
    for ex_date, ratio in SPLITS.get(symbol, ()):
        if bar.start_ms < midnight_ms(ex_date, NEW_YORK):
            factor *= ratio
    if factor == 1:
        return bar

    def price(text: str) -> str:
        return plain(Decimal(text) / factor)

    return Bar(
        bar.start_ms,
        bar.known_ms,
        price(bar.open),
        price(bar.high),
        price(bar.low),
        price(bar.close),
        plain(Decimal(bar.volume) * factor),
    )
