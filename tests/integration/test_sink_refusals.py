# SPDX-License-Identifier: Apache-2.0
"""The sink on both warehouses: rows, tables and log-ins that are refused, another log, another table, a warehouse that
stands still. A variant "snowflake-played" is explained in snowflake.py.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic
from dialects import both, played
from line import PARTITIONS
from mflocal import ServiceProcess, wait_for
from sink_line import SinkLine, check, event_id, metric

pytestmark = pytest.mark.sink


@pytest.fixture
def line(sink_line: SinkLine) -> SinkLine:
    return sink_line


# --- S21 to S23: poison and breakers -------------------------------------------------------------------


@played
def test_s21_one_bad_row_in_five_thousand(line: SinkLine) -> None:
    """Bisected until it is alone: about 2·log2(5000) + 1 statements, one letter, all other rows."""
    rows = 5000
    line.expected_errors.append("bad_row|refused")
    bars = line.recorded_bars("IBM", "AAPL")[:rows]
    assert len(bars) == rows
    bad = event_id(bars[3210])
    line.refuse_rows(bad)
    line.feed(bars, partition=0)
    limits = {"SINK_FLUSH_ROWS": str(rows), "SINK_FLUSH_BYTES": "16777216", "SINK_FLUSH_MS": "60000"}
    sink = line.start("sink", **limits, WAREHOUSE_DEADLINE_MS="30000")
    line.wait_stored(rows)
    line.assert_once(rows - 1)
    assert len(line.messages("DLQ")) == 1
    failed = metric(sink, "batches_total", table="raw_bars", result="failed")
    done = metric(sink, "batches_total", table="raw_bars", result="ok")
    assert failed + done <= 2 * math.ceil(math.log2(rows)) + 1
    assert [entry["correlation_id"] for entry in line.events_logged("record_refused")] == [bad]
    letter = line.messages("DLQ")[0].event
    assert letter["reason"] == "warehouse_rejected"
    assert f"SQLSTATE {line.refused_state}, native " in letter["detail"]
    sink.stop()  # which loads the letter too: as a batch it is far too small yet
    assert line.count("raw_dead_letters") == 1


@pytest.mark.parametrize("how", ["right", "table", "capacity"])
@played
def test_s22_every_row_fails(line: SinkLine, how: str) -> None:
    """The breaker opens at once: 503 with the reason, slow tries, no dead letter; the other tables go on."""
    line.expected_errors.append("table_stopped|odbc|warehouse_unavailable|flush_failed")
    sink = line.idle_sink()
    reason = line.spoil_table(how)
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: reason in str(check(sink, "raw_bars")), 30, "the reason in /readyz")
    line.produce("NEWS_FILTERED", [line.sample("news")])
    line.wait_count("raw_news", 1)
    # Before it is mended at least one more try: it is slow, and finds the same.
    stopped = len(line.events_logged("table_stopped"))
    wait_for(lambda: len(line.events_logged("table_stopped")) > stopped, 30, "another try", 0.1)
    assert line.count("raw_news") == 1
    line.mend_table(how)
    line.assert_once(196)
    wait_for(sink.ready, 60, "ready again")
    assert line.messages("DLQ") == []
    assert metric(sink, "table_stopped", table="raw_bars") == 0


@played
def test_s22_many_bad_rows_are_no_poison(line: SinkLine) -> None:
    """Three times a minute bad rows of a partition are looked for and dead-lettered; then it is paused, alone."""
    line.expected_errors.append("partition_stopped|odbc|bad_row")
    sink = line.idle_sink()
    line.refuse_rows()
    bad, good = 3, 2
    for found in range(3):
        line.feed_bars(found, found + 1, bad)
        line.wait_count("raw_dead_letters", found + 1)
    line.feed_bars(3, 60, bad)
    wait_for(lambda: "bad_row" in str(check(sink, "partitions")), 60, "the breaker", 0.1)
    assert not sink.ready()
    tries = len(line.events_logged("partition_stopped"))
    wait_for(lambda: len(line.events_logged("partition_stopped")) >= tries + 2, 30, "two more tries", 0.1)
    line.produce("NEWS_FILTERED", [line.sample("news")])
    line.wait_count("raw_news", 1)
    assert {entry["partition"] for entry in line.events_logged("partition_stopped")} == {bad}
    assert len(line.messages("DLQ")) == 3
    line.accept_rows()
    line.assert_once(57)
    line.wait_stored(60)
    line.feed_bars(60, 70, good)
    line.assert_once(67)
    wait_for(sink.ready, 60, "ready again")
    assert line.count("raw_dead_letters") == 3


@played
def test_s22_offset_rows_cannot_be_written(line: SinkLine) -> None:
    """No right to move an offset: nothing can be loaded at all, and no row comes in without its offset."""
    line.expected_errors.append("table_stopped|odbc|warehouse_unavailable|flush_failed")
    sink = line.idle_sink()
    reason = line.spoil_offsets()
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: reason in str(sink.readiness()), 30, "the reason in /readyz")
    assert line.count("raw_bars") == 0
    line.mend_offsets()
    line.assert_once(196)
    line.wait_stored(196)
    wait_for(sink.ready, 60, "ready again")
    assert line.messages("DLQ") == []


@played
def test_s22_credentials_refused(line: SinkLine, tmp_path: Path) -> None:
    line.expected_errors.append("warehouse_unavailable")
    line.recorded_bars()
    line.feed_bars()
    sink = line.service("sink", **line.login_refused(tmp_path))
    sink.start()
    wait_for(lambda: line.login_reason in str(sink.readiness()), 60, "the reason in /readyz", 0.1)
    assert not sink.ready()
    assert {entry["retry_ms"] for entry in line.events_logged("warehouse_unavailable")} == {1000}
    line.login_accepted(sink)
    line.assert_once(196)


@played
def test_s23_dead_letter_cannot_be_sent(line: SinkLine) -> None:
    """While the queue refuses the letter of a bad row, the offset does not pass it; then everything goes on."""
    line.expected_errors.append("refused|letter|dead|bad_row")
    line.idle_sink()
    line.refuse_rows(event_id(line.recorded_bars()[7]))
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


@played
def test_dead_letter_that_cannot_be_loaded_is_kept_as_a_digest(line: SinkLine) -> None:
    """Its table refuses it: hash and size take its place, and it is never dead-lettered again."""
    line.expected_errors.append("refused|bad_row")
    sink = line.idle_sink()
    line.refuse_letters()
    line.produce("BARS_FILTERED", [b"this is no event"])
    line.wait_count("raw_dead_letters", 1)
    line.wait_stored(1, "DLQ")
    assert len(line.messages("DLQ")) == 1
    (letter,) = line.letters("reason", "detail")
    assert letter[0] == "bad_dead_letter"
    assert re.match(r"[0-9]+ bytes, SHA-256 [0-9a-f]{64}; ", letter[1])
    assert sink.ready()


# --- S24: another log -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("kafka_cluster_id = 'another'", "KAFKA_GROUP_PREFIX"),
        ("last_event_id = '00000000000000000000000000000000'", "ops.sink_offsets"),
        ("next_offset = 100000, last_event_id = NULL, last_event_offset = NULL", "ops.sink_offsets"),
    ],
    ids=["cluster", "event", "beyond"],
)
@both
def test_s24_another_log_is_refused(line: SinkLine, change: str, remedy: str) -> None:
    line.expected_errors.append("ops.sink_offsets|service_failed|cluster")
    sink = line.idle_sink()
    line.feed_bars()
    line.assert_once(196)
    line.wait_stored(196)
    sink.stop()
    line.change_offsets(change, line.recorded_bars()[0][2])
    line.assert_refuses(sink, remedy)
    assert line.count("raw_bars") == 196


def make_anew(line: SinkLine, role: str) -> None:
    admin = line.admin()
    topic = line.topic(role)
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics, 60, "the topic gone", 0.2)

    def made() -> bool:
        try:
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
        except KafkaException as error:  # it is still being deleted
            assert "EXISTS" in str(error).upper(), error
            return False
        return True

    wait_for(made, 60, "the topic anew", 0.5)


@both
def test_s24_topic_made_anew(line: SinkLine) -> None:
    """It has grown past the stored offset, so that only the last event tells; with the rows deleted it is loaded."""
    line.expected_errors.append("ops.sink_offsets|service_failed")
    sink = line.idle_sink()
    line.feed_bars(0, 50, partition=0)
    line.assert_once(50)
    line.wait_stored(50)
    sink.stop()
    make_anew(line, "BARS_FILTERED")
    line.feed_bars(60, 160, partition=0)
    line.assert_refuses(sink, "delete its rows")
    assert line.count("raw_bars") == 50
    line.sql(f"DELETE FROM ops.sink_offsets WHERE topic = '{line.topic('BARS_FILTERED')}'")
    line.start("sink")
    line.wait_stored(100)
    assert line.count("raw_bars") == 150


@both
def test_s24_records_removed_before_they_were_loaded(line: SinkLine) -> None:
    """Below the log's start: refused by default, and with the setting that the message names the rest is loaded."""
    line.expected_errors.append("records_lost|service_failed|retention")
    sink = line.idle_sink()
    line.feed_bars(0, 50, partition=0)
    line.wait_stored(50)
    sink.stop()
    line.feed_bars(50, 150, partition=0)
    gone = TopicPartition(line.topic("BARS_FILTERED"), 0, 100)
    admin = line.admin()
    for done in admin.delete_records([gone]).values():
        done.result(30)
    line.assert_refuses(sink, "SINK_OFFSET_RESET=earliest")
    line.start("sink", SINK_OFFSET_RESET="earliest")
    line.wait_stored(150)
    assert line.count("raw_bars") == 100
    lost = [entry for entry in line.events_logged("records_lost") if "from" in entry]
    assert [(entry["from"], entry["to"]) for entry in lost] == [(50, 100)]


