# SPDX-License-Identifier: Apache-2.0
"""What the sink stores and says when retention has left nothing of a topic to read: the gap is passed once, not at each
start, and is no recovery."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from dialects import both
from line import PARTITIONS
from mflocal import wait_for
from sink_line import SinkLine, check

pytestmark = pytest.mark.sink


@both
def test_a_gap_is_stored_without_a_record_behind_it(sink_line: SinkLine) -> None:
    """One partition was loaded and lost its later records, the others are new to the sink and begin late. Nothing comes
    after that, and the setting that let it pass is needed once."""
    line = sink_line
    line.expected_errors.append("records_lost")
    sink = line.idle_sink(SINK_IDLE_COMMIT_MS="200")
    line.feed_bars(0, 50, partition=0)
    line.wait_stored(50)
    sink.stop()
    line.services.remove(sink)
    for partition in range(PARTITIONS):
        line.feed_bars(50, 100, partition=partition)
    ends = [TopicPartition(line.topic("BARS_FILTERED"), p, OFFSET_END) for p in range(PARTITIONS)]
    admin = line.admin()
    for done in admin.delete_records(ends).values():
        done.result(30)
    first = line.start("sink", SINK_IDLE_COMMIT_MS="200", SINK_OFFSET_RESET="earliest")
    line.wait_stored(50 + PARTITIONS * 50)
    wait_for(lambda: line.committed() == 50 + PARTITIONS * 50, 30, "the group behind it", 0.2)
    first.stop()
    line.services.remove(first)
    again = line.start("sink", SINK_IDLE_COMMIT_MS="200")
    line.feed_bars(100, 110, partition=0)
    line.assert_once(60)
    assert again.ready()
    assert len(line.events_logged("records_lost")) == 1


@pytest.mark.parametrize("sink_line", ["postgresql"], indirect=True)
def test_a_stopped_partition_that_goes_on_without_a_row_has_not_recovered(sink_line: SinkLine) -> None:
    """Its rows are gone, as they are when they went to the dead-letter queue: nothing says that the table fits now."""
    line = sink_line
    line.expected_errors.append("misfit|partition_stopped|refused|records_lost")
    sink = line.idle_sink(SINK_IDLE_COMMIT_MS="200", SINK_OFFSET_RESET="earliest")
    line.sql("ALTER TABLE raw.raw_bars ADD CONSTRAINT misfit CHECK (kafka_offset < 0) NOT VALID")
    for found in range(3):
        line.feed_bars(found, found + 1, partition=1)
        line.wait_count("raw_dead_letters", found + 1)
    line.feed_bars(3, 8, partition=1)
    wait_for(lambda: not check(sink, "partitions").get("ok", True), 60, "a stopped partition", 0.1)
    admin = line.admin()
    gone = TopicPartition(line.topic("BARS_FILTERED"), 1, 8)
    for done in admin.delete_records([gone]).values():
        done.result(30)
    line.wait_stored(8)
    wait_for(lambda: bool(line.events_logged("partition_goes_on")), 30, "the end of the pause", 0.1)
    assert not line.events_logged("partition_recovered")
    line.sql("ALTER TABLE raw.raw_bars DROP CONSTRAINT misfit")
    line.feed_bars(8, 10, partition=1)
    line.assert_once(2)
    assert sink.ready()
