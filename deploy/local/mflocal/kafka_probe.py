# SPDX-License-Identifier: Apache-2.0
"""One question to a broker, without a Kafka client: are you registered and is there a controller?

Speaks the protocol's Metadata request, version 1, with an empty topic list (kafka.apache.org/protocol): all
integers big-endian, a request is its length and then the header (key, version, correlation, client id).
"""

from __future__ import annotations

import socket
import struct

_METADATA, _VERSION, _CORRELATION = 3, 1, 7
_CLIENT = b"marketflow-local"


class _Reader:
    """Takes values off the front of a response; runs over its end with struct.error."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(">" + form, self._data, self._at)
        self._at += struct.calcsize(">" + form)
        return int(value)

    def skip_string(self) -> None:
        length = self.number("h")  # -1 for null
        self._at += max(0, length)


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def broker_answers(port: int, timeout: float = 2.0) -> bool:
    """True when the broker on this loopback port lists at least one broker and a controller."""
    return brokers_listed(port, timeout) > 0


def brokers_listed(port: int, timeout: float = 2.0) -> int:
    """How many brokers the one on this loopback port lists; 0 without an answer or a controller."""
    body = (
        struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT + struct.pack(">i", 0)
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            if not 4 <= size <= 1 << 20:
                return 0
            reader = _Reader(_receive(connection, size))
        if reader.number("i") != _CORRELATION:
            return 0
        brokers = reader.number("i")
        for _ in range(brokers):
            reader.number("i")  # node id
            reader.skip_string()  # host
            reader.number("i")  # port
            reader.skip_string()  # rack
        return brokers if reader.number("i") >= 0 else 0
    except (OSError, struct.error):
        return 0
