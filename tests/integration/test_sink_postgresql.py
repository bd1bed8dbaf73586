# SPDX-License-Identifier: Apache-2.0
"""The sink on PostgreSQL under faults: the connection, two owners, bad rows, bad tables, another log, a frozen server.

A proxy stands between the sink and the server (postgresql.py). test_snowflake.py has the same cases on that dialect.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from fixtures import _line
from line import PARTITIONS, Line, Parts
from mflocal import ServiceProcess, wait_for
from postgresql import PostgresLine

pytestmark = pytest.mark.sink


@pytest.fixture
def line(parts: Parts, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PostgresLine]:
    lines: Iterator[Line] = _line(parts, tmp_path, request, PostgresLine)
    yield from lines  # type: ignore[misc]


def idle_sink(line: PostgresLine, **settings: str) -> ServiceProcess:
    """A sink that has its partitions and nothing to do."""
    line.recorded_bars()
    sink = line.start("sink", **settings)
    wait_for(lambda: bool(line.events_logged("acquired")), 60, "partitions taken over")
    return sink


# As short as the broker allows: how long a killed or frozen member keeps its partitions.
SHORT_SESSION = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "5000"}


def verdicts(line: PostgresLine) -> set[str]:
    return {entry["verdict"] for entry in line.events_logged("outcome")}


def check(sink: ServiceProcess, name: str) -> dict[str, Any]:
    """One of the checks of /readyz, empty when it is not there."""
    return dict(sink.readiness().get("checks", {}).get(name, {}))


def metric(sink: ServiceProcess, name: str, **labels: str) -> float:
    return sink.metric(f"marketflow_sink_{name}", **labels) or 0


# --- loading ------------------------------------------------------------------------------------------


def test_counts_of_new_rows_and_of_those_that_were_there(line: PostgresLine) -> None:
    """A log that is loaded again adds nothing, and the counts say so; what is new beside it is inserted."""
    sink = idle_sink(line)
    line.feed_bars(0, 150)
    line.assert_once(150)
    line.wait_stored(150)
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 150
    sink.stop()
    line.sql("UPDATE ops.sink_offsets SET next_offset = 0, last_event_id = NULL, last_event_offset = NULL")
    line.feed_bars(150)
    sink.start()
    sink.wait_ready()
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 46
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 150
    assert line.events_logged("flush_failed") == [] and line.messages("DLQ") == []


def test_an_event_that_comes_twice_in_one_batch(line: PostgresLine) -> None:
    sink = idle_sink(line, SINK_FLUSH_MS="500")
    bars = line.recorded_bars()
    line.feed([bars[0], bars[0], bars[1]], partition=0)
    line.wait_stored(3)
    assert line.count("raw_bars") == 2
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 1


def test_idle_stretches_move_the_offset(line: PostgresLine) -> None:
    """Records that are not read (aborted) and transaction markers leave no row, and are passed all the same."""
    idle_sink(line, SINK_IDLE_COMMIT_MS="300")
    line.feed_bars(0, 10, partition=0)
    line.assert_once(10)
    producer = line.transactional_producer()
    for commit in (False, True):
        producer.begin_transaction()
        for key, value, _ in line.recorded_bars()[10:15]:
            producer.produce(line.topic("BARS_FILTERED"), value, key, 0)
        assert producer.flush(30) == 0  # or an abort would drop what was not sent yet
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    line.assert_once(15)
    line.wait_stored(10 + 5 + 1 + 5 + 1)  # both markers included


def test_flushes_grow_under_backlog(line: PostgresLine) -> None:
    """Few rows a statement while they trickle, as many as the settings allow while they wait."""
    bars = line.recorded_bars("IBM")
    line.feed(bars)
    sink = line.start("sink", SINK_FLUSH_ROWS="400", SINK_FLUSH_BYTES="4000000")
    line.assert_once(len(bars))
    statements = metric(sink, "batches_total", table="raw_bars", result="ok")
    assert statements <= math.ceil(len(bars) / 400) + PARTITIONS
    assert metric(sink, "buffer_rows") == 0


def test_the_connection_is_made_anew_now_and_then(line: PostgresLine) -> None:
    sink = idle_sink(line, SINK_SESSION_ROWS="1000", SINK_FLUSH_ROWS="200")
    bars = line.recorded_bars("IBM")
    line.feed(bars)
    line.assert_once(len(bars))
    assert metric(sink, "sessions_total", result="ok") >= len(bars) // 1200
    assert metric(sink, "sessions_total", result="failed") == 0


def test_the_group_follows_for_lag_tools(line: PostgresLine) -> None:
    idle_sink(line)
    line.feed_bars()
    line.assert_once(196)
    wait_for(lambda: committed(line) == 196, 30, "the group's offsets", 0.2)


def committed(line: PostgresLine) -> int:
    """The sum of the group's offsets of the bars."""
    consumer = Consumer({"bootstrap.servers": line.parts.broker.bootstrap, "group.id": f"{line.name}-sink"})
    wanted = [TopicPartition(line.topic("BARS_FILTERED"), p) for p in range(PARTITIONS)]
    try:
        return sum(max(0, p.offset) for p in consumer.committed(wanted, timeout=30))
    finally:
        consumer.close()


