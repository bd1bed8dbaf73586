# SPDX-License-Identifier: Apache-2.0
"""Faults on request: which requests they hit, how often, and what they do.

A fault has one of three places. `before` faults answer instead of the provider (an error status, a
redirect, silence). `page` faults change a right answer before it becomes bytes (rows, envelope,
next_url). `wire` faults change the bytes or how they travel. Several can hit one request: the first
`before` fault, every `page` fault, every `wire` fault, in the order they were set. A fault that
changes what only some rows have belongs to their endpoints, and waits for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import bad_rows

BEFORE = frozenset(
    {
        "bad_request", "disconnect", "forbidden", "hang", "key_echo", "not_found", "rate_limited",
        "redirect", "server_error", "unauthorized",
    }
)  # fmt: skip
PAGE = frozenset(
    {
        "absent_results", "bad_row", "correction", "delayed", "duplicate_keys", "duplicate_rows",
        "empty_page", "empty_results", "foreign_next_url", "missing_next_url", "missing_rows", "null_results",
        "out_of_order",
        "out_of_range", "repeating_next_url", "wrong_ticker",
    }
)  # fmt: skip
WIRE = frozenset({"bad_gzip", "large_body", "not_json", "slow", "truncated"})
KINDS = BEFORE | PAGE | WIRE
# What each kind may be told; kinds not named take nothing.
PARAMETERS: dict[str, frozenset[str]] = {
    "bad_gzip": frozenset({"mode"}),
    "bad_row": frozenset({"variant", "index", "set", "drop", "insert"}),
    "correction": frozenset({"t", "last", "percent", "volume_percent", "churn"}),
    "duplicate_rows": frozenset({"count"}),
    "forbidden": frozenset({"style"}),
    "foreign_next_url": frozenset({"host", "url"}),
    "hang": frozenset({"seconds", "after_headers"}),
    "key_echo": frozenset({"status"}),
    "large_body": frozenset({"bytes"}),
    "missing_rows": frozenset({"from", "to"}),
    "not_json": frozenset({"body"}),
    "out_of_order": frozenset({"seed"}),
    "out_of_range": frozenset({"early", "late", "step_ms"}),
    "rate_limited": frozenset({"body", "retry_after"}),
    "redirect": frozenset({"status", "location"}),
    "server_error": frozenset({"status", "body"}),
    "slow": frozenset({"delay_ms", "chunk_bytes", "chunk_delay_ms"}),
    "truncated": frozenset({"keep", "length"}),
    "unauthorized": frozenset({"html"}),
    "wrong_ticker": frozenset({"ticker"}),
}
MAX_FAULTS = 1_000


class FaultError(ValueError):
    """A fault's description is not one; the text says which part."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request looks like to a fault's `match`. Pages count from 1."""

    path: str
    kind: str
    symbol: str
    page: int
    span: str


@dataclass
class Fault:
    """`after` matches are let through, then `times` are hit (None: all that follow)."""

    number: int
    kind: str
    match: dict[str, Any]
    after: int
    times: int | None
    parameters: dict[str, Any]
    endpoints: frozenset[str] | None = None  # where it makes sense; None: everywhere
    seen: int = 0
    hits: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def matches(self, subject: Subject) -> bool:
        match = self.match
        return (
            subject.path.startswith(match.get("path", ""))
            and match.get("endpoint", subject.kind) == subject.kind
            and (self.endpoints is None or subject.kind in self.endpoints)
            and match.get("symbol", subject.symbol) == subject.symbol
            and match.get("page", subject.page) == subject.page
            and match.get("timespan", subject.span) == subject.span
        )

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "kind": self.kind,
            "match": self.match,
            "after": self.after,
            "times": self.times,
            "parameters": self.parameters,
            "seen": self.seen,
            "hits": self.hits,
        }


# What the paths of the endpoints that some faults belong to begin with.
_PATHS = {
    "aggs": "/v2/aggs/ticker/",
    "grouped": "/v2/aggs/grouped/",
    "previous": "/v2/aggs/ticker/",
    "open_close": "/v1/open-close/",
    "news": "/v2/reference/news",
    "tickers": "/v3/reference/tickers",
    "ticker_events": "/vX/reference/tickers/",
    "splits": "/v3/reference/splits",
    "dividends": "/v3/reference/dividends",
    "contracts": "/v3/reference/options/contracts",
    "chain": "/v3/snapshot/options/",
}
_MATCH_TYPES = {"path": str, "endpoint": str, "symbol": str, "page": int, "timespan": str}


def _count(body: dict[str, Any], name: str, default: int | None) -> int | None:
    value = body.get(name, default)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise FaultError(f"{name} must be a number of requests, 0 or more")
    return value


def _endpoints(kind: str, variant: object) -> frozenset[str] | None:
    """The endpoints whose rows the fault can change; None when any answer will do."""
    if kind == "correction":
        return frozenset({"aggs"})
    if kind == "missing_rows":
        return frozenset({"aggs", "news"})
    if kind != "bad_row" or variant is None:
        return None
    found = bad_rows.endpoints_of(variant)
    if not found:
        raise FaultError(f"bad_row has no variant {variant!r}; {bad_rows.variants()}")
    return found


def _can_meet(match: dict[str, Any], endpoint: str) -> bool:
    """Whether there are requests of `endpoint` that `match` means."""
    path, start = match.get("path", ""), _PATHS[endpoint]
    return (
        match.get("endpoint", endpoint) == endpoint
        and (path.startswith(start) or start.startswith(path))
        and (endpoint == "aggs" or not match.get("timespan"))
    )


def _fitting_endpoints(kind: str, match: dict[str, Any], parameters: dict[str, Any]) -> frozenset[str] | None:
    """As _endpoints; FaultError when `match` names others, as the fault would wait for ever."""
    variant = parameters.get("variant")
    endpoints = _endpoints(kind, variant)
    if endpoints is not None and not any(_can_meet(match, endpoint) for endpoint in endpoints):
        what = f"{kind} {variant}" if variant else kind
        raise FaultError(f"{what} changes {' or '.join(sorted(endpoints))} only, and match names others")
    return endpoints


def parse_fault(body: object, number: int) -> Fault:
    """A fault from its JSON description."""
    if not isinstance(body, dict):
        raise FaultError("a fault is an object")
    unknown = set(body) - {"kind", "match", "after", "times", "parameters"}
    if unknown:
        raise FaultError(f"unknown member {sorted(unknown)[0]}")
    kind = body.get("kind")
    if kind not in KINDS:
        raise FaultError(f"unknown kind {kind!r}; one of {', '.join(sorted(KINDS))}")
    match, parameters = body.get("match", {}), body.get("parameters", {})
    if not isinstance(match, dict) or not isinstance(parameters, dict):
        raise FaultError("match and parameters are objects")
    for name, value in match.items():
        wanted = _MATCH_TYPES.get(name)
        if wanted is None or not isinstance(value, wanted):
            raise FaultError(f"match.{name} is unknown or has the wrong type")
    for name in parameters:
        if name not in PARAMETERS.get(kind, frozenset()):
            raise FaultError(f"{kind} has no parameter {name}")
    endpoints = _fitting_endpoints(kind, match, parameters)
    after = _count(body, "after", 0) or 0
    return Fault(number, kind, match, after, _count(body, "times", 1), parameters, endpoints)


class FaultTable:
    """The faults in force, in the order they were set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next_number = 1

    def add(self, body: object) -> list[Fault]:
        """One description or a list of them; all are taken or none."""
        wanted = body if isinstance(body, list) else [body]
        if len(self._faults) + len(wanted) > MAX_FAULTS:
            raise FaultError(f"more than {MAX_FAULTS} faults")
        added = [parse_fault(item, self._next_number + at) for at, item in enumerate(wanted)]
        self._next_number += len(added)
        self._faults.extend(added)
        return added

    def remove(self, number: int | None) -> int:
        """Removes one fault, or all when `number` is None; returns how many went."""
        kept = [f for f in self._faults if number is not None and f.number != number]
        removed = len(self._faults) - len(kept)
        self._faults = kept
        return removed

    def describe(self) -> list[dict[str, Any]]:
        return [fault.describe() for fault in self._faults]

    def take(self, subject: Subject) -> list[Fault]:
        """The faults that hit this request; each hit is counted. Only the first `before` fault of
        those that match is taken, so a later one waits for its own turn."""
        taken: list[Fault] = []
        before_taken = False
        for fault in self._faults:
            if not fault.matches(subject):
                continue
            if fault.kind in BEFORE and before_taken:
                continue
            fault.seen += 1
            if fault.seen <= fault.after or (fault.times is not None and fault.hits >= fault.times):
                continue
            fault.hits += 1
            before_taken = before_taken or fault.kind in BEFORE
            taken.append(fault)
        return taken
