# SPDX-License-Identifier: Apache-2.0
"""The generated pages are what the programs' tables say now, and the pages' links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("MARKETFLOW_BIN_DIR") or ROOT / "build" / "dev" / "bin")
PAGES = sorted(
    p for folder in (".", "docs", "deploy/local", "deploy/simulator") for p in (ROOT / folder).glob("*.md")
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_generated_pages_are_current() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), str(BINARIES), "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, "run docs/generate.py BIN_DIR\n" + result.stdout + result.stderr


def test_a_stale_page_is_noticed() -> None:
    """The check can fail: programs that say something else make every page stale."""
    command = [
        sys.executable,
        str(ROOT / "docs" / "generate.py"),
        str(Path(__file__).parent / "samples"),
        "--check",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    for name in ("settings", "metrics", "events", "rules"):
        assert f"docs/{name}.md (tables)" in result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(page.read_text()):
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
            broken.append(target)
    assert not broken


def test_every_metric_of_the_catalogue_is_well_named() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `?(\w+)`? \| (\w+) \|", text, re.M)
    assert len(rows) > 50
    for name, kind in rows:
        if name in ("metric", "name"):
            continue
        assert re.fullmatch(r"(marketflow|process)_[a-z0-9_]+", name), name
        assert (kind != "counter") or name.endswith("_total"), name
