# SPDX-License-Identifier: Apache-2.0
"""stock_market_batch_pipeline: the whole way of a day's bars in one DAG."""

from __future__ import annotations

from typing import Any

from _lib.assets import RAW_DAILY
from _lib.dbt import VerifyCountsOperator
from _lib.defaults import PROVIDER_POOL, cron, dag_options
from _lib.ingest import AGAIN, DAY, SYMBOLS, plan_market_day, plan_task
from _lib.operators import BackfillOperator
from _lib.sensors import LagSensor, ManifestSensor
from _lib.sessions import AFTER_THE_DAY_GROUPED
from airflow.sdk import DAG, task

with DAG(
    "stock_market_batch_pipeline",
    schedule=cron(AFTER_THE_DAY_GROUPED),
    params={"day": DAY, "symbols": SYMBOLS, "again": AGAIN},
    **dag_options(
        ["batch", "stocks", "daily"],
        "One trading day's day bars, all with one request: fetch → Kafka → wait until the topics are "
        "drained and the day is in the warehouse → count. What it loads starts `dbt_build_daily`. "
        "A day without a session succeeds with nothing.",
    ),
):
    fetched = BackfillOperator.partial(task_id="fetch", pool=PROVIDER_POOL).expand(
        request=plan_task(plan_market_day)
    )

    @task(task_id="manifests", trigger_rule="none_failed")
    def manifest_paths(results: Any) -> list[str]:
        return [result["manifest"] for result in results or []]

    paths = manifest_paths(fetched.output)
    drained = LagSensor(task_id="topics_drained", most=1000, poke_interval=15, trigger_rule="none_failed")
    landed = ManifestSensor.partial(task_id="wait", poke_interval=15).expand(manifest=paths)
    fetched >> drained
    [drained, landed] >> VerifyCountsOperator(task_id="verify_counts", manifests=paths, asset=RAW_DAILY)
