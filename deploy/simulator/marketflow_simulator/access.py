# SPDX-License-Identifier: Apache-2.0
"""Who may ask, and how often: the key file and the per-minute limit."""

from __future__ import annotations

import hmac
import time
from collections import deque
from pathlib import Path


class KeyFile:
    """Accepted keys, one per line; re-read when the file changes, so a rotation can be tried."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._keys: list[bytes] = []
        self._refresh()

    def _refresh(self) -> None:
        state = self._path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
        if stamp != self._stamp:
            lines = self._path.read_bytes().splitlines()
            self._keys = [line.strip() for line in lines if line.strip()]
            self._stamp = stamp

    def check(self, authorization: str | None) -> str:
        """ok, missing or rejected; the comparison takes the same time for every wrong key."""
        if not authorization:
            return "missing"
        scheme, _, presented = authorization.partition(" ")
        self._refresh()
        found = [hmac.compare_digest(key, presented.strip().encode()) for key in self._keys]
        return "ok" if scheme.lower() == "bearer" and any(found) else "rejected"


class MinuteLimit:
    """At most `per_minute` requests in any 60 s of real time; 0 means no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._moments: deque[float] = deque()

    def set(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._moments.clear()

    def admit(self) -> bool:
        if self.per_minute <= 0:
            return True
        now = time.monotonic()
        while self._moments and now - self._moments[0] >= 60.0:
            self._moments.popleft()
        if len(self._moments) >= self.per_minute:
            return False
        self._moments.append(now)
        return True
