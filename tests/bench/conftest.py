# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "deploy" / "local"), str(TESTS / "integration")]

from fixtures import line, parts, pytest_runtest_makereport  # noqa: E402, F401
