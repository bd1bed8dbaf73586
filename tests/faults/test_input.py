# SPDX-License-Identifier: Apache-2.0
"""S13, S14, S15, S16: what may be wrong with the input topics and with what is on them."""

from __future__ import annotations

import base64
import json
import random
from datetime import timedelta
from itertools import islice

import oracle
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions
from events import bar
from feed import FIRST, Load, Mix, Record, records
from line import PARTITIONS
from mflocal import wait_for
from oracle import size
from scene import Scene

ADDED = 6


@pytest.mark.kills
def test_s13_partitions_added_to_an_input_topic(scene: Scene, seed: int) -> None:
    """Seen while running: what is under way is finished, then it leaves with 78, both counts and the remedy."""
    scene.settings["KAFKA_STATISTICS_MS"] = "500"
    scene.expected_errors.append("partition")
    scene.feed("RAW", islice(records(seed), 1000))
    processor = scene.start_processor()
    wait_for(lambda: scene.behind() == 0, 30, "the input processed")
    topic = scene.topic("RAW")
    scene.admin.create_partitions([NewPartitions(topic, ADDED)])[topic].result(30)
    assert processor.wait_exit(90) == 78
    assert not scene.open_transactions(), "drained"
    told(scene, topic, str(PARTITIONS), str(ADDED), "KAFKA_PARTITIONS")
    processor.start()
    assert processor.wait_exit(30) == 78, "and so at the next start"


def told(scene: Scene, *words: str) -> None:
    """Some line of level error or above names all of these."""
    lines = [str(line) for _, line in scene.log_lines() if line.get("level") in ("error", "critical")]
    assert any(all(word in line for word in words) for line in lines), (words, lines[-5:])


@pytest.mark.parametrize("policy", ["fail", "earliest"])
def test_s14_the_next_offset_is_gone(scene: Scene, seed: int, policy: str) -> None:
    """Retention removed records that were not processed: never passed over in silence."""
    scene.expected_errors.append("offset_out_of_range")
    feed = records(seed)
    scene.feed("RAW", islice(feed, 1000))
    processor = scene.start_processor()
    wait_for(lambda: scene.behind() == 0, 30, "the input processed")
    processor.stop()
    done = scene.committed()
    scene.feed("RAW", islice(feed, 1000))
    lost = {p: offset + 20 for p, offset in done.items() if p.topic == scene.topic("RAW")}
    read = [m for m in scene.messages("RAW") if m.offset < done[TopicPartition(m.topic, m.partition)]]
    request = [TopicPartition(p.topic, p.partition, offset) for p, offset in lost.items()]
    for answer in scene.admin.delete_records(request).values():
        answer.result(30)
    scene.feed("RAW", islice(feed, 500))
    processor = scene.processor("b", KAFKA_INSTANCE_ID=scene.instance("a"), PROCESSOR_OFFSET_RESET=policy)
    processor.start()
    if policy == "fail":
        assert processor.wait_exit(60) == 78
        assert scene.committed() == done, "nothing was passed over"
        told(scene, "offset_out_of_range", scene.topic("RAW"))
        return
    scene.settle()
    said = scene.events_logged("offset_out_of_range")
    assert {line["partition"] for line in said} == {p.partition for p in lost}
    for line in said:
        low = next(offset for p, offset in lost.items() if p.partition == line["partition"])
        assert line["low"] == low, "the lost range ends there"
    # What it had read and what is still there, one after the other, and nothing else.
    found, left = scene.outputs(), scene.messages("RAW")
    for partition in range(PARTITIONS):
        records_of = [m for m in (*read, *left) if m.partition == partition]
        own = {group: items for group, items in found.items() if group.partition == partition}
        assert not oracle.model_differences("RAW", records_of, own, scene.calendar)


