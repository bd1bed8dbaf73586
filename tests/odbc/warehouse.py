# SPDX-License-Identifier: Apache-2.0
"""A Snowflake for tests: a fakesnow server, the helper behind the test driver, and what the programs are told."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

from mflocal import Layout, python_environment, wait_for
from mflocal.ports import Ports
from mflocal.process import BackgroundProcess

HERE = Path(__file__).resolve().parent
DRIVER = "MarketflowTest"
# fakesnow makes the database of a login when it is not there.
Settings = dict[str, str]


def python(layout: Layout) -> Path:
    """The interpreter that has fakesnow and Snowflake's connector."""
    return python_environment(layout, "odbc", HERE / "requirements.lock")


class Fakesnow(BackgroundProcess):
    """The server; everything is in its memory."""

    name = "fakesnow"

    @property
    def port(self) -> int:
        ports = Ports(self.layout)
        return ports.known("fakesnow") or ports.take("fakesnow")

    def command(self) -> list[str]:
        return [str(python(self.layout).with_name("fakesnow")), "-s", "-p", str(self.port)]

    def ready(self) -> bool:
        if not self.running():
            return False
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Helper(BackgroundProcess):
    """The process behind the driver, and the way to steer it."""

    name = "odbc-helper"

    def __init__(
        self, layout: Layout, server: Fakesnow, library: Path, *, die_with_parent: bool = False
    ) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._server = server
        self._library = library

    @property
    def socket(self) -> Path:
        return self.layout.run / "odbc.sock"

    def command(self) -> list[str]:
        return [
            str(python(self.layout)),
            "-B",
            str(HERE / "helper.py"),
            str(self.socket),
            str(self._server.port),
        ]

    def prepare(self) -> None:
        if not self._library.is_file():
            raise FileNotFoundError(f"{self._library} is not built (target marketflow_test_odbc)")
        self.socket.unlink(missing_ok=True)
        (self.layout.run / "odbcinst.ini").write_text(
            f"[{DRIVER}]\nDriver = {self._library}\nSocket = {self.socket}\nThreading = 0\n"
        )
        (self.layout.run / "odbc.ini").write_text("")
        key = self.layout.run / "snowflake.p8"
        key.write_text(
            "-----BEGIN PRIVATE KEY-----\nread by the real driver only\n-----END PRIVATE KEY-----\n"
        )
        key.chmod(0o600)

    def ready(self) -> bool:
        return self.running() and self.socket.exists() and b"listening" in self.log_path.read_bytes()

    def settings(self, database: str) -> Settings:
        """What makes a program use this warehouse."""
        return {
            "ODBCSYSINI": str(self.layout.run),
            "ODBCINI": str(self.layout.run / "odbc.ini"),
            "WAREHOUSE_DIALECT": "snowflake",
            "WAREHOUSE_DRIVER": DRIVER,
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(self._server.port),
            "WAREHOUSE_DATABASE": database,
            "WAREHOUSE_USER": "LOADER",
            "SNOWFLAKE_WAREHOUSE": "LOAD_WH",
            "SNOWFLAKE_ROLE": "MARKETFLOW_SINK",
            "SNOWFLAKE_PRIVATE_KEY_FILE": str(self.layout.run / "snowflake.p8"),
        }

    # --- steering ---------------------------------------------------------------------------------

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.socket))
            text = json.dumps(request).encode()
            connection.sendall(struct.pack(">I", len(text)) + text)
            stream = connection.makefile("rb")
            size = struct.unpack(">I", stream.read(4))[0]
            return dict(json.loads(stream.read(size)))

    def play(self, op: str, action: str, **rule: Any) -> None:
        """Adds a rule; helper.py says what it may hold."""
        assert self._ask({"op": "rule", "rule": {"op": op, "action": action, **rule}})["ok"]

    def release(self) -> None:
        """Ends everything that hangs and forgets all rules."""
        assert self._ask({"op": "release"})["ok"]

    def played(self) -> int:
        """How often the rules of now have been played."""
        return int(sum(self._ask({"op": "history"})["played"]))

    def sessions(self) -> int:
        """Sessions of programs that are open now."""
        return int(self._ask({"op": "history"})["sessions"])

    def history(self, op: str = "") -> list[dict[str, Any]]:
        """The driver's requests so far: op, sql, bytes."""
        return [entry for entry in self._ask({"op": "history"})["history"] if op in ("", entry["op"])]

    def clear_history(self) -> None:
        assert self._ask({"op": "clear"})["ok"]

    def rows(self, sql: str) -> list[list[str | None]]:
        """A statement past all rules, in a session of its own; names are to be written with their database."""
        answer = self._ask({"op": "query", "sql": sql})
        assert answer["ok"], answer
        return list(answer.get("data", []))

    def wait_played(self, times: int, timeout: float = 60) -> None:
        wait_for(lambda: self.played() >= times, timeout, f"{times} plays of the rules", 0.1)


def library_beside(binaries: Path) -> Path:
    """The driver of the build that the programs are of."""
    given = os.environ.get("MARKETFLOW_TEST_ODBC")
    return Path(given) if given else binaries.parent / "tests" / "odbc" / "marketflow_test_odbc.so"