# --- S17 to S19: the connection, at any moment ---------------------------------------------------------


@pytest.mark.parametrize("at", ["request", "execution", "answer"])
def test_s17_s18_connection_lost(line: PostgresLine, at: str) -> None:
    """Before the server has the batch, while it is at it, and after the commit of which nothing is heard."""
    line.expected_errors.append("warehouse|connection|odbc")
    sink = idle_sink(line)
    cut = line.proxy.cut(at)
    line.feed_bars(0, 120)
    wait_for(lambda: cut.done == 1, 60, "the cut", 0.02)
    line.assert_once(120)
    line.feed_bars(120)
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "sessions_total", result="ok") == 2
    # What was there already was not sent a second time: the offset rows were asked.
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0
    wanted = {"request": "not_landed", "execution": None, "answer": "landed"}[at]
    assert wanted is None or wanted in verdicts(line)


def test_s17_server_away_for_a_while(line: PostgresLine) -> None:
    """Nobody listens: not ready with the reason, polling goes on, tries with growing delays, then everything."""
    line.expected_errors.append("warehouse|connection|odbc|probe")
    sink = idle_sink(line)
    line.proxy.closed = True
    line.proxy.drop_all()
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: metric(sink, "sessions_total", result="failed") >= 4, 60, "some tries", 0.1)
    assert check(sink, "kafka")["ok"]
    tries = [entry["retry_ms"] for entry in line.events_logged("warehouse_unavailable")]
    assert len(set(tries)) > 1  # jittered
    assert all(0 < delay <= 500 for delay in tries)
    line.proxy.closed = False
    line.assert_once(196)
    wait_for(sink.ready, 60, "ready again")


@pytest.mark.kills
def test_s19_killed_between_the_two_commits(line: PostgresLine) -> None:
    """Rows are committed, the group's offsets are not (here: not even there): the warehouse's offset counts."""
    line.settings |= SHORT_SESSION
    sink = idle_sink(line)
    line.feed_bars(0, 150)
    line.assert_once(150)
    sink.kill()
    group = f"{line.name}-sink"
    admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})

    def forgotten() -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result(30)
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.NON_EMPTY_GROUP, error
            return False
        return True

    wait_for(forgotten, 60, "the group's offsets gone", 0.5)
    assert committed(line) == 0
    line.feed_bars(150)
    sink.start()
    sink.wait_ready()
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 46


# --- S20: two owners ----------------------------------------------------------------------------------


