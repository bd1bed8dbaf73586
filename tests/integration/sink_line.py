# SPDX-License-Identifier: Apache-2.0
"""A Line for the sink's faults: what a case asks of both warehouses, so that it is written once.

A dialect's line (postgresql.py, snowflake.py) brings the faults about in its own way. What it does beyond that, and
what can only be told of it, has its own test module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from line import PARTITIONS, Line
from mflocal import REPOSITORY, ServiceProcess, free_port, wait_for

CORPUS = REPOSITORY / "tests" / "fuzz" / "corpus" / "event"
# A bar as the ingestor writes it: key, value, partition.
Bar = tuple[bytes, bytes, int]
# As short as the broker allows: how long a killed or frozen member keeps its partitions.
SHORT_SESSION = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "5000"}


def event_id(bar: Bar) -> str:
    return bar[1].partition(b'"event_id":"')[2][:32].decode()


def metric(sink: ServiceProcess, name: str, **labels: str) -> float:
    return sink.metric(f"marketflow_sink_{name}", **labels) or 0


def check(sink: ServiceProcess, name: str) -> dict[str, Any]:
    """One of the checks of /readyz, empty when it is not there."""
    return dict(sink.readiness().get("checks", {}).get(name, {}))


class SinkLine(Line, ABC):
    # A row that is loaded again is there again; else the key keeps it out.
    append_only: ClassVar[bool]
    # Topic, partition and offset of a row as one value.
    place: ClassVar[str]
    # SQLSTATE of what refuse_rows() brings about.
    refused_state: ClassVar[str]
    # What /readyz says while login_refused() is in force.
    login_reason: ClassVar[str]
    bars: ClassVar[dict[str, list[Bar]]] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.settings |= {
            "SINK_FLUSH_MS": "100",
            "SINK_RETRY_MIN_MS": "50",
            "SINK_RETRY_MAX_MS": "500",
            "SINK_BREAKER_RETRY_MS": "1000",
        }

    # --- faults -----------------------------------------------------------------------------------

    @abstractmethod
    def lose_connection(self, at: str) -> Callable[[], bool]:
        """Of the next flush of bars: "request" before the server has it, "execution" while it is at it, "answer" when
        it is committed, of which the sink hears nothing. Returns what says whether it has happened."""

    @abstractmethod
    def hold_commit(self) -> Callable[[], bool]:
        """The next flush of bars is committed, and its answer does not come. Returns as lose_connection()."""

    @abstractmethod
    def drop_connections(self) -> None:
        """Of now; new ones are taken."""

    @abstractmethod
    def go_away(self) -> None:
        """No connection is left, and none is taken, until come_back()."""

    @abstractmethod
    def come_back(self) -> None: ...

    @abstractmethod
    def freeze(self) -> None:
        """The warehouse takes requests and answers none, until thaw()."""

    @abstractmethod
    def thaw(self) -> None: ...

    @abstractmethod
    def hold_offset_rows(self) -> None:
        """Somebody else has them locked, longer than a statement waits, until let_go()."""

    @abstractmethod
    def let_go(self) -> None: ...

    @abstractmethod
    def refuse_rows(self, bad: str = "") -> None:
        """Bars of this event id, or all of them, until accept_rows()."""

    @abstractmethod
    def accept_rows(self) -> None: ...

    @abstractmethod
    def refuse_letters(self) -> None:
        """The table of dead letters takes none that has its record's bytes."""

    @abstractmethod
    def spoil_table(self, how: str) -> str:
        """No row gets into raw_bars any more: "right", "table", "capacity". Returns what the reason will say."""

    @abstractmethod
    def mend_table(self, how: str) -> None: ...

    @abstractmethod
    def spoil_offsets(self) -> str:
        """No offset row can be changed any more. Returns what the reason will say."""

    @abstractmethod
    def mend_offsets(self) -> None: ...

    @abstractmethod
    def replace_table(self) -> None:
        """Another raw_bars, empty, in the place of the one that is raw.old_bars from now on."""

    @abstractmethod
    def login_refused(self, directory: Path) -> dict[str, str]:
        """Settings for a sink that is not let in."""

    @abstractmethod
    def login_accepted(self, sink: ServiceProcess) -> None: ...

    # --- warehouse --------------------------------------------------------------------------------

    @abstractmethod
    def letters(self, *fields: str) -> list[list[str]]:
        """These of every dead letter that is loaded."""

    @abstractmethod
    def sql(self, text: str) -> None:
        """As the owner of everything."""

    def places(self, table: str = "raw_bars") -> int:
        """How many different records of topics the rows are of."""
        return self.number(f"SELECT count(DISTINCT {self.place}) FROM raw.{table}")

    def assert_once(self, wanted: int, table: str = "raw_bars") -> None:
        self.wait_count(table, wanted, timeout=60)
        assert (self.count(table), self.places(table)) == (wanted, wanted)

    def stored(self, role: str = "BARS_FILTERED") -> int:
        topic = self.topic(role)
        return self.number(f"SELECT sum(next_offset) FROM ops.sink_offsets WHERE topic = '{topic}'")

    def wait_stored(self, wanted: int, role: str = "BARS_FILTERED", timeout: float = 60) -> None:
        """Until the offset rows of the topic add up to this."""
        wait_for(lambda: self.stored(role) == wanted, timeout, f"offsets up to {wanted}", 0.2)

    def change_offsets(self, change: str, partition: int | None = None) -> None:
        """Of the bars' topic, or of one of its partitions."""
        where = f"topic = '{self.topic('BARS_FILTERED')}'"
        if partition is not None:
            where += f" AND kafka_partition = {partition}"
        self.sql(f"UPDATE ops.sink_offsets SET {change} WHERE {where}")

    def take_over(self, partition: int) -> None:
        """As a sink does that gets the partition."""
        self.change_offsets("owner_epoch = owner_epoch + 1, owner_instance = 'somebody'", partition)

    # --- sinks ------------------------------------------------------------------------------------

    def idle_sink(self, **settings: str) -> ServiceProcess:
        """A sink that has its partitions and nothing to do."""
        self.recorded_bars()
        sink = self.start("sink", **settings)
        wait_for(lambda: bool(self.events_logged("acquired")), 60, "partitions taken over")
        return sink

    def another_sink(self, name: str, **settings: str) -> ServiceProcess:
        """Not started; beside the one of the line."""
        own = {"KAFKA_INSTANCE_ID": f"{self.name}-{name}", "METRICS_LISTEN": f"127.0.0.1:{free_port()}"}
        sink = self.service("sink", **own, **settings)
        sink.name = name
        return sink

    def verdicts(self) -> set[str]:
        return {entry["verdict"] for entry in self.events_logged("outcome")}

    def assert_refuses(self, sink: ServiceProcess, remedy: str) -> None:
        """Started, the sink leaves with 78 and names the remedy."""
        sink.start()
        assert sink.wait_exit(120) == 78
        told = [str(entry) for _, entry in self.log_lines() if entry.get("level") in ("error", "critical")]
        assert any(remedy in text for text in told), told
        self.services.remove(sink)

    # --- records ----------------------------------------------------------------------------------

    def recorded_bars(self, *symbols: str) -> Sequence[Bar]:
        """196 of FB, or those of other symbols. Fetched once for all tests."""
        wanted = symbols or ("FB",)
        if (name := ",".join(wanted)) not in SinkLine.bars:
            self.backfill_replay(list(wanted))
            SinkLine.bars[name] = [
                ((m.key or "").encode(), m.value or b"", m.partition)
                for m in self.messages("RAW_BACKFILL")
                if b'"event_type":"bar"' in (m.value or b"")
            ]
        return SinkLine.bars[name]

    def feed(self, bars: Sequence[Bar], partition: int | None = None) -> None:
        """Bars to the filtered topic, as the processor would."""
        producer = self.producer()
        for key, value, own in bars:
            producer.produce(self.topic("BARS_FILTERED"), value, key, own if partition is None else partition)
            producer.poll(0)
        assert producer.flush(60) == 0

    def feed_bars(self, first: int = 0, last: int = 196, partition: int | None = None) -> int:
        """Those of FB; returns how many."""
        values = self.recorded_bars()[first:last]
        self.feed(values, partition)
        return len(values)

    def transactional_producer(self) -> Producer:
        producer = Producer(
            {"bootstrap.servers": self.parts.broker.bootstrap, "transactional.id": f"{self.name}-producer"}
        )
        producer.init_transactions(30)
        return producer

    def sample(self, name: str) -> bytes:
        return (CORPUS / f"{name}.json").read_bytes().strip()

    # --- Kafka ------------------------------------------------------------------------------------

    def admin(self) -> AdminClient:
        """To be kept by the caller until every answer is there: with the client its questions end."""
        return AdminClient({"bootstrap.servers": self.parts.broker.bootstrap})

    def limit_topic(self, role: str, name: str, value: str) -> None:
        """A setting of a topic at the broker."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic(role), incremental_configs=[entry])
        admin = self.admin()
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)

    def committed(self) -> int:
        """The sum of the group's offsets of the bars."""
        consumer = Consumer(
            {"bootstrap.servers": self.parts.broker.bootstrap, "group.id": f"{self.name}-sink"}
        )
        wanted = [TopicPartition(self.topic("BARS_FILTERED"), p) for p in range(PARTITIONS)]
        try:
            return sum(max(0, p.offset) for p in consumer.committed(wanted, timeout=30))
        finally:
            consumer.close()
