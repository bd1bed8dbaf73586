# SPDX-License-Identifier: Apache-2.0
"""Counting outcomes from the JUnit files that ctest and pytest write.

An outcome is taken from the file, never from a tool's prose; a tool that failed without a failure in its file (it
crashed, it collected nothing, it wrote no file) is a failure of its own.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Totals:
    passed: int = 0
    failed: list[str] = field(default_factory=list)  # names
    skipped: list[str] = field(default_factory=list)  # "name: reason"

    def __iadd__(self, other: Totals) -> Totals:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    @property
    def ran(self) -> int:
        return self.passed + len(self.failed)

    def closing_line(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"

    def exit_code(self) -> int:
        """0 only if something ran and nothing failed: a run of skips has shown nothing."""
        return 0 if self.passed > 0 and not self.failed else 1


def _ctest_case(case: ElementTree.Element, totals: Totals, name: str) -> None:
    status = case.get("status")
    skipped = case.find("skipped")
    reason = (skipped.get("message") if skipped is not None else None) or ""
    output = (case.findtext("system-out") or "").strip()
    if status == "run":
        totals.passed += 1
    elif status == "disabled" or (status == "notrun" and reason.startswith("SKIP_")):
        last = output.splitlines()[-1] if output else reason
        totals.skipped.append(f"{name}: {last}")
    else:
        # Also "notrun" for want of the executable: a test that should have run and could not.
        totals.failed.append(f"{name} ({reason})" if reason else name)


def _pytest_case(case: ElementTree.Element, totals: Totals, name: str) -> None:
    skipped = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        totals.failed.append(name)
    elif skipped is not None:
        totals.skipped.append(f"{name}: {skipped.get('message') or skipped.get('type') or 'no reason given'}")
    else:
        totals.passed += 1


def read_junit(path: Path, label: str) -> Totals:
    """The outcomes of one JUnit file. Raises OSError or ParseError when there is none to read.

    ctest gives every case a status attribute; pytest gives none, and reports a case whose teardown fails after the
    call has passed as a second element of the same name: one failure, not one of each.
    """
    totals = Totals()
    bad: set[str] = set()
    cases = list(_cases(path))
    for name, case in cases:
        if case.get("status") is None and (
            case.find("failure") is not None or case.find("error") is not None
        ):
            bad.add(name)
    for name, case in cases:
        full = f"{label}: {name}"
        if case.get("status") is not None:
            _ctest_case(case, totals, full)
        elif name in bad:
            if full not in totals.failed:
                totals.failed.append(full)
        else:
            _pytest_case(case, totals, full)
    return totals


def _cases(path: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        place, name = case.get("classname") or "", case.get("name") or "?"
        yield (name if place in ("", name) else f"{place}.{name}"), case


def judge(path: Path, label: str, returncode: int) -> Totals:
    """Outcomes of a tool that was to write `path` and ended with `returncode`."""
    try:
        totals = read_junit(path, label)
    except (OSError, ElementTree.ParseError) as error:
        return Totals(failed=[f"{label}: ended with {returncode} and left no results ({error})"])
    if returncode != 0 and not totals.failed:
        totals.failed.append(f"{label}: ended with {returncode} without a failed test")
    if totals.ran == 0 and not totals.skipped and not totals.failed:
        totals.failed.append(f"{label}: nothing ran")
    return totals
