# SPDX-License-Identifier: Apache-2.0
"""S01, S02, S03, S09: the end of a transaction is the moment in which things go wrong.

Each test stops the frame that ends a transaction, so that the fault falls into the wanted gap, and sees that
it did.
"""

from __future__ import annotations

from itertools import islice

import pytest
from feed import Load, records
from mflocal import wait_for
from oracle import OUTPUTS
from proxy import Api, EndTxn, Frame
from scene import Scene

pytestmark = pytest.mark.kills

INVALID_PRODUCER_EPOCH = 47


def commits(frame: Frame) -> bool:
    return frame.api == Api.END_TXN and EndTxn.of(frame).commit


def after(rng_count: int):  # type: ignore[no-untyped-def]
    """The first commit after that many others."""
    left = rng_count

    def matches(frame: Frame) -> bool:
        nonlocal left
        if not commits(frame):
            return False
        left -= 1
        return left < 0

    return matches


def test_s01_killed_before_the_first_commit(scene: Scene, seed: int) -> None:
    scene.feed("RAW", islice(records(seed), 2000))
    trap = scene.proxies[0].trap(Api.ADD_OFFSETS_TO_TXN, "request")
    processor = scene.processor(detour=True)
    processor.start()
    trap.wait(30)
    assert scene.open_transactions(), "records of the transaction are in the log"
    processor.kill()
    trap.lose()
    assert scene.committed() == {}
    assert scene.outputs() == {}, "nothing of it is visible"
    processor.start()
    scene.verify()


def test_s02_killed_between_the_acknowledgements_and_end_txn(scene: Scene, seed: int) -> None:
    scene.settings |= {
        "KAFKA_TRANSACTION_TIMEOUT_MS": "60000",
        "KAFKA_SESSION_TIMEOUT_MS": "65000",
        "KAFKA_MAX_POLL_INTERVAL_MS": "200000",
    }
    proxy = scene.proxies[0]
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor(detour=True)
    trap = proxy.trap(Api.END_TXN, "request", after(scene.rng.randint(3, 20)))
    held = EndTxn.of(trap.wait(30))
    assert held.transactional_id == scene.transactional_id("a")
    pinned = scene.ends(*OUTPUTS)
    assert scene.open_transactions(), "the transaction is open"
    done = scene.committed()
    processor.kill()
    trap.lose()
    assert scene.committed() == done
    processor.start()
    # By the new producer's first request, not by the transaction's own time-out of a minute.
    wait_for(lambda: stable_beyond(scene, pinned), 15, "the abandoned transaction ended", 0.05)
    load.stop()
    scene.verify()


def stable_beyond(scene: Scene, pinned: dict) -> bool:  # type: ignore[type-arg]
    stable = scene.ends(*OUTPUTS, committed=True)
    return all(stable[partition] >= end for partition, end in pinned.items())


def test_s03_killed_after_end_txn_before_its_answer(scene: Scene, seed: int) -> None:
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor(detour=True)
    trap = scene.proxies[0].trap(Api.END_TXN, "answer", after(scene.rng.randint(3, 20)))
    frame = trap.wait(30)
    assert EndTxn.error_of(frame) == 0, "the coordinator took the commit"
    pinned = scene.ends(*OUTPUTS)
    processor.kill()
    trap.lose()
    wait_for(lambda: stable_beyond(scene, pinned), 10, "the commit's markers")
    assert scene.open_transactions() == [], "committed, although nobody heard of it"
    processor.start()
    load.stop()
    scene.verify()


def test_s09_end_txn_arrives_in_the_next_epoch(scene: Scene, seed: int) -> None:
    """The commit is on its way longer than the processor waits, and reaches a coordinator that has moved on."""
    scene.settings["KAFKA_TRANSACTION_TIMEOUT_MS"] = "3000"
    scene.expected_errors.append("timeout|transaction")
    proxy = scene.proxies[0]
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor(detour=True)
    pid = processor.identity
    trap = proxy.trap(Api.END_TXN, "request", after(scene.rng.randint(3, 20)))
    frame = trap.wait(30)
    old = EndTxn.of(frame)

    def newer() -> list[EndTxn]:
        ends = [EndTxn.of(f) for f in proxy.seen(Api.END_TXN) if f.answer is not None]
        return [end for end in ends if (end.producer_id, end.epoch) > (old.producer_id, old.epoch)]

    wait_for(lambda: len(newer()) >= 2, 30, "a new producer's commits")
    assert frame.answer is None, "the old one is still under way"
    trap.release()
    wait_for(lambda: frame.answer is not None, 10, "the coordinator's answer to the late commit")
    assert EndTxn.error_of(frame) == INVALID_PRODUCER_EPOCH
    load.stop()
    scene.verify()
    assert processor.identity == pid


def test_s09_the_answer_to_a_commit_comes_too_late(scene: Scene, seed: int) -> None:
    """The commit happened; the processor, not knowing, makes a new producer, and its restore finds that it did."""
    scene.settings["KAFKA_TRANSACTION_TIMEOUT_MS"] = "3000"
    scene.expected_errors.append("timeout|transaction")
    proxy = scene.proxies[0]
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor(detour=True)
    pid = processor.identity
    trap = proxy.trap(Api.END_TXN, "answer", after(scene.rng.randint(3, 20)))
    frame = trap.wait(30)
    assert EndTxn.error_of(frame) == 0
    count = len(proxy.seen(Api.END_TXN))
    wait_for(lambda: len(proxy.seen(Api.END_TXN)) > count + 2, 30, "a new producer's commits")
    assert len(proxy.seen(Api.INIT_PRODUCER_ID)) >= 2
    trap.release()
    load.stop()
    scene.verify()
    assert processor.identity == pid
    assert processor.metric("marketflow_transactions_total", result="unknown") == 1
