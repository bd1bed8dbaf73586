# SPDX-License-Identifier: Apache-2.0
"""The sink on both warehouses: loading, lost connections, kills, two owners. test_sink_refusals.py has what a warehouse
refuses and what the sink refuses to load; a variant "snowflake-played" is explained in snowflake.py.
"""

from __future__ import annotations

import math
import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from dialects import both, played
from line import PARTITIONS
from mflocal import wait_for
from sink_line import SHORT_SESSION, SinkLine, check, metric

pytestmark = pytest.mark.sink


@pytest.fixture
def line(sink_line: SinkLine) -> SinkLine:
    return sink_line


# --- loading ------------------------------------------------------------------------------------------


@both
def test_a_log_that_is_loaded_again(line: SinkLine) -> None:
    """Where the key is enforced it adds nothing, and the counts say so; where RAW is append-only it is there twice."""
    sink = line.idle_sink()
    line.feed_bars(0, 150)
    line.assert_once(150)
    line.wait_stored(150)
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 150
    sink.stop()
    line.change_offsets("next_offset = 0, last_event_id = NULL, last_event_offset = NULL")
    line.feed_bars(150)
    sink.start()
    sink.wait_ready()
    line.wait_stored(196)
    assert (line.count("raw_bars"), line.places()) == (346 if line.append_only else 196, 196)
    repeated = 0 if line.append_only else 150
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == repeated
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 196 - repeated
    assert line.events_logged("flush_failed") == [] and line.messages("DLQ") == []


@both
def test_an_event_that_comes_twice_in_one_batch(line: SinkLine) -> None:
    """Two records: both are there, or the second is a duplicate, as the key has it."""
    sink = line.idle_sink(SINK_FLUSH_MS="500")
    bars = line.recorded_bars()
    line.feed([bars[0], bars[0], bars[1]], partition=0)
    line.wait_stored(3)
    duplicates = 0 if line.append_only else 1
    assert line.count("raw_bars") == 3 - duplicates
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == duplicates


@both
def test_idle_stretches_move_the_offset(line: SinkLine) -> None:
    """Records that are not read (aborted) and transaction markers leave no row, and are passed all the same."""
    line.idle_sink(SINK_IDLE_COMMIT_MS="300")
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


@both
def test_flushes_grow_under_backlog(line: SinkLine) -> None:
    """Few rows a statement while they trickle, as many as the settings allow while they wait."""
    bars = line.recorded_bars("IBM")
    line.feed(bars)
    sink = line.start("sink", SINK_FLUSH_ROWS="400", SINK_FLUSH_BYTES="4000000")
    line.assert_once(len(bars))
    statements = metric(sink, "batches_total", table="raw_bars", result="ok")
    assert statements <= math.ceil(len(bars) / 400) + PARTITIONS
    assert metric(sink, "buffer_rows") == 0


@both
def test_the_connection_is_made_anew_now_and_then(line: SinkLine) -> None:
    sink = line.idle_sink(SINK_SESSION_ROWS="1000", SINK_FLUSH_ROWS="200")
    bars = line.recorded_bars("IBM")
    line.feed(bars)
    line.assert_once(len(bars))
    assert metric(sink, "sessions_total", result="ok") >= len(bars) // 1200
    assert metric(sink, "sessions_total", result="failed") == 0


@both
def test_the_group_follows_for_lag_tools(line: SinkLine) -> None:
    line.idle_sink()
    line.feed_bars()
    line.assert_once(196)
    wait_for(lambda: line.committed() == 196, 30, "the group's offsets", 0.2)


