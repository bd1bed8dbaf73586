# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one simulator process per module, put back to a known state before each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "deploy" / "simulator")]

from mflocal import Simulator  # noqa: E402
from simulator_client import KEY, NOW, Client, start  # noqa: E402


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One process for a module's tests."""
    simulator = start(tmp_path_factory.mktemp("simulator"), "--seed", "7")
    yield simulator
    assert simulator.running(), simulator.log_tail(40)
    simulator.stop()
    log = simulator.log_path.read_text()
    assert "Traceback" not in log and KEY not in log, log


@pytest.fixture
def simulator(shared: Simulator) -> Iterator[Simulator]:
    """The module's simulator, standing still at NOW without faults, limits or memories."""
    shared.clear_faults()
    shared.set_options(forming=False, rate_per_minute=0)
    shared.set_clock(now=NOW, frozen=True)
    shared.forget_requests()
    yield shared
    shared.clear_faults()


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return Client(simulator)
