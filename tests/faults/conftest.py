# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault suite: one broker or a cluster of three, each behind proxies, and a Scene per test."""

from __future__ import annotations

import os
import random
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [
    str(HERE.parents[1] / "deploy" / "local"),
    str(HERE.parent / "integration"),
    str(HERE),
]
sys.path.append(str(HERE.parent / "model"))  # last: it has a feed of its own

from fixtures import CANARY, _line, binaries, pytest_runtest_makereport  # noqa: E402, F401
from line import Parts  # noqa: E402
from mflocal import REPOSITORY, Broker, Cluster, Layout, Postgres, Simulator, wait_for  # noqa: E402
from proxy import Proxy  # noqa: E402
from scene import Scene  # noqa: E402

SEED = int(os.environ.get("MARKETFLOW_TEST_SEED") or secrets.randbelow(1_000_000))


def pytest_report_header() -> str:
    return f"seed: MARKETFLOW_TEST_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"seed: MARKETFLOW_TEST_SEED={SEED}")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The test's own, of the run's: the same whichever other tests run."""
    value = random.Random(f"{SEED} {request.node.name}").randrange(1 << 32)
    print(f"MARKETFLOW_TEST_SEED={SEED}")
    return value


@pytest.fixture(scope="session")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """What a Line has beside its brokers."""
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or REPOSITORY / ".local")
    layout = Layout(tmp_path_factory.mktemp("parts"), cache)
    postgres = Postgres(layout, die_with_parent=True, durable=False)
    simulator = Simulator(layout, die_with_parent=True, key=CANARY)
    try:
        for part in (postgres, simulator):
            part.start()
        for part in (postgres, simulator):
            part.wait_ready()
        yield Parts(Broker(layout), postgres, simulator, binaries())
    finally:
        simulator.stop()
        postgres.stop()
        postgres.reset()


@contextmanager
def _behind_proxies(servers: Broker | Cluster) -> Iterator[list[Proxy]]:
    """Started, each node behind a proxy on its advertised port."""
    proxies: list[Proxy] = []
    try:
        servers.start()
        for node in getattr(servers, "nodes", (servers,)):
            proxies.append(Proxy(node.detour_port, node.behind_detour_port))
        servers.wait_ready()
        yield proxies
    finally:
        for proxy in proxies:
            proxy.close()
        servers.stop()


@pytest.fixture(scope="session")
def single(rest: Parts) -> Iterator[tuple[Parts, list[Proxy]]]:
    layout = rest.postgres.layout
    broker = Broker(layout, die_with_parent=True, detour=True)
    with _behind_proxies(broker) as proxies:
        yield Parts(broker, rest.postgres, rest.simulator, rest.binaries), proxies


@pytest.fixture(scope="module")
def trio(rest: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Parts, list[Proxy]]]:
    layout = Layout(tmp_path_factory.mktemp("trio"), rest.postgres.layout.cache)
    cluster = Cluster(layout, die_with_parent=True, detour=True)
    with _behind_proxies(cluster) as proxies:
        yield Parts(cluster, rest.postgres, rest.simulator, rest.binaries), proxies


def _scene(
    stage: tuple[Parts, list[Proxy]], tmp_path: Path, request: pytest.FixtureRequest, seed: int
) -> Iterator[Scene]:
    parts, proxies = stage
    for scene in _line(parts, tmp_path, request, Scene):
        assert isinstance(scene, Scene)
        scene.proxies = proxies
        scene.rng = random.Random(seed)
        try:
            yield scene
        finally:
            for action in scene.at_end:
                action()
            for proxy in proxies:
                proxy.clear()
            _mend(parts.broker)


def _mend(servers: Broker | Cluster) -> None:
    """Whatever a test did to the brokers, the next one finds them up."""
    for node in getattr(servers, "nodes", (servers,)):
        node.thaw()
        node.start()
    if isinstance(servers, Cluster):
        servers.wait_ready()
    else:
        wait_for(servers.ready, 60, "the broker")


@pytest.fixture
def scene(
    single: tuple[Parts, list[Proxy]], tmp_path: Path, request: pytest.FixtureRequest, seed: int
) -> Iterator[Scene]:
    """Over the single broker."""
    yield from _scene(single, tmp_path, request, seed)


@pytest.fixture
def cluster_scene(
    trio: tuple[Parts, list[Proxy]], tmp_path: Path, request: pytest.FixtureRequest, seed: int
) -> Iterator[Scene]:
    """Over three brokers; two of them acknowledge."""
    yield from _scene(trio, tmp_path, request, seed)
