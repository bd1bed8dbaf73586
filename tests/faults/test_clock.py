# SPDX-License-Identifier: Apache-2.0
"""S28: the wall clock of the machine jumps. Nothing that is published depends on it."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feed import Load
from mflocal import ServiceProcess, wait_for
from scene import FAKETIME, Scene


@pytest.mark.parametrize("step", ["+1h", "-1h"])
def test_s28_the_clock_jumps(scene: Scene, seed: int, step: str) -> None:
    if not FAKETIME.is_file():
        pytest.skip(f"{FAKETIME} is not there: install the Debian package libfaketime")
    offset = scene.layout.state / "offset"
    offset.write_text("+0")
    load = Load(scene, seed)
    load.start()
    processor = scene.start_processor(
        LD_PRELOAD=f"{waits(scene)} {FAKETIME}",
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",  # the kernel's goes on through a step, too
    )
    wait_for(lambda: sum(scene.committed().values()) > 500, 30, "progress")
    offset.write_text(step)
    wait_for(lambda: lead(scene, processor) == int(step[:2]), 30, "a log line under the other clock", 0.2)
    done = sum(scene.committed().values())
    wait_for(lambda: sum(scene.committed().values()) > done + 1000, 30, "progress after the step")
    offset.write_text("+0")
    wait_for(lambda: lead(scene, processor) == 0, 30, "a log line under the true clock", 0.2)
    done = sum(scene.committed().values())
    wait_for(lambda: sum(scene.committed().values()) > done + 500, 30, "progress after the step back")
    load.stop()
    scene.verify()
    assert processor.running()
    assert processor.ready()


def waits(scene: Scene) -> Path:
    """What libfaketime lacks, built."""
    library = scene.layout.state / "faked_waits.so"
    source = Path(__file__).with_name("faked_waits.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    return library


def lead(scene: Scene, processor: ServiceProcess) -> int:
    """By how many hours the clock of its newest log line is ahead of ours."""
    assert processor.identity is not None
    processor.identity.send(signal.SIGHUP)  # it says that it has read its secrets again
    stamps = [
        line["ts"] for name, line in scene.log_lines() if name == f"{processor.name}.log" and "ts" in line
    ]
    said = datetime.fromisoformat(stamps[-1].replace("Z", "+00:00"))
    return round((said - datetime.now(UTC)).total_seconds() / 3600)