def test_s20_stale_partition_stays_out_the_others_stand(line: PostgresLine) -> None:
    """Somebody took one partition over in the middle: its rows are not in the batch, all the others are."""
    sink = idle_sink(line, SINK_FLUSH_MS="1000")
    topic = line.topic("BARS_FILTERED")
    stale, other = 1, 2
    line.sql(
        "UPDATE ops.sink_offsets SET owner_epoch = owner_epoch + 1, owner_instance = 'somebody' "
        f"WHERE topic = '{topic}' AND kafka_partition = {stale}"
    )
    bars = line.recorded_bars()
    line.feed(bars[:50], other)
    line.feed(bars[50:100], stale)
    wait_for(lambda: "fenced" in verdicts(line), 60, "the fence", 0.05)
    line.assert_once(100)
    fenced = next(entry for entry in line.events_logged("outcome") if entry["verdict"] == "fenced")
    assert fenced["partition"] == stale
    epoch = f"SELECT owner_epoch FROM ops.sink_offsets WHERE topic = '{topic}' AND kafka_partition = {stale}"
    assert line.number(epoch) == 3  # only a new assignment gave it one again
    # The others' rows were not sent a second time.
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0


@pytest.mark.kills
def test_s20_zombie_comes_back(line: PostgresLine) -> None:
    """A sink that stood still over its session's end finds its partitions with another, and writes nothing of them."""
    line.expected_errors.append("fenced|outcome|revoked|rejoin|kafka|session")
    line.settings |= SHORT_SESSION | {"SINK_FLUSH_MS": "1000"}
    zombie = idle_sink(line)
    line.feed_bars(0, 100)
    wait_for(lambda: metric(zombie, "buffer_rows") > 0 or line.count("raw_bars") > 0, 30, "rows", 0.01)
    zombie.freeze()
    line.feed_bars(100)
    heir = line.service("sink", KAFKA_INSTANCE_ID=f"{line.name}-heir", METRICS_LISTEN="127.0.0.1:0")
    heir.name = "heir"
    heir.start()
    try:
        line.assert_once(196)
    finally:
        zombie.thaw()
    wait_for(zombie.ready, 90, "the zombie among the living", 0.3)
    line.assert_once(196)
    line.wait_stored(196)


# --- S21 to S23: poison and breakers -------------------------------------------------------------------


def test_s21_one_bad_row_in_five_thousand(line: PostgresLine) -> None:
    """Bisected until it is alone: about 2·log2(5000) + 1 statements, one letter, all other rows."""
    rows = 5000
    line.expected_errors.append("bad_row|23514")
    bars = line.recorded_bars("IBM", "AAPL")[:rows]
    assert len(bars) == rows
    bad = bars[3210][1].partition(b'"event_id":"')[2][:32].decode()
    line.sql(f"ALTER TABLE raw.raw_bars ADD CONSTRAINT bad_row CHECK (event_id <> '{bad}')")
    line.feed(bars, partition=0)
    limits = {"SINK_FLUSH_ROWS": str(rows), "SINK_FLUSH_BYTES": "16777216", "SINK_FLUSH_MS": "60000"}
    sink = line.start("sink", **limits)
    line.wait_count("raw_dead_letters", 1)
    line.assert_once(rows - 1)
    line.wait_stored(rows)
    assert len(line.messages("DLQ")) == 1
    failed = metric(sink, "batches_total", table="raw_bars", result="failed")
    done = metric(sink, "batches_total", table="raw_bars", result="ok")
    assert failed + done <= 2 * math.ceil(math.log2(rows)) + 1
    assert [entry["correlation_id"] for entry in line.events_logged("record_refused")] == [bad]


@pytest.mark.parametrize(
    ("breakage", "mending", "reason"),
    [
        ("REVOKE INSERT ON raw.raw_bars FROM marketflow", "GRANT INSERT ON raw.raw_bars TO marketflow", "permission"),
        ("ALTER TABLE raw.raw_bars RENAME TO hidden", "ALTER TABLE raw.hidden RENAME TO raw_bars", "does not exist"),
        (
            "CREATE FUNCTION raw.full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END$$; "
            "CREATE TRIGGER full_disk BEFORE INSERT ON raw.raw_bars FOR EACH ROW EXECUTE FUNCTION raw.full_disk()",
            "DROP TRIGGER full_disk ON raw.raw_bars",
            "No space left",
        ),
    ],
    ids=["right", "table", "disk"],
)  # fmt: skip
def test_s22_every_row_fails(line: PostgresLine, breakage: str, mending: str, reason: str) -> None:
    """The breaker opens at once: 503 with the reason, slow tries, no dead letter; the other tables go on."""
    line.expected_errors.append("table_stopped|odbc|warehouse_unavailable")
    sink = idle_sink(line)
    line.sql(breakage)
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: reason in str(check(sink, "raw_bars")), 30, "the reason in /readyz")
    line.produce("NEWS_FILTERED", [line.sample("news")])
    line.wait_count("raw_news", 1)
    # Before it is mended at least one more try: it is slow, and finds the same.
    stopped = len(line.events_logged("table_stopped"))
    wait_for(lambda: len(line.events_logged("table_stopped")) > stopped, 30, "another try", 0.1)
    assert line.count("raw_news") == 1
    line.sql(mending)
    line.assert_once(196)
    wait_for(sink.ready, 60, "ready again")
    assert line.messages("DLQ") == []
    assert metric(sink, "table_stopped", table="raw_bars") == 0


