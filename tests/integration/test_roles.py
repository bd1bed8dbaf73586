# SPDX-License-Identifier: Apache-2.0
"""`marketflow-sink migrate` on PostgreSQL: one run at a time, and what each role may do and may not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from line import Line
from mflocal import LocalError, Session

ROLES = ("marketflow_sink", "marketflow_dbt", "marketflow_report")
SCHEMAS = (
    "staging",
    "intermediate",
    "marts_market",
    "marts_trading",
    "marts_quality",
    "snapshots",
    "dq_failures",
)
ROW = (
    "INSERT INTO raw.raw_bars (event_id, revision, event_type, symbol, event_time, ingest_time, payload, "
    "schema_version, source, lane, dedupe_key, kafka_topic, kafka_partition, kafka_offset, load_id) VALUES "
    "(repeat('0', 32), 0, 'bar', 'A', now(), now(), '{}', '1.0', 's', 'live', 'k', 't', 0, 0, gen_random_uuid())"
)


class Database:
    """The line's database as a role sees it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def sql(self, text: str, role: str = "postgres") -> str:
        change = "" if role == "postgres" else f"SET ROLE {role};\n"
        return self._line.parts.postgres.sql(change + text, user="postgres", database=self._line.database)

    def may(self, role: str, text: str) -> bool:
        """Does the statement work for the role? Nothing of it stays. Any other error than one of rights is a fault."""
        try:
            self.sql(f"BEGIN; SAVEPOINT s; {text}; ROLLBACK;", role)
        except LocalError as problem:
            assert "permission denied" in str(problem) or "must be owner" in str(problem), problem
            return False
        return True


@pytest.fixture
def granted(line: Line) -> Iterator[Database]:
    """Roles and grants made by an administrator, twice; one mart by dbt before and one after."""
    password = line.layout.secrets / "administrator"
    password.write_text(secrets.token_urlsafe(16))
    password.chmod(0o600)
    database = Database(line)
    name = f"admin_{line.database}"[:60]
    database.sql(f"CREATE ROLE \"{name}\" LOGIN SUPERUSER PASSWORD '{password.read_text()}'")
    try:
        for _ in range(2):
            result = line.run(
                "marketflow-sink",
                "migrate",
                "--grants",
                WAREHOUSE_USER=name,
                WAREHOUSE_PASSWORD_FILE=str(password),
            )
            assert result.returncode == 0, result.stderr
            database.sql("CREATE TABLE IF NOT EXISTS marts_market.daily (a integer)", "marketflow_dbt")
            database.sql("CREATE TABLE IF NOT EXISTS staging.bars (a integer)", "marketflow_dbt")
        database.sql("CREATE VIEW marts_quality.late AS SELECT 1 AS a", "marketflow_dbt")
        yield database
    finally:
        for role in (*ROLES, name):
            database.sql(f'DROP OWNED BY "{role}" CASCADE')
        database.sql(f'DROP ROLE "{name}"')


def test_the_sink_may_insert_and_move_offsets(granted: Database) -> None:
    sink = "marketflow_sink"
    assert granted.may(sink, f"{ROW} ON CONFLICT (event_id, revision) DO NOTHING RETURNING 1")
    assert granted.may(sink, "SELECT count(*) FROM ops.schema_migrations")
    assert granted.may(
        sink,
        "INSERT INTO ops.sink_offsets (consumer_group, topic, kafka_partition, next_offset, owner_epoch, "
        "owner_instance, kafka_cluster_id) VALUES ('g', 't', 0, 0, 1, 'i', 'c'); "
        "UPDATE ops.sink_offsets SET next_offset = 1",
    )
    assert granted.may(sink, "SELECT count(*) FROM ops.dbt_run_results; SELECT count(*) FROM ops.dq_results")
    assert granted.may(
        sink,
        "INSERT INTO ops.dq_results SELECT * FROM ops.dq_results; "
        "INSERT INTO ops.dbt_run_results SELECT * FROM ops.dbt_run_results",
    )
    for text in (
        "DELETE FROM ops.dq_results",
        "UPDATE ops.dbt_run_results SET status = 'x'",
        "SELECT payload FROM raw.raw_bars",
        "UPDATE raw.raw_bars SET symbol = 'B'",
        "DELETE FROM raw.raw_bars",
        "TRUNCATE raw.raw_bars",
        "DROP TABLE raw.raw_bars",
        "CREATE TABLE raw.more (a integer)",
        "DELETE FROM ops.sink_offsets",
        "INSERT INTO ops.schema_migrations (version, checksum) VALUES ('x', 'y')",
        "SELECT * FROM marts_market.daily",
        "SELECT * FROM staging.bars",
    ):
        assert not granted.may(sink, text), text


