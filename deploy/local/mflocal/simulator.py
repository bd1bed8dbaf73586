# SPDX-License-Identifier: Apache-2.0
"""The simulator as a part of a stack, and its control endpoint as methods."""

from __future__ import annotations

import http.client
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .install import python_environment
from .layout import REPOSITORY, Layout, write_private
from .loopback import ask
from .ports import Ports
from .process import BackgroundProcess, base_environment
from .waiting import LocalError

_SOURCES = REPOSITORY / "deploy" / "simulator"
_PROBE_TIMEOUT = 1.0


class Simulator(BackgroundProcess):
    """One provider-shaped server. `key` is made up unless given; `options` are extra arguments."""

    name = "simulator"
    stop_timeout = 10.0

    def __init__(
        self,
        layout: Layout,
        *,
        die_with_parent: bool = False,
        key: str | None = None,
        options: Sequence[str] = (),
        python: Path | None = None,
    ) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._key = key
        self._options = list(options)
        self._python = python
        self._ports = Ports(layout)

    @property
    def port(self) -> int:
        port = self._ports.known("simulator")
        if port is None:
            raise LocalError("the simulator was never started")
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key_file(self) -> Path:
        return self.layout.secrets / "simulator_key"

    @property
    def key(self) -> str:
        return self.key_file.read_text().strip()

    @property
    def env(self) -> dict[str, str]:
        return {"POLYGON_BASE_URL": self.url, "POLYGON_API_KEY_FILE": str(self.key_file)}

    @property
    def _ready_file(self) -> Path:
        return self.layout.run / "simulator.json"

    def command(self) -> list[str]:
        python = self._python or python_environment(self.layout, "simulator", _SOURCES / "requirements.lock")
        command = [str(python), "-m", "marketflow_simulator", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--key-file", str(self.key_file), "--ready-file", str(self._ready_file)]
        return command + self._options

    def environment(self) -> dict[str, str]:
        return base_environment() | {"PYTHONPATH": str(_SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}

    def prepare(self) -> None:
        self._ports.take("simulator")
        self._ready_file.unlink(missing_ok=True)
        if self._key is not None:
            write_private(self.key_file, self._key + "\n")
        elif not self.key_file.exists():
            write_private(self.key_file, "sim-" + secrets.token_urlsafe(18) + "\n")

    def ready(self) -> bool:
        """It has written its file and answers now: a process that hangs or is stopped keeps the file."""
        if not self.running() or not self._ready_file.exists():
            return False
        try:
            self.control("GET", "clock", timeout=_PROBE_TIMEOUT)
        except (LocalError, OSError, ValueError, http.client.HTTPException):
            return False
        return True

    # --- control ---------------------------------------------------------------------------------

    def control(self, method: str, what: str, body: object = None, *, timeout: float = 10.0) -> Any:
        """One call of /control/<what>; raises LocalError with the server's words when it refuses."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/control/{what}", data, headers, method=method)
        try:
            with ask(request, timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise LocalError(f"simulator: {problem.read().decode('utf-8', 'replace')}") from None

    def add_fault(
        self,
        kind: str,
        *,
        match: dict[str, Any] | None = None,
        after: int = 0,
        times: int | None = 1,
        **parameters: Any,
    ) -> int:
        """Sets one fault and returns its number; see deploy/simulator/README.md for kinds."""
        fault = {"kind": kind, "match": match or {}, "after": after, "times": times, "parameters": parameters}
        return int(self.control("POST", "faults", fault)["faults"][0]["id"])

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "faults")["faults"])

    def requests(self, since: int = 0, path: str = "") -> dict[str, Any]:
        """Counters, and the requests with a sequence above `since` whose path starts with `path`."""
        return dict(self.control("GET", f"requests?since={since}&path={path}&limit=5000"))

    def forget_requests(self) -> None:
        self.control("DELETE", "requests")

    def set_clock(self, **change: Any) -> dict[str, Any]:
        """now=, advance_ms=, frozen=, rate= or real=True; returns the clock."""
        return dict(self.control("POST", "clock", change))

    def announce(self, **what: Any) -> None:
        """splits= beside those that the simulator has; nothing takes all of them back."""
        self.control("POST", "announcements", what)

    def announce_days(self, *days: dict[str, Any]) -> None:
        """Closures and early closes beside the exchange's rules, from now on."""
        self.control("POST", "days", list(days))

    def forget_days(self) -> None:
        self.control("DELETE", "days")

    def set_options(self, **change: Any) -> dict[str, Any]:
        """forming= and rate_per_minute=."""
        return dict(self.control("POST", "options", change))
