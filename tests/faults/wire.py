# SPDX-License-Identifier: Apache-2.0
"""The few questions to a cluster that the Python client cannot ask (kafka.apache.org/protocol).

Integers are big-endian. A flexible version has lengths as unsigned varints plus one, and an empty list of
tagged fields after the header and every structure.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

_CLIENT = b"marketflow-tests"
_FIND_COORDINATOR, _ELECT_LEADERS, _ALTER_REASSIGNMENTS = 10, 43, 45
GROUP, TRANSACTION = 0, 1
_NO_TAGS = b"\0"
ELECTION_NOT_NEEDED = 84


class WireError(Exception):
    """The cluster refused, or gave no answer."""


def _ask(port: int, api: int, version: int, body: bytes, flexible: bool = False) -> bytes:
    """The answer's body."""
    header = struct.pack(">hhih", api, version, 1, len(_CLIENT)) + _CLIENT + (_NO_TAGS if flexible else b"")
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            answer = _receive(connection, size)
    except (OSError, struct.error) as error:
        raise WireError(f"no answer from port {port}: {error}") from None
    return answer[5:] if flexible else answer[4:]


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def coordinator(port: int, kind: int, key: str) -> int:
    """The node that coordinates a group or a transactional id; -1 while nobody does."""
    answer = _ask(port, _FIND_COORDINATOR, 1, _text(key) + struct.pack(">b", kind))
    _, error, message = struct.unpack_from(">ihh", answer)
    (node,) = struct.unpack_from(">i", answer, 8 + max(0, message))
    return int(node) if error == 0 else -1


def transaction_partition(transactional_id: str, partitions: int = 4) -> int:
    """The partition of __transaction_state that holds it: the absolute value of Java's String.hashCode."""
    value = 0
    for unit in transactional_id.encode("utf-16-be")[1::2]:  # ASCII names only
        value = (31 * value + unit) & 0xFFFFFFFF
    return min(value, (1 << 32) - value) % partitions


def move_leader(port: int, topic: str, partition: int, replicas: Sequence[int]) -> None:
    """The first of `replicas`, which are all there are, becomes the leader."""
    names = bytes([len(replicas) + 1]) + b"".join(struct.pack(">i", node) for node in replicas)
    one = struct.pack(">i", partition) + names + _NO_TAGS
    compact = bytes([len(topic) + 1]) + topic.encode()
    body = struct.pack(">i", 10_000) + b"\2" + compact + b"\2" + one + _NO_TAGS + _NO_TAGS
    answer = _ask(port, _ALTER_REASSIGNMENTS, 0, body, flexible=True)
    (error,) = struct.unpack_from(">h", answer, 4)
    if error != 0:
        raise WireError(f"reassigning {topic} [{partition}]: error {error}")
    preferred = struct.pack(">bi", 0, 1) + _text(topic) + struct.pack(">iii", 1, partition, 10_000)
    answer = _ask(port, _ELECT_LEADERS, 1, preferred)
    (error,) = struct.unpack_from(">h", answer, 4)
    (topics,) = struct.unpack_from(">i", answer, 6)
    if error == 0 and topics == 1:
        (length,) = struct.unpack_from(">h", answer, 10)
        _, _, error = struct.unpack_from(">iih", answer, 12 + length)
    if error not in (0, ELECTION_NOT_NEEDED):
        raise WireError(f"electing the leader of {topic} [{partition}]: error {error}")
