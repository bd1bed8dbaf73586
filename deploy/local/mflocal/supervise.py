# SPDX-License-Identifier: Apache-2.0
"""The supervising process: `python -m mflocal.supervise CONFIG`.

Starts the services of its configuration, starts those again that may be, says how each is in a state file, and ends
them in order when it is asked to end. `Supervisor` is how the rest of this package starts and asks it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .install import say
from .layout import Layout, write_private
from .services import ServiceProcess, ServiceSpec
from .waiting import LocalError

RESTART_CODES = frozenset({70, 75})
_FIRST_DELAY, _LAST_DELAY = 0.5, 30.0
_STEADY = 60.0  # seconds of life after which a service's delays start over
_TICK = 0.2  # how often ended children are looked for, beside SIGCHLD


def may_restart(exit_code: int) -> bool:
    """70 and 75 ask for it; death by a signal (negative) was not the service's wish."""
    return exit_code < 0 or exit_code in RESTART_CODES


@dataclass
class Watched:
    """One service and its history."""

    service: ServiceProcess
    state: str = "starting"  # running, waiting, finished, failed
    restarts: int = 0
    delay: float = 0.0
    due: float = 0.0
    started: float = 0.0
    last_exit: int | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            "url": self.service.url,
        }


class _Loop:
    """The supervising process itself."""

    def __init__(self, services: Sequence[ServiceProcess], state_path: Path) -> None:
        self._watched = [Watched(service) for service in services]
        self._state_path = state_path
        self._ending = False
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        signal.set_wakeup_fd(self._waker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self._woken, selectors.EVENT_READ)
        for watched in self._watched:
            self._start(watched)
        while not self._ending:
            self._look()
            if selector.select(_TICK):
                os.read(self._woken, 512)
        for watched in reversed(self._watched):
            watched.service.stop()
            watched.state = "stopped"
        self._publish()

    def _end(self, *_: object) -> None:
        self._ending = True

    def _start(self, watched: Watched) -> None:
        watched.started = time.monotonic()
        try:
            watched.service.start()
            watched.state = "running"
        except (LocalError, OSError) as problem:
            say(f"supervisor: {watched.service.name} cannot start: {problem}")
            watched.state = "failed"
        self._publish()

    def _look(self) -> None:
        """Notes what ended, and starts what is due."""
        now = time.monotonic()
        for watched in self._watched:
            if watched.state == "running" and not watched.service.running():
                self._ended(watched, now)
            elif watched.state == "waiting" and now >= watched.due:
                watched.restarts += 1
                self._start(watched)

    def _ended(self, watched: Watched, now: float) -> None:
        try:
            watched.last_exit = watched.service.wait_exit(5)
        except LocalError:
            watched.last_exit = None  # started by a supervisor that is gone: its end is not ours to read
        if watched.last_exit is not None and not may_restart(watched.last_exit):
            watched.state = "finished" if watched.last_exit == 0 else "failed"
            say(f"supervisor: {watched.service.name} exited {watched.last_exit} and stays down")
        else:
            fresh = now - watched.started >= _STEADY or watched.delay == 0.0
            watched.delay = _FIRST_DELAY if fresh else min(_LAST_DELAY, watched.delay * 2)
            watched.due = now + watched.delay
            watched.state = "waiting"
            say(
                f"supervisor: {watched.service.name} exited {watched.last_exit}; again in {watched.delay:g} s"
            )
        self._publish()

    def _publish(self) -> None:
        """The state file, for `status` and for tests; written whole."""
        value = {watched.service.name: watched.describe() for watched in self._watched}
        write_private(self._state_path, json.dumps(value))


def main(arguments: Sequence[str]) -> int:
    config = json.loads(Path(arguments[0]).read_text())
    layout = Layout(Path(config["state"]), Path(config["cache"]))
    services = [
        ServiceProcess(layout, ServiceSpec.from_json(spec), die_with_parent=config["die_with_parent"])
        for spec in config["services"]
    ]
    _Loop(services, layout.run / "supervisor-state.json").run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
