# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy in front of the database that breaks connections at the worst moments.

A flush is one statement and commits by itself, so its answer is the commit's: losing it leaves a client that does
not know whether its rows are there; losing the statement's end leaves a server that never saw it whole.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_CHUNK = 65536
# What a client sends for less is no flush: log-ins, pings, the ends of statements.
FLUSH_BYTES = 2_000
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class _Link:
    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self.ends = (client, server)
        self._proxy = proxy
        self._sent = 0  # by the client since the server last answered
        for source, target, forward in ((client, server, self._request), (server, client, self._answer)):
            threading.Thread(target=self._pump, args=(source, target, forward), daemon=True).start()

    def reset(self) -> None:
        """Both ends see a reset, not an orderly end."""
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._proxy.forget(self)

    def _pump(self, source: socket.socket, target: socket.socket, forward) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._proxy.open.wait()
                if not forward(target, data):
                    break
        self.reset()

    def _request(self, target: socket.socket, data: bytes) -> bool:
        self._sent += len(data)
        if self._sent >= FLUSH_BYTES and self._proxy.take("lose_request"):
            target.sendall(data[: len(data) // 2])
            return False
        target.sendall(data)
        return True

    def _answer(self, target: socket.socket, data: bytes) -> bool:
        if self._sent >= FLUSH_BYTES and self._proxy.take("lose_answer"):
            return False
        self._sent = 0
        target.sendall(data)
        return True


class TcpProxy:
    """Listens on `port`, passes on to `target`; both on loopback."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._armed: dict[str, int] = {}
        self.sprung: dict[str, int] = {"lose_request": 0, "lose_answer": 0}
        self.open = threading.Event()  # cleared: nothing passes, connections stay
        self.open.set()
        self.port = port
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.open.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def arm(self, trap: str, times: int = 1) -> None:
        """lose_request, lose_answer: of the next `times` flushes."""
        with self._lock:
            self._armed[trap] = times

    def take(self, trap: str) -> bool:
        with self._lock:
            if self._armed.get(trap, 0) == 0:
                return False
            self._armed[trap] -= 1
            self.sprung[trap] += 1
            return True

    def cut(self) -> None:
        """Resets every connection; new ones are taken."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.reset()

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
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._links.add(_Link(self, client, server))
