# SPDX-License-Identifier: Apache-2.0
"""daily_market_data_pipeline: a trading day from the provider to tested marts, in one DAG."""

from __future__ import annotations

from functools import partial
from typing import Any

from _lib.assets import MARTS, REALTIME_MARTS
from _lib.dbt import DbtOperator, VerifyCountsOperator
from _lib.defaults import PROVIDER_POOL, cron, dag_options
from _lib.ingest import AGAIN, DAY, STOCK_TIMESPANS, SYMBOLS, plan_day, plan_task
from _lib.operators import BackfillOperator
from _lib.sensors import DayOverSensor, ManifestSensor
from _lib.sessions import AFTER_THE_SESSION
from _lib.transform import (
    TESTED,
    freshness_step,
    marts_step,
    snapshot_step,
    staging_step,
    test_tasks,
)
from airflow.sdk import DAG, task

with DAG(
    "daily_market_data_pipeline",
    schedule=cron(AFTER_THE_SESSION),
    params={"day": DAY, "symbols": SYMBOLS, "again": AGAIN, "timespans": STOCK_TIMESPANS},
    **dag_options(
        ["daily", "stocks"],
        "Everything of a trading day, at 01:00 UTC: ingest → validate (in the warehouse, and counted) → dbt (staging "
        "with its tests, marts, snapshots) → tests → maintenance → refresh of the real-time marts. At 01:00 UTC the "
        "day is not over in New York; `close` fetches the rest after midnight there and completes the runs, and the "
        "next build takes it in. Use this, or the DAGs that are joined by assets, not both.",
    ),
):
    planned = plan_task(partial(plan_day, feed="bars", open_ended=True))
    fetched = BackfillOperator.partial(
        task_id="ingest", pool=PROVIDER_POOL, open_ended=True, max_active_tis_per_dagrun=8
    ).expand(request=planned)
    closed = BackfillOperator.partial(
        task_id="close", pool=PROVIDER_POOL, max_active_tis_per_dagrun=8, trigger_rule="none_failed"
    ).expand(request=planned)
    DayOverSensor(task_id="day_over", requests=planned) >> closed
    fetched >> closed

    @task(task_id="manifests", trigger_rule="none_failed")
    def manifest_paths(results: Any) -> list[str]:
        return [result["manifest"] for result in results or []]

    paths = manifest_paths(fetched.output)
    waited = ManifestSensor.partial(task_id="validate_landed", poke_interval=15).expand(manifest=paths)
    counted = VerifyCountsOperator(task_id="validate_counts", manifests=paths)
    fresh, staging, marts, snapshots = (
        freshness_step(),
        staging_step(),
        marts_step(outlets=[MARTS]),
        snapshot_step(),
    )
    tested, verdict = test_tasks()
    waited >> counted >> fresh >> staging >> marts >> snapshots >> tested
    maintained = DbtOperator(task_id="maintenance", arguments=["run-operation", "maintain_warehouse"])
    refreshed = DbtOperator(
        task_id="refresh", arguments=["build", "--selector", "realtime", *TESTED], outlets=[REALTIME_MARTS]
    )
    verdict >> maintained >> refreshed
