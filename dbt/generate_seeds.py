#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds that are tables of the programs: the exchanges' calendar and the alert rules.

dbt/generate_seeds.py BIN_DIR          writes them
dbt/generate_seeds.py BIN_DIR --check  writes nothing; exits 1 when one is out of date
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"
FIRST, LAST = "2000-01-01", "2030-12-31"


def output(binaries: Path, program: str, *arguments: str) -> str:
    command = [str(binaries / program), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env={}, timeout=60)
    if result.returncode != 0:
        raise SystemExit(f"{program} {' '.join(arguments)}: exit {result.returncode}\n{result.stderr}")
    return result.stdout


def table(header: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def exchange_calendar(binaries: Path) -> str:
    listing = csv.reader(output(binaries, "marketflowctl", "calendar", FIRST, LAST).splitlines())
    assert next(listing) == ["session", "open", "close", "early"]
    rows = [
        [day, opens.removesuffix("Z"), closes.removesuffix("Z"), early]
        for day, opens, closes, early in listing
    ]
    return table(["session_date", "open_time", "close_time", "is_early_close"], rows)


def alert_rules(binaries: Path) -> str:
    lines = output(binaries, "marketflow-processor", "--print-reference", "rules").splitlines()
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")
    ]
    header = ["rule", "bars of", "formula", "unit", "info", "warning", "critical", "from bar"]
    if found[0][:8] != header:
        raise SystemExit(f"the table of rules has other columns: {found[0]}")
    rows = []
    for rule, bars, formula, unit, info, warning, critical, from_bar, liquidity, cooldown in found[2:]:
        rule_id, _, interval = rule.partition(", ")
        switches = [str(value == "yes").lower() for value in (liquidity, cooldown)]
        rows.append(
            [rule_id, interval or "all", bars, formula, unit, info, warning, critical, from_bar, *switches]
        )
    names = [
        "rule_id",
        "threshold_interval",
        "applies_to",
        "formula",
        "unit",
        "info_threshold",
        "warning_threshold",
    ]
    names += ["critical_threshold", "first_bar", "wants_liquidity", "has_cooldown"]
    return table(names, rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binaries", type=Path, metavar="BIN_DIR")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    old = []
    for name, make in (("exchange_calendar", exchange_calendar), ("alert_rules", alert_rules)):
        path, text = SEEDS / f"{name}.csv", make(arguments.binaries)
        if path.exists() and path.read_text() == text:
            continue
        old.append(path.name)
        if not arguments.check:
            path.write_text(text)
    if arguments.check and old:
        print(f"out of date: {', '.join(old)}; run dbt/generate_seeds.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
