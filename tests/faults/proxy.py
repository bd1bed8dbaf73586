# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that understands Kafka's frames: it holds chosen requests or answers back, or loses them.

The broker advertises the proxy's port on a listener of its own (mflocal.Broker's detour), so that its clients
stay on the proxy without a change to any answer. A frame is its length (4 bytes) and then, in a request, api
key, version, correlation id and client id; an answer has the correlation id of its request, in whose order
answers come (kafka.apache.org/protocol).
"""

from __future__ import annotations

import contextlib
import enum
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_FRAME_MAX = 64 << 20
_ANSWERS_S = 10.0


class Api(enum.IntEnum):
    PRODUCE = 0
    FETCH = 1
    METADATA = 3
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


@dataclass
class Frame:
    """A request, and its answer once that came."""

    api: int
    version: int
    correlation: int
    client: str
    request: bytes
    at: float
    answer: bytes | None = None
    answered_at: float | None = None

    @property
    def body(self) -> bytes:
        """The request after its header (version 1: only for what librdkafka sends without flexible fields)."""
        (length,) = struct.unpack_from(">h", self.request, 8)
        return self.request[10 + max(0, length) :]


@dataclass
class EndTxn:
    """Of versions 0 to 2: transactional id, producer id and epoch, commit or abort."""

    transactional_id: str
    producer_id: int
    epoch: int
    commit: bool

    @classmethod
    def of(cls, frame: Frame) -> EndTxn:
        assert frame.api == Api.END_TXN and frame.version <= 2, (frame.api, frame.version)
        body = frame.body
        (length,) = struct.unpack_from(">h", body)
        name = body[2 : 2 + length].decode()
        producer, epoch, commit = struct.unpack_from(">qh?", body, 2 + length)
        return cls(name, producer, epoch, commit)

    @staticmethod
    def error_of(frame: Frame) -> int:
        """The error code of its answer."""
        assert frame.answer is not None
        return int(struct.unpack_from(">h", frame.answer, 8)[0])


def offset_commit_error(frame: Frame) -> int:
    """The first partition's error in the answer to a TxnOffsetCommit of version 3; names under 128 bytes."""
    assert frame.api == Api.TXN_OFFSET_COMMIT and frame.version == 3, (frame.api, frame.version)
    assert frame.answer is not None
    name = 4 + 1 + 4 + 1  # correlation, tags, throttle time, number of topics
    partitions = name + frame.answer[name]  # lengths are plus one
    return int(struct.unpack_from(">ih", frame.answer, partitions + 1)[1])


@dataclass
class Trap:
    """Catches the next `times` matching frames and keeps each until release() or lose().

    side: "request" before the broker sees it, "answer" after it acted and before the client hears of it. What
    follows on the same way of the same connection waits behind it, as on a slow network.
    """

    api: int
    side: str
    matches: Callable[[Frame], bool] = lambda _: True
    times: int = 1
    caught: list[Frame] = field(default_factory=list)
    _arrived: threading.Event = field(default_factory=threading.Event)
    _decided: threading.Event = field(default_factory=threading.Event)
    _forward: bool = True

    def wait(self, timeout: float) -> Frame:
        """The first frame caught."""
        assert self._arrived.wait(timeout), f"no {Api(self.api).name} {self.side} within {timeout:g} s"
        return self.caught[0]

    def release(self) -> None:
        self._decided.set()

    def lose(self) -> None:
        """What was caught is thrown away, its connection ends; what comes later passes."""
        self._forward = False
        self._decided.set()

    def hold(self, frame: Frame) -> bool:
        """In the proxy: waits for the decision; whether the frame goes on."""
        self.caught.append(frame)
        self._arrived.set()
        self._decided.wait()
        return self._forward


