# SPDX-License-Identifier: Apache-2.0
"""What dbt leaves behind: where each step writes, what it found, and how long it is kept. No Airflow.

Every step of every run has a directory of its own, so that no run_results.json takes the place of another; a repeated
step writes to the same one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .settings import Settings

BAD = ("error", "fail", "runtime error", "partial success")
RESULT_FILES = ("run_results.json", "sources.json")
PARSED = "partial_parse.msgpack"
MARK = "MARKETFLOW_ROWS "


def step_directory(settings: Settings, dag_id: str, run_id: str, task_id: str) -> Path:
    def name(text: str) -> str:
        return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:150]

    return settings.work / "dbt" / name(dag_id) / name(run_id) / name(task_id)


def result_files(settings: Settings, dag_id: str, run_id: str, steps: Sequence[str]) -> list[str]:
    """The result files that these steps have written, in their order."""
    places = [step_directory(settings, dag_id, run_id, step) for step in steps]
    return [str(place / name) for place in places for name in RESULT_FILES if (place / name).is_file()]


def begin(settings: Settings, place: Path) -> None:
    """An empty place for a step: nothing of an earlier try may be taken for its result. What dbt has parsed before is
    given along: with the same project it spares most of its start."""
    shutil.rmtree(place, ignore_errors=True)
    settings.directory(place)
    with suppress(OSError):
        shutil.copyfile(settings.work / "dbt" / PARSED, place / PARSED)


def keep_parsed(settings: Settings, place: Path) -> None:
    """For the next step; the copy in each place is not needed any more."""
    with suppress(OSError):
        os.replace(place / PARSED, settings.work / "dbt" / PARSED)


@dataclass
class Outcome:
    """What a dbt command found, by run_results.json."""

    counts: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)  # "name: status: message"
    failed_tests: int = 0
    warned: list[str] = field(default_factory=list)

    @property
    def only_tests_failed(self) -> bool:
        return bool(self.bad) and self.failed_tests == len(self.bad)


def outcome(place: Path) -> Outcome | None:
    """None when the command did not get as far as writing its results."""
    try:
        results = json.loads((place / "run_results.json").read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return None
    found = Outcome(dict(Counter(str(result["status"]) for result in results)))
    for result in results:
        status, name = str(result["status"]), result["unique_id"].split(".", 2)[2]
        said = f"{name}: {status}: {' '.join(str(result.get('message') or '').split())}"[:400]
        if status in BAD:
            found.bad.append(said)
            found.failed_tests += status == "fail"
        elif status == "warn":
            found.warned.append(said)
    return found


def marked(output: str) -> dict[str, Any]:
    """The object that a macro has logged behind its mark."""
    for line in reversed(output.splitlines()):
        _, mark, text = line.partition(MARK)
        if mark:
            value = json.loads(text)
            if isinstance(value, dict):
                return value
    raise ValueError("the macro has logged nothing")


def old_places(settings: Settings, days: int, now: float | None = None) -> Iterator[Path]:
    """Directories of runs and manifests that nobody has written to for so many days."""
    oldest = (time.time() if now is None else now) - days * 86_400
    # Beside manifests lie what an interrupted task left of one, and locks.
    kept = [path for path in (settings.work / "manifests").glob("*") if path.is_file()]
    for place in [*(settings.work / "dbt").glob("*/*"), *kept]:
        with suppress(OSError):
            if place.stat().st_mtime < oldest:
                yield place


def remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
