# SPDX-License-Identifier: Apache-2.0
"""A SinkLine whose warehouse is Snowflake: fakesnow behind the test driver of tests/odbc.

What fakesnow cannot do itself the driver plays, by rules of its helper: faults of the connection, what another session
does at the same time (it has no locks to wait for), refused rows and rights. Tests say so by "played" in their names or
in the name of their variant. A module for this dialect alone makes `snowflake_line` its `line`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fixtures import _line
from line import Line, Parts
from mflocal import Layout, ServiceProcess
from sink_line import SinkLine
from warehouse import Fakesnow, Helper, library_beside

# The real fence, not the statement that waits for locks before offset rows are read.
FENCE = r"UPDATE ops.sink_offsets\s+SET\s+next_offset"
INSERT_BARS = r"INSERT INTO raw.raw_bars"
TABLES = (
    *("raw_bars", "raw_news", "raw_option_bars", "raw_alerts", "raw_metrics", "raw_symbols"),
    *("raw_corporate_actions", "raw_feed_status", "raw_dead_letters"),
)
# Request of the driver, its statement, what the helper does.
_LOST = {
    "request": ("execute", INSERT_BARS, "drop"),
    "execution": ("execute", FENCE, "drop_after"),
    "answer": ("commit", "", "drop_after"),
}
_SPOILT = {"right": ("42501", 3001), "capacity": ("57P03", 606)}


class SnowflakeLine(SinkLine):
    append_only = True
    place = "kafka_topic || '/' || kafka_partition || '/' || kafka_offset"
    refused_state = "22018"
    login_reason = "JWT token is invalid"
    helper: ClassVar[Helper]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("WAREHOUSE_PASSWORD_FILE", "WAREHOUSE_SSLMODE"):
            self.settings.pop(name, None)
        self.settings |= self.helper.settings(self.database)
        self.settings["WAREHOUSE_DEADLINE_MS"] = "10000"

    def make_database(self) -> None:
        """fakesnow makes it when somebody logs in; rules and history of the test before are not ours."""
        self.helper.release()
        self.helper.clear_history()

    def finish(self) -> list[str]:
        self.helper.release()
        return super().finish()

    # --- warehouse --------------------------------------------------------------------------------

    def rows(self, text: str) -> list[list[str | None]]:
        """`text` names tables as raw.… and ops.…"""
        for schema in ("raw", "ops"):
            text = text.replace(f"{schema}.", f"{self.database}.{schema}.")
        return self.helper.rows(text)

    def query(self, text: str) -> list[list[str]]:
        return [[value or "" for value in row] for row in self.rows(text)]

    def number(self, text: str) -> int:
        found = self.rows(text)
        return int(float(found[0][0] or 0)) if found else 0  # fakesnow sums to a double

    def sql(self, text: str) -> None:
        self.rows(text)

    def letters(self, *fields: str) -> list[list[str]]:
        chosen = ", ".join(f"payload:{field}::varchar" for field in fields)
        return self.query(f"SELECT {chosen} FROM raw.raw_dead_letters")

    def flushed(self) -> list[dict[str, Any]]:
        return self.events_logged("batch_flushed")

    # --- faults -----------------------------------------------------------------------------------

    def lose_connection(self, at: str) -> Callable[[], bool]:
        op, match, action = _LOST[at]
        self.helper.play(op, action, match=match)
        return lambda: self.helper.played() > 0

    def hold_commit(self) -> Callable[[], bool]:
        self.helper.play("commit", "hang", applied=True)
        return lambda: self.helper.played() > 0

    def drop_connections(self) -> None:
        """When they are next used."""
        self.helper.play("execute", "drop")

    def go_away(self) -> None:
        self.helper.play("execute", "drop", times=None)
        self.helper.play("connect", "error", times=None, state="08001", message="connection refused")

    def come_back(self) -> None:
        self.helper.release()

    def freeze(self) -> None:
        for op in ("execute", "connect"):
            self.helper.play(op, "hang", times=None)

    def thaw(self) -> None:
        self.helper.release()

    def hold_offset_rows(self) -> None:
        """First more waiters than Snowflake allows, then a lock that is not given in time."""
        for native in (625, 630):
            self.helper.play("execute", "error", match=FENCE, state="57014", native=native)

    def let_go(self) -> None:
        self.helper.release()

    def _refuse(self, insert: str, param: str) -> None:
        data = {"state": self.refused_state, "native": 100038, "message": "bad_row"}
        self.helper.play("execute", "error", match=insert, param=param, times=None, **data)

    def refuse_rows(self, bad: str = "") -> None:
        self._refuse(INSERT_BARS, bad)

    def accept_rows(self) -> None:
        self.helper.release()

    def refuse_letters(self) -> None:
        self._refuse("INSERT INTO raw.raw_dead_letters", r'"raw":"[^"]{5}')

    def spoil_table(self, how: str) -> str:
        """The missing table is fakesnow's; a right and a quota are not among what it knows."""
        if how == "table":
            self.sql("ALTER TABLE raw.raw_bars RENAME TO raw.hidden")
            return "RAW_BARS"
        return self._deny(INSERT_BARS, *_SPOILT[how])

    def _deny(self, match: str, state: str, native: int) -> str:
        why = "not for you"
        rule = {"state": state, "native": native, "message": why}
        self.helper.play("execute", "error", match=match, times=None, **rule)
        return why

    def mend_table(self, how: str) -> None:
        if how == "table":
            self.sql("ALTER TABLE raw.hidden RENAME TO raw.raw_bars")
        self.helper.release()

    def spoil_offsets(self) -> str:
        return self._deny(FENCE, *_SPOILT["right"])

    def mend_offsets(self) -> None:
        self.helper.release()

    def replace_table(self) -> None:
        self.sql("ALTER TABLE raw.raw_bars RENAME TO raw.old_bars")
        self.sql("CREATE TABLE raw.raw_bars LIKE raw.old_bars")

    def login_refused(self, directory: Path) -> dict[str, str]:
        self.helper.play(
            "connect", "error", times=None, state="28000", native=394304, message=self.login_reason
        )
        return {}

    def login_accepted(self, sink: ServiceProcess) -> None:
        self.helper.release()


@pytest.fixture(scope="session")
def helper(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helper]:
    # A short path: that of a Unix socket has 107 characters.
    layout = Layout(tmp_path_factory.mktemp("sf"), parts.broker.layout.cache)
    server = Fakesnow(layout, die_with_parent=True)
    helper = Helper(layout, server, library_beside(parts.binaries), die_with_parent=True)
    try:
        for part in (server, helper):
            part.start()
            part.wait_ready()
        yield helper
    finally:
        helper.stop()
        server.stop()


@pytest.fixture
def snowflake_line(
    helper: Helper, parts: Parts, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[SnowflakeLine]:
    SnowflakeLine.helper = helper
    lines: Iterator[Line] = _line(parts, tmp_path, request, SnowflakeLine)
    yield from lines  # type: ignore[misc]
