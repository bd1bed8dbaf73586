# SPDX-License-Identifier: Apache-2.0
"""What was asked: counters for ever, the newest requests in full, keys never."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

KEPT = 5_000
_KEY_NAMES = ("apikey", "api_key", "key", "token")


def mask_query(pairs: list[tuple[str, str]]) -> tuple[str, bool]:
    """The query as text with the values of key-like parameters struck out, and whether any was."""
    masked = [(name, "***" if name.lower() in _KEY_NAMES else value) for name, value in pairs]
    text = "&".join(f"{name}={value}" for name, value in masked)
    return text, any(name.lower() in _KEY_NAMES for name, _ in pairs)


@dataclass
class Entry:
    """One request. Times are the machine's, in Unix milliseconds."""

    sequence: int
    at_ms: int
    path: str
    query: str
    key_in_query: bool
    endpoint: str = "other"
    symbol: str = ""
    page: int = 1
    auth: str = ""
    status: int = 0
    rows: int = 0
    data: str = ""
    faults: list[str] = field(default_factory=list)
    duration_ms: float = 0.0


class Journal:
    """The last KEPT requests and counts of all of them."""

    def __init__(self) -> None:
        self.reset()
        self._sequence = 0

    def reset(self) -> None:
        """Forgets everything but goes on counting sequence numbers."""
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._auth: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._in_flight = 0
        self._total = 0

    def begin(self, path: str, pairs: list[tuple[str, str]]) -> Entry:
        self._sequence += 1
        self._total += 1
        self._in_flight += 1
        query, leaked = mask_query(pairs)
        entry = Entry(self._sequence, int(time.time() * 1000), path, query, leaked)
        self._entries.append(entry)
        return entry

    def end(self, entry: Entry, started: float) -> None:
        """Counts a request once it is over; status 0 means it never got an answer."""
        self._in_flight = max(0, self._in_flight - 1)
        entry.duration_ms = round((time.monotonic() - started) * 1000, 3)
        self._counts[(entry.endpoint, str(entry.status))] += 1
        self._auth[entry.auth] += 1
        self._rows[entry.endpoint] += entry.rows
        self._faults.update(entry.faults)

    def report(self, since: int, path: str, limit: int) -> dict[str, Any]:
        """Counters, and the requests with a sequence above `since` whose path starts with `path`."""
        counts: dict[str, dict[str, int]] = {}
        for (endpoint, status), count in sorted(self._counts.items()):
            counts.setdefault(endpoint, {})[status] = count
        chosen = [e for e in self._entries if e.sequence > since and e.path.startswith(path)]
        return {
            "total": self._total,
            "in_flight": self._in_flight,
            "last_sequence": self._sequence,
            "counts": counts,
            "auth": dict(self._auth),
            "faults": dict(self._faults),
            "rows": dict(self._rows),
            "requests": [vars(entry) for entry in chosen[-limit:]],
        }
