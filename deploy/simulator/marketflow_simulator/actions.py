# SPDX-License-Identifier: Apache-2.0
"""The endpoints of corporate actions: rows by day, filtered and paged. `reference` knows which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from . import reference


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`day` names the member that dates a row, and the parameters that bound it."""

    kind: str
    path: str
    day: str
    rows: Callable[[int, date], list[reference.Action]]


SPLITS = Endpoint("splits", "/v3/reference/splits", "execution_date", reference.splits)
DIVIDENDS = Endpoint("dividends", "/v3/reference/dividends", "ex_dividend_date", reference.dividends)


def wanted(
    endpoint: Endpoint,
    seed: int,
    today: date,
    asked: Mapping[str, str],
    order: str,
    added: Sequence[reference.Action] = (),
) -> list[reference.Action]:
    """The actions that the parameters leave, by day, `added` among them. ValueError for a day that is none."""
    names = (endpoint.day, *(f"{endpoint.day}.{edge}" for edge in ("gt", "gte", "lt", "lte")))
    on, above, least, below, most = (
        date.fromisoformat(asked[name]) if name in asked else None for name in names
    )
    found = [
        action
        for action in sorted([*endpoint.rows(seed, today), *added], key=lambda action: action.day)
        if asked.get("ticker", action.row["ticker"]) == action.row["ticker"]
        and (on is None or action.day == on)
        and (above is None or action.day > above)
        and (least is None or action.day >= least)
        and (below is None or action.day < below)
        and (most is None or action.day <= most)
    ]
    return found if order == "asc" else found[::-1]
