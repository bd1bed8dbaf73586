# SPDX-License-Identifier: Apache-2.0
"""A single-node Kafka (KRaft, broker and controller in one) on loopback."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from .install import kafka_jars, run_tool
from .kafka_probe import broker_answers, brokers_listed
from .layout import Layout
from .ports import Ports
from .process import BackgroundProcess, base_environment
from .waiting import LocalError

# What a laptop needs and a cluster would not: one replica, few internal partitions, small buffers, no wait
# before a group's first assignment, none of nine seconds for a killed broker's former self. Everything else
# stays at the broker's defaults.
_PROPERTIES = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,DETOUR:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.cleaner.threads": "1",
}
_LOGGING = """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""


def cluster_id() -> str:
    """A new id as Kafka writes them: 22 characters of base64. None begins with a dash, which the formatting
    tool takes for an option of its own."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


class Broker(BackgroundProcess):
    """The broker of one stack. Its port is kept over restarts, so clients find it again.

    `detour`: it has a second listener, which it advertises at `detour_port`: whoever listens there and passes
    on to `behind_detour_port` stands between the broker and the clients that begin at `detour_bootstrap`.
    `properties` come on top of the stack's own.
    """

    name = "broker"
    node = 1
    stop_timeout = 30.0

    def __init__(
        self,
        layout: Layout,
        *,
        die_with_parent: bool = False,
        heap_mib: int = 384,
        detour: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._heap_mib = heap_mib
        self._detour = detour
        self._extra = dict(properties or {})
        self._ports = Ports(layout)

    def _known(self, name: str) -> int:
        port = self._ports.known(name)
        if port is None:
            raise LocalError(f"the {self.name} was never started")
        return port

    @property
    def port(self) -> int:
        """Where the broker listens; known from the first start on."""
        return self._known(self.name)

    @property
    def detour_port(self) -> int:
        return self._known(f"{self.name}-detour")

    @property
    def behind_detour_port(self) -> int:
        return self._known(f"{self.name}-behind-detour")

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def detour_bootstrap(self) -> str:
        return f"127.0.0.1:{self.detour_port}"

    @property
    def env(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap}

    @property
    def data(self) -> Path:
        return self.layout.state / "kafka"

    @property
    def controller_name(self) -> str:
        """Under which the ports remember where the controller of this node listens."""
        return "controller"

    def new_cluster_id(self) -> str:
        """What the log directory is formatted for."""
        return cluster_id()

    def voters(self) -> str:
        """Every node's number and its controller's address."""
        return f"{self.node}@127.0.0.1:{self._known(self.controller_name)}"

    def _take_ports(self) -> None:
        self._ports.take(self.name)
        self._ports.take(self.controller_name)
        if self._detour:
            self._ports.take(f"{self.name}-behind-detour")
            # Whoever stands there listens already when the broker is started again.
            self._ports.known(f"{self.name}-detour") or self._ports.take(f"{self.name}-detour")

    def _properties(self) -> dict[str, str]:
        listeners = {"PLAINTEXT": self.port}
        advertised = dict(listeners)
        if self._detour:
            listeners["DETOUR"] = self.behind_detour_port
            advertised["DETOUR"] = self.detour_port
        listeners["CONTROLLER"] = self._known(self.controller_name)
        own = {
            "node.id": str(self.node),
            "controller.quorum.voters": self.voters(),
            "listeners": _addresses(listeners),
            "advertised.listeners": _addresses(advertised),
            "log.dirs": str(self.data / "logs"),
        }
        return {**_PROPERTIES, **own, **self._extra}

    def _java(self, heap_mib: int) -> list[str]:
        java = shutil.which("java")
        if java is None:
            raise LocalError("java is not installed; see deploy/local/packages.txt")
        jars = kafka_jars(self.layout)
        options = [f"-Xms{min(64, heap_mib)}m", f"-Xmx{heap_mib}m", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
        options += [
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j.configuration=file:{self.data / 'log4j.properties'}",
            f"-Djava.io.tmpdir={self.data}",  # where the JVM's libraries unpack themselves, and stay
        ]
        return [java, *options, "-cp", f"{jars}/*"]

    def command(self) -> list[str]:
        return [*self._java(self._heap_mib), "kafka.Kafka", str(self.data / "server.properties")]

    def environment(self) -> dict[str, str]:
        return base_environment()

    def prepare(self) -> None:
        """Writes the configuration; formats the log directory the first time."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._take_ports()
        logs = self.data / "logs"
        text = "".join(f"{name}={value}\n" for name, value in self._properties().items())
        (self.data / "server.properties").write_text(text)
        (self.data / "log4j.properties").write_text(_LOGGING)
        if not (logs / "meta.properties").exists():
            # A half-formatted directory of an interrupted first start holds nothing worth keeping.
            shutil.rmtree(logs, ignore_errors=True)
            identity = self.new_cluster_id()
            command = [*self._java(128), "kafka.tools.StorageTool", "format", "--cluster-id", identity]
            command += ["--config", str(self.data / "server.properties")]
            run_tool(command, "formatting the broker's log directory")

    def ready(self) -> bool:
        return self.running() and broker_answers(self.port)

    def brokers_known(self) -> int:
        """How many brokers it lists, itself included; 0 when it does not answer."""
        return brokers_listed(self.port)

    def reset(self) -> None:
        """Removes every topic and offset. The broker must be stopped."""
        if self.running():
            raise LocalError("the broker is running")
        shutil.rmtree(self.data, ignore_errors=True)
