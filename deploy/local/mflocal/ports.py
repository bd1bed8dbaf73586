# SPDX-License-Identifier: Apache-2.0
"""Free loopback ports that stay a part's own while it is down.

They are taken from outside the kernel's range for outgoing connections: a client that retries a stopped
server's port could otherwise be given that very port as its own and end up connected to itself, and the
server could not come back.
"""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from .layout import Layout, write_private
from .waiting import LocalError

_FIRST, _LAST = 10_240, 65_000


def _outgoing_range() -> tuple[int, int]:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return 32_768, 60_999
    return int(low), int(high)


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    low, high = _outgoing_range()
    choices = [port for port in range(_FIRST, _LAST) if not low <= port <= high]
    if len(choices) < 200:  # an odd machine whose outgoing range is nearly everything
        choices = list(range(_FIRST, _LAST))
    for _ in range(1_000):
        port = random.choice(choices)
        if is_free(port):
            return port
    raise LocalError("no free port on 127.0.0.1")


class Ports:
    """Ports by name, remembered in the state directory."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.run / "ports.json"

    def _load(self) -> dict[str, int]:
        try:
            return {str(name): int(port) for name, port in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def known(self, name: str) -> int | None:
        return self._load().get(name)

    def take(self, name: str) -> int:
        """The port of `name`: the remembered one while nobody else has it, else a new one.

        Only for a part that is not running, whose own port would look taken."""
        ports = self._load()
        if name not in ports or not is_free(ports[name]):
            used = set(ports.values())
            port = free_port()
            while port in used:
                port = free_port()
            ports[name] = port
            write_private(self._path, json.dumps(ports))
        return ports[name]
