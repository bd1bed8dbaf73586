# SPDX-License-Identifier: Apache-2.0
"""The whole line on one machine: broker, database, provider, the three services under a supervisor.

`Stack` is what the `stack` command, the demo and the tests share. It only ever touches processes written
down in its own state directory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import install
from .broker import Broker
from .install import say
from .layout import Layout, write_private
from .postgres import Postgres
from .process import BackgroundProcess
from .services import NAMES, ServiceProcess, run_program
from .simulator import Simulator
from .supervisor import Supervisor
from .universe import LIVE_SYMBOLS, REAL_SYMBOLS
from .waiting import LocalError, wait_for

# Settings of the caller's environment that are handed to the services. Secrets are not among them: the
# provider's key goes through a file, the others belong to the stack.
_PASSED = ("ALERT_", "INGEST_", "PROCESSOR_", "SINK_", "LOG_", "SHUTDOWN_", "POLYGON_")
_NOT_PASSED = ("POLYGON_API_KEY", "POLYGON_API_KEY_FILE")


@dataclass(frozen=True)
class Provider:
    """Where the data come from: `simulated`, or the real one with the caller's key."""

    simulated: bool
    settings: dict[str, str]


def real_provider(layout: Layout, env: Mapping[str, str]) -> Provider | None:
    """The real provider when the environment holds a key for it, its key moved into a private file."""
    key, key_file = env.get("POLYGON_API_KEY"), env.get("POLYGON_API_KEY_FILE")
    if key and key_file:
        raise LocalError("both POLYGON_API_KEY and POLYGON_API_KEY_FILE are set; give one")
    if not key and not key_file:
        return None
    text = key or Path(key_file or "").read_text()
    path = write_private(layout.secrets / "polygon_api_key", text.strip() + "\n")
    return Provider(False, {"POLYGON_API_KEY_FILE": str(path)})


def passed_settings(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in env.items() if name.startswith(_PASSED) and name not in _NOT_PASSED
    }