@both
@pytest.mark.kills
def test_two_sinks_and_a_handover(line: SinkLine) -> None:
    """Each loads its own partitions; when one is killed the other goes on where it stopped."""
    line.expected_errors.append("outcome|flush_failed|warehouse_unavailable")
    line.recorded_bars()
    # The partitions of one that is gone are given away soon.
    sinks = [line.another_sink(f"sink{i}", **SHORT_SESSION) for i in range(2)]
    for sink in sinks:
        sink.start()
    for sink in sinks:
        sink.wait_ready()
    for partition in range(PARTITIONS):
        line.feed_bars(partition * 30, partition * 30 + 30, partition)
    line.assert_once(120)
    topic = line.topic("BARS_FILTERED")
    owners = "SELECT count(DISTINCT owner_instance) FROM ops.sink_offsets WHERE topic = "
    wait_for(lambda: line.number(f"{owners}'{topic}'") == 2, 60, "two owners", 0.3)
    sinks[0].kill()
    line.services.remove(sinks[0])
    for partition in range(PARTITIONS):
        line.feed_bars(120 + partition * 19, 139 + partition * 19, partition)
    line.assert_once(196)
    assert line.number(f"{owners}'{topic}'") == 1


# --- S17 to S19: the connection, at any moment ---------------------------------------------------------


@pytest.mark.parametrize("at", ["request", "execution", "answer"])
@played
def test_s17_s18_connection_lost(line: SinkLine, at: str) -> None:
    """Before the warehouse has the batch, while it is at it, and after the commit of which nothing is heard."""
    line.expected_errors.append("warehouse|connection|odbc")
    sink = line.idle_sink()
    lost = line.lose_connection(at)
    line.feed_bars(0, 120)
    wait_for(lost, 60, "the connection lost", 0.02)
    line.assert_once(120)
    line.feed_bars(120)
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "sessions_total", result="ok") == 2
    # What was there already was not sent a second time: the offset rows were asked.
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0
    wanted = {"request": "not_landed", "execution": None, "answer": "landed"}[at]
    assert wanted is None or wanted in line.verdicts()


@played
def test_s17_warehouse_away_for_a_while(line: SinkLine) -> None:
    """Nobody takes a connection: not ready with the reason, polling goes on, tries with growing delays, then all."""
    line.expected_errors.append("warehouse|connection|odbc|probe")
    sink = line.idle_sink()
    line.go_away()
    line.feed_bars()
    wait_for(lambda: not sink.ready(), 60, "not ready")
    wait_for(lambda: metric(sink, "sessions_total", result="failed") >= 4, 60, "some tries", 0.1)
    assert check(sink, "kafka")["ok"]
    tries = [entry["retry_ms"] for entry in line.events_logged("warehouse_unavailable")]
    assert len(set(tries)) > 1  # jittered
    assert all(0 < delay <= 500 for delay in tries)
    line.come_back()
    line.assert_once(196)
    wait_for(sink.ready, 60, "ready again")


@played
@pytest.mark.kills
def test_s19_killed_before_it_hears_of_its_commit(line: SinkLine) -> None:
    """Rows and offset are committed, and nobody was told: they are there, and nothing is loaded again."""
    line.settings |= SHORT_SESSION
    sink = line.idle_sink()
    held = line.hold_commit()
    line.feed_bars(0, 150)
    wait_for(held, 60, "a commit whose answer does not come", 0.02)
    wait_for(lambda: line.count("raw_bars") > 0, 60, "rows committed", 0.1)
    sink.kill()
    line.let_go()
    line.feed_bars(150)
    sink.start()
    sink.wait_ready()
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0


@both
@pytest.mark.kills
def test_s19_killed_between_the_two_commits(line: SinkLine) -> None:
    """Rows are committed, the group's offsets are not (here: not even there): the warehouse's offset counts."""
    line.settings |= SHORT_SESSION
    sink = line.idle_sink()
    line.feed_bars(0, 150)
    line.assert_once(150)
    sink.kill()
    group = f"{line.name}-sink"
    admin = line.admin()

    def forgotten() -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result(30)
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.NON_EMPTY_GROUP, error
            return False
        return True

    wait_for(forgotten, 60, "the group's offsets gone", 0.5)
    assert line.committed() == 0
    line.feed_bars(150)
    sink.start()
    sink.wait_ready()
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0
    assert metric(sink, "rows_total", table="raw_bars", result="ok") == 46


# --- S20: two owners ----------------------------------------------------------------------------------


