# SPDX-License-Identifier: Apache-2.0
"""marketflow-sink load-results: what dbt and Great Expectations found out, once per invocation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from line import Line
from mflocal import REPOSITORY

DATA = REPOSITORY / "tests" / "data" / "results"
FILES = (
    DATA / "target" / "run_results.json",
    DATA / "target" / "sources.json",
    DATA / "gx_validation.json",
    DATA / "gx_checkpoint.json",
)


def test_results_are_loaded_once(line: Line) -> None:
    first = line.run("marketflow-sink", "load-results", *map(str, FILES))
    assert first.returncode == 0, first.stderr
    assert len(first.stdout.splitlines()) == 5  # a checkpoint holds two
    assert "there already" not in first.stdout
    assert line.number("SELECT count(*) FROM ops.dbt_run_results") == 8
    assert line.number("SELECT count(*) FROM ops.dq_results") == 3 + 4 + 3
    failed = line.query(
        "SELECT name, status, severity, failures, test_type FROM ops.dbt_run_results "
        "WHERE status IN ('fail', 'warn') ORDER BY 1"
    )
    assert failed == [
        ["accepted_values_stg_bars_interval__1m__1d", "warn", "warn", "3", "accepted_values"],
        ["assert_close_within_range", "fail", "error", "17", "singular"],
    ]
    assert line.number("SELECT rows_affected FROM ops.dbt_run_results WHERE rows_affected > 0") == 1204
    tagged = "SELECT count(*) FROM ops.dbt_run_results WHERE tags @> '[\"hourly\"]'"
    assert line.number(tagged) == 1
    bad = line.query("SELECT tool, target, status FROM ops.dq_results WHERE NOT success ORDER BY 1, 2, 3")
    assert bad == [
        ["dbt_source_freshness", "source.marketflow.market_raw.raw_alerts", "runtime error"],
        ["dbt_source_freshness", "source.marketflow.market_raw.raw_news", "error"],
        ["great_expectations", "raw_bars", "error"],
        ["great_expectations", "raw_bars", "fail"],
        ["great_expectations", "raw_news", "fail"],
    ]
    again = line.run("marketflow-sink", "load-results", *map(str, FILES))
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("were there already") == 5
    assert line.number("SELECT count(*) FROM ops.dbt_run_results") == 8
    assert line.number("SELECT count(*) FROM ops.dq_results") == 10


def test_a_bad_file_stops_before_the_first_row(line: Line, tmp_path: Path) -> None:
    line.expected_errors.append("load_results_failed")
    target = tmp_path / "target"
    shutil.copytree(DATA / "target", target)
    results = json.loads((target / "run_results.json").read_text())
    results["results"][2]["failures"] = "none"
    (target / "run_results.json").write_text(json.dumps(results))
    bad = target / "run_results.json"
    answer = line.run("marketflow-sink", "load-results", str(FILES[1]), str(bad))
    assert answer.returncode == 78
    assert f"{bad}: results[2].failures must be a number, not string" in answer.stderr
    assert line.number("SELECT count(*) FROM ops.dq_results") == 0

    (target / "manifest.json").unlink()
    answer = line.run("marketflow-sink", "load-results", str(bad))
    assert answer.returncode == 78
    assert "manifest.json" in answer.stderr
    bad.write_text("{")
    answer = line.run("marketflow-sink", "load-results", str(bad))
    assert answer.returncode == 78
    assert "json_syntax" in answer.stderr
    assert line.run("marketflow-sink", "load-results").returncode == 78


def test_a_row_that_is_refused_undoes_its_invocation(line: Line) -> None:
    """All rows of an invocation or none, so that loading it again is never half a repeat."""
    line.expected_errors.append("load_results_failed")
    constraint = "ALTER TABLE ops.dq_results ADD CONSTRAINT late CHECK (status <> 'error')"
    line.parts.postgres.sql(constraint, user="postgres", database=line.database)
    answer = line.run("marketflow-sink", "load-results", str(FILES[1]))
    assert answer.returncode != 0
    assert line.number("SELECT count(*) FROM ops.dq_results") == 0
    line.parts.postgres.sql(
        "ALTER TABLE ops.dq_results DROP CONSTRAINT late", user="postgres", database=line.database
    )
    assert line.run("marketflow-sink", "load-results", str(FILES[1])).returncode == 0
    assert line.number("SELECT count(*) FROM ops.dq_results") == 3


def test_without_a_warehouse_or_its_tables(line: Line) -> None:
    line.expected_errors.append("load_results_failed")
    answer = line.run("marketflow-sink", "load-results", str(FILES[1]), WAREHOUSE_PORT="1")
    assert answer.returncode == 75
    line.parts.postgres.sql(
        "DELETE FROM ops.schema_migrations WHERE version = '0003_results'",
        user="postgres",
        database=line.database,
    )
    answer = line.run("marketflow-sink", "load-results", str(FILES[1]))
    assert answer.returncode == 78
    assert "run marketflow-sink migrate" in answer.stderr
