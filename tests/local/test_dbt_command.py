# SPDX-License-Identifier: Apache-2.0
"""What deploy/local/dbt tells dbt of the warehouse, and what it says without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from mflocal import Layout, LocalError
from mflocal.analytics import PROJECT, dbt_environment, outcome


def test_without_a_stack_and_without_a_warehouse_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="stack up"):
        dbt_environment(Layout(tmp_path, tmp_path), {})


def test_a_named_warehouse_is_taken_and_its_password_read(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("canary\n")
    given = {"WAREHOUSE_HOST": "db.example", "WAREHOUSE_PASSWORD_FILE": str(password)}
    found = dbt_environment(Layout(tmp_path, tmp_path), given)
    assert found["WAREHOUSE_HOST"] == "db.example"
    assert found["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"] == "canary"
    assert found["DO_NOT_TRACK"] == "1"


def test_the_profile_asks_for_what_is_given() -> None:
    profile = (PROJECT / "profiles.yml").read_text()
    for name in ("HOST", "PORT", "DATABASE", "USER", "SSLMODE"):
        assert f"env_var('WAREHOUSE_{name}'" in profile
    assert "role: \"{{ env_var('DBT_ROLE', '') }}\"" in profile
    assert "env_var('DBT_ENV_SECRET_WAREHOUSE_PASSWORD'" in profile


def test_what_dbt_did_is_counted() -> None:
    statuses = {
        "model.marketflow.a": "success",
        "model.marketflow.b": "error",
        "seed.marketflow.s": "success",
        "snapshot.marketflow.n": "success",
        "test.marketflow.t.1": "pass",
        "test.marketflow.u.2": "warn",
        "test.marketflow.v.3": "fail",
        "test.marketflow.w.4": "skipped",
    }
    results = [{"unique_id": name, "status": status} for name, status in statuses.items()]
    found = outcome({"elapsed_time": 1.26, "results": results})
    assert (found.models, found.seeds, found.snapshots, found.seconds) == (1, 1, 1, 1.3)
    assert found.tests == {"pass": 1, "warn": 1, "fail": 1, "skipped": 1}
    assert found.failed == ["b: error", "v.3: fail", "w.4: skipped"]
