# SPDX-License-Identifier: Apache-2.0
"""A Line whose sink reaches PostgreSQL through a proxy that cuts a connection at a chosen moment of the protocol."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Sequence
from typing import ClassVar

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from line import Line
from mflocal import REPOSITORY, wait_for

CORPUS = REPOSITORY / "tests" / "fuzz" / "corpus" / "event"
# In the parameters of a flush: the move of a partition of the bars.
BARS_FLUSH = b',"raw_bars","'
_MESSAGE_MAX = 64 << 20


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise ConnectionError("closed")
        parts += part
    return bytes(parts)


def _message(source: socket.socket, *, first: bool = False) -> bytes:
    """One message of the protocol: a type (none in a connection's first), its length, its body."""
    head = _exactly(source, 4 if first else 5)
    (length,) = struct.unpack(">I", head[-4:])
    assert 4 <= length <= _MESSAGE_MAX, length
    return head + _exactly(source, length - 4)


class Cut:
    """Ends the connection of the next request that carries `match`.

    at: "request" before the server has it, "execution" while the server is at it, "answer" when the server has
    committed and said so, of which the client hears nothing.
    """

    def __init__(self, at: str, match: bytes, times: int = 1) -> None:
        assert at in ("request", "execution", "answer")
        self.at, self.match, self.left, self.done = at, match, times, 0


class Proxy:
    """Between the sink and the server. One cut at a time; refuses everything while `closed`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._open: set[socket.socket] = set()
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, at: str, match: bytes = BARS_FLUSH, times: int = 1) -> Cut:
        with self._lock:
            self._cut = Cut(at, match, times)
            return self._cut

    def drop_all(self) -> None:
        with self._lock:
            victims = list(self._open)
        for victim in victims:
            self._end(victim)

    def stop(self) -> None:
        self._listener.close()
        self.drop_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.closed:
                    self._end(client)
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @staticmethod
    def _end(connection: socket.socket) -> None:
        """Reset, as when the machine behind it is gone."""
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            connection.close()

    def _take(self, message: bytes) -> Cut | None:
        """The cut that this message of the client brings about."""
        with self._lock:
            cut = self._cut
            if cut is None or cut.left == 0 or message[:1] != b"B" or cut.match not in message:
                return None
            cut.left -= 1
            return cut

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target))
        pair = (client, server)
        waiting: list[Cut] = []  # for the end of the answer
        with self._lock:
            self._open.update(pair)
        back = threading.Thread(target=self._answers, args=(server, client, waiting), daemon=True)
        try:
            server.sendall(_message(client, first=True))
            back.start()
            while True:
                message = _message(client)
                cut = self._take(message)
                if cut is not None and cut.at == "request":
                    cut.done += 1
                    return
                if cut is not None and cut.at == "answer":
                    waiting.append(cut)
                server.sendall(message)
                if cut is not None and cut.at == "execution":
                    while message[:1] != b"S":  # what makes the server carry it out
                        message = _message(client)
                        server.sendall(message)
                    cut.done += 1
                    return
        except OSError:
            pass
        finally:
            for one in pair:
                self._end(one)
            with self._lock:
                self._open.difference_update(pair)

    def _answers(self, server: socket.socket, client: socket.socket, waiting: list[Cut]) -> None:
        try:
            while True:
                message = _message(server)
                if waiting:
                    if message[:1] != b"Z":
                        continue
                    waiting.pop().done += 1
                    break
                client.sendall(message)
        except OSError:
            pass
        self._end(client)
        self._end(server)


class PostgresLine(Line):
    """What the suites of both dialects ask of a line; see snowflake.py."""

    proxy: Proxy
    bars: ClassVar[dict[str, list[tuple[bytes, bytes, int]]]] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.proxy = Proxy(self.parts.postgres.port)
        self.settings |= {
            "WAREHOUSE_PORT": str(self.proxy.port),
            "SINK_FLUSH_MS": "100",
            "SINK_RETRY_MIN_MS": "50",
            "SINK_RETRY_MAX_MS": "500",
            "SINK_BREAKER_RETRY_MS": "1000",
            "WAREHOUSE_LOGIN_TIMEOUT_MS": "1000",
            "WAREHOUSE_STATEMENT_TIMEOUT_MS": "5000",
            "WAREHOUSE_DEADLINE_MS": "8000",
        }

    def finish(self) -> list[str]:
        try:
            return super().finish()
        finally:
            self.proxy.stop()

    # --- warehouse --------------------------------------------------------------------------------

    def sql(self, text: str) -> None:
        self.parts.postgres.sql(text, user="postgres", database=self.database)

    def places(self, table: str = "raw_bars") -> int:
        """How many different records of topics the rows are of."""
        place = "(kafka_topic, kafka_partition, kafka_offset)"
        return self.number(f"SELECT count(DISTINCT {place}) FROM raw.{table}")

    def assert_once(self, wanted: int, table: str = "raw_bars") -> None:
        self.wait_count(table, wanted, timeout=60)
        assert (self.count(table), self.places(table)) == (wanted, wanted)

    def stored(self, role: str = "BARS_FILTERED") -> int:
        topic = self.topic(role)
        return self.number(f"SELECT sum(next_offset) FROM ops.sink_offsets WHERE topic = '{topic}'")

    def wait_stored(self, wanted: int, role: str = "BARS_FILTERED", timeout: float = 60) -> None:
        """Until the offset rows of the topic add up to this."""
        wait_for(lambda: self.stored(role) == wanted, timeout, f"offsets up to {wanted}", 0.2)

    # --- records ----------------------------------------------------------------------------------

    def recorded_bars(self, *symbols: str) -> Sequence[tuple[bytes, bytes, int]]:
        """Bars as the ingestor writes them: key, value, partition; 196 of FB. Fetched once for all tests."""
        wanted = symbols or ("FB",)
        if (name := ",".join(wanted)) not in PostgresLine.bars:
            self.backfill_replay(list(wanted))
            PostgresLine.bars[name] = [
                ((m.key or "").encode(), m.value or b"", m.partition)
                for m in self.messages("RAW_BACKFILL")
                if b'"event_type":"bar"' in (m.value or b"")
            ]
        return PostgresLine.bars[name]

    def feed(self, bars: Sequence[tuple[bytes, bytes, int]], partition: int | None = None) -> None:
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

    def limit_topic(self, role: str, name: str, value: str) -> None:
        """A setting of a topic at the broker."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic(role), incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.parts.broker.bootstrap})
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)
