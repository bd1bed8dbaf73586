# SPDX-License-Identifier: Apache-2.0
"""One test's own line: topics, consumer groups, database and services, over a shared broker, server and simulator.

Everything a test makes carries its name, so that tests never meet each other's data and can run again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from mflocal import (
    Broker,
    Layout,
    Postgres,
    ServiceProcess,
    Simulator,
    last_json_object,
    prometheus,
    run_program,
    wait_for,
)

PARTITIONS = 4
ROLES = {
    "RAW": "market.raw",
    "RAW_BACKFILL": "market.raw.backfill",
    "BARS_FILTERED": "market.bars.filtered",
    "NEWS_FILTERED": "market.news.filtered",
    "OPTION_BARS_FILTERED": "market.option_bars.filtered",
    "SYMBOLS_FILTERED": "market.symbols.filtered",
    "CORPORATE_ACTIONS_FILTERED": "market.corporate_actions.filtered",
    "FEED_STATUS_FILTERED": "market.feed_status.filtered",
    "ALERTS": "market.alerts",
    "METRICS": "market.metrics",
    "DLQ": "market.dlq",
    "INGESTOR_WATERMARKS": "market.ingestor.watermarks",
    "INGESTOR_BUDGET": "market.ingestor.budget",
    "PROCESSOR_CHANGELOG": "market.processor.changelog",
}
REPLAYED = ("AAPL", "IBM", "MSFT", "GOOG", "FB")
REPLAY_ROWS = 12_154


@dataclass(frozen=True)
class Parts:
    """What all tests of a run share."""

    broker: Broker
    postgres: Postgres
    simulator: Simulator
    binaries: Path


@dataclass(frozen=True)
class Message:
    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: dict[str, str]

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.value or b"{}"))


@dataclass
class Line:
    """`settings` may be changed before a service is made; services made here are stopped at the test's end."""

    name: str
    parts: Parts
    layout: Layout
    settings: dict[str, str] = field(default_factory=dict)
    services: list[ServiceProcess] = field(default_factory=list)
    # Regular expressions over log lines of level error or above that this test brings about on purpose.
    expected_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = {
            **self.parts.broker.env,
            **self.parts.postgres.env,
            **self.parts.simulator.env,
            "WAREHOUSE_DATABASE": self.database,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_GROUP_PREFIX": self.name,
            "POLYGON_REQUESTS_PER_MINUTE": "0",
            "INGEST_SYMBOLS": "X:BTCUSD",
            # Requests and events of their own: the tests of them ask for them.
            "INGEST_REFERENCE": "false",
            "INGEST_MARKET_STATUS": "false",
            "LOG_LEVEL": "debug",
            **{f"KAFKA_TOPIC_{role}": self.topic(role) for role in ROLES},
            **self.settings,
        }

    @property
    def database(self) -> str:
        return self.name

    def topic(self, role: str) -> str:
        return f"{self.name}.{ROLES[role]}"

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        """The simulator's journal of requests whose paths begin so, the oldest first."""
        return list(self.parts.simulator.requests(path=path)["requests"])

    # --- programs ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Topics and tables."""
        self.make_database()
        for binary, arguments in (("marketflowctl", ["topics", "apply"]), ("marketflow-sink", ["migrate"])):
            result = self.run(binary, *arguments)
            assert result.returncode == 0, result.stderr

    def make_database(self) -> None:
        self.parts.postgres.sql(
            f'CREATE DATABASE "{self.database}" OWNER marketflow', user="postgres", database="postgres"
        )

    def run(self, binary: str, *arguments: str, timeout: float = 120, **settings: str) -> Any:
        """One program to its end, with the line's settings and these."""
        own = {"METRICS_LISTEN": "127.0.0.1:0", "LOG_FORMAT": "json"}
        chosen = {**self.settings, **own, **settings}
        result = run_program(self.parts.binaries / binary, arguments, chosen, timeout)
        with (self.layout.log / "commands.out").open("a") as log:
            log.write(result.stdout + result.stderr)
        return result

    def service(self, name: str, **settings: str) -> ServiceProcess:
        """A service that is not started yet. A second one of a kind needs its own KAFKA_INSTANCE_ID."""
        chosen = {**self.settings, **settings}
        chosen.setdefault("KAFKA_INSTANCE_ID", f"{self.name}-{name}")
        service = ServiceProcess.create(self.layout, name, self.parts.binaries, chosen, die_with_parent=True)
        self.services.append(service)
        return service

    def start(self, name: str, **settings: str) -> ServiceProcess:
        service = self.service(name, **settings)
        service.start()
        service.wait_ready()
        return service

    def backfill(
        self, *arguments: str, code: int = 0, timeout: float = 300, **settings: str
    ) -> dict[str, Any]:
        """`marketflow-ingestor backfill …`: its exit code is asserted, its summary returned."""
        result = self.run("marketflow-ingestor", "backfill", *arguments, timeout=timeout, **settings)
        assert result.returncode == code, (result.returncode, result.stderr[-4000:])
        return last_json_object(result.stdout) if result.stdout.strip() else {}

    def backfill_replay(
        self, symbols: Sequence[str] = REPLAYED, code: int = 0, **settings: str
    ) -> dict[str, Any]:
        days = ["--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day", "--adjusted", "none"]
        return self.backfill("bars", "--symbols", ",".join(symbols), *days, code=code, **settings)

    # --- Kafka ------------------------------------------------------------------------------------

    def producer(self) -> Producer:
        return Producer({"bootstrap.servers": self.parts.broker.bootstrap, "partitioner": "murmur2_random"})

    def produce(
        self,
        role: str,
        values: Sequence[bytes],
        key: bytes = b"TEST",
        partition: int = -1,
        timestamp_ms: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Puts records on a topic of the line and waits until they are acknowledged; timestamp 0 = now."""
        failures: list[str] = []
        producer = self.producer()
        for value in values:
            producer.produce(
                self.topic(role),
                value,
                key,
                partition,
                timestamp=timestamp_ms,
                headers=list(headers),
                on_delivery=lambda error, _: failures.append(str(error)) if error else None,
            )
            producer.poll(0)
        assert producer.flush(60) == 0
        assert not failures, failures[:3]

    def messages(self, *roles: str, committed: bool = True) -> list[Message]:
        """Everything on these topics now, topic by topic, per partition in offset order."""
        isolation = "read_committed" if committed else "read_uncommitted"
        consumer = Consumer(
            {
                "bootstrap.servers": self.parts.broker.bootstrap,
                "group.id": f"{self.name}-reader",
                "enable.auto.commit": False,
                "isolation.level": isolation,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,  # the end of a partition is told by an answer without records
            }
        )
        try:
            wanted = [
                TopicPartition(self.topic(role), partition, OFFSET_BEGINNING)
                for role in roles
                for partition in self._partitions(role)
            ]
            consumer.assign(wanted)
            found = self._read(consumer, len(wanted))
            return sorted(found, key=lambda m: (m.topic, m.partition, m.offset))
        finally:
            consumer.close()

    def _partitions(self, role: str) -> range:
        one = role in ("INGESTOR_WATERMARKS", "INGESTOR_BUDGET")
        return range(1 if one else PARTITIONS)

    @staticmethod
    def _read(consumer: Consumer, partitions: int) -> Iterator[Message]:
        ended: set[tuple[str, int]] = set()
        deadline = time.monotonic() + 60
        while len(ended) < partitions:
            assert time.monotonic() < deadline, "a topic does not end within 60 s"
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                assert message.error().name() == "_PARTITION_EOF", message.error()
                ended.add((message.topic(), message.partition()))
                continue
            headers = {name: value.decode() for name, value in message.headers() or []}
            key = message.key()
            yield Message(
                message.topic(),
                message.partition(),
                message.offset(),
                key.decode() if key is not None else None,
                message.value(),
                headers,
            )

    # --- warehouse --------------------------------------------------------------------------------

    def query(self, text: str) -> list[list[str]]:
        answer = self.parts.postgres.sql(text, database=self.database)
        return [line.split(",") for line in answer.splitlines()]

    def number(self, text: str) -> int:
        return int(self.parts.postgres.sql(text, database=self.database).strip() or 0)

    def count(self, table: str, where: str = "true") -> int:
        return self.number(f"SELECT count(*) FROM raw.{table} WHERE {where}")

    def wait_count(self, table: str, wanted: int, where: str = "true", timeout: float = 180) -> None:
        """Waits until the table has at least `wanted` such rows."""
        wait_for(lambda: self.count(table, where) >= wanted, timeout, f"{wanted} rows in {table}", 0.2)

    def keys(self, table: str, where: str = "true") -> list[str]:
        rows = self.query(f"SELECT event_id, revision FROM raw.{table} WHERE {where} ORDER BY 1, 2")
        return [":".join(row) for row in rows]

    # --- the end ----------------------------------------------------------------------------------

    def log_lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every log line of every service of the test; what is not JSON comes as {"raw": line}."""
        for path in sorted(self.layout.log.glob("*.log")):
            for text in path.read_text(errors="replace").splitlines():
                try:
                    value = json.loads(text)
                except ValueError:
                    value = {"raw": text}
                yield path.name, value if isinstance(value, dict) else {"raw": text}

    def events_logged(self, event: str) -> list[dict[str, Any]]:
        return [line for _, line in self.log_lines() if line.get("event") == event]

    def finish(self) -> list[str]:
        """Stops the services and says everything that is wrong with how they went."""
        problems: list[str] = []
        for service in self.services:
            if service.running():
                service.thaw()
                for path in ("/metrics", "/readyz"):
                    answer = prometheus.fetch(service.url + path)[1]
                    problems += self._secrets_in(answer, f"{service.name}{path}")
                service.stop()
                code = service.wait_exit(1)
                if code != 0:
                    problems.append(f"{service.name} ended with {code} after SIGTERM")
        problems += self._wrong_lines()
        return problems

    def stored_secrets(self) -> list[str]:
        """Looks for the secrets in every table and on every topic of the line, aborted records included."""
        problems: list[str] = []
        tables = self.query(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('raw', 'ops') ORDER BY 1, 2"
        )
        for schema, table in tables:
            rows = self.parts.postgres.sql(f"SELECT t::text FROM {schema}.{table} t", database=self.database)
            problems += self._secrets_in(rows, f"{schema}.{table}")
        for role in ROLES:
            for message in self.messages(role, committed=False):
                value = (message.value or b"").decode("utf-8", "replace")
                text = f"{message.key} {message.headers} {value}"
                problems += self._secrets_in(text, f"{message.topic}[{message.partition}]@{message.offset}")
        return problems

    def _wrong_lines(self) -> list[str]:
        problems: list[str] = []
        sanitizer = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer")
        for name, line in self.log_lines():
            text = json.dumps(line)
            bad = line.get("level") in ("error", "critical") or "raw" in line
            if bad and not any(re.search(pattern, text) for pattern in self.expected_errors):
                problems.append(f"{name}: unexpected {text[:400]}")
        for path in self.layout.log.iterdir():
            text = path.read_text(errors="replace")
            problems += self._secrets_in(text, path.name)
            if found := sanitizer.search(text):
                problems.append(f"{path.name}: {text[found.start() : found.start() + 2000]}")
        return problems

    @cached_property
    def _secrets(self) -> dict[str, str]:
        directory = self.parts.postgres.layout.secrets
        return {path.name: value for path in directory.iterdir() if (value := path.read_text().strip())}

    def _secrets_in(self, text: str, where: str) -> list[str]:
        return [
            f"{where}: the secret {name} appears" for name, value in self._secrets.items() if value in text
        ]
