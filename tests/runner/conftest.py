# SPDX-License-Identifier: Apache-2.0
"""The runner finds itself and the set-up of the machine, as tests/run does."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "deploy" / "local")]
