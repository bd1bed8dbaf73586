# SPDX-License-Identifier: Apache-2.0
"""Days that are announced beside the exchange's rules: closures and early closes that a test brings about.

A day takes place as announced when both exchanges announce it, unless it is told not to (`happens`); one that is
not `listed` shows in what is traded and in the market's status only, as a closure of the same morning does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

EXCHANGES = ("NYSE", "NASDAQ")
MAX_DAYS = 100
_NEW_YORK = ZoneInfo("America/New_York")
_MEMBERS = {"date", "status", "name", "open", "close", "exchanges", "listed", "happens"}


@dataclass(frozen=True, slots=True)
class Announced:
    """One day; `open` and `close` are wall times in New York, None when it is closed."""

    day: date
    name: str
    open: time | None
    close: time | None
    exchanges: tuple[str, ...]
    listed: bool
    happens: bool

    @property
    def status(self) -> str:
        return "closed" if self.close is None else "early-close"

    @property
    def takes_place(self) -> bool:
        return self.happens and set(EXCHANGES) <= set(self.exchanges)

    def rows(self) -> list[dict[str, object]]:
        """As the provider's list has them."""
        head: dict[str, object] = {"date": self.day.isoformat(), "name": self.name, "status": self.status}
        for name, moment in (("open", self.open), ("close", self.close)):
            if moment is not None:
                utc = datetime.combine(self.day, moment, _NEW_YORK).astimezone(UTC)
                head[name] = utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return [{"exchange": exchange, **head} for exchange in self.exchanges]


def parse(body: object) -> Announced:
    """A day from its JSON description; ValueError says what is wrong with it."""
    if not isinstance(body, dict) or set(body) - _MEMBERS or "date" not in body:
        raise ValueError(f"a day is an object with a date and some of {', '.join(sorted(_MEMBERS))}")
    status = body.get("status", "closed")
    if status not in ("closed", "early-close"):
        raise ValueError("status is closed or early-close")
    early = status == "early-close"
    exchanges = body.get("exchanges", list(EXCHANGES))
    if not isinstance(exchanges, list) or not all(isinstance(name, str) for name in exchanges):
        raise ValueError("exchanges is a list of names")
    return Announced(
        date.fromisoformat(str(body["date"])),
        str(body.get("name", "Announced")),
        time.fromisoformat(str(body.get("open", "09:30"))) if early else None,
        time.fromisoformat(str(body.get("close", "13:00"))) if early else None,
        tuple(exchanges),
        bool(body.get("listed", True)),
        bool(body.get("happens", True)),
    )


# What is traded is asked for by functions without a simulator at hand: there is one list per process.
DAYS: dict[date, Announced] = {}


def announce(body: Any) -> list[Announced]:
    """Sets the days of a list, or one; all or none."""
    wanted = [parse(item) for item in (body if isinstance(body, list) else [body])]
    if len(set(DAYS) | {one.day for one in wanted}) > MAX_DAYS:
        raise ValueError(f"more than {MAX_DAYS} days")
    DAYS.update({one.day: one for one in wanted})
    return wanted


def describe() -> list[dict[str, object]]:
    return [
        {
            "date": one.day.isoformat(),
            "status": one.status,
            "exchanges": list(one.exchanges),
            "listed": one.listed,
            "happens": one.happens,
        }
        for _, one in sorted(DAYS.items())
    ]
