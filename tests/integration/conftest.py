# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "deploy" / "local"), str(HERE.parent / "odbc"), str(HERE)]

from dialects import sink_line  # noqa: E402, F401
from fixtures import line, other_key, parts, pytest_runtest_makereport, sanitized  # noqa: E402, F401
from other_clock import clock  # noqa: E402, F401
from snowflake import helper, snowflake_line  # noqa: E402, F401
