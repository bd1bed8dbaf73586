# SPDX-License-Identifier: Apache-2.0
"""Seeds that are tables of the programs are what the programs say."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from mflocal import REPOSITORY


def test_seeds_are_up_to_date(binaries: Path) -> None:
    command = [sys.executable, "-B", str(REPOSITORY / "dbt" / "generate_seeds.py"), str(binaries), "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_seed_that_is_out_of_date_is_named(binaries: Path, tmp_path: Path) -> None:
    script = tmp_path / "dbt" / "generate_seeds.py"
    script.parent.mkdir()
    script.write_text((REPOSITORY / "dbt" / "generate_seeds.py").read_text())
    seeds = script.parent / "seeds"
    seeds.mkdir()
    text = (REPOSITORY / "dbt" / "seeds" / "exchange_calendar.csv").read_text()
    (seeds / "exchange_calendar.csv").write_text(text.replace("2024-07-03,", "2024-07-04,"))
    (seeds / "alert_rules.csv").write_text((REPOSITORY / "dbt" / "seeds" / "alert_rules.csv").read_text())
    result = subprocess.run(
        [sys.executable, "-B", str(script), str(binaries), "--check"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "exchange_calendar.csv" in result.stderr and "alert_rules.csv" not in result.stderr


def test_a_spike_is_the_rules_lowest() -> None:
    """What marts call a volume spike is what a multi-signal of the processor asks for."""
    seeds = REPOSITORY / "dbt" / "seeds"
    with (seeds / "alert_rules.csv").open() as file:
        rules = {(row["rule_id"], row["threshold_interval"]): row for row in csv.DictReader(file)}
    with (seeds / "regime_thresholds.csv").open() as file:
        thresholds = {row["threshold_name"]: float(row["threshold_value"]) for row in csv.DictReader(file)}
    assert thresholds["volume_spike_sd"] == float(rules["volume_spike", "all"]["info_threshold"])