def test_s22_many_bad_rows_are_no_poison(line: PostgresLine) -> None:
    """Three a minute of a partition are dead-lettered, then the table counts as one that cannot be written."""
    line.expected_errors.append("table_stopped|odbc|nothing_fits")
    sink = idle_sink(line)
    line.sql("ALTER TABLE raw.raw_bars ADD CONSTRAINT nothing_fits CHECK (false) NOT VALID")
    line.feed_bars(0, 60, partition=3)
    wait_for(lambda: "refused" in str(check(sink, "raw_bars")), 60, "the breaker", 0.1)
    assert "nothing_fits" in str(check(sink, "raw_bars"))
    tries = len(line.events_logged("table_stopped"))
    wait_for(lambda: len(line.events_logged("table_stopped")) >= tries + 2, 30, "two more tries", 0.1)
    assert len(line.messages("DLQ")) == 3
    assert metric(sink, "bisections_total") < 60
    line.sql("ALTER TABLE raw.raw_bars DROP CONSTRAINT nothing_fits")
    line.assert_once(57)
    line.wait_stored(60)
    line.wait_count("raw_dead_letters", 3)


def test_s22_credentials_refused(line: PostgresLine, tmp_path: Path) -> None:
    line.expected_errors.append("warehouse_unavailable")
    line.recorded_bars()
    line.feed_bars()
    wrong = tmp_path / "password"
    wrong.write_text("not the password\n")
    wrong.chmod(0o600)
    sink = line.service("sink", WAREHOUSE_PASSWORD_FILE=str(wrong))
    sink.start()
    wait_for(lambda: "authentication failed" in str(sink.readiness()), 60, "the reason in /readyz", 0.1)
    assert {entry["retry_ms"] for entry in line.events_logged("warehouse_unavailable")} == {1000}
    wrong.write_text(line.parts.postgres.password_file.read_text())
    assert sink.identity is not None
    sink.identity.send(signal.SIGHUP)
    line.assert_once(196)


def test_s23_dead_letter_cannot_be_sent(line: PostgresLine) -> None:
    """While the queue refuses the letter of a bad row, the offset does not pass it; then everything goes on."""
    line.expected_errors.append("refused|letter|dead|23514")
    idle_sink(line)
    bad = line.recorded_bars()[7][1].partition(b'"event_id":"')[2][:32].decode()
    line.sql(f"ALTER TABLE raw.raw_bars ADD CONSTRAINT bad_row CHECK (event_id <> '{bad}')")
    line.limit_topic("DLQ", "max.message.bytes", "100")
    line.feed_bars()
    wait_for(
        lambda: len(line.events_logged("dead_letter_failed")) >= 2, 60, "a letter that is tried again", 0.1
    )
    assert line.messages("DLQ") == []
    assert line.stored() < 196
    line.limit_topic("DLQ", "max.message.bytes", "1048588")
    line.wait_count("raw_dead_letters", 1)
    line.assert_once(195)
    line.wait_stored(196)
    assert len(line.messages("DLQ")) == 1