class Stack:
    """All parts over one layout. Nothing starts before up()."""

    def __init__(
        self,
        layout: Layout | None = None,
        env: Mapping[str, str] = os.environ,
        *,
        die_with_parent: bool = False,
    ) -> None:
        self.layout = layout or Layout.from_environment()
        self._caller = dict(env)
        self._tied = die_with_parent
        self.binaries: Path | None = None  # where the programs are, from up() on
        self.broker = Broker(self.layout, die_with_parent=die_with_parent)
        self.postgres = Postgres(self.layout, die_with_parent=die_with_parent)
        self.simulator = Simulator(self.layout, die_with_parent=die_with_parent)
        self.supervisor = Supervisor(self.layout, [], die_with_parent=die_with_parent)

    # --- settings --------------------------------------------------------------------------------

    def provider(self) -> Provider:
        real = real_provider(self.layout, self._caller)
        if real is not None:
            return real
        return Provider(True, self.simulator.env | {"POLYGON_REQUESTS_PER_MINUTE": "0"})

    def settings(self) -> dict[str, str]:
        """The services' common settings: what the stack decides, then what the caller's environment says,
        then where the parts are."""
        provider = self.provider()
        chosen = {
            "KAFKA_PARTITIONS": "8",
            "INGEST_SYMBOLS": ",".join(LIVE_SYMBOLS if provider.simulated else REAL_SYMBOLS),
            "INGEST_POLL_MS": "1000" if provider.simulated else "60000",
            "INGEST_NEWS_POLL_MS": "5000" if provider.simulated else "300000",
        }
        chosen |= passed_settings(self._caller)
        # A base URL of the caller belongs to the real provider only.
        parts = self.broker.env | self.postgres.env | provider.settings
        return chosen | parts

    def services(self, binaries: Path) -> list[ServiceProcess]:
        settings = self.settings()
        tied = self._tied
        return [
            ServiceProcess.create(self.layout, name, binaries, settings, die_with_parent=tied)
            for name in NAMES
        ]

    def running_services(self) -> dict[str, ServiceProcess]:
        """The services as the running supervisor started them, by name."""
        return {spec.name: ServiceProcess(self.layout, spec) for spec in self.supervisor.specs()}

    # --- up --------------------------------------------------------------------------------------

    def up(self) -> bool:
        """Everything running and ready, as the present settings and programs say; False when it already was.

        Services that run with other settings, or from programs built since, are started anew."""
        self.layout.state.mkdir(parents=True, exist_ok=True)
        with install.locked(self.layout.state / "stack.lock"):
            binaries = self.binaries = install.build(self.layout)
            if self.is_up() and self._as_wanted(binaries):
                return False
            self._start_parts()
            self._prepare_topics_and_tables(binaries)
            self._start_services(binaries)
            return True

    def _as_wanted(self, binaries: Path) -> bool:
        """The running services have the settings that up() would give them, and no program is newer."""
        if self.wants_simulator() != self.runs_simulator():
            return False
        wanted = [service.spec for service in self.services(binaries)]
        started = self.supervisor.pid_path.stat().st_mtime
        newest = max((binaries / name).stat().st_mtime for name in install.BINARIES)
        return self.supervisor.specs() == wanted and newest <= started

    def _start_parts(self) -> None:
        parts: list[BackgroundProcess] = [self.postgres, self.broker]
        if self.wants_simulator():
            parts.append(self.simulator)
        for part in parts:
            if part.start():
                say(f"starting {part.name}")
        for part in parts:
            part.wait_ready()

    def wants_simulator(self) -> bool:
        """The caller's environment holds no key for the real provider."""
        return not (self._caller.get("POLYGON_API_KEY") or self._caller.get("POLYGON_API_KEY_FILE"))

    def runs_simulator(self) -> bool:
        """As the services were started last; before that, as the caller wants."""
        for spec in self.supervisor.specs():
            return spec.settings.get("POLYGON_API_KEY_FILE") == str(self.simulator.key_file)
        return self.wants_simulator()

    def _prepare_topics_and_tables(self, binaries: Path) -> None:
        settings = self.settings()
        for binary, arguments, what in (
            ("marketflowctl", ["topics", "apply"], "creating the topics"),
            ("marketflow-sink", ["migrate"], "creating the tables"),
        ):
            say(what)
            own = {"METRICS_LISTEN": "127.0.0.1:0", "LOG_FORMAT": "text"}
            result = run_program(binaries / binary, arguments, settings | own, timeout=120)
            if result.returncode != 0:
                raise LocalError(f"{what} failed (exit {result.returncode}):\n{result.stderr.strip()}")

    def _start_services(self, binaries: Path) -> None:
        services = self.services(binaries)
        self.supervisor = Supervisor(self.layout, services, die_with_parent=self._tied)
        if self.supervisor.stop():
            say("stopping the services that ran before")
        say("starting sink, processor, ingestor")
        self.supervisor.start()
        self.supervisor.wait_ready()
        for service in services:
            self._wait_service(service)

    def _wait_service(self, service: ServiceProcess, timeout: float = 60.0) -> None:
        """Ready, or an error that says why not: the supervisor may be restarting it meanwhile."""

        def settled() -> bool:
            state = self.supervisor.states().get(service.name, {}).get("state")
            if state in ("failed", "finished"):
                raise LocalError(f"{service.name} does not stay up; {service.log_tail()}")
            return service.ready()

        wait_for(settled, timeout, f"{service.name} ready (last answer: {service.readiness()})")

    # --- down, status, reset ---------------------------------------------------------------------

    def parts(self) -> list[BackgroundProcess]:
        """What up() starts beside the services, in the order it is shown."""
        simulated: list[BackgroundProcess] = [self.simulator] if self.runs_simulator() else []
        return [self.broker, self.postgres, *simulated, self.supervisor]

    def is_up(self) -> bool:
        services = self.running_services()
        return (
            len(services) == len(NAMES)
            and all(part.running() and part.ready() for part in self.parts())
            and all(service.ready() for service in services.values())
        )

    def down(self) -> bool:
        """Stops what this state directory started; the services first, so that they can drain."""
        stopped = self.supervisor.stop()
        for name in reversed(NAMES):  # left over when a supervisor was killed
            service = self.running_services().get(name)
            stopped = (service is not None and service.stop()) or stopped
        for part in (self.simulator, self.broker, self.postgres):
            stopped = part.stop() or stopped
        return stopped

    def reset(self) -> None:
        """Removes all data, logs and secrets of a stopped stack; the cache stays."""
        if any(part.running() for part in self.parts()):
            raise LocalError("the stack is running; stop it first: deploy/local/stack down")
        self.postgres.reset()
        self.broker.reset()
        for directory in ("log", "run", "secrets"):
            shutil.rmtree(self.layout.state / directory, ignore_errors=True)
