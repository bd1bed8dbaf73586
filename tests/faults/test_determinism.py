# SPDX-License-Identifier: Apache-2.0
"""The same input gives the same output, byte for byte per partition and lane, however it is processed."""

from __future__ import annotations

import time
from itertools import islice

import pytest
from feed import Load, history, records
from mflocal import wait_for
from oracle import differences, size
from scene import Scene

pytestmark = pytest.mark.kills

KILL_EVERY_S = 2.0
KILLS = 8
SIZES = (
    {"PROCESSOR_COMMIT_RECORDS": "7", "PROCESSOR_COMMIT_MS": "1"},
    {"PROCESSOR_COMMIT_BYTES": "65536", "PROCESSOR_COMMIT_MS": "500"},
    {"KAFKA_QUEUE_MESSAGES": "1000", "KAFKA_FETCH_QUEUE_BYTES": "1048576"},
)


def both_lanes(scene: Scene, seed: int, count: int) -> None:
    """Live and history with the same symbols: their outputs meet in the same partitions."""
    scene.feed("RAW", islice(records(seed), count))
    scene.feed("RAW_BACKFILL", history(seed, count // 2, "backfill:one"))
    scene.feed("RAW_BACKFILL", islice(records(seed + 1, lane="backfill:two"), count // 2))


def test_the_same_input_twice(scene: Scene, seed: int) -> None:
    both_lanes(scene, seed, 6000)
    once = scene.expected("once")
    assert size(once, "METRICS", "ALERTS", "BARS_FILTERED") > 6000
    assert not differences(once, scene.expected("twice"))


@pytest.mark.parametrize("sizes", SIZES, ids=["records", "bytes", "queues"])
def test_other_batches_and_transactions(scene: Scene, seed: int, sizes: dict[str, str]) -> None:
    both_lanes(scene, seed, 3000)
    assert not differences(scene.expected("once"), scene.expected("otherwise", **sizes))


def test_killed_every_two_seconds(scene: Scene, seed: int) -> None:
    """Under load all the while, sooner or later within each two seconds: also while it starts or restores."""
    scene.settings["PROCESSOR_SNAPSHOT_INTERVAL_MS"] = "1000"
    scene.feed("RAW_BACKFILL", history(seed + 1, 15_000, "backfill:one"))
    load = Load(scene, seed, rate=1000)
    load.start()
    processor = scene.processor()
    for _ in range(KILLS):
        processor.start()
        end = time.monotonic() + KILL_EVERY_S * scene.rng.uniform(0.5, 1.5)
        wait_for(lambda end=end: time.monotonic() >= end, 2 * KILL_EVERY_S, "the next kill", 0.005)
        assert processor.running()
        processor.kill()
    processor.start()
    load.stop()
    scene.verify(timeout=120)


def test_restarted_gracefully(scene: Scene, seed: int) -> None:
    """SIGTERM under load: nothing is replayed or lost, and the next start goes on."""
    load = Load(scene, seed, rate=600)
    load.start()
    processor = scene.processor()
    for _ in range(4):
        processor.start()
        processor.wait_ready(60)
        before = sum(scene.committed().values())
        wait_for(lambda before=before: sum(scene.committed().values()) > before, 30, "progress")
        processor.stop()
        assert processor.wait_exit(1) == 0
        # Its markers follow the commit's answer; what had been left open would be so for the time-out of 10 s.
        wait_for(lambda: not scene.open_transactions(), 5, "no transaction left open")
    processor.start()
    load.stop()
    scene.verify()


def test_instances_come_and_go(scene: Scene, seed: int) -> None:
    """Partitions move with their state between instances that are added, stopped and killed."""
    scene.settings |= {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "5000"}
    scene.expected_errors.append("fenced|transaction|generation|session")
    load = Load(scene, seed, rate=400)
    load.start()
    first = scene.start_processor("a")
    second = scene.start_processor("b")
    wait_for(lambda: sum(scene.committed().values()) > 2000, 60, "progress of both")
    first.stop()
    third = scene.start_processor("c")
    done = sum(scene.committed().values())
    wait_for(lambda: sum(scene.committed().values()) > done + 1000, 60, "progress without the first")
    second.kill()
    done = sum(scene.committed().values())
    wait_for(lambda: sum(scene.committed().values()) > done + 2000, 60, "progress without the second")
    first.start()
    load.stop()
    scene.verify(timeout=120)
    assert third.running()
