# SPDX-License-Identifier: Apache-2.0
"""The sink on Snowflake: what is its alone. The cases of both dialects are in test_sink.py and test_sink_refusals.py.

"played" in a name: the fault, or what another session does at the same time, is played by the driver, because fakesnow
cannot show it (it has no locks to wait for, and ends a transaction at the first error). All else is what fakesnow does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mflocal import wait_for
from snowflake import FENCE, INSERT_BARS, TABLES, SnowflakeLine

pytestmark = pytest.mark.sink


@pytest.fixture
def line(snowflake_line: SnowflakeLine) -> SnowflakeLine:
    return snowflake_line


# --- loading ------------------------------------------------------------------------------------------


def test_all_tables(line: SnowflakeLine) -> None:
    samples = {
        "BARS_FILTERED": "bar",
        "NEWS_FILTERED": "news",
        "OPTION_BARS_FILTERED": "option_bar",
        "ALERTS": "alert",
        "METRICS": "metric",
        "SYMBOLS_FILTERED": "symbol",
        "CORPORATE_ACTIONS_FILTERED": "split",
        "FEED_STATUS_FILTERED": "feed_status",
        "DLQ": "dead_letter",
    }
    for role, name in samples.items():
        line.produce(role, [line.sample(name)])
    line.produce(
        "BARS_FILTERED", [line.sample("bar")], headers=[("mf-revision", b"3"), ("mf-flags", b"late")]
    )
    line.start("sink")
    for table in TABLES:
        line.wait_count(table, 2 if table == "raw_bars" else 1)
    revisions = line.query("SELECT revision, flags FROM raw.raw_bars ORDER BY revision")
    assert [(row[0], set(row[1].split(","))) for row in revisions] == [
        ("0", {"is_mock", "delayed"}),
        ("3", {"is_mock", "delayed", "late"}),
    ]
    row = line.query(
        "SELECT event_id, event_type, symbol, event_time, ingest_time, schema_version, source, lane, kafka_topic, "
        "payload:close::varchar, length(load_id), payload:vwap::varchar FROM raw.raw_bars WHERE revision = 0"
    )[0]
    assert row[:3] == ["7ccf367fb78426add71483d707dbef78", "bar", "AAPL"]
    assert row[3:5] == ["2024-01-02 14:30:00", "2024-01-02 14:31:02.113000"]
    assert row[5:8] == ["1.0", "polygon", "live"]
    assert row[8:] == [line.topic("BARS_FILTERED"), "187.22", "36", "187.1712"]


def test_bars_once_with_query_ids_and_small_statements(line: SnowflakeLine) -> None:
    """A backlog of 12 154 bars; each batch logs the ids of its statements, none is a megabyte or more."""
    line.settings |= {"SINK_FLUSH_ROWS": "5000", "SINK_FLUSH_BYTES": "4000000"}
    line.backfill_replay()
    producer = line.producer()
    values = [m for m in line.messages("RAW_BACKFILL") if b'"event_type":"bar"' in (m.value or b"")]
    for message in values:
        producer.produce(line.topic("BARS_FILTERED"), message.value, message.key, message.partition)
        producer.poll(0)
    assert producer.flush(60) == 0
    line.start("sink")
    line.assert_once(len(values))
    executed = line.helper.history("execute")
    assert max(entry["bytes"] for entry in executed) < 1_000_000
    inserts = [entry for entry in executed if re.search(INSERT_BARS, entry["sql"])]
    assert max(entry["bytes"] for entry in inserts) > 900_000
    wait_for(lambda: sum(entry["rows"] for entry in line.flushed()) == len(values), 30, "the last in the log")
    flushed = line.flushed()
    pattern = re.compile(r"[0-9a-f-]{36}(,[0-9a-f-]{36})+")
    assert all(pattern.fullmatch(entry["query_id"]) for entry in flushed)
    assert len(flushed) < len(inserts)  # a flush of more than a megabyte is several statements


def test_session_is_set_up_before_anything_else(line: SnowflakeLine) -> None:
    line.idle_sink()
    history = line.helper.history()
    connects = [i for i, entry in enumerate(history) if entry["op"] == "connect"]
    for i in connects:
        text = history[i + 1]["sql"]
        for wanted in ("TIMEZONE = 'UTC'", "LOCK_TIMEOUT = 30", "QUERY_TAG", "ABORT_DETACHED_QUERY = TRUE"):
            assert wanted in text
        login = history[i]["sql"]
        assert "AUTHENTICATOR=SNOWFLAKE_JWT" in login and "CLIENT_SESSION_KEEP_ALIVE=true" in login
    assert "autocommit_off" in [entry["op"] for entry in history[connects[-1] :]]


# --- S17 to S19: the connection, at any moment ---------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "match", "action"),
    [
        ("execute", FENCE, "drop"),
        ("commit", "", "drop"),
        ("commit", "", "applied_error"),
        ("commit", "", "error"),
        ("commit", "", "not_applied"),
    ],
    ids=["fence", "commit", "applied_error", "error", "not_applied"],
)
def test_played_s17_s18_connection_lost(line: SnowflakeLine, op: str, match: str, action: str) -> None:
    """Beyond test_sink.py's: before the commit and during it, whatever became of it: rows exactly once."""
    line.expected_errors.append("warehouse|connection|odbc")
    line.idle_sink()
    line.helper.play(op, action, match=match, state="08S01", message="connection reset")
    line.feed_bars(0, 120)
    line.helper.wait_played(1)
    if action != "not_applied":  # which only the next flush can notice
        line.assert_once(120)
    line.feed_bars(120)
    line.assert_once(196)
    line.wait_stored(196)
    assert line.helper.sessions() == 1  # none is left behind with its locks


