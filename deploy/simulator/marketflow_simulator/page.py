# SPDX-License-Identifier: Apache-2.0
"""An answer before it is bytes: an envelope and rows whose values are raw JSON text.

Raw text lets replayed numbers go out digit for digit, and lets a fault put things into an answer that
no JSON writer would (a NaN, a duplicate key, a number with an exponent).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from .bars import Bar

Row = dict[str, str]


@dataclass
class Page:
    """One answer. `rows` is None for answers without results; `label` goes into X-Marketflow-Data."""

    kind: str  # aggs, news, tickers
    label: str
    head: dict[str, str]
    rows: list[Row]
    tail: dict[str, str]
    next_url: str | None = None
    results: str = "auto"  # auto: absent when empty; list: never absent; object: the one row; others: as said
    symbol: str = ""
    range_ms: tuple[int, int] = (0, 0)
    extra: dict[str, str] = field(default_factory=dict)
    flat: bool = False  # the one row's members are the answer's own
    inside: dict[str, str] | None = None  # results is an object: these members, and the rows as its `events`

    def _results(self, rows: list[Row]) -> str:
        return _array(rows) if self.inside is None else render_row(self.inside | {"events": _array(rows)})

    def render(self) -> str:
        """The JSON text."""
        if self.flat:
            return render_row({**self.tail, **(self.rows[0] if self.rows else {}), **self.extra})
        parts = [f'"{key}":{value}' for key, value in self.head.items()]
        if self.results == "null":
            parts.append('"results":null')
        elif self.results == "object":
            parts.extend(f'"results":{render_row(row)}' for row in self.rows[:1])
        elif self.results in ("empty", "list") or (self.results == "auto" and self.rows):
            rows = self.rows if self.results != "empty" else []
            parts.append(f'"results":{self._results(rows)}')
        tail = dict(self.tail)
        if self.inside is None and self.results != "object":
            tail["count"] = str(len(self.rows))
        parts.extend(f'"{key}":{value}' for key, value in tail.items())
        if self.next_url is not None:
            parts.append(f'"next_url":{json.dumps(self.next_url)}')
        parts.extend(f'"{key}":{value}' for key, value in self.extra.items())
        return "{" + ",".join(parts) + "}"


def _array(rows: list[Row]) -> str:
    return f"[{','.join(map(render_row, rows))}]"


def render_row(row: Row) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in row.items()) + "}"


def row_of_bar(bar: Bar) -> Row:
    """The provider's one-letter fields, in the order its documentation shows them."""
    row = {"v": bar.volume}
    if bar.vwap is not None:
        row["vw"] = bar.vwap
    row.update({"o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low, "t": str(bar.start_ms)})
    if bar.trades is not None:
        row["n"] = str(bar.trades)
    return row


def row_of_object(value: dict[str, object]) -> Row:
    return {key: json.dumps(item, ensure_ascii=False) for key, item in value.items()}
