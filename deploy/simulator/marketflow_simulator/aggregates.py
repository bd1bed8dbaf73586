# SPDX-License-Identifier: Apache-2.0
"""Range aggregates: base bars into windows, one page at a time.

A page holds whole windows made from at most `limit` base aggregates (always at least one window, or
paging would stand still), and says where the next page starts. The union of the pages is therefore
exactly what one unlimited page would have been. A window that is not over yet is left out unless
forming bars are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .bars import Bar, Source, merge
from .windows import Windows

MAX_LIMIT = 50_000
DEFAULT_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Query:
    """One request for aggregates. [start_ms, end_ms) is already snapped outward to windows."""

    windows: Windows
    start_ms: int
    end_ms: int
    limit: int
    backwards: bool
    adjusted: bool


@dataclass(frozen=True, slots=True)
class PageOfBars:
    """`resume_ms` is the bound of what is left: a start going forward, an end going backward."""

    bars: list[Bar]
    base_count: int
    resume_ms: int | None


def _groups(source: Source, query: Query) -> Iterator[tuple[int, list[Bar]]]:
    """(window start, its base bars in time order), window by window in the query's direction."""
    windows = query.windows
    start, members = -1, list[Bar]()
    base = source.base_bars(
        windows.symbol,
        windows.base_unit,
        query.start_ms,
        query.end_ms,
        query.backwards,
        query.adjusted,
    )
    for bar in base:
        at = bar.start_ms if windows.is_base else windows.start(bar.start_ms)
        if members and at != start:
            yield start, members[::-1] if query.backwards else members
            members = []
        start = at
        members.append(bar)
    if members:
        yield start, members[::-1] if query.backwards else members


def _known_at(windows: Windows, start_ms: int, members: list[Bar]) -> int:
    """When a window became final: a base bar says so itself, a wider one is final at its end."""
    return members[0].known_ms if windows.is_base else windows.end(start_ms)


def _visible(windows: Windows, start_ms: int, members: list[Bar], now_ms: int, forming: bool) -> list[Bar]:
    """The members a client may see now; none when the window is not to be shown."""
    if not members or _known_at(windows, start_ms, members) <= now_ms:
        return members
    return [bar for bar in members if bar.known_ms <= now_ms] if forming else []


def read_page(source: Source, query: Query, now_ms: int, forming: bool) -> PageOfBars:
    """The first page of `query`."""
    bars: list[Bar] = []
    base_count = 0
    windows = query.windows
    for start_ms, members in _groups(source, query):
        # The forming minute of a minute series is built from its seconds.
        if forming and windows.base_unit == "minute" and members[-1].known_ms > now_ms:
            members = _with_forming(source, query, members, now_ms)
        shown = _visible(windows, start_ms, members, now_ms, forming)
        if not shown:
            if query.backwards:
                continue
            break  # everything after it is later still
        if bars and base_count + len(shown) > query.limit:
            resume = windows.end(start_ms) if query.backwards else start_ms
            return PageOfBars(bars, base_count, resume)
        bars.append(merge(shown, start_ms))
        base_count += len(shown)
    return PageOfBars(bars, base_count, None)


def _with_forming(source: Source, query: Query, members: list[Bar], now_ms: int) -> list[Bar]:
    """Final minutes as they are; the one in progress as far as it has come; later ones dropped."""
    kept = [bar for bar in members if bar.known_ms <= now_ms]
    current = next((bar for bar in members if bar.start_ms <= now_ms < bar.known_ms), None)
    if current is not None:
        symbol = query.windows.symbol
        parts = source.base_bars(symbol, "second", current.start_ms, current.known_ms, False, query.adjusted)
        so_far = [bar for bar in parts if bar.known_ms <= now_ms]
        if so_far:
            kept.append(merge(so_far, current.start_ms))
    return kept
