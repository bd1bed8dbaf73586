# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the DAGs' tests: a helper in Airflow's environment that is asked, and programs that note what they are
started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DAGS = ROOT / "dags"
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(DAGS), str(HERE)]

from helpers import InAirflow, Programs, Server  # noqa: E402
from mflocal import Layout, python_environment  # noqa: E402


@pytest.fixture(scope="session")
def binaries() -> str:
    """Where the project's programs are, as tests/run says."""
    found = os.environ.get("MARKETFLOW_BIN_DIR")
    assert found, "MARKETFLOW_BIN_DIR is not set"
    return found


@pytest.fixture(scope="session")
def airflow_python() -> Path:
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    return python_environment(Layout(cache, cache), "airflow", DAGS / "requirements.lock")


@pytest.fixture(scope="session")
def helper(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InAirflow]:
    found = InAirflow(airflow_python, tmp_path_factory.mktemp("airflow") / "home")
    yield found
    found.close()


@pytest.fixture(scope="session")
def graph(helper: InAirflow) -> dict[str, Any]:
    return helper.ask("graph")


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.fixture
def execute(helper: InAirflow, programs: Programs) -> Callable[..., dict[str, Any]]:
    """An operator of _lib, with the fakes."""

    def run(
        name: str, *, poke: bool = False, env: dict[str, str] | None = None, **case: Any
    ) -> dict[str, Any]:
        kwargs = {"task_id": case.pop("task", "a_task"), **case.pop("kwargs", {})}
        settings = programs.env | (env or {})
        return helper.ask(
            "execute", **{"class": f"_lib.{name}", "kwargs": kwargs, "poke": poke, "env": settings, **case}
        )

    return run


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()
