# SPDX-License-Identifier: Apache-2.0
"""sqlfluff on the SQL that was compiled for each warehouse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from builds import Builds
from mflocal import Layout, python_environment
from warehouses import PROJECT

DIALECTS = {"postgresql": "postgres", "fakesnow": "snowflake"}


def lint(layout: Layout, dialect: str, place: Path) -> subprocess.CompletedProcess[str]:
    python = python_environment(layout, "dbt", PROJECT / "requirements.lock")
    command = [
        str(python.with_name("sqlfluff")),
        "lint",
        "--config",
        str(PROJECT / ".sqlfluff"),
        "--dialect",
        dialect,
    ]
    command += ["--disable-progress-bar", "--nocolor", "--processes", str(os.cpu_count() or 1), str(place)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.deep
@pytest.mark.parametrize("target", DIALECTS)
def test_models_are_clean(target: str, layout: Layout, request: pytest.FixtureRequest) -> None:
    builds: Builds = request.getfixturevalue(target)
    place = builds.warehouse.directory / "compiled" / "marketflow" / "models"
    for tests in place.rglob("*.yml"):  # compiled tests, below folders named after their files
        if tests.is_dir():
            for path in tests.rglob("*.sql"):
                path.unlink()
    assert len(list(place.rglob("*.sql"))) > 50
    result = lint(layout, DIALECTS[target], place)
    assert result.returncode == 0, result.stdout[-4000:]


def test_bad_sql_is_noticed(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("SELECT a.x, b.y from t as a, u as b\nwhere a.x != b.y\n")
    assert lint(layout, "postgres", tmp_path).returncode == 1
