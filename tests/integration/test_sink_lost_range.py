# SPDX-License-Identifier: Apache-2.0
"""What the sink stores when retention has left nothing of a topic to read: the gap is passed once, not at each start."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from dialects import both
from line import PARTITIONS
from mflocal import wait_for
from sink_line import SinkLine

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