def test_dead_letter_that_cannot_be_loaded_is_kept_as_a_digest(line: PostgresLine) -> None:
    """Its table refuses it: hash and size take its place, and it is never dead-lettered again."""
    line.expected_errors.append("too_long|23514")
    sink = idle_sink(line)
    line.sql("ALTER TABLE raw.raw_dead_letters ADD CONSTRAINT too_long CHECK (length(payload->>'raw') < 5)")
    line.produce("BARS_FILTERED", [b"this is no event"])
    line.wait_count("raw_dead_letters", 1)
    line.wait_stored(1, "DLQ")
    assert len(line.messages("DLQ")) == 1
    kept = "payload->>'reason' = 'bad_dead_letter' AND payload->>'detail' ~ '^[0-9]+ bytes, SHA-256 [0-9a-f]{64}; '"
    assert line.count("raw_dead_letters", kept) == 1
    assert line.count("raw_dead_letters") == 1
    assert sink.ready()


# --- S24 to S26: another log, other tables, a server that stands still ---------------------------------


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("kafka_cluster_id = 'another'", "KAFKA_GROUP_PREFIX"),
        ("last_event_id = '00000000000000000000000000000000'", "ops.sink_offsets"),
        ("next_offset = 100000, last_event_id = NULL, last_event_offset = NULL", "ops.sink_offsets"),
    ],
    ids=["cluster", "event", "beyond"],
)
def test_s24_another_log_is_refused(line: PostgresLine, change: str, remedy: str) -> None:
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
    refused(line, sink, remedy)
    assert line.count("raw_bars") == 196


def refused(line: PostgresLine, sink: ServiceProcess, remedy: str) -> None:
    sink.start()
    assert sink.wait_exit(120) == 78
    told = [str(entry) for _, entry in line.log_lines() if entry.get("level") in ("error", "critical")]
    assert any(remedy in text for text in told), told
    line.services.remove(sink)


def make_anew(line: PostgresLine, role: str) -> None:
    admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})
    topic = line.topic(role)
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics, 60, "the topic gone", 0.2)

    def made() -> bool:
        try:
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
        except Exception as error:  # it is still being deleted
            assert "EXISTS" in str(error).upper(), error
            return False
        return True

    wait_for(made, 60, "the topic anew", 0.5)


def test_s24_topic_made_anew(line: PostgresLine) -> None:
    """It has grown past the stored offset, so that only the last event tells; with the rows deleted it is loaded."""
    line.expected_errors.append("ops.sink_offsets|service_failed")
    sink = idle_sink(line)
    line.feed_bars(0, 50, partition=0)
    line.assert_once(50)
    line.wait_stored(50)
    sink.stop()
    make_anew(line, "BARS_FILTERED")
    line.feed_bars(60, 160, partition=0)
    refused(line, sink, "delete its rows")
    assert line.count("raw_bars") == 50
    line.sql(f"DELETE FROM ops.sink_offsets WHERE topic = '{line.topic('BARS_FILTERED')}'")
    line.start("sink")
    line.wait_stored(100)
    assert line.count("raw_bars") == 150


def test_s24_records_removed_before_they_were_loaded(line: PostgresLine) -> None:
    """Below the log's start: refused by default, and with the setting that the message names the rest is loaded."""
    line.expected_errors.append("records_lost|service_failed|retention")
    sink = idle_sink(line)
    line.feed_bars(0, 50, partition=0)
    line.wait_stored(50)
    sink.stop()
    line.feed_bars(50, 150, partition=0)
    admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})
    gone = TopicPartition(line.topic("BARS_FILTERED"), 0, 100)
    for done in admin.delete_records([gone]).values():
        done.result(30)
    refused(line, sink, "SINK_OFFSET_RESET=earliest")
    line.start("sink", SINK_OFFSET_RESET="earliest")
    line.wait_stored(150)
    assert line.count("raw_bars") == 100
    lost = [entry for entry in line.events_logged("records_lost") if "from" in entry]
    assert [(entry["from"], entry["to"]) for entry in lost] == [(50, 100)]


