# SPDX-License-Identifier: Apache-2.0
"""`marketflow-sink migrate` under its lease, when the run that has it dies or is overtaken. Two runs at once, roles and
grants are in test_roles.py; on Snowflake the driver holds a statement up ("played"), the lease is fakesnow's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from line import Line
from mflocal import Session, wait_for
from mflocal.services import base_environment
from snowflake import SnowflakeLine

pytestmark = pytest.mark.sink

NEWEST = "SELECT version FROM ops.schema_migrations ORDER BY version DESC LIMIT 1"


@contextmanager
def running(line: Line, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A migration that is not waited for."""
    process = subprocess.Popen(
        [str(line.parts.binaries / "marketflow-sink"), "migrate", *arguments],
        env=base_environment() | line.settings | {"METRICS_LISTEN": "127.0.0.1:0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_run_holds_up_nobody(line: Line) -> None:
    """The server sees that its session is gone: what it began is undone, and the next run takes its lease at once."""
    newest = line.query(NEWEST)[0][0]
    assert newest == "0003_results"
    line.parts.postgres.sql(
        f"DROP TABLE ops.dbt_run_results, ops.dq_results; DELETE FROM ops.schema_migrations WHERE version = '{newest}'",
        database=line.database,
    )
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with Session(line.parts.postgres, line.database) as book, running(line) as run:
        book.query("BEGIN")
        book.query("LOCK TABLE ops.schema_migrations IN SHARE MODE")
        wait_for(lambda: line.number(waiting) == 1, 60, "a migration that cannot be booked", 0.05)
        refused = line.run("marketflow-sink", "migrate", "--wait", "0")
        assert refused.returncode == 75
        assert f"/{run.pid}/" in refused.stderr and "ops.schema_lease" in refused.stderr
        run.kill()
        run.wait()
        # Although it waits for a lock that somebody else has still.
        wait_for(lambda: line.number(waiting) == 0, 60, "the end of what the killed run began", 0.05)
        book.query("ROLLBACK")
    lasts = (
        "SELECT count(*) FROM ops.schema_lease WHERE owner <> '' AND expires_at > now() + interval '10 min'"
    )
    assert line.number(lasts) == 1
    done = line.run("marketflow-sink", "migrate", "--wait", "0")
    assert done.returncode == 0, done.stderr
    assert f"applied {newest}" in done.stdout
    assert line.query("SELECT owner FROM ops.schema_lease") == [[""]]


def test_played_a_killed_run_holds_up_for_a_minute(snowflake_line: SnowflakeLine) -> None:
    """Snowflake does not show who is gone. What the lease has left is short, and nobody has to clear anything."""
    line = snowflake_line
    line.sql("DELETE FROM ops.schema_migrations WHERE version >= '0002'")
    line.sql("DROP TABLE raw.raw_feed_status")
    line.helper.play("execute", "hang", match="LIKE raw.raw_bars", after=1, applied=True)
    with running(line) as run:
        line.helper.wait_played(1)
        run.kill()
        run.wait()
    line.helper.release()
    left = line.number(
        "SELECT DATEDIFF('second', SYSDATE(), l.expires_at) FROM ops.schema_lease AS l WHERE l.owner <> ''"
    )
    assert 0 < left <= 60
    assert line.run("marketflow-sink", "migrate", "--wait", "0").returncode == 75
    line.sql("UPDATE ops.schema_lease SET expires_at = DATEADD('second', 1, SYSDATE())")
    done = line.run("marketflow-sink", "migrate")
    assert done.returncode == 0, done.stderr
    assert "applied 0002_raw_tables" in done.stdout
    assert line.count("raw_feed_status") == 0
    assert line.query("SELECT owner FROM ops.schema_lease") == [[""]]


def test_played_who_lost_the_lease_stops(snowflake_line: SnowflakeLine) -> None:
    """Overtaken during a long statement: nothing more is executed, nothing is booked, the successor's lease stays."""
    line = snowflake_line
    line.sql("DELETE FROM ops.schema_migrations WHERE version >= '0002'")
    line.helper.clear_history()
    line.helper.play("execute", "slow", match="LIKE raw.raw_bars", delay_ms=60000)
    with running(line) as run:
        line.helper.wait_played(1)
        line.sql(
            "UPDATE ops.schema_lease SET owner = 'host/2', expires_at = DATEADD('second', 60, SYSDATE())"
        )
        line.helper.release()
        _, log = run.communicate(timeout=60)
    assert run.returncode == 75
    assert "host/2" in log and "applies nothing more" in log
    made = [e for e in line.helper.history("execute") if "LIKE raw.raw_bars" in e["sql"]]
    assert len(made) == 1
    assert line.query(NEWEST) == [["0001_ops"]]
    assert line.query("SELECT owner FROM ops.schema_lease") == [["host/2"]]
