# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "deploy" / "simulator")]


@pytest.fixture(scope="session")
def binaries() -> Path:
    return Path(os.environ.get("MARKETFLOW_BIN_DIR") or ROOT / "build" / "dev" / "bin")


@pytest.fixture(scope="session")
def calendar(binaries: Path) -> Callable[[str], tuple[int, int] | None]:
    """Sessions of the exchange by date, as marketflowctl lists them."""
    from marketmodel.times import parse_ms

    command = [str(binaries / "marketflowctl"), "calendar", "1999-01-01", "2030-12-31"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = listing[0].split(",")
    sessions = {}
    for line in listing[1:]:
        row = dict(zip(names, line.split(","), strict=True))
        sessions[row["session"]] = (parse_ms(row["open"]), parse_ms(row["close"]))
    return sessions.get


@pytest.fixture
def seed() -> Iterator[random.Random]:
    """Random numbers that a failure names: MARKETFLOW_TEST_SEED gives the same again."""
    value = int(os.environ.get("MARKETFLOW_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {value}")
    yield random.Random(value)