# --- S25: another table, other offsets -----------------------------------------------------------------


@played
def test_s25_a_warehouse_that_forgot_its_last_commits(line: SinkLine) -> None:
    """As after a crash with synchronous_commit off, or when somebody goes back to yesterday's tables: rows and offsets
    are back where they were, and nothing new comes in the topic. The next session compares the offsets and loads again
    what is missing."""
    line.expected_errors.append("warehouse|connection|odbc")
    line.idle_sink()
    line.feed_bars()
    line.assert_once(196)
    line.wait_stored(196)
    kept = 10
    line.sql(f"DELETE FROM raw.raw_bars WHERE kafka_offset >= {kept}")
    forgotten = f"next_offset = {kept}, last_event_id = NULL, last_event_offset = NULL"
    for partition in range(PARTITIONS):
        if sum(own == partition for _, _, own in line.recorded_bars()) > kept:
            line.change_offsets(forgotten, partition)
    assert line.count("raw_bars") < 196
    line.drop_connections()
    line.produce("NEWS_FILTERED", [line.sample("news")])  # whose flush finds the connection gone
    line.assert_once(196)
    line.wait_stored(196)
    assert line.events_logged("stored_offset_moved")


@both
def test_s25_offset_rows_are_lost(line: SinkLine) -> None:
    """Noticed at the next flush: the partitions are taken over anew and read from their start. Where the key is
    enforced no row comes twice; where RAW is append-only they do: what is there twice can be told, what is missing
    cannot."""
    line.expected_errors.append("outcome")
    sink = line.idle_sink()
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.wait_stored(100)
    line.sql("DELETE FROM ops.sink_offsets")
    line.feed_bars(100)
    line.wait_stored(196)
    assert (line.count("raw_bars"), line.places()) == (296 if line.append_only else 196, 196)
    assert "gone" in line.verdicts()
    duplicates = metric(sink, "rows_total", table="raw_bars", result="duplicate")
    assert duplicates == (0 if line.append_only else 100)