def test_s25_a_server_that_forgot_its_last_commits(line: PostgresLine) -> None:
    """As after a crash with synchronous_commit off: rows and offsets are back where they were, and nothing new
    comes in the topic. The next session compares the offsets and loads again what is missing."""
    line.expected_errors.append("warehouse|connection|odbc")
    idle_sink(line)
    line.feed_bars()
    line.assert_once(196)
    line.wait_stored(196)
    line.sql(
        "BEGIN; CREATE TEMP TABLE keep AS SELECT kafka_partition, max(kafka_offset) / 2 AS next FROM raw.raw_bars "
        "GROUP BY kafka_partition; "
        "DELETE FROM raw.raw_bars b USING keep k WHERE b.kafka_partition = k.kafka_partition "
        "AND b.kafka_offset >= k.next; "
        "UPDATE ops.sink_offsets o SET next_offset = k.next, last_event_id = NULL, last_event_offset = NULL "
        f"FROM keep k WHERE o.topic = '{line.topic('BARS_FILTERED')}' AND o.kafka_partition = k.kafka_partition; "
        "COMMIT"
    )
    assert line.count("raw_bars") < 196
    line.proxy.drop_all()
    line.produce("NEWS_FILTERED", [line.sample("news")])  # whose flush finds the connection gone
    line.assert_once(196)
    line.wait_stored(196)
    assert line.events_logged("stored_offset_moved")


@pytest.mark.kills
def test_s25_server_crashes_under_load(line: PostgresLine) -> None:
    line.expected_errors.append("warehouse|connection|odbc|connect|probe")
    bars = line.recorded_bars("IBM")
    sink = idle_sink(line, SINK_FLUSH_ROWS="50")
    try:
        for first in range(0, len(bars), len(bars) // 3):
            line.feed(bars[first : first + len(bars) // 3])
            line.wait_count("raw_bars", first + 1)
            line.parts.postgres.kill()
            line.parts.postgres.start()
            line.parts.postgres.wait_ready()
    finally:
        line.parts.postgres.start()
        line.parts.postgres.wait_ready()
    line.assert_once(len(bars))
    line.wait_stored(len(bars))
    assert sink.running()


def test_s25_offset_rows_are_lost(line: PostgresLine) -> None:
    """Noticed at the next flush: the partitions are taken over anew and read from their start; no row comes twice."""
    sink = idle_sink(line)
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.wait_stored(100)
    line.sql("DELETE FROM ops.sink_offsets")
    line.feed_bars(100)
    line.wait_stored(196)
    line.assert_once(196)
    assert "gone" in verdicts(line)
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 100


def test_s25_table_replaced_while_it_is_written(line: PostgresLine) -> None:
    """Another table of the name: rows go there from then on. What the old one had is the owner's to bring."""
    line.expected_errors.append("odbc|table_stopped|warehouse_unavailable")
    idle_sink(line)
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.sql(
        "BEGIN; ALTER TABLE raw.raw_bars RENAME TO old_bars; "
        "CREATE TABLE raw.raw_bars (LIKE raw.old_bars INCLUDING ALL); "
        "ALTER TABLE raw.raw_bars OWNER TO marketflow; COMMIT"
    )
    line.feed_bars(100)
    line.assert_once(96)
    line.wait_stored(196)
    assert line.count("old_bars") == 100


@pytest.mark.kills
def test_s26_server_stands_still(line: PostgresLine) -> None:
    """The deadline guard ends the sink with 75. Started again it is bounded by probe and login; rows once after all."""
    line.expected_errors.append("deadline|odbc|warehouse|connect|probe")
    line.settings |= {"WAREHOUSE_STATEMENT_TIMEOUT_MS": "1000", "WAREHOUSE_DEADLINE_MS": "4000"}
    sink = idle_sink(line)
    line.feed_bars(0, 50)
    line.assert_once(50)
    line.parts.postgres.freeze()
    try:
        line.feed_bars(50)
        assert sink.wait_exit(60) == 75
        sink.start()
        wait_for(lambda: bool(sink.readiness()), 30, "an answer while the server stands still", 0.1)
        assert not sink.ready()
    finally:
        line.parts.postgres.thaw()
    wait_for(lambda: started_again(sink), 60, "ready after the thaw", 0.2)
    line.assert_once(196)
    line.wait_stored(196)


def started_again(sink: ServiceProcess) -> bool:
    """A supervisor's part: a start that met the standing server may leave with 75 once more."""
    if not sink.running():
        assert sink.wait_exit(1) == 75
        sink.start()
    return sink.ready()
