# SPDX-License-Identifier: Apache-2.0
"""Which tests a suite chooses, by how it was asked for."""

from pathlib import Path

import pytest

from runner import suites
from runner.__main__ import chosen_suites
from runner.outcomes import Totals
from runner.suites import SUITES, Context


def chosen(monkeypatch: pytest.MonkeyPatch, name: str, *asked: str) -> list[str]:
    """What pytest is told when the suite runs because of what was asked for."""
    told: list[str] = []

    def record(context: Context, label: str, arguments: list[str], *rest: object) -> Totals:
        told.extend(arguments)
        return Totals(passed=1)

    monkeypatch.setattr(suites, "pytest", record)
    names = chosen_suites(list(asked))
    assert name in names
    SUITES[name].run(Context(1, unnamed=set(names) - set(asked)))
    return told


@pytest.mark.parametrize("asked", [(), ("all",)])
def test_all_has_the_short_part_of_analytics(monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]) -> None:
    assert chosen(monkeypatch, "analytics", *asked) == ["-m", "not deep", "tests/analytics"]


@pytest.mark.parametrize("asked", [("analytics",), ("all", "analytics")])
def test_a_named_suite_is_whole(monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]) -> None:
    assert chosen(monkeypatch, "analytics", *asked) == ["tests/analytics"]


def test_what_all_shows_under_sanitizers_is_not_run_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = f"{suites.IN_ALL} and (not sanitized or {suites.UNSANITIZED})"
    assert chosen(monkeypatch, "integration") == ["-m", marks, "tests/integration"]
    assert chosen(monkeypatch, "integration", "integration") == ["-m", suites.IN_ALL, "tests/integration"]


def test_other_suites_are_the_same_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "ctest", lambda *rest, **options: Totals(passed=1))
    assert chosen(monkeypatch, "asan") == chosen(monkeypatch, "asan", "asan")


def test_fast_leaves_out_what_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str, str]] = []

    def record(
        context: Context, preset: str, label: str, extra: object = None, leave_out: str = ""
    ) -> Totals:
        found.append((label, leave_out))
        return Totals(passed=1)

    monkeypatch.setattr(suites, "ctest", record)
    monkeypatch.setattr(suites, "pytest", lambda *rest, **options: Totals(passed=1))
    monkeypatch.setattr(suites.environment, "python_of", lambda lock: Path("python"))
    totals = SUITES["fast"].run(Context(1))
    assert found == [("unit", ""), ("lint", suites.SLOW_LINT)] and not totals.failed
    assert "fast" not in chosen_suites([])
