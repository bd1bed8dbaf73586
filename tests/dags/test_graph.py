# SPDX-License-Identifier: Apache-2.0
"""The DAGs as Airflow sees them: all there, importable without touching anything, with what each task must have."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from helpers import HERE, InAirflow, Programs
from mflocal import REPOSITORY

WANTED = {
    "ingestion_polygon_to_kafka", "polygon_stocks_ingest_daily", "polygon_stocks_ingest_backfill",
    "polygon_options_ingest_daily", "polygon_options_ingest_backfill", "polygon_stocks_load", "polygon_options_load",
    "stock_market_batch_pipeline", "stock_streaming_pipeline", "dbt_build_daily", "dbt_build",
    "dbt_transformation_pipeline", "dbt_test", "stream_to_snowflake", "stock_etl_pipeline",
    "daily_market_data_pipeline",
    "realtime_marts_refresh", "warehouse_maintenance",
}  # fmt: skip
CRONS = {
    "ingestion_polygon_to_kafka": "*/15 * * * *",
    "polygon_stocks_ingest_daily": "30 5 * * 2-6",
    "polygon_options_ingest_daily": "30 5 * * 2-6",
    "stock_market_batch_pipeline": "45 5 * * 2-6",
    "stock_streaming_pipeline": "*/30 * * * *",
    "dbt_build_daily": "0 6 * * *",
    "stream_to_snowflake": "*/5 * * * *",
    "stock_etl_pipeline": "20 * * * *",
    "daily_market_data_pipeline": "0 1 * * *",
    "realtime_marts_refresh": "5 * * * *",
    "warehouse_maintenance": "0 7 * * 0",
}
BY_HAND = {
    "polygon_stocks_ingest_backfill",
    "polygon_options_ingest_backfill",
    "dbt_build",
    "dbt_transformation_pipeline",
}
BY_ASSETS = {
    "polygon_stocks_load": ["marketflow://manifests/stocks"],
    "polygon_options_load": ["marketflow://manifests/options"],
    "dbt_test": ["marketflow://warehouse/marts"],
    "dbt_build_daily": [
        "marketflow://warehouse/raw/daily_stock_metrics",
        "marketflow://warehouse/raw/raw_bars",
        "marketflow://warehouse/raw/raw_option_bars",
    ],
}


def tasks(graph: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{d}.{t}", task) for d, dag in graph["dags"].items() for t, task in dag["tasks"].items()]


def test_every_file_imports_and_every_dag_is_there(graph: dict[str, Any]) -> None:
    assert graph["errors"] == {}
    assert set(graph["dags"]) == WANTED


def test_every_dag_says_what_it_is(graph: dict[str, Any]) -> None:
    for dag_id, dag in graph["dags"].items():
        assert len(dag["doc"]) > 80, dag_id
        assert "marketflow" in dag["tags"] and len(dag["tags"]) > 1, dag_id
        assert dag["catchup"] is False, dag_id
        assert dag["max_active_runs"] == 1, dag_id


def test_every_task_has_an_owner_retries_and_the_callback(graph: dict[str, Any]) -> None:
    once = {"stream_to_snowflake.restart_sink"}
    for name, task in tasks(graph):
        assert task["owner"] == "marketflow", name
        assert task["callbacks"] == ["notify_failure"], name
        assert task["timeout_s"], name
        assert task["max_retry_delay_s"] == 3600, name
        assert task["backoff"] == 2.0, name
        assert (task["retries"] == 0) == (name in once), name
        assert task["timeout_s"] <= (300 if name in once else 6 * 3600), name


def test_every_result_that_is_read_is_pushed(graph: dict[str, Any]) -> None:
    seen = 0
    for dag_id, dag in graph["dags"].items():
        for task_id, task in dag["tasks"].items():
            for source, key in task["reads"]:
                pushed = key == "return_value" or dag["tasks"][source]["multiple_outputs"]
                assert pushed, f"{dag_id}.{task_id} reads {source}[{key}]"
                seen += 1
    assert seen >= 10


def test_schedules(graph: dict[str, Any]) -> None:
    dags = graph["dags"]
    assert {d: dag["cron"] for d, dag in dags.items() if dag["cron"]} == CRONS
    assert {d: dag["assets"] for d, dag in dags.items() if dag["assets"]} == BY_ASSETS
    assert {d for d, dag in dags.items() if not dag["cron"] and not dag["assets"]} == BY_HAND
    # Whatever Airflow's own setting makes of a bare cron string: the logical date is the moment of the run.
    assert {dag["timed_by"] for dag in dags.values() if dag["cron"]} == {"CronTriggerTimetable"}
    assert {dag["zone"] for dag in dags.values() if dag["cron"]} == {"UTC"}


def test_every_asset_that_is_waited_for_has_somebody_who_makes_it(graph: dict[str, Any]) -> None:
    made = {uri for _, task in tasks(graph) for uri in task["outlets"]}
    waited = {uri for dag in graph["dags"].values() for uri in dag["assets"]}
    assert waited <= made
    chain = ["polygon_stocks_ingest_daily", "polygon_stocks_load", "dbt_build_daily", "dbt_test"]
    for producer, consumer in pairwise(chain):
        outlets = {uri for task in graph["dags"][producer]["tasks"].values() for uri in task["outlets"]}
        assert outlets & set(graph["dags"][consumer]["assets"]), (producer, consumer)


def test_work_is_bounded_by_the_pools(graph: dict[str, Any]) -> None:
    seen = set()
    for name, task in tasks(graph):
        if task["class"] == "BackfillOperator":
            assert task["mapped"] and task["pool"] == "marketflow_provider", name
            seen.add("provider")
        if task["class"] in ("DbtOperator", "VerifyCountsOperator"):
            assert task["pool"] == "marketflow_warehouse", name
            seen.add("warehouse")
        if task["class"].endswith("Sensor") and not task["mapped"]:
            assert task["mode"] == "reschedule", name
    assert seen == {"provider", "warehouse"}


def test_a_failure_anywhere_fails_the_run(graph: dict[str, Any]) -> None:
    """What runs whatever became of the others (loading results) must not be the only end of a DAG: a run is judged by
    its last tasks."""
    for dag_id, dag in graph["dags"].items():
        found = dag["tasks"]
        for task_id, task in found.items():
            if task["trigger_rule"] != "all_done":
                continue
            for before, other in found.items():
                if task_id in other["downstream"]:
                    others = set(other["downstream"]) - {task_id}
                    ends = _strict_ends(found, others) or (
                        task["downstream"] and _strict_ends(found, set(task["downstream"]) & others)
                    )
                    assert ends, f"{dag_id}.{before} may fail unseen"


def _strict_ends(found: dict[str, Any], names: set[str]) -> bool:
    """Some way from these tasks to the end of the DAG without a task that runs in any case."""
    return any(
        found[name]["trigger_rule"] != "all_done"
        and (not found[name]["downstream"] or _strict_ends(found, set(found[name]["downstream"])))
        for name in names
    )


def test_aliases_are_the_same_graph(graph: dict[str, Any]) -> None:
    build = graph["dags"]["dbt_build_daily"]
    for alias in ("dbt_build", "dbt_transformation_pipeline"):
        assert graph["dags"][alias]["tasks"] == build["tasks"]
        assert "alias" in graph["dags"][alias]["tags"]


def test_files_touch_nothing_when_they_are_imported(helper: InAirflow, graph: dict[str, Any]) -> None:
    assert graph["errors"] == {}
    answer = helper.ask("denied")
    assert answer["refused"] == []
    assert len(answer["files"]) >= 10


def test_the_guard_notices_what_a_file_touches(airflow_python: Path, tmp_path: Path) -> None:
    """The test above can fail: a file that reads its neighbourhood, connects and starts something is named."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "bad.py").write_text("open('/etc/hostname').read()\n")
    (tmp_path / "dags" / "worse.py").write_text("import socket\nsocket.create_connection(('127.0.0.1', 9))\n")
    env = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [str(airflow_python), "-B", str(HERE / "in_airflow.py"), str(tmp_path / "dags")],
        input='{"what": "denied"}\n', capture_output=True, text=True, env=env,
    )  # fmt: skip
    refused = json.loads(done.stdout)["refused"]
    assert any("/etc/hostname" in text for text in refused)
    assert any("socket." in text for text in refused)


