# SPDX-License-Identifier: Apache-2.0
"""Faults that change a right answer's rows or envelope before it becomes bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from .bad_rows import spoil
from .clock import parse_instant
from .faults import Fault, FaultError
from .page import Page


def _whole(parameters: dict[str, Any], name: str, default: int) -> int:
    value = parameters.get(name, default)
    return value if isinstance(value, int) else default


def _scale(text: str, percent: float) -> str:
    """`text` changed by `percent`, with as many decimals as it had."""
    value = Decimal(text)
    changed = value * (1 + Decimal(str(percent)) / 100)
    return format(changed.quantize(Decimal(1).scaleb(value.as_tuple().exponent)), "f")  # type: ignore[arg-type]


def _bad_row(page: Page, fault: Fault) -> None:
    """Changes the row at `index`, or with `insert` puts a changed copy of it behind it."""
    parameters = fault.parameters
    if not page.rows:
        return
    index = _whole(parameters, "index", 0) % len(page.rows)
    row = dict(page.rows[index])
    if parameters.get("variant") is not None:
        spoil(row, page.kind, parameters["variant"])
    row.update({str(key): str(value) for key, value in parameters.get("set", {}).items()})
    for name in parameters.get("drop", []):
        row.pop(name, None)
    if parameters.get("insert"):
        page.rows.insert(index + 1, row)
    else:
        page.rows[index] = row


def _chosen_rows(page: Page, parameters: dict[str, Any]) -> list[int]:
    """Rows a correction means: the one that starts at `t`, the `last`-th from the end, or all."""
    if "t" in parameters:
        wanted = str(parse_instant(str(parameters["t"])))
        return [at for at, row in enumerate(page.rows) if row.get("t") == wanted]
    if "last" in parameters:
        at = len(page.rows) - max(1, _whole(parameters, "last", 1))
        return [at] if 0 <= at < len(page.rows) else []
    return list(range(len(page.rows)))


def _correction(page: Page, fault: Fault) -> None:
    """Other closes and volumes for past bars. With `churn` every answer differs from the last one,
    which makes a polled bar a new revision each time."""
    parameters = fault.parameters
    percent = float(parameters.get("percent", 1.0))
    volume_percent = float(parameters.get("volume_percent", 10.0))
    if parameters.get("churn"):
        percent *= (fault.hits % 97 + 1) / 97
        volume_percent *= (fault.hits % 89 + 1) / 89
    for at in _chosen_rows(page, parameters):
        row = dict(page.rows[at])
        row["c"] = _scale(row["c"], percent)
        row["h"] = max(row["h"], row["c"], key=Decimal)
        row["l"] = min(row["l"], row["c"], key=Decimal)
        row["v"] = _scale(row["v"], volume_percent)
        page.rows[at] = row


def _duplicate_rows(page: Page, fault: Fault) -> None:
    """The first `count` rows a second time, in front of the rest."""
    page.rows[:0] = [dict(row) for row in page.rows[: _whole(fault.parameters, "count", 1)]]


def _missing_rows(page: Page, fault: Fault) -> None:
    """Without the bars that start in [`from`, `to`), or the articles of that time, as if there were none yet."""
    first = parse_instant(str(fault.parameters["from"]))
    last = parse_instant(str(fault.parameters["to"]))
    page.rows[:] = [row for row in page.rows if not first <= _time_of(row) < last]
    if "resultsCount" in page.head:
        page.head["resultsCount"] = str(len(page.rows))


def _time_of(row: dict[str, str]) -> int:
    return int(row["t"]) if "t" in row else parse_instant(str(json.loads(row["published_utc"])))


def _out_of_range(page: Page, fault: Fault) -> None:
    """`early` rows ahead of the asked range and `late` rows behind it, copies of the ends."""
    if not page.rows:
        return
    step = _whole(fault.parameters, "step_ms", 86_400_000)
    first, last = page.range_ms
    early = [
        page.rows[0] | {"t": str(first - step * back)}
        for back in range(_whole(fault.parameters, "early", 1), 0, -1)
    ]
    late = [
        page.rows[-1] | {"t": str(last + step * ahead)}
        for ahead in range(1, _whole(fault.parameters, "late", 1) + 1)
    ]
    page.rows[:] = early + page.rows + late


def _out_of_order(page: Page, fault: Fault) -> None:
    """A seeded shuffle, never the order it had."""
    before = list(page.rows)
    random.Random(_whole(fault.parameters, "seed", 1)).shuffle(page.rows)
    if page.rows == before:
        page.rows.reverse()


def _empty_page(page: Page, fault: Fault) -> None:
    """No rows here, and a next_url behind which they are (the server has set it): one that was not asked for before."""
    page.rows = []
    page.next_url = f"{fault.notes.pop('same_page_url', page.next_url)}&again={fault.hits}"


def _results(mode: str) -> Callable[[Page, Fault], None]:
    def change(page: Page, fault: Fault) -> None:
        page.rows, page.results = [], mode

    return change


def _delayed(page: Page, fault: Fault) -> None:
    page.tail["status"] = '"DELAYED"'


def _foreign_next_url(page: Page, fault: Fault) -> None:
    """Another URL, or with `host` the right one at another host, over https. The last page has none to change."""
    host = fault.parameters.get("host")
    if host is None:
        page.next_url = str(fault.parameters.get("url", "http://elsewhere.invalid/v2/aggs?cursor=Zm9v"))
    elif page.next_url is not None:
        page.next_url = urlsplit(page.next_url)._replace(scheme="https", netloc=str(host)).geturl()


def _missing_next_url(page: Page, fault: Fault) -> None:
    """A page that ends where its limit does and does not say so."""
    page.next_url = None


def _repeating_next_url(page: Page, fault: Fault) -> None:
    """The same next_url on every page the fault hits: the first one it saw."""
    fault.notes.setdefault("url", fault.notes.pop("same_page_url", page.next_url))
    page.next_url = fault.notes["url"]


def _duplicate_keys(page: Page, fault: Fault) -> None:
    page.extra["status"] = '"OK"'


def _wrong_ticker(page: Page, fault: Fault) -> None:
    page.head["ticker"] = json.dumps(str(fault.parameters.get("ticker", "WRONG")))


_CHANGES: dict[str, Callable[[Page, Fault], None]] = {
    "absent_results": _results("absent"),
    "bad_row": _bad_row,
    "correction": _correction,
    "delayed": _delayed,
    "duplicate_keys": _duplicate_keys,
    "duplicate_rows": _duplicate_rows,
    "empty_page": _empty_page,
    "empty_results": _results("empty"),
    "foreign_next_url": _foreign_next_url,
    "missing_rows": _missing_rows,
    "missing_next_url": _missing_next_url,
    "null_results": _results("null"),
    "out_of_order": _out_of_order,
    "out_of_range": _out_of_range,
    "repeating_next_url": _repeating_next_url,
    "wrong_ticker": _wrong_ticker,
}


def change_page(page: Page, fault: Fault) -> None:
    """Applies one page fault. Raises FaultError when its parameters do not fit the answer."""
    try:
        _CHANGES[fault.kind](page, fault)
    except (KeyError, ArithmeticError, ValueError) as problem:
        raise FaultError(f"fault {fault.number} ({fault.kind}): {problem!r}") from problem
