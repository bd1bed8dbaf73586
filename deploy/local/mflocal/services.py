# SPDX-License-Identifier: Apache-2.0
"""The three services as processes, and single runs of the project's programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import prometheus
from .layout import Layout
from .ports import Ports
from .process import BackgroundProcess, base_environment
from .waiting import LocalError

NAMES = ("sink", "processor", "ingestor")  # in the order they start; they stop the other way round


@dataclass(frozen=True)
class ServiceSpec:
    """All that is needed to start one service, as JSON for the supervisor. Secrets are files."""

    name: str
    binary: str
    settings: dict[str, str]
    arguments: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return vars(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ServiceSpec:
        return cls(value["name"], value["binary"], dict(value["settings"]), list(value["arguments"]))


class ServiceProcess(BackgroundProcess):
    """One service. Its metrics port is its own for as long as the state directory lives."""

    # Above SHUTDOWN_GRACE_MS (25 s), within which a service drains by itself.
    stop_timeout = 30.0

    def __init__(self, layout: Layout, spec: ServiceSpec, *, die_with_parent: bool = False) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self.spec = spec
        self.name = spec.name

    @classmethod
    def create(
        cls,
        layout: Layout,
        name: str,
        binaries: Path,
        settings: Mapping[str, str],
        *,
        arguments: Sequence[str] = (),
        die_with_parent: bool = False,
    ) -> ServiceProcess:
        """A service `name` (ingestor, processor, sink) with these settings, its own instance id and port."""
        chosen = {
            "KAFKA_INSTANCE_ID": f"local-{name}",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "info",
            **settings,
        }
        if "METRICS_LISTEN" not in chosen:
            ports = Ports(layout)
            port = ports.known(f"metrics-{name}") or ports.take(f"metrics-{name}")
            chosen["METRICS_LISTEN"] = f"127.0.0.1:{port}"
        spec = ServiceSpec(name, str(binaries / f"marketflow-{name}"), chosen, list(arguments))
        return cls(layout, spec, die_with_parent=die_with_parent)

    def command(self) -> list[str]:
        return [self.spec.binary, *self.spec.arguments]

    def environment(self) -> dict[str, str]:
        return base_environment() | self.spec.settings

    def prepare(self) -> None:
        if not Path(self.spec.binary).is_file():
            raise LocalError(f"{self.spec.binary} is not built")

    @property
    def url(self) -> str:
        return "http://" + self.spec.settings["METRICS_LISTEN"]

    def ready(self) -> bool:
        return self.running() and prometheus.fetch(self.url + "/readyz")[0] == 200

    def readiness(self) -> dict[str, Any]:
        """The checks of /readyz, empty when nobody answers."""
        return prometheus.checks(prometheus.fetch(self.url + "/readyz")[1])

    def metrics(self) -> list[prometheus.Sample]:
        return list(prometheus.parse(prometheus.fetch(self.url + "/metrics")[1]))

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum over the samples that carry these labels; None when there is none."""
        values = [s.value for s in self.metrics() if s.name == name and labels.items() <= s.labels.items()]
        return sum(values) if values else None

    def lag(self) -> float | None:
        """Messages not yet consumed, over all partitions; None before the first statistics.

        One per partition is not counted: the position of a reader of transactions stays in front of the last
        one's end marker."""
        values = [s.value for s in self.metrics() if s.name == "marketflow_kafka_consumer_lag_messages"]
        return sum(max(0.0, value - 1) for value in values) if values else None


def run_program(
    binary: Path, arguments: Sequence[str], settings: Mapping[str, str], timeout: float, *, quiet: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs one of the project's programs to its end. With quiet=False its standard error passes through."""
    if not binary.is_file():
        raise LocalError(f"{binary} is not built")
    try:
        return subprocess.run(
            [str(binary), *arguments],
            env=base_environment() | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise LocalError(
            f"{binary.name} {' '.join(arguments[:2])} does not end within {timeout:g} s"
        ) from None


def last_json_object(text: str) -> dict[str, Any]:
    """The last line of `text` that is a JSON object."""
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    raise LocalError("no JSON object in the program's output")
