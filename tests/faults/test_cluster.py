# SPDX-License-Identifier: Apache-2.0
"""S07, S08: brokers go, come back and hand on what they coordinated, in the middle of transactions."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest
import wire
from feed import Load, Record, records
from mflocal import BackgroundProcess, Cluster, ServiceProcess, prometheus, wait_for
from oracle import OUTPUTS
from proxy import Api
from scene import Scene, supervised

pytestmark = pytest.mark.kills

OUTAGE_S = 30.0
TRANSACTION_S = 10.0
NOISE = "fenced|broker|Broker|connect|coordinator|timed out|timeout|transaction|transport"


def brokers(scene: Scene) -> Cluster:
    assert isinstance(scene.parts.broker, Cluster)
    return scene.parts.broker


def commits(processor: ServiceProcess) -> float:
    return processor.metric("marketflow_transactions_total", result="committed") or 0


def aborts(processor: ServiceProcess) -> float:
    return processor.metric("marketflow_transactions_total", result="aborted") or 0


def wait_open(scene: Scene) -> None:
    wait_for(lambda: scene.open_transactions(*OUTPUTS), 30, "an open transaction", 0.02)


def hand_on(scene: Scene, node: int) -> None:
    """Asks that somebody else coordinates; again later, where the others are not up to date."""
    partition = wire.transaction_partition(scene.transactional_id("a"))
    others = [n.node for n in brokers(scene).nodes if n.node != node]
    try:
        wire.move_leader(brokers(scene).node(node).port, "__transaction_state", partition, [*others, node])
    except wire.WireError as error:
        print(f"partition {partition}, node {node}: {error}")


@pytest.mark.parametrize("how", ["handed on", "stopped", "killed", "frozen"])
def test_s07_the_transaction_coordinator_moves(cluster_scene: Scene, seed: int, how: str) -> None:
    """With a transaction open: it is committed under the new coordinator or done again; no storm of aborts."""
    scene = cluster_scene
    scene.settings["PROCESSOR_COMMIT_MS"] = "1000"  # nearly always one is open
    scene.expected_errors.append(NOISE)
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor()
    wait_for(lambda: commits(processor) >= 2, 30, "commits")
    before = scene.transaction_coordinator()
    node: BackgroundProcess = brokers(scene).node(before)
    wait_open(scene)
    if how != "handed on":
        {"stopped": node.stop, "killed": node.kill, "frozen": node.freeze}[how]()

    def moved() -> bool:
        if how == "handed on":
            hand_on(scene, before)
        return scene.transaction_coordinator(avoid=before) not in (-1, before)

    wait_for(moved, 60, "another coordinator", 0.5)
    done = commits(processor)
    wait_for(lambda: commits(processor) >= done + 3, 60, "commits under the new coordinator")
    if how == "frozen":
        node.thaw()
    elif how != "handed on":
        node.start()
    brokers(scene).wait_ready()
    load.stop()
    scene.verify(timeout=90)
    assert aborts(processor) <= 3, "no storm of aborts"


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_s08_all_brokers_away_during_a_commit(cluster_scene: Scene, seed: int, how: str) -> None:
    """Alive all the while, not ready; afterwards it goes on by itself and nothing is lost or doubled.

    Brokers that were frozen wake with requests of the past in hand, among them the group's: they may take the
    member for a second one of its name. It joins anew, or gives up for now (75).
    """
    scene = cluster_scene
    scene.expected_errors.append(NOISE)
    scene.settings["KAFKA_TRANSACTION_TIMEOUT_MS"] = str(int(TRANSACTION_S * 1000))
    load = Load(scene, seed, rate=200)
    load.start()
    processor = scene.start_processor(detour=True)
    identity = processor.identity
    wait_for(lambda: commits(processor) >= 3, 30, "commits")
    traps = [proxy.trap(Api.END_TXN, "request") for proxy in scene.proxies]
    wait_for(lambda: any(trap.caught for trap in traps), 30, "a commit under way", 0.01)
    watch = Pulse(processor)
    for node in brokers(scene).nodes:
        node.kill() if how == "killed" else node.freeze()
    for proxy, trap in zip(scene.proxies, traps, strict=True):
        trap.lose()
        proxy.cut() if how == "killed" else None
    begun = time.monotonic()
    wait_for(lambda: not processor.ready(), 30, "not ready")
    wait_for(lambda: time.monotonic() - begun >= OUTAGE_S, OUTAGE_S + 1, "the outage's end", 0.5)
    assert processor.identity == identity
    for node in brokers(scene).nodes:
        node.start() if how == "killed" else node.thaw()
    brokers(scene).wait_ready()
    wait_for(processor.ready if how == "killed" else supervised(processor), 90, "ready again")
    load.stop()
    scene.verify(timeout=120)
    assert processor.identity == identity or how == "frozen", "nobody was restarted"
    # One blocking step at a time, each bounded by the transaction's time-out.
    assert watch.stop() < 2 * TRANSACTION_S
    assert scene.fresh_event_seconds(one_more(seed)) < 30


def one_more(seed: int) -> Record:
    return next(iter(islice(records(seed + 1), 1)))


class Pulse(threading.Thread):
    """Asks /livez again and again, and remembers the longest time without a good answer."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(daemon=True, name="pulse")
        self._url = service.url + "/livez"
        self._enough = threading.Event()
        self._longest = 0.0
        self.start()

    def run(self) -> None:
        last = time.monotonic()
        while not self._enough.wait(0.2):
            good = prometheus.fetch(self._url)[0] == 200
            now = time.monotonic()
            self._longest = max(self._longest, now - last)
            last = now if good else last

    def stop(self) -> float:
        self._enough.set()
        self.join(30)
        return self._longest
