# SPDX-License-Identifier: Apache-2.0
"""Airflow for real: its three processes over the line's own broker, database, simulator and services."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(HERE.parent / "integration"), str(HERE)]

from airflow_line import AirflowLine, Webhook  # noqa: E402
from fixtures import parts  # noqa: E402, F401
from line import Line, Parts  # noqa: E402
from mflocal import Layout  # noqa: E402


@pytest.fixture(scope="session")
def running(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowLine]:  # noqa: F811
    """One line for all tests: its tables grow from test to test, as a warehouse does."""
    place = tmp_path_factory.mktemp("airflow")
    layout = Layout(place, parts.broker.layout.cache)
    line = Line(f"airflow_{os.getpid()}", parts, layout)
    line.settings |= {"LOG_LEVEL": "info"}
    webhook = Webhook()
    line.prepare()
    found = AirflowLine(line, webhook)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        webhook.close()
        parts.postgres.sql(
            f'DROP DATABASE IF EXISTS "{line.database}" WITH (FORCE)', user="postgres", database="postgres"
        )
