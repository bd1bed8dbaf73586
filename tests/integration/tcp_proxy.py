# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy in front of PostgreSQL, which breaks connections at a chosen moment.

It goes by the messages of the protocol (a type, a length, a body: "Message Formats" of the server's documentation). A
flush is one statement and commits by itself, so the end of its answer is the commit's: losing that leaves a client
that does not know whether its rows are there.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

_MESSAGE_MAX = 64 << 20
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise ConnectionError("closed")
        parts += part
    return bytes(parts)


def _message(source: socket.socket, *, first: bool = False) -> bytes:
    """One message: its type (which the first of a connection does not have), its length, its body."""
    head = _exactly(source, 4 if first else 5)
    (length,) = struct.unpack(">I", head[-4:])
    if not 4 <= length <= _MESSAGE_MAX:
        raise ConnectionError(f"a message of {length} bytes")
    return head + _exactly(source, length - 4)


class Cut:
    """Ends the connection of a request whose parameters (message Bind) match.

    at: "request" before the server has it, "torn" when it has half of it, "execution" while it is at it, "answer" when
    it has committed and said so, of which the client hears nothing. "held": as "answer", but the connection stays, and
    nothing comes on it.
    """

    MOMENTS = ("request", "torn", "execution", "answer", "held")

    def __init__(self, at: str, matches: Callable[[bytes], bool], times: int) -> None:
        assert at in self.MOMENTS
        self.at, self.matches, self.left, self.done = at, matches, times, 0


class _Link:
    """One client's connection and the server's."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._waiting: list[Cut] = []  # for the end of the answer
        self._ended = threading.Event()
        for pump in (self._requests, self._answers):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def reset(self) -> None:
        """Both ends see a reset, as when the machine between them is gone."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ended.set()
        self._proxy.forget(self)

    def _run(self, pump: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            pump()
        self.reset()

    def _requests(self) -> None:
        first, goes_on = True, True
        while goes_on:
            message = _message(self._client, first=first)
            first = False
            self._proxy.open.wait()
            cut = self._proxy.take(message)
            if cut is None:
                self._server.sendall(message)
            else:
                goes_on = self._spring(cut, message)

    def _spring(self, cut: Cut, message: bytes) -> bool:
        """Whether the connection goes on."""
        if cut.at in ("answer", "held"):
            self._waiting.append(cut)
            self._server.sendall(message)
            return True
        if cut.at == "torn":
            self._server.sendall(message[: len(message) // 2])
        while cut.at == "execution":
            self._server.sendall(message)
            if message[:1] == b"S":  # Sync, which makes the server carry it out
                break
            message = _message(self._client)
        self._proxy.note(cut)
        return False

    def _answers(self) -> None:
        while True:
            message = _message(self._server)
            self._proxy.open.wait()
            if not self._waiting:
                self._client.sendall(message)
            elif message[:1] == b"Z":  # ReadyForQuery: all of the answer is there
                cut = self._waiting.pop()
                self._proxy.note(cut)
                if cut.at == "held":
                    self._ended.wait()
                return


class TcpProxy:
    """Passes on to `target`; both on loopback. `closed`: connections are refused as soon as they are made. `open`
    cleared: nothing passes, and connections stay."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._cuts: dict[str, Cut] = {}
        self.sprung: Counter[str] = Counter()
        self.closed = False
        self.open = threading.Event()
        self.open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self.open.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()

    def cut(self, at: str, matches: Callable[[bytes], bool], times: int = 1) -> Cut:
        """Of the next `times` requests that match; in the place of an earlier cut at the same moment."""
        with self._lock:
            self._cuts[at] = Cut(at, matches, times)
            return self._cuts[at]

    def no_cuts(self) -> None:
        with self._lock:
            self._cuts.clear()

    def drop_all(self) -> None:
        """Resets every connection; new ones are taken."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.reset()

    # Called by the links.

    def take(self, message: bytes) -> Cut | None:
        """The cut that this message of the client brings about."""
        with self._lock:
            cuts = self._cuts.values() if message[:1] == b"B" else ()
            cut = next((cut for cut in cuts if cut.left > 0 and cut.matches(message)), None)
            if cut is not None:
                cut.left -= 1
            return cut

    def note(self, cut: Cut) -> None:
        with self._lock:
            cut.done += 1
            self.sprung[cut.at] += 1

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
                if self.closed:
                    raise OSError("closed")
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._links.add(_Link(self, client, server))
