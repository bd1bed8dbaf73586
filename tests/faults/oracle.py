# SPDX-License-Identifier: Apache-2.0
"""What a processor must have published, and whether it did: nothing missing, nothing twice, in order.

Outputs are grouped by role, partition and lane: within a group they follow from one input partition alone and
must be the expected ones byte for byte, in the expected order. Between the live and the backfill topic of one
partition the order is free. The expectation comes from an undisturbed processor over the same input
(differences), and from the second implementation over the input's records (model_differences).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from line import ROLES, Message
from marketmodel import Partition, Settings, compare
from marketmodel.compare import Published
from marketmodel.fold import parse_ms

PASSED = (
    "BARS_FILTERED",
    "NEWS_FILTERED",
    "OPTION_BARS_FILTERED",
    "SYMBOLS_FILTERED",
    "CORPORATE_ACTIONS_FILTERED",
    "FEED_STATUS_FILTERED",
)
OUTPUTS = (*PASSED, "ALERTS", "METRICS", "DLQ")


class Output(NamedTuple):
    key: str | None
    value: bytes
    headers: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.key} {dict(self.headers)} {self.value[:900].decode('utf-8', 'replace')}"


class Group(NamedTuple):
    """lane: `live` or `backfill`, which is the input topic that caused the output."""

    role: str
    partition: int
    lane: str


Outputs = Mapping[Group, Sequence[Output]]
Calendar = Callable[[str], tuple[int, int] | None]


def of_messages(messages: Iterable[Message], raw_backfill: str) -> Outputs:
    """From output topics; raw_backfill: the name of the topic of history, by which dead letters are told apart."""
    names = {name: role for role, name in ROLES.items()}
    groups: dict[Group, list[Output]] = {}
    for message in messages:
        role = next(names[name] for name in names if message.topic.endswith("." + name))
        group = Group(role, message.partition, _lane(role, message, raw_backfill))
        headers = tuple(sorted(message.headers.items()))
        groups.setdefault(group, []).append(Output(message.key, message.value or b"", headers))
    return groups


def _lane(role: str, message: Message, raw_backfill: str) -> str:
    if role == "DLQ":
        return "backfill" if message.headers.get("mf-origin-topic") == raw_backfill else "live"
    return "live" if message.event.get("lane") == "live" else "backfill"


def differences(expected: Outputs, actual: Outputs, roles: Sequence[str] = OUTPUTS) -> list[str]:
    """Everything that is wrong, at most a few lines for each group; empty when all is as it must be."""
    problems: list[str] = []
    for group in sorted({*expected, *actual}):
        if group.role in roles:
            problems += _compare(group, expected.get(group, ()), actual.get(group, ()))
    return problems


def _compare(group: Group, expected: Sequence[Output], actual: Sequence[Output]) -> list[str]:
    if list(expected) == list(actual):
        return []
    wanted, got = Counter(expected), Counter(actual)
    missing, surplus = wanted - got, got - wanted
    where = f"{group.role}[{group.partition}] {group.lane}"
    problems = [f"{where}: {len(expected)} expected, {len(actual)} there"]
    problems += [f"{where}: missing {text}" for text in _first(missing)]
    twice = Counter({output: n for output, n in surplus.items() if output in wanted})
    problems += [f"{where}: {got[output]} times {output}" for output in list(twice)[:3]]
    problems += [f"{where}: not expected {text}" for text in _first(surplus - twice)]
    if not missing and not surplus:
        at = next(i for i, pair in enumerate(zip(expected, actual, strict=True)) if pair[0] != pair[1])
        kind = "order of a symbol" if _keys_in_order(expected) != _keys_in_order(actual) else "order"
        problems.append(
            f"{where}: {kind} differs from number {at} on: {actual[at]} instead of {expected[at]}"
        )
    return problems


def _first(outputs: Counter[Output]) -> list[str]:
    return [str(output) for output in list(outputs)[:3]]


def _keys_in_order(outputs: Sequence[Output]) -> dict[str | None, list[Output]]:
    by_key: dict[str | None, list[Output]] = {}
    for output in outputs:
        by_key.setdefault(output.key, []).append(output)
    return by_key


def size(outputs: Outputs, *roles: str) -> int:
    return sum(len(items) for group, items in outputs.items() if group.role in roles)


def text_of(outputs: Outputs) -> str:
    """For a person: one output a line."""
    return "".join(
        f"{group.role}[{group.partition}] {group.lane} {item}\n"
        for group, items in sorted(outputs.items())
        for item in items
    )


def calendar_of(listing: str) -> Calendar:
    """From the rows of `marketflowctl calendar`: open and close of a trading date."""
    names, *rows = (line.split(",") for line in listing.splitlines())
    days = [dict(zip(names, row, strict=True)) for row in rows]
    return {day["session"]: (parse_ms(day["open"]), parse_ms(day["close"])) for day in days}.get


def model_differences(role: str, records: Iterable[Message], found: Outputs, calendar: Calendar) -> list[str]:
    """What the second implementation makes of one input partition against what was published for it."""
    model = Partition(role, Settings(), calendar)
    where = ""
    for message in records:
        where = f"{role}[{message.partition}] by the model"
        replayed = "mf-origin-topic" in message.headers
        model.record(message.offset, message.value or b"", replayed=replayed)
    published = [
        Published(group.role, item.value, item.key, dict(item.headers))
        for group, items in found.items()
        for item in items
    ]
    return [f"{where}: {problem}" for problem in compare(model.outputs, published).problems]
