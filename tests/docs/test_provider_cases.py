# SPDX-License-Identifier: Apache-2.0
"""docs/provider-cases.md has every case, and the tests it names are there and are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "provider-cases.md"
CASES = 53
LATER = "*not there yet*"
ROW = re.compile(r"^\| (N\d\d) \|(.*)\|(.*)\|(.*)\|$", re.M)
NAME = re.compile(r"`([\w./]+\.(?:c|py))::(\w+)`")


def exists(file: str, test: str) -> bool:
    """Whether such a test is defined, and in C named once more: in the program's list."""
    path = ROOT / "tests" / ("unit" if file.endswith(".c") else "integration") / file
    text = path.read_text() if path.is_file() else ""
    if file.endswith(".py"):
        return re.search(rf"^def {test}\(", text, re.M) is not None
    defined = re.search(rf"^static void {test}\(", text, re.M) is not None
    return defined and len(re.findall(rf"\b{test}\b", text)) > 1


def named() -> list[tuple[str, str]]:
    return sorted(set(NAME.findall(PAGE.read_text())))


def test_every_case_has_one_row() -> None:
    found = [number for number, *_ in ROW.findall(PAGE.read_text())]
    assert found == [f"N{number:02}" for number in range(1, CASES + 1)]


def test_every_case_has_a_test_or_says_that_it_comes_later() -> None:
    without = {
        number
        for number, _, reaction, tests in ROW.findall(PAGE.read_text())
        if not NAME.search(tests) and LATER not in reaction
    }
    assert not without


@pytest.mark.parametrize(("file", "test"), named(), ids=lambda value: value)
def test_a_named_test_exists(file: str, test: str) -> None:
    assert exists(file, test)


def test_what_does_not_exist_is_noticed() -> None:
    """The check can fail."""
    assert not exists("test_url.c", "test_of_nothing")
    assert not exists("test_nothing.py", "test_rebase")
    assert not exists("test_url.c", "is_clean")
    assert len(named()) > CASES