GOLDEN = HERE / "commands.json"


@pytest.fixture(scope="module")
def rendered(helper: InAirflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    place = tmp_path_factory.mktemp("programs")
    programs = Programs(place)
    env = programs.env | {"MARKETFLOW_RESTART": '["systemctl", "restart", "marketflow-sink@1"]'}
    found = helper.ask("commands", env=env)["commands"]
    texts = [(str(place), "BIN"), (str(REPOSITORY), "TREE")]
    for command in found.values():
        for old, new in texts:
            command[:] = [word.replace(old, new) for word in command]
    return dict(found)


def test_commands_are_as_written_down(rendered: dict[str, list[str]]) -> None:
    """MARKETFLOW_WRITE_COMMANDS=1 writes the file anew; look at what changes."""
    if os.environ.get("MARKETFLOW_WRITE_COMMANDS"):
        GOLDEN.write_text(json.dumps(rendered, indent=1, sort_keys=True) + "\n")
    assert rendered == json.loads(GOLDEN.read_text())


def test_programs_know_the_options_that_they_are_given(rendered: dict[str, list[str]], binaries: str) -> None:
    checked = 0
    for name, command in rendered.items():
        program = Path(command[0]).name
        if not program.startswith("marketflow"):
            continue
        words = [word for word in command[1:3] if not word.startswith("--")]
        shown = subprocess.run([f"{binaries}/{program}", "--help"], capture_output=True, text=True).stdout
        usage = next(
            line for line in shown.splitlines() if line.strip().startswith(f"{program} {' '.join(words)}")
        )
        for option in re.findall(r"--[a-z-]+", " ".join(command)):
            assert option in usage, (name, option)
            checked += 1
    assert checked >= 4
