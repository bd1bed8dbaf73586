# SPDX-License-Identifier: Apache-2.0
"""What an ingest asks for, as requests: one per group of symbols, and per month where a range is long. Pure.

A request is a small dictionary that travels by XCom: feed, symbols, from, to, and what the command takes beside them.
The same day and settings give the same requests, so the same runs: what is complete is not asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

# Airflow's own bound on mapped tasks is 1024; above a few hundred the scheduler has more work than the programs.
REQUESTS_MAX = 200
# An argument of a process has at most 128 KiB; symbols have at most 64 bytes.
GROUP_MAX = 1500

_RANGED = ("bars", "options", "news", "grouped", "open-close", "splits", "dividends")
_BY_UNDERLYING = ("options", "chain")


def groups(symbols: Sequence[str], count: int) -> list[list[str]]:
    """The symbols in at most `count` groups of about one size, or in more where a group would be too large. A symbol's
    group depends on the list alone."""
    ordered = sorted(set(symbols))
    wanted = max(1, min(count, len(ordered)), -(-len(ordered) // GROUP_MAX))
    return [part for number in range(wanted) if (part := ordered[number::wanted])]


def months(first: date, last: date) -> list[tuple[date, date]]:
    """The range cut at the ends of months."""
    found = []
    while first <= last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = min(last, following - timedelta(days=1))
        found.append((first, end))
        first = end + timedelta(days=1)
    return found


def request(feed: str, symbols: Sequence[str], first: date, last: date, **options: Any) -> dict[str, Any]:
    kept = {name: value for name, value in options.items() if value not in (None, "", False)}
    return {"feed": feed, "symbols": list(symbols), "from": first.isoformat(), "to": last.isoformat(), **kept}


def requests(
    feed: str,
    parts: Sequence[Sequence[str]],
    ranges: Sequence[tuple[date, date]],
    timespans: Sequence[str],
    **options: Any,
) -> list[dict[str, Any]]:
    """Every group with every range and timespan, in the order of time."""
    found = [
        request(feed, part, first, last, timespan=timespan, **options)
        for first, last in ranges
        for timespan in timespans or [""]
        for part in parts
    ]
    if len(found) > REQUESTS_MAX:
        raise ValueError(
            f"{len(found)} requests: at most {REQUESTS_MAX} at a time; take a shorter range or fewer groups"
        )
    return found


def digest_of(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def anew(asked: Sequence[dict[str, Any]], dag_run: str) -> list[dict[str, Any]]:
    """The same requests as runs of their own, which fetch what other runs have fetched before. The runs' ids follow
    from the DAG's run, so that a task that is tried again goes on where it stopped."""
    return [{**one, "run-id": f"again-{digest_of(one, dag_run)}"} for one in asked]


def name_of(asked: dict[str, Any]) -> str:
    """A file's name for a request: the same for the same request, another for any other."""
    parts = [asked["feed"], asked.get("timespan", ""), asked["from"], asked["to"], digest_of(asked)]
    return "-".join(part for part in parts if part)


def backfill_arguments(asked: dict[str, Any], manifest: str) -> list[str]:
    """The arguments of marketflow-ingestor for a request."""
    feed = asked["feed"]
    arguments = ["backfill", feed]
    if asked["symbols"]:
        by = "--underlying" if feed in _BY_UNDERLYING else "--symbols"
        arguments += [by, ",".join(asked["symbols"])]
    if feed in _RANGED:
        arguments += ["--from", asked["from"], "--to", asked["to"]]
    for name in ("timespan", "adjusted", "type", "expiration-from", "expiration-to", "run-id"):
        if asked.get(name):
            arguments += [f"--{name}", str(asked[name])]
    return [*arguments, "--manifest", manifest]
