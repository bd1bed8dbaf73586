# SPDX-License-Identifier: Apache-2.0
"""marketflowctl dlq: letters are found, shown, and replayed once each, whatever interrupts the replay."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import time
from collections import Counter
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from line import PARTITIONS, Line
from mflocal import wait_for


def letter(line: Line, number: int, reason: str, stage: str = "sink", role: str = "BARS_FILTERED") -> str:
    origin: dict[str, Any] = {
        "topic": line.topic(role),
        "partition": number % PARTITIONS,
        "offset": number,
        "timestamp": 1704205800000 + number,
    }
    if stage == "ingest":
        origin = {"provider": "polygon", "feed": "bars", "page": 0, "index": number}
    event = {
        "schema_version": "1.0",
        "event_type": "dead_letter",
        "symbol": "_UNKNOWN",
        "asset_class": "stock",
        "source": "polygon" if stage == "ingest" else "processor",
        "lane": "live",
        "event_time": "2024-01-02T14:30:00.000Z",
        "ingest_time": "2024-01-02T14:30:00.000Z",
        "flags": [],
        "provenance": {"mode": "rest"},
        "stage": stage,
        "reason": reason,
        "detail": "made by hand",
        "raw": base64.b64encode(b"record %d" % number).decode(),
        "attempts": 1,
        "origin": origin,
    }
    return json.dumps(event)


def post(line: Line, letters: list[str], timestamp_ms: int = 0, **headers: str) -> None:
    """Letters without an event_id get theirs, and go to the dead-letter topic."""
    result = subprocess.run(
        [line.parts.binaries / "marketflowctl", "events", "complete", "-"],
        input="\n".join(letters),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[:2000]
    pairs = [(name.replace("_", "-"), value.encode()) for name, value in headers.items()]
    values = [text.encode() for text in result.stdout.splitlines()]
    by_partition = [values[p::PARTITIONS] for p in range(PARTITIONS)]
    for partition, some in enumerate(by_partition):
        line.produce("DLQ", some, b"key", partition, timestamp_ms, pairs)


def replay(line: Line, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = line.run("marketflowctl", "dlq", "replay", *arguments)
    assert result.returncode == code, (result.returncode, result.stderr[-2000:])
    return dict(json.loads(result.stdout))


def test_letters_are_listed_and_shown(line: Line) -> None:
    post(line, [letter(line, n, "json_syntax") for n in range(8)], timestamp_ms=1_704_100_000_000)
    post(line, [letter(line, 100 + n, "bad_value", role="METRICS") for n in range(4)], mf_revision="2")
    post(line, [letter(line, n, "bad_time", "ingest") for n in range(3)])
    line.produce("DLQ", [b"no letter"], b"key", 0)

    def listed(*arguments: str) -> list[dict[str, Any]]:
        result = line.run("marketflowctl", "dlq", "list", "--format", "json", *arguments)
        assert result.returncode == 0, result.stderr
        return [json.loads(text) for text in result.stdout.splitlines()]

    assert len(listed()) == 16
    assert len(listed("--reason", "json_syntax")) == 8
    assert len(listed("--topic", line.topic("METRICS"))) == 4
    assert len(listed("--stage", "ingest")) == 3
    assert len(listed("--until", "2024-06-01")) == 8
    assert len(listed("--since", "2024-01-01T09:06:40.000Z", "--until", "2024-01-01T09:06:40.001Z")) == 8
    assert len(listed("--since", "2024-06-01", "--reason", "bad_value")) == 4
    assert len(listed("--limit", "5")) == 5
    table = line.run("marketflowctl", "dlq", "list", "--reason", "bad_value")
    assert table.stdout.count(line.topic("METRICS")) == 4
    assert "16 letters, 4 fit, 4 shown" in table.stderr

    one = listed("--reason", "bad_value")[0]
    shown = line.run("marketflowctl", "dlq", "show", f"{one['partition']}:{one['offset']}")
    assert shown.returncode == 0, shown.stderr
    content = json.loads(shown.stdout)
    assert content["raw_text"] == f"record {content['origin']['offset']}"
    assert content["mf-revision"] == "2"
    assert line.run("marketflowctl", "dlq", "show", "0:99999").returncode == 78
    assert line.run("marketflowctl", "dlq", "show", "letter").returncode == 78
    assert line.run("marketflowctl", "dlq", "list", "--since", "yesterday").returncode == 78


def test_replay_sends_each_record_back_once(line: Line) -> None:
    post(line, [letter(line, n, "json_syntax") for n in range(40)], mf_revision="3", mf_flags="late")
    post(line, [letter(line, n, "bad_value") for n in range(40, 60)])
    post(line, [letter(line, n, "bad_time", "ingest") for n in range(3)])
    dry = replay(line, "--reason", "json_syntax", "--dry-run")
    assert dry["replayed"] == 40 and dry["other"] == 23 and dry["dry_run"] is True
    assert not line.messages("BARS_FILTERED")

    done = replay(line, "--reason", "json_syntax")
    assert done["replayed"] == 40 and done["other"] == 23
    records = line.messages("BARS_FILTERED")
    assert len(records) == 40
    for record in records:
        assert record.value == b"record " + record.headers["mf-origin-offset"].encode()
        assert record.partition == int(record.headers["mf-origin-offset"]) % PARTITIONS
        assert record.headers["mf-origin-topic"] == line.topic("BARS_FILTERED")
        assert record.headers["mf-replayed"].startswith(line.topic("DLQ") + "/")
        assert record.headers["mf-revision"] == "3" and record.headers["mf-flags"] == "late"
        assert record.key is None
    # The same again finds nothing new; what comes later is found; another name begins anew.
    assert replay(line, "--reason", "json_syntax")["replayed"] == 0
    post(line, [letter(line, 70, "json_syntax")])
    assert replay(line, "--reason", "json_syntax")["replayed"] == 1
    assert replay(line, "--reason", "json_syntax", "--run", "again")["replayed"] == 41
    # Letters of an answer never were records.
    result = line.run("marketflowctl", "dlq", "replay", "--stage", "ingest")
    assert result.returncode == 0
    assert json.loads(result.stdout)["ingest"] == 3
    assert "run the backfill of their symbols and days again" in result.stderr


def test_a_replayed_event_is_loaded(line: Line) -> None:
    """The whole circle: the database refuses a row, the reason goes away, the letter is replayed."""
    line.start("processor")
    line.parts.postgres.sql(
        "ALTER TABLE raw.raw_bars ADD CONSTRAINT no_such_day CHECK (payload->>'session_date' <> '2012-06-01')",
        user="postgres",
        database=line.database,
    )
    line.expected_errors.append("no_such_day|data|bisect")
    line.backfill_replay(["FB"])
    sink = line.start("sink")
    line.wait_count("raw_bars", 195)
    line.wait_count("raw_dead_letters", 1)
    line.parts.postgres.sql(
        "ALTER TABLE raw.raw_bars DROP CONSTRAINT no_such_day", user="postgres", database=line.database
    )
    done = replay(line, "--reason", line.query("SELECT payload->>'reason' FROM raw.raw_dead_letters")[0][0])
    assert done["replayed"] == 1
    line.wait_count("raw_bars", 196)
    replayed = [m for m in line.messages("BARS_FILTERED") if "mf-replayed" in m.headers]
    assert [m.key for m in replayed] == ["FB"]
    wait_for(lambda: sink.lag() == 0, 30, "nothing left to load")


def ends(line: Line, role: str) -> int:
    """Offsets on a topic, uncommitted ones and marks of transactions included."""
    consumer = Consumer({"bootstrap.servers": line.parts.broker.bootstrap, "group.id": f"{line.name}-ends"})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition(line.topic(role), p), timeout=10)[1]
            for p in range(PARTITIONS)
        )
    finally:
        consumer.close()


@pytest.mark.kills
def test_a_replay_that_is_killed_goes_on(line: Line) -> None:
    """SIGKILL at random points, in transactions and between them: every letter is replayed, none twice."""
    count = 6000
    post(line, [letter(line, n, "json_syntax") for n in range(count)])
    command = [line.parts.binaries / "marketflowctl", "dlq", "replay", "--batch", "10"]
    settings = {**line.settings, "METRICS_LISTEN": "127.0.0.1:0", "PATH": "/usr/bin:/bin"}
    chance = random.Random(20240102)
    kills = 0
    finished = False
    while not finished:
        before = ends(line, "BARS_FILTERED")
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            wait_for(
                lambda p=process, b=before: p.poll() is not None or ends(line, "BARS_FILTERED") > b,
                60,
                "a record of the replay",
                0.01,
            )
            if kills < 6:
                # A little later: inside a transaction, or between two.
                until = time.monotonic() + chance.uniform(0, 0.05)
                wait_for(lambda u=until: time.monotonic() >= u, 1, "the moment", 0.002)
                process.kill()
                kills += process.wait() != 0
            out, errors = process.communicate(timeout=120)
            assert process.returncode in (0, -9), errors
            finished = process.returncode == 0
        finally:
            process.kill()
            process.wait()
    assert kills >= 3
    assert json.loads(out)["replayed"] < count  # the killed ones had done their part
    replayed = Counter(m.headers["mf-replayed"] for m in line.messages("BARS_FILTERED"))
    assert len(replayed) == count
    assert set(replayed.values()) == {1}


def test_a_topic_that_is_not_there_is_named_at_once(line: Line) -> None:
    """Not after the time in which a reader waits for whatever may come."""
    nowhere = f"{line.name}.nowhere"
    for command in (["list"], ["show", "0:0"], ["replay", "--dry-run"]):
        answer = line.run("marketflowctl", "dlq", *command, timeout=45, KAFKA_TOPIC_DLQ=nowhere)
        assert answer.returncode == 75
        assert nowhere in answer.stderr and "unknown_topic" in answer.stderr, answer.stderr
        assert "committed" not in answer.stderr
