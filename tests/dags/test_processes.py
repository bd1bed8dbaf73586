# SPDX-License-Identifier: Apache-2.0
"""No process outlives what has started it: a program its task, a task Airflow; and a hook may leave a daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _lib import programs
from helpers import DAGS, InAirflow, Programs
from mflocal import Layout, wait_for
from mflocal.airflow import AirflowProcess
from mflocal.identity import Identity

LIMIT = 60
# What a task is to Airflow: the leader of a process group, whose handler of SIGTERM calls on_kill.
TASK = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from _lib.programs import Run
os.setpgid(0, 0)
run = Run(sys.argv[2:], dict(os.environ), lambda line: None)
signal.signal(signal.SIGTERM, lambda *_: run.stop())
print(run.wait().code, flush=True)
"""
# A program that notes who it is; `stubborn` ones do not end when they are asked to.
PROGRAM = """
import os, pathlib, signal, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
part = pathlib.Path(sys.argv[1] + ".part")
part.write_text(str(os.getpid()))
part.rename(sys.argv[1])
for _ in range(6000):
    time.sleep(0.1)
"""


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Callable[[str], Identity]]:
    """The process that has noted its pid there; what is left of it at the end is ended."""
    seen: list[Identity] = []

    def wait(name: str) -> Identity:
        place = tmp_path / name
        wait_for(place.exists, LIMIT, f"the process {name}")
        found = Identity.of(int(place.read_text()))
        assert found is not None
        seen.append(found)
        return found

    yield wait
    for process in seen:
        process.send(signal.SIGKILL)


def start_task(tmp_path: Path, kind: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "program"), kind]
    return subprocess.Popen(
        [sys.executable, "-B", "-c", TASK, str(DAGS), *program], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(("kind", "code"), [("willing", -signal.SIGTERM), ("stubborn", -signal.SIGKILL)])
def test_a_task_that_is_to_end_ends_its_program(
    tmp_path: Path, noted: Callable[[str], Identity], kind: str, code: int
) -> None:
    task = start_task(tmp_path, kind)
    program = noted("program")
    os.killpg(task.pid, signal.SIGTERM)
    said, _ = task.communicate(timeout=LIMIT)
    assert (task.returncode, said.strip()) == (0, str(int(code)))
    assert not program.alive()


def test_a_task_that_is_killed_takes_its_program_along(
    tmp_path: Path, noted: Callable[[str], Identity]
) -> None:
    task = start_task(tmp_path, "stubborn")
    program = noted("program")
    os.killpg(task.pid, signal.SIGKILL)
    task.communicate(timeout=LIMIT)
    assert program.wait_end(LIMIT)


def test_a_task_has_ended_its_program_before_it_is_killed(helper: InAirflow) -> None:
    assert helper.ask("escalation")["seconds"] > programs.KILL_SECONDS


def test_a_sensor_that_is_to_end_ends_its_program(helper: InAirflow, programs: Programs) -> None:
    answer = helper.ask(
        "killed",
        **{"class": "_lib.sensors.ManifestSensor", "env": programs.env},
        kwargs={"task_id": "wait", "manifest": "/m.json"},
        program=[sys.executable, "-c", PROGRAM, str(programs.place / "program"), "willing"],
        mark=str(programs.place / "program"),
    )
    assert answer == {"code": -signal.SIGTERM}


class Started:
    """In place of Airflow: three generations, of which the last two lead groups of their own, as tasks do. The first
    ends when it is asked to and leaves the others."""

    CODE = """
import os, pathlib, subprocess, sys, time
depth, place = int(sys.argv[1]), pathlib.Path(sys.argv[2])
part = place / f"{depth}.part"
part.write_text(str(os.getpid()))
part.rename(place / str(depth))
if depth < 3:
    subprocess.Popen([sys.executable, "-c", sys.argv[3], str(depth + 1), str(place), sys.argv[3]], process_group=0)
for _ in range(6000):
    time.sleep(0.1)
"""

    def __init__(self, layout: Layout, place: Path) -> None:
        self.layout = layout
        self.die_with_parent = True
        self.home = place
        self.place = place

    def command(self, *_: str) -> list[str]:
        return [sys.executable, "-c", self.CODE, "1", str(self.place), self.CODE]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"]}


def test_airflow_leaves_nobody_behind(tmp_path: Path, noted: Callable[[str], Identity]) -> None:
    airflow: Any = Started(Layout(tmp_path, tmp_path), tmp_path)
    process = AirflowProcess(airflow, "scheduler")
    process.start()
    generations = [noted(name) for name in ("1", "2", "3")]
    assert process.stop() is True
    assert [one.alive() for one in generations] == [False, False, False]
    assert process.stop() is False


HOOK = """
import os, pathlib, subprocess, sys, time
print("restarting", flush=True)
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]])
    while not pathlib.Path(os.environ["TMPDIR"], "daemon").exists():
        time.sleep(0.05)
"""
# Ends by itself, so that a hook that is waited for with its daemon fails a test and does not hold it up for ever.
DAEMON = """
import json, os, pathlib, time
place = pathlib.Path(os.environ["TMPDIR"])
(place / "daemon.env").write_text(json.dumps(dict(os.environ)))
(place / "daemon.part").write_text(str(os.getpid()))
(place / "daemon.part").rename(place / "daemon")
time.sleep(30)
"""


def test_a_hook_may_leave_a_daemon(
    execute: Callable[..., dict[str, Any]], tmp_path: Path, noted: Callable[[str], Identity]
) -> None:
    env = {
        "MARKETFLOW_RESTART": json.dumps([sys.executable, "-c", HOOK, DAEMON]),
        "TMPDIR": str(tmp_path),
        "KAFKA_GROUP_PREFIX": "mine",
    }
    answer = execute("watch.RestartHookOperator", kwargs={"verdict": {}}, env=env)
    assert answer["raised"] is None
    assert noted("daemon").alive()
    seen = json.loads((tmp_path / "daemon.env").read_text())
    assert seen["KAFKA_GROUP_PREFIX"] == "mine"
    assert not {"KAFKA_INSTANCE_ID", "METRICS_LISTEN", "MARKETFLOW_RESTART"} & seen.keys()


def test_what_a_hook_says_is_kept() -> None:
    lines: list[str] = []
    run = programs.Run([sys.executable, "-c", HOOK], {"PATH": os.environ["PATH"]}, lines.append, apart=True)
    assert (run.wait().code, lines) == (0, ["restarting"])