@both
def test_s25_table_replaced_while_it_is_written(line: SinkLine) -> None:
    """Another table of the name: rows go there from then on. What the old one had is the owner's to bring."""
    line.expected_errors.append("odbc|table_stopped|warehouse_unavailable|flush_failed")
    line.idle_sink()
    line.feed_bars(0, 100)
    line.assert_once(100)
    line.replace_table()
    line.feed_bars(100)
    line.assert_once(96)
    line.wait_stored(196)
    assert line.count("old_bars") == 100


# --- S26: a warehouse that stands still ----------------------------------------------------------------


@played
@pytest.mark.kills
def test_s26_warehouse_stands_still(line: SinkLine) -> None:
    """The deadline guard ends the sink with 75. Started again it is bounded by probe and login; rows once after all."""
    line.expected_errors.append("deadline|odbc|warehouse|connect|probe")
    line.settings |= {
        "WAREHOUSE_LOGIN_TIMEOUT_MS": "1000",
        "WAREHOUSE_STATEMENT_TIMEOUT_MS": "1000",
        "WAREHOUSE_DEADLINE_MS": "4000",
    }
    sink = line.idle_sink()
    line.feed_bars(0, 50)
    line.assert_once(50)
    line.freeze()
    try:
        line.feed_bars(50)
        assert sink.wait_exit(60) == 75
        sink.start()
        wait_for(lambda: bool(sink.readiness()), 30, "an answer while the warehouse stands still", 0.1)
        assert not sink.ready()
    finally:
        line.thaw()
    wait_for(lambda: started_again(sink), 60, "ready after the thaw", 0.2)
    line.assert_once(196)
    line.wait_stored(196)


def started_again(sink: ServiceProcess) -> bool:
    """A supervisor's part: a start that met the standing warehouse may leave with 75 once more."""
    if not sink.running():
        assert sink.wait_exit(1) == 75
        sink.start()
    return sink.ready()
