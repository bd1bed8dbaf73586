# SPDX-License-Identifier: Apache-2.0
"""What happens to the sinks and to what they depend on. Each fault ends within its own call or is undone by mend();
a fault waits only where the thing that it breaks has to come back."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mflocal import Broker, Layout, Postgres, ServiceProcess, ServiceSpec
from tcp_proxy import TcpProxy

# A sink may leave so and be started again: stopped in an orderly way, killed by us, a deadline that passed, fenced
# by its own successor.
EXPECTED_EXITS = {0, -9, 70, 75}
# What a client sends for less is no flush: log-ins, pings, questions about offsets.
FLUSH_BYTES = 2_000


@dataclass
class Stage:
    layout: Layout
    broker: Broker
    postgres: Postgres
    proxy: TcpProxy
    binaries: Path
    settings: dict[str, str]
    rng: random.Random
    ports: list[int]
    sinks: list[Sink] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    exits: Counter[str] = field(default_factory=Counter)

    def pause(self, low: float, high: float) -> None:
        """Between two faults, and while one lasts: sinks that ended are looked after meanwhile.

        No state is waited for: the moment of the next fault is random, and the length of one is the fault itself.
        """
        until = time.monotonic() + self.rng.uniform(low, high)
        while time.monotonic() < until:
            self.look_after()
            time.sleep(0.05)

    def look_after(self) -> None:
        for sink in self.sinks:
            sink.look_after(self.exits)


class Sink:
    """One place for a sink. While it is wanted, it is started again whenever it has ended, as a supervisor does."""

    def __init__(self, stage: Stage, number: int) -> None:
        self._stage = stage
        self._number = number
        self._generation = 0
        self.wanted = False
        self.away_until = 0.0  # not started again before
        self.process = self._make()

    def _make(self) -> ServiceProcess:
        """A new instance id with each generation: the group cannot know it for its old member."""
        name = f"sink-{self._number}"
        settings = {
            **self._stage.settings,
            "KAFKA_INSTANCE_ID": f"chaos-{self._number}-{self._generation}",
            "METRICS_LISTEN": f"127.0.0.1:{self._stage.ports[self._number]}",
        }
        spec = ServiceSpec(name, str(self._stage.binaries / "marketflow-sink"), settings)
        return ServiceProcess(self._stage.layout, spec, die_with_parent=True)

    def start(self, as_another: bool = False) -> None:
        self.wanted = True
        if as_another and not self.process.running():
            self._generation += 1
            self.process = self._make()
        if not self.process.running():
            self.process.start()

    def look_after(self, exits: Counter[str]) -> None:
        child = self.process._child
        if child is not None and child.poll() is not None:
            exits[str(child.returncode)] += 1
            self.process._child = None
            self.away_until = max(self.away_until, time.monotonic() + 0.3)
        if self.wanted and not self.process.running() and time.monotonic() >= self.away_until:
            self.process.start()

    def kill(self, away_s: float) -> None:
        self.away_until = time.monotonic() + away_s
        self.process.kill()


# --- the faults ---------------------------------------------------------------------------------------


def _one(stage: Stage) -> Sink:
    return stage.rng.choice([sink for sink in stage.sinks if sink.wanted])


def kill_sink(stage: Stage) -> None:
    _one(stage).kill(stage.rng.uniform(0, 3))


def kill_all_sinks(stage: Stage) -> None:
    for sink in stage.sinks:
        if sink.wanted:
            sink.kill(stage.rng.uniform(0, 1))


def freeze_sink(stage: Stage) -> None:
    """Up to twice the session's timeout: somebody else has its partitions when it thaws."""
    sink = _one(stage)
    sink.process.freeze()
    stage.pause(0.5, 14)
    sink.process.thaw()


def restart_database(stage: Stage) -> None:
    stage.postgres.stop()
    stage.pause(0, 2)
    stage.postgres.start()


def crash_database(stage: Stage) -> None:
    stage.postgres.kill()
    stage.pause(0, 2)
    stage.postgres.start()


def freeze_database(stage: Stage) -> None:
    """Beyond the sinks' deadline at times: they leave with 75."""
    stage.postgres.freeze()
    stage.pause(0.5, 8)
    stage.postgres.thaw()


def _is_flush(message: bytes) -> bool:
    return len(message) >= FLUSH_BYTES


def lose_answers(stage: Stage) -> None:
    """The commit has happened, and its client does not hear of it."""
    stage.proxy.cut("answer", _is_flush, stage.rng.randint(1, 3))


def lose_requests(stage: Stage) -> None:
    """The server never sees the end of the statement."""
    stage.proxy.cut("torn", _is_flush, stage.rng.randint(1, 3))


def cut_connections(stage: Stage) -> None:
    stage.proxy.drop_all()


def hold_network(stage: Stage) -> None:
    stage.proxy.open.clear()
    stage.pause(0.2, 4)
    stage.proxy.open.set()


def restart_broker(stage: Stage) -> None:
    stage.broker.stop()
    stage.pause(0, 2)
    stage.broker.start()
    stage.broker.wait_ready()


def crash_broker(stage: Stage) -> None:
    stage.broker.kill()
    stage.pause(0, 2)
    stage.broker.start()
    stage.broker.wait_ready()


def freeze_broker(stage: Stage) -> None:
    stage.broker.freeze()
    stage.pause(0.5, 5)
    stage.broker.thaw()


def third_sink(stage: Stage) -> None:
    """Comes or goes: a rebalance from two sinks to three, or back."""
    sink = stage.sinks[-1]
    if sink.wanted:
        sink.wanted = False
        sink.process.stop()
    else:
        sink.start(as_another=True)


def replace_sink(stage: Stage) -> None:
    """Stops one and starts another in its place, which the group has never seen."""
    sink = stage.rng.choice(stage.sinks[:-1])
    sink.wanted = False
    sink.process.stop()
    sink.start(as_another=True)


# How often each comes up, beside the others.
FAULTS: dict[Callable[[Stage], None], int] = {
    kill_sink: 6,
    kill_all_sinks: 1,
    freeze_sink: 3,
    restart_database: 2,
    crash_database: 1,
    freeze_database: 2,
    lose_answers: 5,
    lose_requests: 3,
    cut_connections: 3,
    hold_network: 2,
    restart_broker: 1,
    crash_broker: 1,
    freeze_broker: 1,
    third_sink: 3,
    replace_sink: 2,
}


def order_of_faults(rng: random.Random) -> list[Callable[[Stage], None]]:
    """One round, in an order of its own: each as often as its weight says, so that a short run has them all."""
    once = list(FAULTS)
    rest = [fault for fault, weight in FAULTS.items() for _ in range(weight - 1)]
    rng.shuffle(once)
    rng.shuffle(rest)
    return once + rest


def mend(stage: Stage) -> None:
    """Everything is up again, and two sinks run."""
    stage.proxy.open.set()
    stage.proxy.no_cuts()
    stage.postgres.thaw()
    stage.postgres.start()
    stage.postgres.wait_ready()
    stage.broker.thaw()
    stage.broker.start()
    stage.broker.wait_ready()
    for sink in stage.sinks:
        sink.process.thaw()
    for sink in stage.sinks[:-1]:
        sink.start()