def test_dbt_may_read_raw_and_owns_its_schemas(granted: Database) -> None:
    dbt = "marketflow_dbt"
    for table in ("raw.raw_bars", "raw.raw_dead_letters", "ops.sink_offsets"):
        assert granted.may(dbt, f"SELECT * FROM {table}")
    for schema in SCHEMAS:
        assert granted.may(
            dbt,
            f"CREATE TABLE {schema}.t AS SELECT 1 AS a; DROP TABLE {schema}.t; CREATE VIEW {schema}.v AS SELECT 1",
        )
        assert granted.may(dbt, f"DROP SCHEMA {schema} CASCADE")
    for text in (
        ROW,
        "UPDATE raw.raw_bars SET symbol = 'B'",
        "DELETE FROM raw.raw_bars",
        "CREATE TABLE raw.more (a integer)",
        "UPDATE ops.sink_offsets SET next_offset = 1",
        "DROP SCHEMA raw CASCADE",
    ):
        assert not granted.may(dbt, text), text


def test_reporting_may_read_marts(granted: Database) -> None:
    report = "marketflow_report"
    assert granted.may(report, "SELECT * FROM marts_market.daily")
    assert granted.may(report, "SELECT * FROM marts_quality.late")  # made after the grants
    for text in (
        "SELECT * FROM raw.raw_bars",
        "SELECT * FROM staging.bars",
        "SELECT * FROM ops.sink_offsets",
        "INSERT INTO marts_market.daily VALUES (1)",
        "DELETE FROM marts_market.daily",
        "CREATE TABLE marts_market.mine (a integer)",
    ):
        assert not granted.may(report, text), text


def test_a_sink_with_its_role_alone_loads(granted: Database, line: Line) -> None:
    login = f"loader_{line.database}"[:60]
    password = line.layout.secrets / "loader"
    password.write_text(secrets.token_urlsafe(16))
    password.chmod(0o600)
    granted.sql(f"CREATE ROLE \"{login}\" LOGIN PASSWORD '{password.read_text()}' IN ROLE marketflow_sink")
    try:
        line.settings |= {"WAREHOUSE_USER": login, "WAREHOUSE_PASSWORD_FILE": str(password)}
        line.start("processor")
        sink = line.start("sink")
        line.backfill_replay(["FB"])
        line.wait_count("raw_bars", 196, timeout=60)
        sink.stop()
        line.services.remove(sink)
    finally:
        granted.sql(f'DROP ROLE "{login}"')


def test_migrations_at_once_run_one_after_the_other(line: Line) -> None:
    line.parts.postgres.sql("DROP SCHEMA raw, ops CASCADE", user="postgres", database=line.database)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: line.run("marketflow-sink", "migrate"), range(4)))
    assert [r.returncode for r in results] == [0] * 4, [r.stderr for r in results]
    applied = sum(r.stdout.count("applied 0001_ops") for r in results)
    assert applied == 1
    assert line.query("SELECT owner FROM ops.schema_lease") == [[""]]


def test_the_lease_of_another_run(line: Line) -> None:
    """Its own while its session lives, but not for ever: a machine can be gone without the server knowing."""
    held = "UPDATE ops.schema_lease SET owner = 'host/1', expires_at = now() + interval '{} s'"
    line.parts.postgres.sql(held.format(600), database=line.database)
    with Session(line.parts.postgres, line.database) as holder:
        holder.query("SELECT pg_advisory_lock(hashtext('marketflow lease'), hashtext('host/1'))")
        refused = line.run("marketflow-sink", "migrate", "--wait", "0")
        assert refused.returncode == 75
        assert "host/1" in refused.stderr and "ops.schema_lease" in refused.stderr
        assert line.run("marketflow-sink", "migrate", "--dry-run").returncode == 0  # it takes nothing
        line.parts.postgres.sql(held.format(2), database=line.database)
        assert line.run("marketflow-sink", "migrate").returncode == 0
    line.parts.postgres.sql(held.format(600), database=line.database)
    assert line.run("marketflow-sink", "migrate", "--wait", "0").returncode == 0  # that session is gone


def test_an_edited_migration_is_named(line: Line) -> None:
    line.parts.postgres.sql(
        "UPDATE ops.schema_migrations SET checksum = repeat('0', 64) WHERE version = '0002_raw_tables'",
        database=line.database,
    )
    refused = line.run("marketflow-sink", "migrate")
    assert refused.returncode == 78
    assert "sql/postgresql/0002_raw_tables.sql" in refused.stderr
