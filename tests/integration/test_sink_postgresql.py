# SPDX-License-Identifier: Apache-2.0
"""The sink on PostgreSQL: what only a real server shows. The cases of both dialects are in test_sink.py and
test_sink_refusals.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import _line
from line import Line, Parts
from mflocal import wait_for
from postgresql import PostgresLine
from sink_line import metric

pytestmark = pytest.mark.sink


@pytest.fixture
def line(parts: Parts, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PostgresLine]:
    lines: Iterator[Line] = _line(parts, tmp_path, request, PostgresLine)
    yield from lines  # type: ignore[misc]


# A row of raw_bars waits at this gate, in the middle of its flush, for as long as the gate has a row.
GATE = """
CREATE TABLE raw.gate AS SELECT 1 AS closed;
GRANT SELECT ON raw.gate TO marketflow;
CREATE FUNCTION raw.wait_at_gate() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WHILE EXISTS (SELECT FROM raw.gate) LOOP PERFORM pg_sleep(0.02); END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON raw.raw_bars FOR EACH ROW EXECUTE FUNCTION raw.wait_at_gate();
"""


def test_s18_lost_session_is_still_at_work(line: PostgresLine) -> None:
    """The connection is gone, the server has not noticed and is in the middle of the flush. The offset rows still have
    the old offset, so that the batch goes again: it waits for the first one's locks and is then shut out by it."""
    line.expected_errors.append("warehouse|connection|odbc")
    line.settings |= {"WAREHOUSE_STATEMENT_TIMEOUT_MS": "30000", "WAREHOUSE_DEADLINE_MS": "60000"}
    sink = line.idle_sink()
    line.sql(GATE)
    lost = line.lose_connection("execution")
    line.feed_bars()
    wait_for(lost, 60, "the connection lost", 0.02)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE datname = '{line.database}' AND wait_event_type = 'Lock' AND query LIKE '%locked%'"
    )
    server = line.parts.postgres
    wait_for(lambda: int(server.sql(waiting, user="postgres").strip()) > 0, 60, "the second one waits", 0.05)
    assert line.count("raw_bars") == 0
    line.sql("DELETE FROM raw.gate")
    line.assert_once(196)
    line.wait_stored(196)
    wait_for(lambda: line.verdicts() == {"not_landed", "landed"}, 60, "both verdicts")
    assert metric(sink, "rows_total", table="raw_bars", result="duplicate") == 0


@pytest.mark.kills
def test_s25_server_crashes_under_load(line: PostgresLine) -> None:
    """Three times, at once; with commits that do not wait for the disk."""
    line.expected_errors.append("warehouse|connection|odbc|connect|probe")
    bars = line.recorded_bars("IBM")
    sink = line.idle_sink(SINK_FLUSH_ROWS="50")
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
