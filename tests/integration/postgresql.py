# SPDX-License-Identifier: Apache-2.0
"""A SinkLine whose warehouse is PostgreSQL, reached through a proxy. Every fault is the server's own, or the network's
between it and the sink."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable
from pathlib import Path

from mflocal import ServiceProcess, Session
from sink_line import SinkLine
from tcp_proxy import TcpProxy

# Statements that spoil raw_bars, those that mend it, and what the server says meanwhile.
_SPOILT = {
    "right": (
        "REVOKE INSERT ON raw.raw_bars FROM marketflow",
        "GRANT INSERT ON raw.raw_bars TO marketflow",
        "permission",
    ),
    "table": (
        "ALTER TABLE raw.raw_bars RENAME TO hidden",
        "ALTER TABLE raw.hidden RENAME TO raw_bars",
        "does not exist",
    ),
    "capacity": (
        "CREATE FUNCTION raw.full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END$$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON raw.raw_bars FOR EACH ROW EXECUTE FUNCTION raw.full_disk()",
        "DROP TRIGGER full_disk ON raw.raw_bars",
        "No space left",
    ),
}


def is_bars_flush(message: bytes) -> bool:
    """It has the move of a partition of the bars."""
    return b',"raw_bars","' in message


class PostgresLine(SinkLine):
    append_only = False
    place = "(kafka_topic, kafka_partition, kafka_offset)"
    refused_state = "23514"
    login_reason = "authentication failed"
    proxy: TcpProxy
    locks: Session | None = None
    password: Path

    def __post_init__(self) -> None:
        super().__post_init__()
        self.proxy = TcpProxy(self.parts.postgres.port)
        self.settings |= {
            "WAREHOUSE_PORT": str(self.proxy.port),
            "WAREHOUSE_LOGIN_TIMEOUT_MS": "1000",
            "WAREHOUSE_STATEMENT_TIMEOUT_MS": "5000",
            "WAREHOUSE_DEADLINE_MS": "8000",
        }

    def finish(self) -> list[str]:
        try:
            self.let_go()
            return super().finish()
        finally:
            self.proxy.stop()

    def sql(self, text: str) -> None:
        self.parts.postgres.sql(text, user="postgres", database=self.database)

    def letters(self, *fields: str) -> list[list[str]]:
        chosen = ", ".join(f"payload->>'{field}'" for field in fields)
        answer = self.parts.postgres.sql(f"SELECT {chosen} FROM raw.raw_dead_letters", database=self.database)
        return list(csv.reader(answer.splitlines()))

    # --- faults -----------------------------------------------------------------------------------

    def lose_connection(self, at: str) -> Callable[[], bool]:
        cut = self.proxy.cut(at, is_bars_flush)
        return lambda: cut.done == 1

    def hold_commit(self) -> Callable[[], bool]:
        return self.lose_connection("held")

    def drop_connections(self) -> None:
        self.proxy.drop_all()

    def go_away(self) -> None:
        self.proxy.closed = True
        self.proxy.drop_all()

    def come_back(self) -> None:
        self.proxy.closed = False

    def freeze(self) -> None:
        self.parts.postgres.freeze()

    def thaw(self) -> None:
        self.parts.postgres.thaw()

    def hold_offset_rows(self) -> None:
        self.locks = Session(self.parts.postgres, self.database, user="postgres")
        self.locks.query("BEGIN")
        self.locks.query("SELECT count(*) FROM (SELECT FROM ops.sink_offsets FOR UPDATE) AS o")

    def let_go(self) -> None:
        if self.locks is not None:
            self.locks.close()
        self.locks = None

    def refuse_rows(self, bad: str = "") -> None:
        rule = f"event_id <> '{bad}'" if bad else "false"
        self.sql(f"ALTER TABLE raw.raw_bars ADD CONSTRAINT bad_row CHECK ({rule}) NOT VALID")

    def accept_rows(self) -> None:
        self.sql("ALTER TABLE raw.raw_bars DROP CONSTRAINT bad_row")

    def refuse_letters(self) -> None:
        rule = "length(payload->>'raw') < 5"
        self.sql(f"ALTER TABLE raw.raw_dead_letters ADD CONSTRAINT bad_row CHECK ({rule})")

    def spoil_table(self, how: str) -> str:
        breakage, _, reason = _SPOILT[how]
        self.sql(breakage)
        return reason

    def mend_table(self, how: str) -> None:
        self.sql(_SPOILT[how][1])

    def spoil_offsets(self) -> str:
        """The sink's user owns the table; that is no obstacle to a grant taken away."""
        self.sql("REVOKE UPDATE ON ops.sink_offsets FROM marketflow")
        return "permission denied"

    def mend_offsets(self) -> None:
        self.sql("GRANT UPDATE ON ops.sink_offsets TO marketflow")

    def replace_table(self) -> None:
        self.sql(
            "BEGIN; ALTER TABLE raw.raw_bars RENAME TO old_bars; "
            "CREATE TABLE raw.raw_bars (LIKE raw.old_bars INCLUDING ALL); "
            "ALTER TABLE raw.raw_bars OWNER TO marketflow; COMMIT"
        )

    def login_refused(self, directory: Path) -> dict[str, str]:
        self.password = directory / "password"
        self.password.write_text("not the password\n")
        self.password.chmod(0o600)
        return {"WAREHOUSE_PASSWORD_FILE": str(self.password)}

    def login_accepted(self, sink: ServiceProcess) -> None:
        self.password.write_text(self.parts.postgres.password_file.read_text())
        assert sink.identity is not None
        sink.identity.send(signal.SIGHUP)
