# SPDX-License-Identifier: Apache-2.0
"""A Line for faults of the processor: several instances, what the cluster knows of them, and the verdict.

The verdict compares everything that was published with what one undisturbed processor makes of the same
input topics into topics of its own (see oracle.py), and that with the second implementation (tests/model).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import oracle
import wire
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from feed import Record, put
from line import PARTITIONS, ROLES, Line, Message
from mflocal import ServiceProcess, free_port, wait_for
from proxy import Proxy

T = TypeVar("T")
INPUTS = ("RAW", "RAW_BACKFILL")
CHANGELOG = "PROCESSOR_CHANGELOG"
# What the second implementation is asked about: whole partitions, as many as have so many records together.
MODEL_RECORDS = 6_000
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@dataclass
class Scene(Line):
    proxies: Sequence[Proxy] = ()
    rng: random.Random = field(default_factory=random.Random)
    # Whose input topics these are; its own by default.
    inputs_of: str = ""
    at_end: list[Callable[[], object]] = field(default_factory=list)

    def topic(self, role: str) -> str:
        owner = self.inputs_of if self.inputs_of and role in INPUTS else self.name
        return f"{owner}.{ROLES[role]}"

    # --- processors -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Topics only: nothing here reaches a warehouse."""
        result = self.run("marketflowctl", "topics", "apply")
        assert result.returncode == 0, result.stderr

    @property
    def group(self) -> str:
        return f"{self.settings['KAFKA_GROUP_PREFIX']}-processor"

    def instance(self, label: str) -> str:
        return f"{self.name}-{label}"

    def transactional_id(self, label: str) -> str:
        return f"{self.group}.{self.instance(label)}"

    def processor(self, label: str = "a", *, detour: bool = False, **settings: str) -> ServiceProcess:
        """An instance of its own name, log, port and (unless said otherwise) instance id; not started yet."""
        chosen = {"KAFKA_INSTANCE_ID": self.instance(label), **settings}
        chosen["METRICS_LISTEN"] = f"127.0.0.1:{free_port()}"
        if detour:
            assert self.proxies, "this broker has no detour"
            chosen["KAFKA_BOOTSTRAP_SERVERS"] = self.parts.broker.detour_bootstrap
        service = self.service("processor", **chosen)
        service.name = f"processor-{label}"
        return service

    def start_processor(self, label: str = "a", *, detour: bool = False, **settings: str) -> ServiceProcess:
        service = self.processor(label, detour=detour, **settings)
        service.start()
        service.wait_ready(60)
        return service

    def producer(self) -> Producer:
        """Takes records up to what the broker takes."""
        settings = {"partitioner": "murmur2_random", "message.max.bytes": 1 << 21, "compression.type": "lz4"}
        return Producer({"bootstrap.servers": self.parts.broker.bootstrap, **settings})

    def feed(self, role: str, records: Iterable[Record]) -> int:
        """Puts these records on an input topic and waits until they are there; how many."""
        producer, failures, count = self.producer(), [], 0
        for record in records:
            put(producer, self.topic(role), record, lambda e, _: failures.append(str(e)) if e else None)
            producer.poll(0)
            count += 1
        assert producer.flush(60) == 0
        assert not failures, failures[:3]
        return count

    # --- what the cluster knows -------------------------------------------------------------------

    @cached_property
    def admin(self) -> AdminClient:
        """Kept: its answers do not arrive when it goes away before them."""
        return AdminClient({"bootstrap.servers": self.parts.broker.bootstrap, "log_level": 0})

    def ends(self, *roles: str, committed: bool = False) -> dict[TopicPartition, int]:
        """The high watermarks, or (committed) the last stable offsets, of every partition."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        wanted = {
            TopicPartition(self.topic(r), p): OffsetSpec.latest() for r in roles for p in range(PARTITIONS)
        }

        def ask() -> dict[TopicPartition, int]:
            answers = self.admin.list_offsets(wanted, isolation_level=level, request_timeout=20)
            return {partition: answer.result().offset for partition, answer in answers.items()}

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Asks again, with a new client, while leaders change."""
        end = time.monotonic() + 30
        while True:
            try:
                return ask()
            except KafkaException:
                if time.monotonic() > end:
                    raise
                self.__dict__.pop("admin", None)
                time.sleep(0.2)  # not wait_for, which would not take an empty answer

    def open_transactions(self, *roles: str) -> list[TopicPartition]:
        """The partitions of these topics (default: every output) on which a transaction is open."""
        chosen = roles or oracle.OUTPUTS
        stable = self.ends(*chosen, committed=True)
        return [partition for partition, end in self.ends(*chosen).items() if stable[partition] < end]

    def committed(self) -> dict[TopicPartition, int]:
        """The group's committed offsets on the input topics."""

        def ask() -> dict[TopicPartition, int]:
            wanted = [ConsumerGroupTopicPartitions(self.group)]
            answer = self.admin.list_consumer_group_offsets(wanted, request_timeout=20)
            found = answer[self.group].result().topic_partitions
            return {TopicPartition(t.topic, t.partition): t.offset for t in found if t.offset >= 0}

        return self._patiently(ask)

    def behind(self) -> int:
        """Input records beyond the committed offsets."""
        done = self.committed()
        return sum(end - done.get(partition, 0) for partition, end in self.ends(*INPUTS).items())

    def alter_topic(self, role: str, setting: str, value: str) -> None:
        entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic(role), incremental_configs=[entry])
        for answer in self.admin.incremental_alter_configs([resource]).values():
            answer.result(30)

    def transaction_coordinator(self, label: str = "a", avoid: int = 0) -> int:
        """Its node's number, as a broker other than `avoid` knows it; -1 while there is none."""
        broker: Any = self.parts.broker
        nodes = getattr(broker, "nodes", (broker,))
        port = next(int(node.port) for node in nodes if node.running() and node.node != avoid)
        return wire.coordinator(port, wire.TRANSACTION, self.transactional_id(label))

    # --- the end ----------------------------------------------------------------------------------

    def settle(self, timeout: float = 60) -> None:
        """All input is processed, and no transaction is open on any output."""
        wait_for(lambda: self.behind() == 0, timeout, "all input processed", 0.2)
        wait_for(lambda: not self.open_transactions(), 30, "no open transaction", 0.2)

    def outputs(self) -> oracle.Outputs:
        """What a reader of committed records sees."""
        return oracle.of_messages(self.messages(*oracle.OUTPUTS), self.topic("RAW_BACKFILL"))

    def expected(self, label: str = "reference", **settings: str) -> oracle.Outputs:
        """What an undisturbed processor publishes for the same input, into topics of its own."""
        name = f"{self.name}_{label}"
        own = Scene(name, self.parts, self.layout, settings=settings, inputs_of=self.name)
        own.prepare()
        processor = own.start_processor(label)
        own.settle()
        processor.stop()
        assert processor.wait_exit(1) == 0
        return own.outputs()

    def verify(
        self, expected: oracle.Outputs | None = None, timeout: float = 60, model: bool = True
    ) -> oracle.Outputs:
        """Settles, and asserts that the outputs are the expected ones (default: the reference's, and the
        model's)."""
        self.settle(timeout)
        wanted = self.expected() if expected is None else expected
        found = self.outputs()
        problems = oracle.differences(wanted, found)
        if problems:
            for name, outputs in (("expected", wanted), ("found", found)):
                (self.layout.state / f"{name}.txt").write_text(oracle.text_of(outputs))
        assert not problems, "\n".join(problems[:20])
        assert oracle.size(wanted, *oracle.OUTPUTS) > 0
        if model:
            self.verify_by_model(found)
        return wanted

    def verify_by_model(self, found: oracle.Outputs) -> None:
        """Some partitions, chosen by the seed, are what the second implementation makes of their input."""
        inputs: dict[tuple[str, int], list[Message]] = {}
        for message in self.messages(*INPUTS):
            role = "RAW" if message.topic == self.topic("RAW") else "RAW_BACKFILL"
            inputs.setdefault((role, message.partition), []).append(message)
        chosen = sorted(inputs)
        self.rng.shuffle(chosen)
        problems: list[str] = []
        records = 0
        for role, partition in chosen:
            if records > 0 and records + len(inputs[role, partition]) > MODEL_RECORDS:
                continue
            records += len(inputs[role, partition])
            lane = "live" if role == "RAW" else "backfill"
            own = {group: items for group, items in found.items() if group[1:] == (partition, lane)}
            problems += oracle.model_differences(role, inputs[role, partition], own, self.calendar)
        assert not problems, "\n".join(problems[:20])

    @cached_property
    def calendar(self) -> oracle.Calendar:
        """The sessions of 2024, as marketflowctl lists them."""
        listing = self.run("marketflowctl", "calendar", "2024-01-01", "2024-12-31").stdout
        return oracle.calendar_of(listing)

    def fresh_event_seconds(self, record: Record) -> float:
        """From putting one more record to its being processed."""
        begun = time.monotonic()
        self.feed("RAW", [record])
        wait_for(lambda: self.behind() == 0, 30, "a fresh record processed", 0.05)
        return time.monotonic() - begun


def supervised(service: ServiceProcess) -> Callable[[], bool]:
    """Whether it is ready, asked again and again: an instance that gave up for now (75) is started again, which
    is a supervisor's part. Only where somebody else has taken its id may it leave otherwise."""

    def ready() -> bool:
        if not service.running():
            assert service.wait_exit(1) == 75
            service.start()
        return service.ready()

    return ready