def poison(rng: random.Random, good: bytes) -> list[tuple[bytes, str | None]]:
    """Text that is no event, and the reason each must get where the choice is ours alone."""
    event = json.loads(good)
    cases: list[tuple[bytes, str | None]] = [
        (b"", None),
        (b"\0" * 16, "json_syntax"),
        (b"nul", "json_syntax"),
        (b'"text"', None),
        (b"[" * 5_000, "json_depth"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "json_depth"),
        (b'{"a":1,"a":2}', "json_duplicate_key"),
        (b'{"a":"\xff\xfe"}', "json_syntax"),
        (good.replace(b'"close":', b'"close":NaN,"x":'), "json_syntax"),
        (good.replace(b'"open":', b'"open":-'), "bad_value"),
        (good.replace(b'"lane":"live"', b'"lane":"backfill:x"'), "lane_mismatch"),
        (json.dumps({**event, "event_id": "0" * 32}).encode(), "event_id_mismatch"),
        (json.dumps({**event, "volume": "many"}).encode(), "bad_type"),
        (json.dumps({**event, "schema_version": "2.0"}).encode(), "unsupported_version"),
        (b'{"pad":"' + b"x" * 1_200_000 + b'"}', None),
    ]
    for _ in range(30):  # cut or changed anywhere
        at = rng.randrange(1, len(good))
        cases.append((good[:at], "json_syntax"))
        cases.append((good[:at] + bytes([rng.randrange(256)]) + good[at + 1 :], None))
    return cases


def test_s15_poison(scene: Scene, seed: int) -> None:
    """Each once in the dead-letter queue with its bytes and a reason; everything around it goes on."""
    load = Load(scene, seed, rate=200)
    load.start()
    processor = scene.start_processor()
    good = bar("POISON", FIRST, ["10.00", "10.50", "9.50", "10.25"], "1234")
    cases = poison(scene.rng, good)
    scene.feed("RAW", [Record(b"POISON", value) for value, _ in cases])
    load.stop()
    expected = scene.verify(model=False)  # what is a contract's breach, the model does not know
    assert processor.running()
    records_there = {
        (m.partition, m.offset): m.value or b"" for m in scene.messages("RAW") if m.key == "POISON"
    }
    reasons: dict[bytes, str] = {}
    for letter in scene.messages("DLQ"):
        origin = letter.event["origin"]
        raw = records_there.get((origin["partition"], origin["offset"]))
        if raw is None:
            continue
        kept = base64.b64decode(letter.event["raw"])
        assert kept == raw or (
            len(raw) > 256 << 10 and kept == raw[: len(kept)] and letter.event["raw_sha256"]
        )
        assert raw not in reasons or raw == b"" or list(records_there.values()).count(raw) > 1, "once"
        reasons[raw] = letter.event["reason"]
    for value, reason in cases:
        if reason is not None:
            assert reasons.get(value) == reason, (value[:80], reasons.get(value), reason)
    assert size(expected, "DLQ") >= len({value for value, reason in cases if reason is not None})


def test_s16_a_record_from_the_future(scene: Scene, seed: int) -> None:
    """Its event_time a year ahead of its own ingest_time: refused, and no clock jumps."""
    feed = records(seed, mix=Mix(future=0, late=0))
    scene.feed("RAW", islice(feed, 1000))
    names = sorted({m.key for m in scene.messages("RAW") if m.key})
    ahead = FIRST + timedelta(days=365)
    prices = ["10.00", "10.50", "9.50", "10.25"]
    early = [Record(n.encode(), bar(n, ahead, prices, "77", ingested=FIRST)) for n in names]
    scene.feed("RAW", early)
    scene.feed("RAW", islice(feed, 1000))
    processor = scene.start_processor()
    scene.verify()
    letters = [m.event for m in scene.messages("DLQ") if m.event["reason"] == "future_timestamp"]
    assert len(letters) == len(early)
    bars = scene.messages("BARS_FILTERED")
    assert not [m for m in bars if "late" in m.headers.get("mf-flags", "")], "nothing is late for it"
    assert all(m.event["event_time"] < "2025" for m in bars)
    newest = processor.metric("marketflow_watermark_timestamp_seconds") or 0
    assert newest < ahead.timestamp()
