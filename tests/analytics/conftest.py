# SPDX-License-Identifier: Apache-2.0
"""The suite's parts: a history through the real processor, a PostgreSQL and a fakesnow with RAW, both run through the
same loads and builds once; the tests look at what came of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [
    *(str(ROOT / place) for place in ("deploy/local", "deploy/simulator", "tests/odbc", "tests/model")),
    str(HERE),
]

from builds import Builds, run_builds  # noqa: E402
from history import Row, batches, history  # noqa: E402
from marketmodel.times import parse_ms  # noqa: E402
from mflocal import Layout, Postgres  # noqa: E402
from warehouse import Fakesnow  # noqa: E402
from warehouses import PostgresWarehouse, SnowflakeWarehouse  # noqa: E402


@pytest.fixture(scope="session")
def binaries() -> Path:
    path = Path(os.environ.get("MARKETFLOW_BIN_DIR") or ROOT / "build" / "dev" / "bin")
    if not (path / "marketflow-processor").is_file():
        pytest.exit(f"{path} holds no programs; run tests/run analytics", returncode=2)
    return path


@pytest.fixture(scope="session")
def loads(binaries: Path) -> list[list[Row]]:
    """Rows of RAW in three loads."""
    command = [str(binaries / "marketflowctl"), "calendar", "2020-01-01", "2026-12-31"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    sessions = {
        row["session"]: (parse_ms(row["open"]), parse_ms(row["close"])) for row in csv.DictReader(listing)
    }
    return batches(history(binaries, sessions.get))


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    return Layout(tmp_path_factory.mktemp("analytics"), cache)


@pytest.fixture(scope="session")
def postgresql(
    layout: Layout, binaries: Path, loads: list[list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Builds]:
    server = Postgres(layout, die_with_parent=True, durable=False)
    server.start()
    try:
        server.wait_ready()
        warehouse = PostgresWarehouse.create(server, binaries, tmp_path_factory.mktemp("dbt-postgresql"))
        yield run_builds(warehouse, loads)
    finally:
        server.stop()
        server.reset()


@pytest.fixture(scope="session")
def fakesnow(
    layout: Layout, loads: list[list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Builds]:
    server = Fakesnow(layout, die_with_parent=True)
    server.start()
    try:
        server.wait_ready()
        directory = tmp_path_factory.mktemp("dbt-fakesnow")
        yield run_builds(SnowflakeWarehouse.create(layout, server.port, directory, "MARKETFLOW"), loads)
    finally:
        server.stop()
