# SPDX-License-Identifier: Apache-2.0
"""S04, S05, S06, S12: several instances, and who owns a partition when one dies, sleeps or is there twice."""

from __future__ import annotations

from collections import Counter

import pytest
from feed import Load
from line import PARTITIONS
from mflocal import ServiceProcess, wait_for
from oracle import OUTPUTS
from proxy import Api, offset_commit_error
from scene import CHANGELOG, Scene, supervised

pytestmark = pytest.mark.kills

# The shortest session that a broker takes by default; a transaction's time-out must be less.
SHORT = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "5900"}
INPUT_PARTITIONS = 2 * PARTITIONS


def assigned(service: ServiceProcess) -> int:
    """Input partitions that the instance holds."""
    return int(service.metric("marketflow_kafka_assigned_partitions") or 0)


def test_s04_another_instance_takes_over(scene: Scene, seed: int) -> None:
    """Killed with a transaction open: the heir waits until the cluster has ended it, and has the state."""
    scene.settings |= SHORT
    load = Load(scene, seed)
    load.start()
    first = scene.start_processor("a", detour=True)
    second = scene.start_processor("b")
    wait_for(lambda: assigned(first) and assigned(second), 30, "partitions on both")
    wait_for(scene.committed, 30, "a commit")
    trap = scene.proxies[0].trap(Api.END_TXN, "request")
    trap.wait(30)
    first.kill()
    trap.lose()
    pinned = scene.open_transactions(*OUTPUTS, CHANGELOG)
    assert pinned, "the dead one's transaction is open"
    wait_for(lambda: assigned(second) == INPUT_PARTITIONS, 30, "everything on the other", 0.02)
    load.stop()
    scene.verify(timeout=90)


def test_s05_asleep_longer_than_its_session(scene: Scene, seed: int) -> None:
    """What it sends on waking belongs to a generation that is gone: refused, dropped, and it joins again."""
    scene.settings |= SHORT
    scene.expected_errors.append(
        "fenc|transaction|generation|session|timed out|timeout|coordinator|revoked|lost"
    )
    load = Load(scene, seed)
    load.start()
    first = scene.start_processor("a", detour=True)
    second = scene.start_processor("b")
    wait_for(lambda: assigned(first) and assigned(second), 30, "partitions on both")
    trap = scene.proxies[0].trap(Api.TXN_OFFSET_COMMIT, "request")
    frame = trap.wait(30)
    first.freeze()
    try:
        wait_for(lambda: assigned(second) == INPUT_PARTITIONS, 40, "everything on the other", 0.05)
        trap.release()
        wait_for(lambda: frame.answer is not None, 10, "the answer to the sleeper's offsets")
        assert offset_commit_error(frame) != 0, "refused: the generation is over"
    finally:
        first.thaw()
    restarts = supervised(first)
    wait_for(lambda: restarts() and assigned(first) and assigned(second), 60, "partitions on both again")
    load.stop()
    scene.verify(timeout=90)


def test_s06_the_same_instance_id_twice(scene: Scene, seed: int) -> None:
    """The older one leaves with 70 and says which id is used twice; the flow goes on with the newer."""
    scene.expected_errors.append("fenced|used by another|instance id|old epoch")
    load = Load(scene, seed)
    load.start()
    same = {"KAFKA_INSTANCE_ID": scene.instance("same")}
    older = scene.start_processor("older", **same)
    wait_for(scene.committed, 30, "a commit of the older one")
    newer = scene.processor("newer", **same)
    newer.start()
    assert older.wait_exit(60) == 70
    newer.wait_ready(60)
    said = [
        line
        for name, line in scene.log_lines()
        if name == "processor-older.log" and line.get("level") in ("error", "critical")
    ]
    assert any(scene.instance("same") in str(line) and "fenced" in str(line) for line in said), said
    # Started again, as a supervisor would, it is the newer one, and ends the other.
    older.start()
    assert newer.wait_exit(60) == 70
    older.wait_ready(60)
    load.stop()
    scene.verify()


def test_s12_rebalance_while_a_commit_is_under_way(scene: Scene, seed: int) -> None:
    """The owner hears of the rebalance when its commit is answered, and nothing is done twice."""
    load = Load(scene, seed)
    load.start()
    first = scene.start_processor("a", detour=True)
    wait_for(scene.committed, 30, "a commit")
    trap = scene.proxies[0].trap(Api.END_TXN, "answer")
    trap.wait(30)
    second = scene.processor("b")
    second.start()
    wait_for(lambda: rebalancing(scene), 30, "the group in rebalance", 0.02)
    assert assigned(second) == 0, "it waits for the commit of the first"
    trap.release()
    wait_for(lambda: assigned(first) and assigned(second), 60, "partitions on both")
    second.wait_ready(60)
    load.stop()
    scene.verify()
    aborted = sum(s.metric("marketflow_transactions_total", result="aborted") or 0 for s in (first, second))
    assert aborted == 0
    events = Counter(line.get("event") for _, line in scene.log_lines())
    assert not any("max_poll" in str(event) for event in events), events


def rebalancing(scene: Scene) -> bool:
    description = scene.admin.describe_consumer_groups([scene.group])[scene.group].result()
    return description.state.name == "PREPARING_REBALANCING"
