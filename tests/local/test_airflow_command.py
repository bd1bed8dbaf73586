# SPDX-License-Identifier: Apache-2.0
"""deploy/local/airflow: what it gives Airflow, and what it keeps from it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from mflocal import REPOSITORY, Layout, LocalError
from mflocal.airflow import DAGS, LOCK, Airflow, of_stack


@pytest.fixture
def airflow(layout: Layout) -> Airflow:
    found = Airflow(layout, {"MARKETFLOW_STOCKS": "KO"})
    found._ports.take("airflow-api")
    return found


def test_without_a_stack_it_says_what_to_do(layout: Layout) -> None:
    with pytest.raises(LocalError, match="stack up"):
        of_stack(layout)


def test_an_airflow_that_was_never_started_says_so(layout: Layout) -> None:
    with pytest.raises(LocalError, match="airflow up"):
        Airflow(layout, {}).environment()
    assert Airflow(layout, {}).stop() is False


def test_secrets_are_files_and_everything_is_on_loopback(airflow: Airflow) -> None:
    environment = airflow.environment()
    secrets = [path.read_text().strip() for path in airflow.layout.secrets.iterdir()]
    assert len(secrets) == 2 and all(len(secret) >= 64 for secret in secrets)
    assert not any(secret in value for secret in secrets for value in environment.values())
    assert all(path.stat().st_mode & 0o077 == 0 for path in airflow.layout.secrets.iterdir())
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert airflow.url.startswith("http://127.0.0.1:")
    assert environment["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    scheduler = airflow.processes[1]
    assert scheduler.name == "airflow-scheduler"
    assert scheduler._command == ("scheduler", "--skip-serve-logs")


def test_the_usage_is_shown_for_what_it_does_not_know() -> None:
    program = str(REPOSITORY / "deploy" / "local" / "airflow")
    done = subprocess.run([program, "fly"], capture_output=True, text=True)
    assert (done.returncode, "airflow up" in done.stdout) == (2, True)
    assert subprocess.run([program, "--help"], capture_output=True).returncode == 0


def test_the_lock_has_the_versions_that_were_tried() -> None:
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (DAGS / "constraints.txt").read_text(), re.M))
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", LOCK.read_text(), re.M))
    assert locked == pinned
    assert LOCK.read_text().count("--hash=sha256:") > len(locked)
    for path in (LOCK, DAGS / "constraints.txt", Path(DAGS / "requirements.in")):
        assert "://" not in path.read_text()
    assert locked["apache-airflow"] == "3.3.2"