def test_played_s18_lost_session_still_holds_the_row(line: SnowflakeLine) -> None:
    """The outcome is not read before the lock of the lost transaction is gone: until then nothing is concluded."""
    line.expected_errors.append("warehouse|connection|odbc")
    line.idle_sink()
    line.helper.play("commit", "drop_after")
    locked = r"SET updated_at = sink_offsets.updated_at"
    line.helper.play("execute", "error", match=locked, times=3, state="57014", native=630)
    line.feed_bars()
    line.helper.wait_played(4)
    # The rows are there already; what is waited for is that the sink knows.
    wait_for(lambda: line.verdicts() == {"landed"}, 60, "the verdict")
    line.assert_once(196)
    line.wait_stored(196)
    texts = [entry["sql"] for entry in line.helper.history("execute")]
    assert sum(bool(re.search(locked, text)) for text in texts) >= 4
    assert sum(bool(re.search(FENCE, text)) for text in texts) == len(line.flushed()) + 1  # none was repeated


@pytest.mark.kills
def test_played_driver_crashes(line: SnowflakeLine) -> None:
    sink = line.idle_sink()
    line.helper.play("execute", "crash", match=FENCE)
    line.feed_bars()
    assert sink.wait_exit(60) < 0
    line.helper.release()
    sink.start()
    sink.wait_ready()
    line.assert_once(196)


# --- S20: two owners ----------------------------------------------------------------------------------


def test_played_s20_zombie_meets_the_commit_of_its_successor(line: SnowflakeLine) -> None:
    """The fence changes no row although it was read as ours: rolled back, and done again under what is read then."""
    line.idle_sink()
    line.helper.play("execute", "not_applied", match=FENCE)  # as if its UPDATE had found other rows
    line.feed_bars()
    line.helper.wait_played(1)
    line.assert_once(196)
    rollbacks = line.helper.history("rollback")
    assert rollbacks


# --- slow ---------------------------------------------------------------------------------------------


def test_played_slow_statements(line: SnowflakeLine) -> None:
    line.idle_sink()
    line.helper.play("execute", "slow", match=INSERT_BARS, times=2, delay_ms=1500)
    line.feed_bars()
    line.assert_once(196)


# --- migrations ---------------------------------------------------------------------------------------


def test_migrations_again_and_edited(line: SnowflakeLine) -> None:
    again = line.run("marketflow-sink", "migrate")
    assert again.returncode == 0 and " 0 now" in again.stdout
    granted = line.run("marketflow-sink", "migrate", "--grants")
    assert granted.returncode == 0, granted.stderr
    texts = [entry["sql"] for entry in line.helper.history("execute")]
    for wanted in (
        "GRANT INSERT ON ALL TABLES IN SCHEMA raw TO ROLE marketflow_sink",
        "GRANT SELECT ON ALL TABLES IN SCHEMA raw TO ROLE marketflow_dbt",
        "GRANT SELECT ON FUTURE VIEWS IN SCHEMA marts_market TO ROLE marketflow_report",
    ):
        assert any(wanted in text for text in texts), wanted
    line.sql("UPDATE ops.schema_migrations SET checksum = repeat('0', 64) WHERE version = '0001_ops'")
    refused = line.run("marketflow-sink", "migrate")
    assert refused.returncode == 78
    assert "sql/snowflake/0001_ops.sql" in refused.stderr


def test_migrations_wait_for_the_lease(line: SnowflakeLine) -> None:
    line.sql("UPDATE ops.schema_lease SET owner = 'host/1', expires_at = DATEADD('second', 600, SYSDATE())")
    held = line.run("marketflow-sink", "migrate", "--wait", "0")
    assert held.returncode == 75
    assert "host/1" in held.stderr and "ops.schema_lease" in held.stderr
    line.sql("UPDATE ops.schema_lease SET expires_at = DATEADD('second', 2, SYSDATE())")
    assert line.run("marketflow-sink", "migrate").returncode == 0
    assert line.query("SELECT owner FROM ops.schema_lease") == [[""]]


def test_migration_interrupted_between_statements(line: SnowflakeLine) -> None:
    """DDL cannot be undone: a run that ended in the middle is finished by the next."""
    line.sql("DELETE FROM ops.schema_migrations WHERE version >= '0002'")
    line.sql("DROP TABLE raw.raw_feed_status")
    line.helper.play("execute", "drop", match="LIKE raw.raw_bars", after=3)
    broken = line.run("marketflow-sink", "migrate")
    assert broken.returncode == 75
    line.helper.release()
    # Its lease ends by itself: now, for the test.
    line.sql("UPDATE ops.schema_lease SET expires_at = TO_TIMESTAMP_NTZ('2000-01-01 00:00:00')")
    done = line.run("marketflow-sink", "migrate")
    assert done.returncode == 0 and "applied 0002_raw_tables" in done.stdout
    assert line.count("raw_feed_status") == 0


def test_a_key_that_others_can_read_is_refused(line: SnowflakeLine, tmp_path: Path) -> None:
    key = tmp_path / "key.p8"
    key.write_text("x")
    key.chmod(0o644)
    result = line.run("marketflow-sink", "--check-config", SNOWFLAKE_PRIVATE_KEY_FILE=str(key))
    assert result.returncode == 78
    assert "chmod 0600" in result.stderr + result.stdout
