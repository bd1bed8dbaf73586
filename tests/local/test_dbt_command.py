# SPDX-License-Identifier: Apache-2.0
"""What deploy/local/dbt tells dbt of the warehouse, and what it says without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from mflocal import Layout, LocalError
from mflocal.analytics import PROJECT, dbt_environment


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
    assert "env_var('DBT_ENV_SECRET_WAREHOUSE_PASSWORD'" in profile
