# SPDX-License-Identifier: Apache-2.0
"""How many bisections a partition of the sink may have, and what it is to have too many. Rows are refused by where they
come from, which only a real table can do."""

from __future__ import annotations

import pytest
from mflocal import wait_for
from sink_line import SinkLine, check, metric

pytestmark = [pytest.mark.sink, pytest.mark.parametrize("sink_line", ["postgresql"], indirect=True)]


@pytest.fixture
def line(sink_line: SinkLine) -> SinkLine:
    return sink_line


def test_a_bisection_is_one_whatever_it_finds(line: SinkLine) -> None:
    """A batch of four partitions in which every tenth row is refused: one bisection for each, and nobody is stopped."""
    line.expected_errors.append("sparse|refused")
    line.sql("ALTER TABLE raw.raw_bars ADD CONSTRAINT sparse CHECK (kafka_offset % 10 <> 3)")
    bars = line.recorded_bars()
    for partition in range(4):
        line.feed(bars[partition * 49 : partition * 49 + 49], partition)
    sink = line.start("sink", SINK_FLUSH_ROWS="196", SINK_FLUSH_BYTES="16777216", SINK_FLUSH_MS="60000")
    wait_for(lambda: len(line.messages("DLQ")) == 20, 60, "letters", 0.3)
    line.assert_once(176)
    line.wait_stored(196)
    assert metric(sink, "bisections_total") == 1
    assert not line.events_logged("partition_stopped")
    assert sink.ready()


def test_too_many_bisections_stop_their_partition_alone(line: SinkLine) -> None:
    """Rows of two partitions share batches; one of them never fits. The fourth bisection within a minute stops that
    one, with what an operator needs in /readyz, and the other goes on."""
    line.expected_errors.append("misfit|partition_stopped|refused")
    sink = line.idle_sink()
    line.sql("ALTER TABLE raw.raw_bars ADD CONSTRAINT misfit CHECK (kafka_partition <> 1)")
    bars = line.recorded_bars()
    for found in range(3):
        line.feed(
            [(key, value, 0 if i else 1) for i, (key, value, _) in enumerate(bars[4 * found : 4 * found + 4])]
        )
        line.wait_count("raw_dead_letters", found + 1)
    line.feed([(key, value, i % 2) for i, (key, value, _) in enumerate(bars[12:52])])
    wait_for(lambda: not check(sink, "partitions").get("ok", True), 60, "a stopped partition", 0.1)
    reason = str(check(sink, "partitions"))
    topic = line.topic("BARS_FILTERED")
    for said in (f"{topic}[1]", "more than 3 bisections within a minute", "raw.raw_bars", "23514", "misfit"):
        assert said in reason, reason
    line.wait_count("raw_bars", 9 + 20)
    line.feed(bars[52:72], 0)
    line.assert_once(9 + 40)
    tries = len(line.events_logged("partition_tried"))
    wait_for(lambda: len(line.events_logged("partition_tried")) > tries, 30, "another try", 0.1)
    assert metric(sink, "partitions_stopped", table="raw_bars") == 1
    assert metric(sink, "table_stopped", table="raw_bars") == 0
    assert len(line.messages("DLQ")) == 3
    line.sql("ALTER TABLE raw.raw_bars DROP CONSTRAINT misfit")
    line.assert_once(9 + 60)
    line.wait_stored(72)
    wait_for(sink.ready, 60, "ready again")
    wait_for(
        lambda: metric(sink, "partitions_stopped", table="raw_bars") == 0, 30, "the partition's recovery"
    )
    assert len(line.messages("DLQ")) == 3
