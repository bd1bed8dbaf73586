# SPDX-License-Identifier: Apache-2.0
"""Manifests of backfills: where they lie, what they promise, and whether the warehouse keeps it. No Airflow.

A repeated start of a complete run writes a manifest without its series, which are forgotten once a run is complete
(docs/operating.md); the one that has them is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_MAX = 64 << 20
# An argument of a process has at most 128 KiB; a symbol seldom more than 16 bytes, and its quotes.
SYMBOLS_MAX = 3000
# `interval` of the events, by the command's --timespan (docs/providers.md); longer windows reach beyond a range's ends.
INTERVALS = {
    "second": "1s", "5second": "5s", "minute": "1m", "5minute": "5m", "15minute": "15m", "30minute": "30m",
    "hour": "1h", "4hour": "4h", "day": "1d",
}  # fmt: skip
# Tables by the manifest's feed; only these can be counted by day.
TABLES = {"bars": "raw_bars", "grouped": "raw_bars", "options": "raw_option_bars"}


class ManifestError(ValueError):
    """A file that is no manifest, or not one that can be used here."""


def read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_MAX:
            raise ManifestError(f"{path}: above {FILE_MAX} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ManifestError(f"{path}: {problem.strerror}") from None
    except ValueError:
        raise ManifestError(f"{path}: no JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("raw"), list):
        raise ManifestError(f"{path}: no manifest")
    return value


def keep(new: Path, target: Path) -> dict[str, Any]:
    """Puts a new manifest in its place, unless the one that is there is of the same run and knows its series, which the
    new one does not. Returns the manifest that is in place then."""
    found = read(new)
    if "series" not in found and target.exists():
        before = read(target)
        if before.get("run_id") == found.get("run_id") and before.get("complete") and "series" in before:
            new.unlink()
            return before
    os.replace(new, target)
    return found


@dataclass(frozen=True)
class Promise:
    """What was published: events by symbol, in one table, of some days."""

    table: str
    first: str
    last: str
    interval: str
    adjusted: str
    received: Mapping[str, int]

    def question(self, symbols: Sequence[str]) -> dict[str, Any]:
        """One question of dbt's macro loaded_by_symbol."""
        return {
            "table": self.table, "first_day": self.first, "last_day": self.last, "bar_interval": self.interval,
            "adjusted": self.adjusted, "symbols": list(symbols),
        }  # fmt: skip


def promise(manifest: Mapping[str, Any]) -> Promise | None:
    """What the manifest promises of the warehouse; None where it cannot be counted: another feed, or no series."""
    table = TABLES.get(str(manifest.get("feed")))
    series = manifest.get("series")
    by_default = "day" if manifest.get("feed") == "grouped" else "minute"
    interval = INTERVALS.get(str(manifest.get("timespan") or by_default))
    if table is None or interval is None or not isinstance(series, list):
        return None
    received: dict[str, int] = {}
    for one in series:
        if one.get("received"):
            symbol = underlying(str(one["symbol"])) if table == "raw_option_bars" else str(one["symbol"])
            received[symbol] = received.get(symbol, 0) + int(one["received"])
    adjusted = str(manifest.get("adjusted") or "")
    return Promise(table, str(manifest["from"]), str(manifest["to"]), interval, adjusted, received)


def batches(promises: Sequence[Promise]) -> list[list[tuple[int, dict[str, Any]]]]:
    """Questions about all promises, each with the promise's number, in as few calls as arguments of a process have room
    for."""
    found: list[list[tuple[int, dict[str, Any]]]] = []
    room = 0
    for number, promise in enumerate(promises):
        symbols = sorted(promise.received)
        for start in range(0, len(symbols), SYMBOLS_MAX):
            part = symbols[start : start + SYMBOLS_MAX]
            if len(part) > room:
                found.append([])
                room = SYMBOLS_MAX
            found[-1].append((number, promise.question(part)))
            room -= len(part)
    return found


def underlying(symbol: str) -> str:
    """The key of an option's rows is its underlying; a contract that was asked for by name has it in front of the
    date (O:AAPL240719C00100000)."""
    return symbol[2:-15] if symbol.startswith("O:") and len(symbol) > 17 else symbol


def shortfall(
    expected: Mapping[str, int], loaded: Mapping[str, int], letters: Mapping[str, int]
) -> dict[str, tuple[int, int, int]]:
    """Symbols with fewer rows than were published, those that became dead letters on the way taken off:
    (published, rows, letters)."""
    return {
        symbol: (count, loaded.get(symbol, 0), letters.get(symbol, 0))
        for symbol, count in sorted(expected.items())
        if loaded.get(symbol, 0) + letters.get(symbol, 0) < count
    }


def paths_of(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """The manifests that asset events name, each once, in the order in which they came."""
    found: dict[str, None] = {}
    for extra in events:
        for path in extra.get("manifests") or []:
            found[str(path)] = None
    return list(found)
