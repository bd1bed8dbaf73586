# SPDX-License-Identifier: Apache-2.0
"""deploy/local as a person uses it: the stack's commands, and the demo, twice, with the build that it makes itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from line import REPLAY_ROWS
from mflocal import Layout, Postgres, wait_for
from mflocal.identity import Identity

LOCAL = Path(__file__).resolve().parents[2] / "deploy" / "local"
PARTS = ("broker", "postgres", "simulator", "supervisor", "ingestor", "processor", "sink")
REPLAYED = "payload->'provenance'->>'mode' = 'replay'"
TABLES = ("raw_bars", "raw_metrics", "raw_alerts")
pytestmark = pytest.mark.shipped

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Command]:
    """Runs a program of deploy/local with a state of its own; whatever is still up afterwards is taken down."""
    cache = os.environ.get("MARKETFLOW_CACHE_DIR") or str(LOCAL.parents[1] / ".local")
    environment = {
        **os.environ,
        "MARKETFLOW_LOCAL_DIR": str(tmp_path / "state"),
        "MARKETFLOW_CACHE_DIR": cache,
    }

    def command(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        full = [str(LOCAL / program), *arguments]
        # From another directory than the tree's: nothing may depend on where it is called.
        return subprocess.run(
            full, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600
        )

    yield command
    assert command("stack", "reset", "--yes").returncode == 0


def status(run: Command) -> dict[str, list[str]]:
    """The words of each part's line."""
    lines = run("stack", "status").stdout.splitlines()
    return {words[0]: words[1:] for words in map(str.split, lines) if words}


def test_the_stack_goes_up_and_down(run: Command) -> None:
    up = run("stack", "up")
    assert up.returncode == 0, up.stderr[-4000:]
    for address in ("kafka", "postgresql", "simulator", "ingestor", "processor", "sink"):
        assert address in up.stdout
    first = status(run)
    assert [first[part][0] for part in PARTS] == ["ready"] * len(PARTS)
    assert run("stack", "status").returncode == 0
    processes = {part: Identity.of(int(words[2])) for part, words in first.items()}

    again = run("stack", "up")
    assert again.returncode == 0
    assert status(run) == first  # the same processes

    os.kill(int(first["simulator"][2]), signal.SIGSTOP)
    assert status(run)["simulator"][:2] == ["not", "ready"]
    assert run("stack", "status").returncode == 3
    os.kill(int(first["simulator"][2]), signal.SIGCONT)
    wait_for(lambda: run("stack", "status").returncode == 0, 60, "all ready after the pause", 0.5)

    os.kill(int(first["processor"][2]), signal.SIGKILL)
    wait_for(
        lambda: status(run)["processor"][2:3] not in ([], [first["processor"][2]]), 60, "a new processor", 0.5
    )
    wait_for(lambda: run("stack", "status").returncode == 0, 60, "all ready again", 0.5)

    assert run("stack", "down").returncode == 0
    assert [words[0] for words in status(run).values()] == ["down"] * len(PARTS)
    assert run("stack", "status").returncode == 3
    assert not [part for part, process in processes.items() if process is None or process.alive()]


def replayed(tmp_path: Path) -> dict[str, str]:
    """A digest of the replayed history's rows, by table."""
    postgres = Postgres(Layout(tmp_path / "state", tmp_path))
    digest = "md5(string_agg(event_id || ':' || revision, ',' ORDER BY event_id, revision))"
    return {
        table: postgres.sql(f"SELECT count(*) || ' ' || {digest} FROM raw.{table} WHERE {REPLAYED}").strip()
        for table in TABLES
    }


def demo(run: Command, *arguments: str) -> dict[str, Any]:
    result = run("demo", "--json", "--seconds", "5", *arguments)
    assert result.returncode == 0, result.stderr[-4000:]
    value = json.loads(result.stdout)  # one object and nothing else
    assert value["problems"] == []
    assert value["daily_bars"] == REPLAY_ROWS
    assert value["rows"]["raw_dead_letters"] == 0
    assert value["alerts"]["price_move"] > 1000
    assert {"p50", "p99"} <= value["latency_ms"].keys()
    assert (
        value["dbt"]["failed"] == [] and value["dbt"]["models"] > 60 and value["dbt"]["tests"]["pass"] > 100
    )
    answers = value["answers"]
    assert answers["stocks"] == 5 and answers["alerts"] > 1000 and answers["rejects"] == 0
    assert answers["day"] in answers["paragraph"] and answers["signal"].rstrip(".") in answers["paragraph"]
    for cost in value["services"].values():
        assert cost["cpu_s"] > 0
        assert 0 < cost["rss_mib"] < 100  # the history has only just passed; see idle_is_small
    return dict(value)


def idle_is_small(run: Command) -> None:
    """Each service goes back under 25 MiB once the history has passed: it trims after ten quiet seconds."""
    found = status(run)
    services = {name: Identity.of(int(found[name][2])) for name in ("ingestor", "processor", "sink")}

    def sizes() -> dict[str, float]:
        return {name: identity.resident_mib() for name, identity in services.items() if identity}

    wait_for(lambda: all(0 < size < 25 for size in sizes().values()), 120, "services under 25 MiB", 1)
    assert len(sizes()) == 3


def test_the_demo_twice(run: Command, tmp_path: Path) -> None:
    demo(run)
    idle_is_small(run)
    before = replayed(tmp_path)
    assert before["raw_bars"].split()[0] == str(REPLAY_ROWS)
    assert run("stack", "status").returncode == 0  # it leaves the stack running
    demo(run, "--down")
    assert run("stack", "status").returncode == 3
    assert run("stack", "up").returncode == 0
    assert replayed(tmp_path) == before