@both
def test_s20_stale_partition_stays_out_the_others_stand(line: SinkLine) -> None:
    """Somebody took one partition over in the middle: its rows are not in the batch, all the others are."""
    line.expected_errors.append("outcome")
    sink = line.idle_sink(SINK_FLUSH_MS="1000")
    stale, other = 1, 2
    line.take_over(stale)
    bars = line.recorded_bars()
    line.feed(bars[:50], other)
    line.feed(bars[50:100], stale)
    wait_for(lambda: "fenced" in line.verdicts(), 60, "the fence", 0.05)
    line.assert_once(100)
    fenced = next(entry for entry in line.events_logged("outcome") if entry["verdict"] == "fenced")
    assert fenced["partition"] == stale
    epoch = "SELECT owner_epoch FROM ops.sink_offsets WHERE topic = "
    found = line.number(f"{epoch}'{line.topic('BARS_FILTERED')}' AND kafka_partition = {stale}")
    assert found == 3  # only a new assignment gave it one again
    # The others' rows were not sent a second time.
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0


@both
@pytest.mark.kills
def test_s20_zombie_comes_back(line: SinkLine) -> None:
    """A sink that stood still over its session's end finds its partitions with another, and writes nothing of them.

    It stands still with a batch in its memory and no transaction open: fakesnow could not show two at once.
    """
    line.expected_errors.append("fenced|outcome|revoked|rejoin|kafka|session")
    line.settings |= SHORT_SESSION | {"SINK_FLUSH_MS": "2500"}
    zombie = line.idle_sink()
    line.feed_bars(0, 100)
    wait_for(lambda: metric(zombie, "buffer_rows") > 0, 30, "rows in its memory", 0.01)
    zombie.freeze()
    assert line.count("raw_bars") == 0
    line.feed_bars(100)
    heir = line.another_sink("heir")
    heir.start()
    try:
        line.assert_once(196)
    finally:
        zombie.thaw()
    wait_for(zombie.ready, 90, "the zombie among the living", 0.3)
    line.assert_once(196)
    line.wait_stored(196)
    assert metric(zombie, "rows_total", table="raw_bars") == 0


@played
@pytest.mark.kills
def test_a_broker_frozen_for_longer_than_the_session(line: SinkLine) -> None:
    """What was asked of it meanwhile is answered all at once, and late: nobody is taken for somebody else."""
    line.expected_errors.append("fenced|revoked|broker|kafka|transport|connect|assigned")
    line.settings |= SHORT_SESSION
    sink = line.idle_sink()
    pid = sink.identity.pid if sink.identity else 0
    loaded = 0
    for moment_s in (0.2, 1.0):
        # Twice: the second time while the sink is joining the group again. How long is the fault itself.
        for pause_s in (moment_s, 0):
            line.parts.broker.freeze()
            time.sleep(12)  # two sessions
            line.parts.broker.thaw()
            time.sleep(pause_s)
        wait_for(sink.ready, 90, "ready again")
        loaded += line.feed_bars(loaded, loaded + 49)
        line.assert_once(loaded)
    assert sink.identity and sink.identity.pid == pid and sink.running()


@played
def test_s20_offset_rows_are_locked(line: SinkLine) -> None:
    """By somebody who holds them longer than a statement waits: the same batch again, unsplit, once they are free."""
    line.expected_errors.append("flush_failed")
    line.settings |= {"SINK_RETRY_MIN_MS": "400", "WAREHOUSE_STATEMENT_TIMEOUT_MS": "1000"}
    line.idle_sink()
    line.hold_offset_rows()
    line.feed_bars()
    wait_for(lambda: len(line.events_logged("flush_failed")) >= 2, 60, "two tries", 0.05)
    assert line.count("raw_bars") == 0
    line.let_go()
    line.assert_once(196)
    line.wait_stored(196)
    failed = line.events_logged("flush_failed")
    assert {entry["action"] for entry in failed} == {"retry"}
    assert {entry["sqlstate"] for entry in failed} == {"57014"}
