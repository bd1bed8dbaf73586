# SPDX-License-Identifier: Apache-2.0
"""S10, S11: the processor's own state, held up by somebody's transaction, or cut off."""

from __future__ import annotations

from itertools import islice

import pytest
from confluent_kafka import Producer, TopicPartition
from feed import Load, records
from mflocal import wait_for
from scene import CHANGELOG, Scene

pytestmark = pytest.mark.kills


def critical(scene: Scene) -> list[str]:
    return [str(line) for _, line in scene.log_lines() if line.get("level") in ("error", "critical")]


def some_state(scene: Scene, seed: int) -> None:
    """A processor ran, and was killed with state that only the changelog has."""
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor()
    wait_for(lambda: sum(scene.committed().values()) > 1500, 30, "progress")
    load.stop()
    scene.settle()
    processor.kill()
    assert any(scene.ends(CHANGELOG).values()), "state is on the changelog"


def test_s10_a_foreign_transaction_pins_the_changelog(scene: Scene, seed: int) -> None:
    """The restore waits, says what for, and gives up at its deadline; afterwards it is as if nothing was."""
    scene.expected_errors.append("restore|changelog|stall")
    some_state(scene, seed)
    partition, end = next((p, e) for p, e in scene.ends(CHANGELOG).items() if e > 0)
    foreign = Producer(
        {
            "bootstrap.servers": scene.parts.broker.bootstrap,
            "transactional.id": f"{scene.name}-foreign",
            "transaction.timeout.ms": 300_000,
        }
    )
    foreign.init_transactions(30)
    foreign.begin_transaction()
    foreign.produce(partition.topic, b"{}", b"foreign", partition.partition)
    assert foreign.flush(30) == 0
    assert scene.open_transactions(CHANGELOG) == [partition]
    processor = scene.processor(
        "again", KAFKA_INSTANCE_ID=scene.instance("a"), PROCESSOR_RESTORE_STALL_MS="3000"
    )
    processor.start()
    assert processor.wait_exit(60) == 75
    text = "\n".join(critical(scene))
    assert partition.topic in text
    assert str(end) in text and str(end + 1) in text, "both offsets are named"
    assert "transaction" in text
    foreign.abort_transaction(30)
    wait_for(lambda: not scene.open_transactions(CHANGELOG), 30, "the foreign transaction's end")
    scene.feed("RAW", islice(records(seed + 1), 500))
    processor.start()
    processor.wait_ready(60)
    scene.verify()


@pytest.mark.parametrize("lost", ["all", "all but the newest"])
def test_s11_the_changelog_is_cut_off(scene: Scene, seed: int, lost: str) -> None:
    """Records below the restore's target are gone: named, and never taken for an empty beginning."""
    scene.expected_errors.append("changelog|truncat|restore")
    some_state(scene, seed)
    done = scene.committed()
    ends = newest_of_partitions(scene) if lost == "all but the newest" else scene.ends(CHANGELOG)
    cut = [TopicPartition(p.topic, p.partition, end) for p, end in ends.items() if end > 0]
    # compact alone does not let anybody delete records
    scene.alter_topic(CHANGELOG, "cleanup.policy", "compact,delete")
    for answer in scene.admin.delete_records(cut).values():
        answer.result(30)
    before = scene.ends("METRICS")
    processor = scene.processor("again", KAFKA_INSTANCE_ID=scene.instance("a"))
    processor.start()
    assert processor.wait_exit(60) == 78
    text = "\n".join(critical(scene))
    assert cut[0].topic in text and "truncat" in text, text[-2000:]
    assert scene.committed() == done
    assert scene.ends("METRICS") == before, "nothing was made from half a state"
    # Made again from the input, all of which is still there, it is as if nothing was.
    processor = scene.processor(
        "rebuilt", KAFKA_INSTANCE_ID=scene.instance("a"), PROCESSOR_STATE_MISMATCH="rebuild"
    )
    scene.feed("RAW", islice(records(seed + 1), 500))
    processor.start()
    processor.wait_ready(60)
    scene.verify()


def test_an_input_topic_made_anew(scene: Scene, seed: int) -> None:
    """The state says more was processed than the new topic has: a rebuild takes all of it for new."""
    scene.expected_errors.append("restoring the state|made anew|no committed offset")
    some_state(scene, seed)
    before = len(scene.messages("METRICS"))
    for answer in scene.admin.delete_topics([scene.topic("RAW")], operation_timeout=30).values():
        answer.result(30)
    wait_for(lambda: scene.run("marketflowctl", "topics", "apply").returncode == 0, 60, "the topic anew", 1)
    fresh = wait_for(lambda: scene.feed("RAW", islice(records(seed + 1), 200)), 30, "records put", 1)
    processor = scene.processor("again", KAFKA_INSTANCE_ID=scene.instance("a"))
    processor.start()
    assert processor.wait_exit(60) == 78
    scene.start_processor(
        "rebuilt", KAFKA_INSTANCE_ID=scene.instance("a"), PROCESSOR_STATE_MISMATCH="rebuild"
    )
    scene.settle()
    assert sum(scene.committed().values()) >= fresh
    assert len(scene.messages("METRICS")) > before, "what is new was published"


def newest_of_partitions(scene: Scene) -> dict[TopicPartition, int]:
    """Where the newest records of the input partitions themselves stand, of each changelog partition the lower."""
    newest: dict[str | None, tuple[int, int]] = {}
    for message in scene.messages(CHANGELOG):
        if (message.key or "").endswith("///0"):
            newest[message.key] = (message.partition, message.offset)
    found: dict[TopicPartition, int] = {}
    for number, offset in newest.values():
        partition = TopicPartition(scene.topic(CHANGELOG), number)
        found[partition] = min(offset, found.get(partition, offset))
    return found
