# SPDX-License-Identifier: Apache-2.0
"""The suite's parts: a history through the real processor, a PostgreSQL and a fakesnow with RAW, both run through the
same loads and builds once; the tests look at what came of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
from warehouses import PostgresWarehouse, SnowflakeWarehouse, Warehouse  # noqa: E402


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
def thorough(request: pytest.FixtureRequest) -> bool:
    """Is any test chosen that wants everything done on both warehouses?"""
    return any(item.get_closest_marker("deep") for item in request.session.items)


def _wanted(items: list[pytest.Item]) -> set[str]:
    """The warehouses that the chosen tests ask for, by name or by parameter."""
    names: set[str] = set()
    for item in items:
        names |= set(getattr(item, "fixturenames", ()))
        names |= {str(value) for value in getattr(getattr(item, "callspec", None), "params", {}).values()}
    return names & {"postgresql", "fakesnow"}


def _build(
    server: Postgres | Fakesnow, binaries: Path, directory: Path, loads: list[list[Row]], deep: bool
) -> Builds:
    warehouse: Warehouse
    if isinstance(server, Postgres):
        warehouse = PostgresWarehouse.create(server, binaries, directory)
    else:
        warehouse = SnowflakeWarehouse.create(server.layout, server.port, directory, "MARKETFLOW")
    return run_builds(warehouse, loads, deep)


@pytest.fixture(scope="session")
def built(
    request: pytest.FixtureRequest,
    layout: Layout,
    binaries: Path,
    loads: list[list[Row]],
    thorough: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Builds]]]:
    """All the warehouses that are needed, built beside each other."""
    if not thorough:
        loads = [loads[0], [row for rows in loads[1:] for row in rows]]
    servers: dict[str, Postgres | Fakesnow] = {
        "postgresql": Postgres(layout, die_with_parent=True, durable=False),
        "fakesnow": Fakesnow(layout, die_with_parent=True),
    }
    servers = {name: servers[name] for name in sorted(_wanted(request.session.items))}
    with ThreadPoolExecutor(2) as pool:
        try:
            for server in servers.values():
                server.start()
                server.wait_ready()
            yield {
                name: pool.submit(
                    _build, server, binaries, tmp_path_factory.mktemp(f"dbt-{name}"), loads, thorough
                )
                for name, server in servers.items()
            }
        finally:
            pool.shutdown(cancel_futures=True)
            for server in servers.values():
                server.stop()
                if isinstance(server, Postgres):
                    server.reset()


@pytest.fixture(scope="session")
def postgresql(built: dict[str, Future[Builds]]) -> Builds:
    return built["postgresql"].result()


@pytest.fixture(scope="session")
def fakesnow(built: dict[str, Future[Builds]]) -> Builds:
    return built["fakesnow"].result()
