# SPDX-License-Identifier: Apache-2.0
"""stock_etl_pipeline: every hour from the topics to checked tables of stocks."""

from __future__ import annotations

from _lib.dbt import DbtOperator, LoadResultsOperator, VerdictOperator
from _lib.defaults import cron, dag_options
from _lib.operators import ProgramOperator
from _lib.sensors import LagSensor
from _lib.transform import NO_VIEWS, TESTED
from _lib.watch import DeadLetterReportOperator
from airflow.sdk import DAG

STOCKS = ["+fact_stock_daily", "+dim_stocks"]

with DAG(
    "stock_etl_pipeline",
    schedule=cron("20 * * * *"),
    **dag_options(
        ["etl", "stocks"],
        "consume (the processor has next to nothing waiting) → schema_validation (topics are as they should be; of "
        "the last hour's records few were refused) → load (neither has the sink) → run_dbt_models → "
        "data_quality_checks → generate_alerts: fails when a check did, which the webhook is told.",
    ),
):
    consume = LagSensor(task_id="consume", services=["processor"], most=1000, poke_interval=15, timeout=1800)
    topics = ProgramOperator(
        task_id="schema_validation_topics", program="marketflowctl", arguments=["topics", "check"]
    )
    letters = DeadLetterReportOperator(task_id="schema_validation_records", hours=1, limit=100)
    load = LagSensor(task_id="load", services=["sink"], most=1000, poke_interval=15, timeout=1800)
    models = DbtOperator(task_id="run_dbt_models", arguments=["run", "--select", *STOCKS, *NO_VIEWS])
    checks = DbtOperator(
        task_id="data_quality_checks", arguments=["test", "--select", *STOCKS, *TESTED], tolerate=True
    )
    loaded = LoadResultsOperator(task_id="load_results", steps=["run_dbt_models", "data_quality_checks"])
    alerts = VerdictOperator(task_id="generate_alerts", steps=["data_quality_checks"])
    consume >> [topics, letters] >> load >> models >> checks >> loaded >> alerts
    checks >> alerts
