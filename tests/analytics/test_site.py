# SPDX-License-Identifier: Apache-2.0
"""`deploy/local/dbt site`: the documentation of every model, made from the built warehouse and served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from builds import Builds
from mflocal import REPOSITORY, Layout, base_environment, free_port, wait_for

pytestmark = pytest.mark.deep


def answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except (urllib.error.URLError, ConnectionError):
        return None


def test_one_command_makes_and_serves_it(postgresql: Builds, layout: Layout, tmp_path: Path) -> None:
    environment = base_environment() | postgresql.warehouse.environment
    environment |= {
        "PYTHONPATH": str(REPOSITORY / "deploy" / "local"),
        "MARKETFLOW_LOCAL_DIR": str(tmp_path / "state"),
        "MARKETFLOW_CACHE_DIR": str(layout.cache),
        "HOME": str(tmp_path),
    }
    port = free_port()
    command = [sys.executable, "-B", "-m", "mflocal.analytics", "site", "--port", str(port)]
    log = tmp_path / "site.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(
            lambda: process.poll() is not None or answer(f"{url}/index.html"), 300, "the site", interval=0.5
        )
        assert process.poll() is None, log.read_text()[-3000:]
        assert b"<html" in (answer(f"{url}/index.html") or b"").lower()
        catalog = json.loads(answer(f"{url}/catalog.json") or b"{}")
        models = {
            n["unique_id"] for n in postgresql.manifest["nodes"].values() if n["resource_type"] == "model"
        }
        assert models <= catalog["nodes"].keys()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
