# SPDX-License-Identifier: Apache-2.0
"""A small supervisor: keeps the services running as a machine's service manager would.

A service that exits 70 or 75, or is ended by a signal, is started again after a growing delay; one that exits
0 has finished, and one that exits 78 needs a person, so both stay down, like any other exit code. The
supervisor is a process of its own (`python -m mflocal.supervisor CONFIG`): it survives the command that
started it, and ends its services when it is asked to end.
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
from .process import BackgroundProcess, base_environment
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


class Supervisor(BackgroundProcess):
    """The supervisor as a part of a stack: start, stop, and what it knows."""

    name = "supervisor"
    stop_timeout = 100.0  # three services drain one after the other

    def __init__(
        self, layout: Layout, services: Sequence[ServiceProcess], *, die_with_parent: bool = False
    ) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._services = list(services)

    @property
    def _config_path(self) -> Path:
        return self.layout.run / "supervised.json"

    @property
    def _state_path(self) -> Path:
        return self.layout.run / "supervisor-state.json"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "mflocal.supervisor", str(self._config_path)]

    def environment(self) -> dict[str, str]:
        sources = str(Path(__file__).resolve().parents[1])
        own = {"PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        return base_environment() | own

    def prepare(self) -> None:
        value = {
            "state": str(self.layout.state),
            "cache": str(self.layout.cache),
            "services": [service.spec.to_json() for service in self._services],
            "die_with_parent": self.die_with_parent,
        }
        write_private(self._config_path, json.dumps(value))
        self._state_path.unlink(missing_ok=True)

    def states(self) -> dict[str, dict[str, Any]]:
        """By service: state, restarts, last_exit, url; empty when the supervisor never ran."""
        try:
            return dict(json.loads(self._state_path.read_text()))
        except (OSError, ValueError):
            return {}

    def specs(self) -> list[ServiceSpec]:
        """What it was started with, also by another program."""
        try:
            value = json.loads(self._config_path.read_text())
        except (OSError, ValueError):
            return []
        return [ServiceSpec.from_json(spec) for spec in value["services"]]

    def ready(self) -> bool:
        """Every service has been started once; whether each is ready is the service's own answer."""
        states = self.states()
        return self.running() and all(s.name in states for s in self._services)


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
