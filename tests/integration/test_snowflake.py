# SPDX-License-Identifier: Apache-2.0
"""The sink on the Snowflake dialect: fakesnow behind the test driver, with faults played by rules of its helper.

"played" in a name: the fault, or what another session does at the same time, is played by the driver, because fakesnow
cannot show it (it has no locks to wait for, and ends a transaction at the first error). All else is what fakesnow does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from mflocal import ServiceProcess, free_port, wait_for
from snowflake import FENCE, INSERT_BARS, TABLES, SnowflakeLine

pytestmark = pytest.mark.sink


@pytest.fixture
def line(snowflake_line: SnowflakeLine) -> SnowflakeLine:
    return snowflake_line


def idle_sink(line: SnowflakeLine, **settings: str) -> ServiceProcess:
    """A sink that has its partitions and nothing to do."""
    line.recorded_bars()
    sink = line.start("sink", **settings)
    wait_for(lambda: bool(line.events_logged("acquired")), 60, "partitions taken over")
    return sink


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
    flushed = line.flushed()
    assert sum(entry["rows"] for entry in flushed) == len(values)
    pattern = re.compile(r"[0-9a-f-]{36}(,[0-9a-f-]{36})+")
    assert all(pattern.fullmatch(entry["query_id"]) for entry in flushed)
    assert len(flushed) < len(inserts)  # a flush of more than a megabyte is several statements


def test_session_is_set_up_before_anything_else(line: SnowflakeLine) -> None:
    idle_sink(line)
    history = line.helper.history()
    connects = [i for i, entry in enumerate(history) if entry["op"] == "connect"]
    for i in connects:
        text = history[i + 1]["sql"]
        for wanted in ("TIMEZONE = 'UTC'", "LOCK_TIMEOUT = 30", "QUERY_TAG", "ABORT_DETACHED_QUERY = TRUE"):
            assert wanted in text
        login = history[i]["sql"]
        assert "AUTHENTICATOR=SNOWFLAKE_JWT" in login and "CLIENT_SESSION_KEEP_ALIVE=true" in login
    assert "autocommit_off" in [entry["op"] for entry in history[connects[-1] :]]


def test_restart_goes_on_where_it_stopped(line: SnowflakeLine) -> None:
    sink = idle_sink(line)
    line.feed_bars(0, 100)
    line.assert_once(100)
    sink.stop()
    line.feed_bars(100)
    sink.start()
    sink.wait_ready()
    line.assert_once(196)


def test_offsets_moved_back_by_hand_append_again(line: SnowflakeLine) -> None:
    """What append-only means: a load that is ordered a second time is there a second time, and nothing else is."""
    sink = idle_sink(line)
    line.feed_bars()
    line.assert_once(196)
    line.wait_stored(196)
    sink.stop()
    line.sql("UPDATE ops.sink_offsets SET next_offset = 0, last_event_id = NULL, last_event_offset = NULL")
    sink.start()
    sink.wait_ready()
    line.wait_count("raw_bars", 392)
    line.wait_stored(196)
    assert (line.count("raw_bars"), line.places()) == (392, 196)


@pytest.mark.kills
def test_two_sinks_and_a_handover(line: SnowflakeLine) -> None:
    """Each loads its own partitions; when one is killed the other goes on where it stopped."""
    line.expected_errors.append("outcome|flush_failed|warehouse_unavailable")
    line.recorded_bars()
    # The partitions of one that is gone are given away soon.
    quick = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "5000"}
    sinks = [
        line.service(
            "sink",
            KAFKA_INSTANCE_ID=f"{line.name}-{i}",
            METRICS_LISTEN=f"127.0.0.1:{free_port()}",
            **quick,
        )
        for i in range(2)
    ]
    for i, sink in enumerate(sinks):
        sink.name = f"sink{i}"
        sink.start()
    for sink in sinks:
        sink.wait_ready()
    for partition in range(4):
        line.feed_bars(partition * 30, partition * 30 + 30, partition)
    line.assert_once(120)
    topic = line.topic("BARS_FILTERED")
    owners = "SELECT count(DISTINCT owner_instance) FROM ops.sink_offsets WHERE topic = "
    wait_for(lambda: line.number(f"{owners}'{topic}'") == 2, 60, "two owners", 0.3)
    sinks[0].kill()
    line.services.remove(sinks[0])
    for partition in range(4):
        line.feed_bars(120 + partition * 19, 139 + partition * 19, partition)
    line.assert_once(196)
    assert line.number(f"{owners}'{topic}'") == 1


# --- S17 to S19: the connection, at any moment ---------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "match", "action"),
    [
        ("execute", INSERT_BARS, "drop"),
        ("execute", FENCE, "drop"),
        ("execute", FENCE, "drop_after"),
        ("commit", "", "drop"),
        ("commit", "", "drop_after"),
        ("commit", "", "applied_error"),
        ("commit", "", "error"),
        ("commit", "", "not_applied"),
    ],
)
def test_played_s17_s18_connection_lost(line: SnowflakeLine, op: str, match: str, action: str) -> None:
    """Before the commit and during it, whatever became of it: rows exactly once."""
    line.expected_errors.append("warehouse|connection|odbc")
    idle_sink(line)
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
    idle_sink(line)
    line.helper.play("commit", "drop_after")
    locked = r"SET updated_at = sink_offsets.updated_at"
    line.helper.play("execute", "error", match=locked, times=3, state="57014", native=630)
    line.feed_bars()
    line.helper.wait_played(4)
    line.assert_once(196)
    line.wait_stored(196)
    texts = [entry["sql"] for entry in line.helper.history("execute")]
    assert sum(bool(re.search(locked, text)) for text in texts) >= 4
    assert sum(bool(re.search(FENCE, text)) for text in texts) == len(line.flushed()) + 1  # none was repeated


@pytest.mark.kills
def test_played_s19_killed_after_the_commit(line: SnowflakeLine) -> None:
    """The answer to the commit never comes and the sink is killed: nothing is loaded again."""
    sink = idle_sink(line)
    line.helper.play("commit", "hang", applied=True)
    line.feed_bars()
    line.helper.wait_played(1)
    wait_for(lambda: line.count("raw_bars") > 0, 60, "rows committed", 0.1)
    sink.kill()
    line.helper.release()
    sink.start()
    sink.wait_ready()
    line.assert_once(196)


@pytest.mark.kills
def test_played_driver_crashes(line: SnowflakeLine) -> None:
    sink = idle_sink(line)
    line.helper.play("execute", "crash", match=FENCE)
    line.feed_bars()
    assert sink.wait_exit(60) < 0
    line.helper.release()
    sink.start()
    sink.wait_ready()
    line.assert_once(196)


# --- S20: two owners ----------------------------------------------------------------------------------


def test_s20_newer_owner_shuts_the_older_out(line: SnowflakeLine) -> None:
    """Somebody took one partition over: its rows stay out, the others stand, the sink asks for its partitions anew."""
    line.expected_errors.append("outcome")
    idle_sink(line)
    topic = line.topic("BARS_FILTERED")
    stale = line.recorded_bars()[0][2]
    other = (stale + 1) % 4
    line.sql(
        "UPDATE ops.sink_offsets SET owner_epoch = owner_epoch + 1, owner_instance = 'somebody' "
        f"WHERE topic = '{topic}' AND kafka_partition = {stale}"
    )
    line.feed_bars(0, 50, other)
    line.feed_bars(50, 100, stale)
    line.assert_once(100)
    verdicts = [entry["verdict"] for entry in line.events_logged("outcome")]
    assert "fenced" in verdicts
    # Only a new assignment gave it an epoch again.
    assert line.query(
        f"SELECT owner_epoch FROM ops.sink_offsets WHERE topic = '{topic}' AND kafka_partition = {stale}"
    ) == [["3"]]


def test_played_s20_zombie_meets_the_commit_of_its_successor(line: SnowflakeLine) -> None:
    """The fence changes no row although it was read as ours: rolled back, and done again under what is read then."""
    idle_sink(line)
    line.helper.play("execute", "not_applied", match=FENCE)  # as if its UPDATE had found other rows
    line.feed_bars()
    line.helper.wait_played(1)
    line.assert_once(196)
    rollbacks = line.helper.history("rollback")
    assert rollbacks


def test_played_lock_contention(line: SnowflakeLine) -> None:
    """More waiters than Snowflake allows, and a lock that is not given in time: the same batch again, unsplit."""
    line.expected_errors.append("flush_failed")
    idle_sink(line)
    line.helper.play("execute", "error", match=FENCE, times=2, state="57014", native=625)
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.helper.release()
    line.helper.play("execute", "error", match=FENCE, times=2, state="57014", native=630)
    line.feed_bars(100)
    line.assert_once(196)
    failed = line.events_logged("flush_failed")
    assert {entry["action"] for entry in failed} == {"retry"}
    assert len(failed) == 4


# --- S21 to S23: poison and breakers -------------------------------------------------------------------


def test_played_s21_one_bad_row(line: SnowflakeLine) -> None:
    """Bisected until it is alone, to the dead letters with SQLSTATE and native code; all others are loaded."""
    line.expected_errors.append("flush_failed|record_refused|refused")
    line.settings["SINK_FLUSH_ROWS"] = "256"
    idle_sink(line, SINK_FLUSH_MS="2000")
    bad = line.recorded_bars()[77][1]
    event_id = re.search(rb'"event_id":"([0-9a-f]{32})"', bad)
    assert event_id
    line.helper.play(
        "execute",
        "error",
        match=INSERT_BARS,
        param=event_id[1].decode(),
        times=None,
        state="22018",
        native=100038,
    )
    line.feed_bars()
    line.wait_count("raw_dead_letters", 1)
    line.assert_once(195)
    line.wait_stored(196)
    letter = line.query("SELECT payload:reason::varchar, payload:detail::varchar FROM raw.raw_dead_letters")
    assert letter[0][0] == "warehouse_rejected"
    assert "22018" in letter[0][1] and "100038" in letter[0][1]
    assert len(line.messages("DLQ")) == 1
    # 196 rows at most: no more than twice the halvings of a batch, and the row itself.
    assert len(line.events_logged("flush_failed")) <= 9


@pytest.mark.parametrize(
    ("state", "native"), [("42501", 3001), ("42S02", 2003), ("57P03", 606)], ids=["right", "table", "quota"]
)
def test_played_s22_every_row_fails(line: SnowflakeLine, state: str, native: int) -> None:
    """A breaker, /readyz with the reason, slow tries, no dead letters; another table goes on."""
    line.expected_errors.append("table_stopped|flush_failed|warehouse_unavailable")
    sink = idle_sink(line)
    line.helper.play(
        "execute", "error", match=INSERT_BARS, times=None, state=state, native=native, message="not for you"
    )
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: "not for you" in str(sink.readiness()), 30, "the reason in /readyz")
    line.produce("NEWS_FILTERED", [line.sample("news")])
    line.wait_count("raw_news", 1)
    assert line.count("raw_bars") == 0
    line.helper.release()
    line.assert_once(196)
    wait_for(sink.ready, 60, "ready again")
    assert line.messages("DLQ") == []


def test_played_s22_credentials_refused(line: SnowflakeLine) -> None:
    line.expected_errors.append("warehouse_unavailable")
    line.recorded_bars()
    line.helper.play(
        "connect", "error", times=None, state="28000", native=394304, message="JWT token is invalid"
    )
    sink = line.service("sink")
    sink.start()
    wait_for(lambda: "JWT token is invalid" in str(sink.readiness()), 60, "the reason in /readyz", 0.2)
    line.helper.release()
    wait_for(sink.ready, 60, "ready")
    line.feed_bars()
    line.assert_once(196)


def test_played_s23_dead_letter_cannot_be_sent(line: SnowflakeLine) -> None:
    """While the queue refuses the letter of a bad row, the offset does not pass it; then everything goes on."""
    line.expected_errors.append("flush_failed|refused|letter|dead")
    sink = idle_sink(line)

    def limit(size: str) -> None:
        resource = ConfigResource(
            ResourceType.TOPIC,
            line.topic("DLQ"),
            incremental_configs=[
                ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
            ],
        )
        admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)

    limit("100")
    event_id = re.search(rb'"event_id":"([0-9a-f]{32})"', line.recorded_bars()[7][1])
    assert event_id
    line.helper.play(
        "execute",
        "error",
        match=INSERT_BARS,
        param=event_id[1].decode(),
        times=None,
        state="22018",
        native=100038,
    )
    line.feed_bars()
    wait_for(
        lambda: bool(line.events_logged("letter_failed")) or "letter" in str(sink.readiness()),
        60,
        "a failed letter",
        0.2,
    )
    assert line.messages("DLQ") == []
    stored = line.number(
        f"SELECT sum(next_offset) FROM ops.sink_offsets WHERE topic = '{line.topic('BARS_FILTERED')}'"
    )
    assert stored < 196
    limit("1048588")
    line.wait_count("raw_dead_letters", 1)
    line.assert_once(195)
    line.wait_stored(196)
    assert len(line.messages("DLQ")) == 1


# --- S24 to S26 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("kafka_cluster_id = 'another'", "KAFKA_GROUP_PREFIX"),
        ("last_event_id = '00000000000000000000000000000000'", "ops.sink_offsets"),
        ("next_offset = 100000, last_event_id = NULL, last_event_offset = NULL", "ops.sink_offsets"),
    ],
    ids=["cluster", "event", "beyond"],
)
def test_s24_another_log_is_refused(line: SnowflakeLine, change: str, remedy: str) -> None:
    line.expected_errors.append("ops.sink_offsets|service_failed|cluster")
    sink = idle_sink(line)
    line.feed_bars()
    line.assert_once(196)
    line.wait_stored(196)
    sink.stop()
    partition = line.recorded_bars()[0][2]
    topic = line.topic("BARS_FILTERED")
    line.sql(
        f"UPDATE ops.sink_offsets SET {change} WHERE topic = '{topic}' AND kafka_partition = {partition}"
    )
    sink.start()
    assert sink.wait_exit(120) == 78
    assert any(
        remedy in str(entry) for _, entry in line.log_lines() if entry.get("level") in ("error", "critical")
    )
    line.services.remove(sink)
    assert line.count("raw_bars") == 196


def test_s25_offset_rows_are_lost(line: SnowflakeLine) -> None:
    """Noticed at the next flush; the partitions are taken over anew and loaded from their start, doubled as RAW is
    append-only: the documented choice, since what is there twice can be told and what is missing cannot."""
    line.expected_errors.append("outcome")
    idle_sink(line)
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.wait_stored(100)
    line.sql("DELETE FROM ops.sink_offsets")
    line.feed_bars(100)
    line.wait_stored(196)
    assert line.places() == 196
    assert line.count("raw_bars") == 296
    assert "gone" in [entry["verdict"] for entry in line.events_logged("outcome")]


@pytest.mark.kills
def test_played_s26_warehouse_hangs(line: SnowflakeLine) -> None:
    """The deadline guard ends the sink with 75; started again it loads every row once."""
    line.expected_errors.append("deadline|took longer")
    sink = idle_sink(line)
    line.helper.play("execute", "hang", match=FENCE)
    line.feed_bars()
    assert sink.wait_exit(60) == 75
    line.helper.release()
    sink.start()
    sink.wait_ready()
    line.assert_once(196)


def test_played_slow_statements(line: SnowflakeLine) -> None:
    idle_sink(line)
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
    line.sql("UPDATE ops.schema_lease SET owner = ''")  # as its message says
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