class _Link:
    """One client's connection and the broker's: a reader and a writer for each way."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._waiting: dict[int, Frame] = {}
        self._idle = threading.Condition()
        self._ways: dict[str, queue.SimpleQueue[tuple[bytes, Frame] | None]] = {}
        for side, source, target in (("request", client, server), ("answer", server, client)):
            self._ways[side] = queue.SimpleQueue()
            for work in (self._read, self._write):
                threading.Thread(target=work, args=(side, source, target), daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _read(self, side: str, source: socket.socket, _: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error):
            while data := _frame_from(source):
                frame = self._request(data) if side == "request" else self._answer(data)
                self._ways[side].put((data, frame))
        self._ways[side].put(None)

    def _request(self, data: bytes) -> Frame:
        api, version, correlation, length = struct.unpack_from(">hhih", data)
        client = data[10 : 10 + max(0, length)].decode("utf-8", "replace")
        frame = Frame(api, version, correlation, client, data, time.monotonic())
        self._proxy.note(frame)
        with self._idle:
            # The one request that the broker does not answer is a Produce with acks=0, which nobody here sends.
            self._waiting[correlation] = frame
        return frame

    def _answer(self, data: bytes) -> Frame:
        (correlation,) = struct.unpack_from(">i", data)
        with self._idle:
            frame = self._waiting.pop(correlation)
            frame.answer, frame.answered_at = data, time.monotonic()
            self._idle.notify_all()
        return frame

    def _write(self, side: str, _: socket.socket, target: socket.socket) -> None:
        while (item := self._ways[side].get()) is not None:
            data, frame = item
            if not self._proxy.passes(side, frame):
                self._end()
                return
            try:
                target.sendall(struct.pack(">i", len(data)) + data)
            except OSError:
                if side == "request":
                    break
                # The client is gone. What the broker still answers is noted all the same.
        if side == "request":
            # What a client sent before it died reaches the broker and is answered, like packets under way.
            with self._idle:
                self._idle.wait_for(lambda: not self._waiting, _ANSWERS_S)
        self._end()

    def _end(self) -> None:
        self.close()
        self._proxy.forget(self)


class Proxy:
    """Listens on `port`, passes on to `target`; both on loopback. Frames and traps as above."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._traps: list[Trap] = []
        self._links: set[_Link] = set()
        self._seen: list[Frame] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.clear()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends every connection; new ones are taken."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def trap(
        self, api: int, side: str, matches: Callable[[Frame], bool] = lambda _: True, times: int = 1
    ) -> Trap:
        trap = Trap(api, side, matches, times)
        with self._lock:
            self._traps.append(trap)
        return trap

    def clear(self) -> None:
        """Lets everything go on and forgets what was seen."""
        with self._lock:
            traps, self._traps, self._seen = self._traps, [], []
        for trap in traps:
            trap.release()

    def seen(self, api: int) -> list[Frame]:
        """The requests of this kind since clear(), oldest first; fetches and their like are not kept."""
        with self._lock:
            return [frame for frame in self._seen if frame.api == api]

    # Called by the links.

    def note(self, frame: Frame) -> None:
        if frame.api not in (Api.FETCH, Api.PRODUCE, Api.HEARTBEAT):
            with self._lock:
                self._seen.append(frame)

    def passes(self, side: str, frame: Frame) -> bool:
        with self._lock:
            trap = next((t for t in self._traps if t.side == side and _springs(t, frame)), None)
            if trap is not None:
                trap.times -= 1
        return trap is None or trap.hold(frame)

    def forget(self, link: _Link) -> None:
        with self._lock:
            self._links.discard(link)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                client.close()  # the broker is away
                continue
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._links.add(_Link(self, client, server))


def _springs(trap: Trap, frame: Frame) -> bool:
    return trap.times > 0 and frame.api == trap.api and trap.matches(frame)


def _frame_from(source: socket.socket) -> bytes:
    """The next frame without its length; empty at the end of the connection."""
    head = _exactly(source, 4)
    if not head:
        return b""
    (size,) = struct.unpack(">i", head)
    if not 4 <= size <= _FRAME_MAX:
        raise OSError(f"a frame of {size} bytes")
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = source.recv(min(size - len(data), 1 << 20))
        if not part:
            return b""
        data += part
    return bytes(data)
