# SPDX-License-Identifier: Apache-2.0
"""Expected against published, per topic of one partition: nothing missing, nothing twice, nothing in another order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .cells import Json, Output

# Identity and words: other tests hold them to account.
LEFT_OUT = ("schema_version", "event_id", "message", "baseline", "rule_version", "provenance")
ROLE_OF = {
    "bar": "BARS_FILTERED", "news": "NEWS_FILTERED", "option_bar": "OPTION_BARS_FILTERED", "symbol": "SYMBOLS_FILTERED",
    "corporate_action": "CORPORATE_ACTIONS_FILTERED", "feed_status": "FEED_STATUS_FILTERED", "metric": "METRICS",
    "alert": "ALERTS", "dead_letter": "DLQ",
}  # fmt: skip


@dataclass
class Published:
    role: str
    value: bytes
    key: str | None = None  # None: not known (a file)
    headers: dict[str, str] | None = None

    @classmethod
    def of_line(cls, line: bytes) -> Published:
        return cls(ROLE_OF[json.loads(line)["event_type"]], line)


@dataclass
class Comparison:
    compared: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def reduced(value: bytes) -> Json:
    event: Json = json.loads(value, parse_float=str, parse_int=str)
    mode = event.get("provenance", {}).get("mode")
    return {**{k: v for k, v in event.items() if k not in LEFT_OUT}, "mode": mode}


def difference(expected: Json, actual: Json) -> str:
    names = sorted(n for n in expected.keys() | actual.keys() if expected.get(n) != actual.get(n))
    return ", ".join(f"{n}: expected {expected.get(n)!r}, is {actual.get(n)!r}" for n in names)


def same_headers(expected: Output, published: Published) -> bool:
    if published.headers is None:
        return True
    revision = str(expected.revision) if expected.revision else None
    flags = ",".join(expected.flags) or None
    return (published.headers.get("mf-revision"), published.headers.get("mf-flags")) == (revision, flags)


def check(expected: Output, published: Published) -> str | None:
    if published.key is not None and expected.key and published.key != expected.key:
        return f"key: expected {expected.key}, is {published.key}"
    if not same_headers(expected, published):
        return f"headers: expected {expected.revision} {expected.flags}, are {published.headers}"
    if expected.payload is not None:
        return difference(expected.payload, reduced(published.value)) or None
    if expected.value is not None and expected.value != published.value:
        return f"expected {expected.value[:200]!r}, is {published.value[:200]!r}"
    return None


def sort_key(payload: Json) -> tuple[Any, ...]:
    return (
        payload.get("event_time"),
        payload.get("interval"),
        payload.get("rule_id"),
        payload.get("revision"),
    )


def in_order_of_cause(expected: list[Output]) -> list[Output]:
    """Alerts of one record may come in any order among themselves: a correction restates several at once."""
    groups: dict[int, list[Output]] = defaultdict(list)
    for output in expected:
        groups[output.cause].append(output)
    return [
        o for cause in sorted(groups) for o in sorted(groups[cause], key=lambda o: sort_key(o.payload or {}))
    ]


def alerts_in_order(published: list[Published]) -> list[Published]:
    """The same for what was published: runs with one cause."""
    result: list[Published] = []
    run: list[tuple[Json, Published]] = []
    for item in published:
        payload = reduced(item.value)
        if run and run[0][0]["cause"] != payload["cause"]:
            result += [p for _, p in sorted(run, key=lambda pair: sort_key(pair[0]))]
            run = []
        run.append((payload, item))
    return result + [p for _, p in sorted(run, key=lambda pair: sort_key(pair[0]))]


def compare(expected: Iterable[Output], published: Iterable[Published], limit: int = 20) -> Comparison:
    """Both of one input partition, each in order per role."""
    wanted: dict[str, list[Output]] = defaultdict(list)
    found: dict[str, list[Published]] = defaultdict(list)
    for output in expected:
        wanted[output.role].append(output)
    for item in published:
        found[item.role].append(item)
    wanted["ALERTS"], found["ALERTS"] = in_order_of_cause(wanted["ALERTS"]), alerts_in_order(found["ALERTS"])
    result = Comparison()
    for role in sorted(wanted.keys() | found.keys()):
        result.compared[role] = len(wanted[role])
        if len(wanted[role]) != len(found[role]):
            result.problems.append(f"{role}: expected {len(wanted[role])} records, are {len(found[role])}")
        for number, (one, other) in enumerate(zip(wanted[role], found[role], strict=False)):
            problem = check(one, other)
            if problem:
                name = (one.payload or {}).get("rule_id") or (one.payload or {}).get("interval") or ""
                result.problems.append(f"{role} {number} ({one.key} {name}, offset {one.cause}): {problem}")
                break
        if len(result.problems) >= limit:
            break
    return result
