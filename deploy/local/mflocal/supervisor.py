# SPDX-License-Identifier: Apache-2.0
"""A small supervisor: keeps the services running as a machine's service manager would.

A service that exits 70 or 75, or is ended by a signal, is started again after a growing delay; one that exits
0 has finished, and one that exits 78 needs a person, so both stay down, like any other exit code. The
supervisor is a process of its own (supervise.py): it survives the command that started it, and ends its
services when it is asked to end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .layout import Layout, write_private
from .process import BackgroundProcess, base_environment
from .services import ServiceProcess, ServiceSpec


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
        return [sys.executable, "-m", "mflocal.supervise", str(self._config_path)]

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
        begun = all(states.get(s.name, {}).get("state", "starting") != "starting" for s in self._services)
        return begun and self.running()
