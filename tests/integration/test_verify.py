# SPDX-License-Identifier: Apache-2.0
"""marketflowctl verify: what is loaded is found loaded; rows taken away and doubled on purpose are listed."""

from __future__ import annotations

import json
from subprocess import CompletedProcess
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from line import PARTITIONS, Line
from mflocal import wait_for

pytestmark = pytest.mark.sanitized


def loaded(line: Line) -> None:
    """196 bars with their metrics, one record that is no event, one sent twice; all of it loaded."""
    line.start("processor")
    line.backfill_replay(["FB"])
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    bars = line.messages("BARS_FILTERED")
    line.produce("BARS_FILTERED", [b"poison", bars[3].value or b""], b"FB", bars[0].partition)
    sink = line.start("sink")
    line.wait_count("raw_bars", 196)
    line.wait_count("raw_dead_letters", 1)
    wait_for(lambda: sink.lag() == 0, 60, "nothing left to load")


def verify(line: Line, code: int, *arguments: str) -> dict[str, Any]:
    result = line.run("marketflowctl", "verify", "--format", "json", *arguments)
    assert result.returncode == code, (result.returncode, result.stdout[-2000:], result.stderr[-2000:])
    return dict(json.loads(result.stdout))


def settled(line: Line) -> dict[str, Any]:
    """The sink stores the ends of idle partitions a little later: nothing pending by then."""
    found: dict[str, Any] = {}

    def is_settled() -> bool:
        result = line.run("marketflowctl", "verify", "--format", "json")
        found.update(json.loads(result.stdout))
        return result.returncode == 0

    wait_for(is_settled, 60, "a verdict of ok", 0.5)
    return found


def test_loaded_rows_are_accounted_for(line: Line) -> None:
    loaded(line)
    found = settled(line)
    assert found["verdict"] == "ok"
    assert found["missing"] == found["doubled"] == found["pending"] == 0
    topics = {topic["table"]: topic for topic in found["topics"]}
    assert len(topics) == 9
    assert all(len(topic["partitions"]) == PARTITIONS for topic in topics.values())
    bars = topics["raw_bars"]["partitions"]
    assert sum(p["records"] for p in bars) == 198
    assert sum(p["rows"] for p in bars) == 197  # the one sent twice is there, once
    assert sum(p["dead_letters"] for p in bars) == 1
    # Marks of transactions have offsets and are no records.
    assert sum(p["end"] - p["low"] for p in bars) > 198
    text = line.run("marketflowctl", "verify")
    assert text.returncode == 0
    assert "ok: " in text.stdout
    assert line.topic("BARS_FILTERED") in text.stdout


def test_rows_that_are_missing_or_doubled(line: Line) -> None:
    loaded(line)
    settled(line)
    gone = line.query(
        "WITH gone AS (DELETE FROM raw.raw_bars WHERE event_id IN "
        "(SELECT event_id FROM raw.raw_bars WHERE kafka_offset % 50 = 7) "
        "RETURNING event_id, kafka_partition, kafka_offset) SELECT * FROM gone ORDER BY 1"
    )
    assert gone
    line.parts.postgres.sql(
        "ALTER TABLE raw.raw_metrics DROP CONSTRAINT raw_metrics_pkey;"
        "INSERT INTO raw.raw_metrics SELECT * FROM raw.raw_metrics WHERE kafka_offset % 60 = 5",
        user="postgres",
        database=line.database,
    )
    twice = line.number("SELECT count(*) FROM raw.raw_metrics WHERE kafka_offset % 60 = 5") // 2
    assert twice
    found = verify(line, 1, "--list", "1000")
    missing = sorted([m["event_id"], str(m["partition"]), str(m["offset"])] for m in found["missing_list"])
    assert missing == sorted(gone)
    assert found["missing"] == len(gone)
    # Each of them as an offset and as a key.
    assert found["doubled"] == 2 * twice
    assert {d["table"] for d in found["doubled_list"]} == {"raw_metrics"}
    assert sum("offset" in d for d in found["doubled_list"]) == twice
    # Another topic alone is fine; a list is cut where it is asked to.
    assert verify(line, 0, "--topics", "raw_alerts")["missing"] == 0
    assert len(verify(line, 1, "--topics", line.topic("BARS_FILTERED"), "--list", "1")["missing_list"]) == 1


def test_a_dead_letter_that_is_gone(line: Line) -> None:
    """Neither row nor letter: the refused record is missing. A letter on the topic alone is enough."""
    loaded(line)
    settled(line)
    line.parts.postgres.sql("DELETE FROM raw.raw_dead_letters", user="postgres", database=line.database)
    found = verify(line, 1)
    assert found["missing"] == 1  # the letter itself has no row
    assert found["missing_list"][0]["topic"] == line.topic("DLQ")
    assert found["dead_letters"] == 1
    assert verify(line, 0, "--topics", "raw_bars")["dead_letters"] == 1


def test_what_retention_has_removed_cannot_be_verified(line: Line) -> None:
    loaded(line)
    settled(line)
    bars = line.messages("BARS_FILTERED")
    partition = bars[0].partition
    admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})
    until = TopicPartition(line.topic("BARS_FILTERED"), partition, 50)
    for future in admin.delete_records([until]).values():
        future.result(30)
    gone = sum(m.offset < 50 for m in bars if m.partition == partition)
    # A row below the log's start is nobody's to judge any more.
    line.parts.postgres.sql(
        f"DELETE FROM raw.raw_bars WHERE kafka_partition = {partition} AND kafka_offset = 7",
        user="postgres",
        database=line.database,
    )
    found = verify(line, 0, "--topics", "raw_bars")
    assert found["unverifiable"] == 50
    assert found["records"] == len(bars) - gone
    assert found["missing"] == 0


def test_what_is_not_loaded_yet_is_pending(line: Line) -> None:
    line.start("processor")
    line.backfill_replay(["FB"])
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    found = verify(line, 75)
    assert found["verdict"] == "pending"
    assert found["missing"] == found["rows"] == 0
    assert found["pending"] == found["records"] >= 196


@pytest.mark.parametrize(
    "arguments",
    [["--topics", "market.raw"], ["--format", "xml"], ["--list", "-1"], ["--timeout-s", "0"], ["more"]],
)
def test_arguments_that_are_refused(line: Line, arguments: list[str]) -> None:
    result = line.run("marketflowctl", "verify", *arguments)
    assert result.returncode == 78
    assert "verify" in result.stderr


def test_without_a_warehouse(line: Line) -> None:
    result = line.run("marketflowctl", "verify", WAREHOUSE_PORT="1")
    assert result.returncode == 75
    assert "nobody listens" in result.stderr


def test_without_a_schema(line: Line) -> None:
    """The database is there, nobody has migrated it: what is to be done is said, not only what the server says."""

    def verify() -> CompletedProcess[str] | None:
        """None while partitions of the topics, which were made just now, have no leader yet."""
        ended = line.run("marketflowctl", "verify", WAREHOUSE_DATABASE="postgres")
        return None if "NOT_LEADER" in ended.stderr else ended

    result = wait_for(verify, 60, "leaders of all partitions", 0.3)
    assert result.returncode == 78
    assert "ops.sink_offsets" in result.stderr
    assert "run marketflow-sink migrate" in result.stderr
