# SPDX-License-Identifier: Apache-2.0
"""The chaos run as a test: MARKETFLOW_CHAOS_MINUTES (2), MARKETFLOW_CHAOS_SEED (any)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_nothing_is_lost_and_nothing_doubled() -> None:
    minutes = os.environ.get("MARKETFLOW_CHAOS_MINUTES") or "2"
    command = [sys.executable, "-B", str(HERE / "sink_chaos.py"), "--minutes", minutes]
    if seed := os.environ.get("MARKETFLOW_CHAOS_SEED"):
        command += ["--seed", seed]
    if programs := os.environ.get("MARKETFLOW_BIN_DIR"):
        command += ["--bin-dir", programs]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(result.stdout)
    assert result.returncode == 0
    found = json.loads(result.stdout)
    assert found["verify"]["missing"] == found["verify"]["doubled"] == 0
