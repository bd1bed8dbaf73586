# SPDX-License-Identifier: Apache-2.0
"""A Line whose warehouse is Snowflake: fakesnow behind the test driver of tests/odbc. A test module makes
`snowflake_line` its `line`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fixtures import _line
from line import Line, Parts
from mflocal import REPOSITORY, Layout, wait_for
from warehouse import Fakesnow, Helper, library_beside

CORPUS = REPOSITORY / "tests" / "fuzz" / "corpus" / "event"
# The real fence, not the statement that waits for locks before offset rows are read.
FENCE = r"UPDATE ops.sink_offsets\s+SET\s+next_offset"
INSERT_BARS = r"INSERT INTO raw.raw_bars"
TABLES = (
    *("raw_bars", "raw_news", "raw_option_bars", "raw_alerts", "raw_metrics", "raw_symbols"),
    *("raw_corporate_actions", "raw_feed_status", "raw_dead_letters"),
)


class SnowflakeLine(Line):
    helper: ClassVar[Helper]
    bars: ClassVar[list[tuple[bytes, bytes, int]]] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("WAREHOUSE_PASSWORD_FILE", "WAREHOUSE_SSLMODE"):
            self.settings.pop(name, None)
        self.settings |= self.helper.settings(self.database)
        self.settings |= {
            "SINK_FLUSH_MS": "100",
            "SINK_RETRY_MIN_MS": "50",
            "SINK_RETRY_MAX_MS": "500",
            "SINK_BREAKER_RETRY_MS": "1000",
            "WAREHOUSE_DEADLINE_MS": "10000",
        }

    def prepare(self) -> None:
        self.helper.release()
        self.helper.clear_history()
        for binary, arguments in (("marketflowctl", ["topics", "apply"]), ("marketflow-sink", ["migrate"])):
            result = self.run(binary, *arguments)
            assert result.returncode == 0, result.stderr

    def finish(self) -> list[str]:
        self.helper.release()
        return super().finish()

    # --- warehouse --------------------------------------------------------------------------------

    def rows(self, text: str) -> list[list[str | None]]:
        """`text` names tables as raw.… and ops.…"""
        for schema in ("raw", "ops"):
            text = text.replace(f"{schema}.", f"{self.database}.{schema}.")
        return self.helper.rows(text)

    def query(self, text: str) -> list[list[str]]:
        return [[value or "" for value in row] for row in self.rows(text)]

    def number(self, text: str) -> int:
        found = self.rows(text)
        return int(float(found[0][0] or 0)) if found else 0  # fakesnow sums to a double

    def sql(self, text: str) -> None:
        self.rows(text)

    def places(self, table: str = "raw_bars") -> int:
        """How many different records of topics the rows are of."""
        place = "kafka_topic || '/' || kafka_partition || '/' || kafka_offset"
        return self.number(f"SELECT count(DISTINCT {place}) FROM raw.{table}")

    def assert_once(self, wanted: int, table: str = "raw_bars") -> None:
        self.wait_count(table, wanted, timeout=60)
        assert (self.count(table), self.places(table)) == (wanted, wanted)

    # --- records ----------------------------------------------------------------------------------

    def recorded_bars(self) -> Sequence[tuple[bytes, bytes, int]]:
        """196 bars as the ingestor writes them: key, value, partition. Fetched once for all tests."""
        if not SnowflakeLine.bars:
            self.backfill_replay(["FB"])
            SnowflakeLine.bars.extend(
                ((m.key or "").encode(), m.value or b"", m.partition)
                for m in self.messages("RAW_BACKFILL")
                if b'"event_type":"bar"' in (m.value or b"")
            )
            assert len(SnowflakeLine.bars) == 196
        return SnowflakeLine.bars

    def feed_bars(self, first: int = 0, last: int = 196, partition: int | None = None) -> int:
        """Those bars to the filtered topic, as the processor would; returns how many."""
        producer = self.producer()
        values = self.recorded_bars()[first:last]
        for key, value, own in values:
            producer.produce(self.topic("BARS_FILTERED"), value, key, own if partition is None else partition)
        assert producer.flush(60) == 0
        return len(values)

    def sample(self, name: str) -> bytes:
        return (CORPUS / f"{name}.json").read_bytes().strip()

    def wait_stored(self, wanted: int, timeout: float = 60) -> None:
        """Until the offset rows of the bars' topic add up to this."""
        topic = self.topic("BARS_FILTERED")
        text = f"SELECT sum(next_offset) FROM ops.sink_offsets WHERE topic = '{topic}'"
        wait_for(lambda: self.number(text) == wanted, timeout, f"offsets up to {wanted}", 0.2)

    def flushed(self) -> list[dict[str, Any]]:
        return self.events_logged("batch_flushed")


@pytest.fixture(scope="session")
def helper(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helper]:
    # A short path: that of a Unix socket has 107 characters.
    layout = Layout(tmp_path_factory.mktemp("sf"), parts.broker.layout.cache)
    server = Fakesnow(layout, die_with_parent=True)
    helper = Helper(layout, server, library_beside(parts.binaries), die_with_parent=True)
    try:
        for part in (server, helper):
            part.start()
            part.wait_ready()
        yield helper
    finally:
        helper.stop()
        server.stop()


@pytest.fixture
def snowflake_line(
    helper: Helper, parts: Parts, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[SnowflakeLine]:
    SnowflakeLine.helper = helper
    lines: Iterator[Line] = _line(parts, tmp_path, request, SnowflakeLine)
    yield from lines  # type: ignore[misc]
