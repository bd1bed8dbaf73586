# SPDX-License-Identifier: Apache-2.0
"""The endpoints about option contracts: pages of the list, one contract, the chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from . import cursor, options
from .bars import SYNTHETIC, Bar, Source, merge
from .page import Page, Row, row_of_object
from .sessions import DAY_MS, NEW_YORK, local_date, midnight_ms


def newest_day(source: Source, ticker: str, now_ms: int) -> Bar | None:
    """The bar of the newest day with a trade, of a day that is not over as far as it has come."""
    today = midnight_ms(local_date(now_ms, NEW_YORK), NEW_YORK)
    so_far = [
        bar
        for bar in source.base_bars(ticker, "minute", today, now_ms, False, False)
        if bar.known_ms <= now_ms
    ]
    if so_far:
        return merge(so_far, today)
    before = source.base_bars(ticker, "day", today - 70 * DAY_MS, today, True, False)
    return next(iter(before), None)


def _tail(request_id: str) -> dict[str, str]:
    return {"status": '"OK"', "request_id": json.dumps(request_id)}


def _next(base: str, path: str, asked: Mapping[str, str], page: int, position: int) -> str:
    kept = {name: text for name, text in asked.items() if name not in ("page", "resume", "cursor")}
    fields: dict[str, object] = {**kept, "page": page, "resume": position}
    return f"{base}{path}?cursor={cursor.encode(fields)}"


def page_of(
    kind: str,
    place: tuple[str, str],
    asked: Mapping[str, str],
    found: list[options.Contract],
    bounds: tuple[int, int, int],
    row: Callable[[options.Contract], Row],
    request_id: str,
) -> tuple[Page, str]:
    """One page and the URL that asks for it again; `bounds` are limit, page number and first row."""
    limit, number, first = bounds
    shown = found[first : first + limit]
    more = len(found) > first + limit
    page = Page(
        kind=kind,
        label=SYNTHETIC,
        head={},
        rows=[row(contract) for contract in shown],
        tail=_tail(request_id),
        next_url=_next(*place, asked, number + 1, first + limit) if more else None,
        results="list",
        symbol=asked.get("underlying_ticker", ""),
    )
    return page, _next(*place, asked, number, first)


def page_of_one(base: str, contract: options.Contract, request_id: str) -> tuple[Page, str]:
    """The details of one contract: its row is the whole result."""
    page = Page(
        kind="contracts",
        label=SYNTHETIC,
        head={},
        rows=[row_of_object(contract.row())],
        tail=_tail(request_id),
        results="object",
        symbol=contract.ticker,
    )
    return page, f"{base}{options.CONTRACTS_PATH}/{quote(contract.ticker, safe=':')}"
