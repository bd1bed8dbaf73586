# SPDX-License-Identifier: Apache-2.0
"""deploy/snowflake/acceptance.sh against fakesnow: it passes what is right, and what is wrong fails."""

from __future__ import annotations

import subprocess

import pytest
import warehouse
from mflocal import REPOSITORY, base_environment, wait_for
from snowflake import INSERT_BARS, SnowflakeLine

SCRIPT = REPOSITORY / "deploy" / "snowflake" / "acceptance.sh"
pytestmark = [pytest.mark.kills, pytest.mark.sink]


@pytest.fixture
def line(snowflake_line: SnowflakeLine) -> SnowflakeLine:
    return snowflake_line


def accept(line: SnowflakeLine, *arguments: str) -> subprocess.CompletedProcess[str]:
    python = warehouse.python(line.parts.broker.layout)
    command = [
        str(SCRIPT),
        "--bin",
        str(line.parts.binaries),
        "--python",
        str(python),
        "--no-locks",
        *arguments,
    ]
    environment = base_environment() | line.settings | {"ACCEPTANCE_PROTOCOL": "http", "LOG_FORMAT": "json"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)


def outcomes(result: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    lines = [line.partition(" ") for line in result.stdout.splitlines() if not line.startswith(" ")]
    return [(verdict, rest.partition(":")[0]) for verdict, _, rest in lines]


def test_everything_passes(line: SnowflakeLine) -> None:
    line.feed_bars()
    for role, name in (("NEWS_FILTERED", "news"), ("METRICS", "metric"), ("DLQ", "dead_letter")):
        line.produce(role, [line.sample(name)])
    result = accept(line, "--database-is-for-this", "--limit", "40", "--kills", "3")
    assert result.returncode == 0, result.stdout + result.stderr
    assert outcomes(result) == [
        ("PASS", "objects"),
        ("PASS", "batches of 50 rows"),
        ("PASS", "batches of 500 rows"),
        ("PASS", "batches of 5000 rows"),
        ("PASS", "kill -9 while loading"),
        ("PASS", "nothing is there twice after the kills"),
        ("SKIP", "an update that waited is judged anew (no locks)"),
        ("SKIP", "a lock on the offset rows (no locks)"),
    ]
    assert result.stdout.count(": 199 rows in ") == 3


def test_a_warehouse_that_loses_rows_fails(line: SnowflakeLine) -> None:
    line.expected_errors.append("insert_answer|does not do what it should")
    line.feed_bars(0, 10)
    line.helper.play("execute", "answer", match=INSERT_BARS, times=None, reply={"ok": True, "rows": 10})
    result = accept(line, "--database-is-for-this", "--limit", "8", "--kills", "0")
    assert result.returncode == 1
    assert ("FAIL", "batches of 500 rows") in outcomes(result)
    wait_for(lambda: line.helper.sessions() == 0, 60, "no sink left behind by a check that failed")
    assert ("PASS", "objects") in outcomes(result)


def test_it_asks_for_consent_and_for_snowflake(line: SnowflakeLine) -> None:
    assert accept(line).returncode == 2
    line.settings["WAREHOUSE_DIALECT"] = "postgresql"
    assert accept(line, "--database-is-for-this").returncode == 2
