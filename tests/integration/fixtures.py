# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every suite that runs the line: shared parts once per run, one Line per test.

A suite's conftest.py puts this folder and deploy/local on the path and imports them.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from line import Line, Parts
from mflocal import REPOSITORY, Broker, Layout, Postgres, Simulator, wait_for
from mflocal.layout import write_private

# Known to every program as a secret; must appear nowhere (Line.finish looks for it).
CANARY = "canary-9f27c1-key-that-must-never-show"


def binaries() -> Path:
    """The build under test: tests/run says which; by hand, the dev preset's."""
    path = Path(os.environ.get("MARKETFLOW_BIN_DIR") or REPOSITORY / "build" / "dev" / "bin")
    if not (path / "marketflow-ingestor").is_file():
        pytest.exit(f"{path} holds no programs; run tests/run integration", returncode=2)
    return path


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    # Not below pytest's own directory: the database server runs as another user and must reach its files.
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or REPOSITORY / ".local")
    layout = Layout(tmp_path_factory.mktemp("parts"), cache)
    broker = Broker(layout, die_with_parent=True)
    postgres = Postgres(layout, die_with_parent=True, durable=False)
    simulator = Simulator(layout, die_with_parent=True, key=CANARY)
    running = (postgres, broker, simulator)
    try:
        for part in running:
            part.start()
        for part in running:
            part.wait_ready()
        yield Parts(broker, postgres, simulator, binaries())
    finally:
        for part in reversed(running):
            part.stop()
        postgres.reset()


@pytest.fixture
def line(parts: Parts, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Line]:
    """Topics and tables are there; services are the test's to start."""
    yield from _line(parts, tmp_path, request)


_NUMBERS = itertools.count(1)


def _line(
    parts: Parts, tmp_path: Path, request: pytest.FixtureRequest, kind: type[Line] = Line
) -> Iterator[Line]:
    stem = re.sub(r"[^a-z0-9]+", "_", request.node.name.lower())[:40].strip("_")
    # The variants of one test may differ beyond what is left of the name.
    line = kind(f"{stem}_{os.getpid()}_{next(_NUMBERS)}", parts, Layout(tmp_path, parts.broker.layout.cache))
    parts.simulator.clear_faults()
    parts.simulator.forget_requests()
    line.prepare()
    try:
        yield line
        problems = line.finish()
        assert not problems, "\n".join(problems[:20])
    finally:
        for service in line.services:
            service.kill()
        parts.postgres.sql(
            f'DROP DATABASE IF EXISTS "{line.database}" WITH (FORCE)', user="postgres", database="postgres"
        )
        if not request.node.stash.get(FAILED, False):
            shutil.rmtree(tmp_path, ignore_errors=True)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def other_key(line: Line) -> Iterator[str]:
    """A key for a test to write into the provider's file; at the end the line's own is there again."""
    simulator = line.parts.simulator
    old, new = simulator.key, "rotated-5d0e77-key-that-must-not-show-either"
    try:
        yield new
    finally:
        write_private(simulator.key_file, old + "\n")
        wait_for(lambda: simulator.key == old, 10, "the old key")


@pytest.fixture
def sanitized() -> bool:
    """The programs run under a sanitizer: slower, with no kills."""
    return bool(os.environ.get("MARKETFLOW_SANITIZED"))
