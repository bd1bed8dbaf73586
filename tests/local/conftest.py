# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the local stack's tests: a state directory of one's own, and services that are easy to command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]

from fake_service import FakeServices  # noqa: E402
from mflocal import Layout  # noqa: E402


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def services(layout: Layout) -> Iterator[FakeServices]:
    fake = FakeServices(layout)
    yield fake
    fake.end()
