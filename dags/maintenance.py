# SPDX-License-Identifier: Apache-2.0
"""warehouse_maintenance: the weekly quiet hour."""

from __future__ import annotations

from _lib.dbt import DbtOperator
from _lib.defaults import cron, dag_options
from _lib.operators import ProgramOperator
from _lib.watch import CleanUpOperator, DeadLetterReportOperator, ParityOperator
from airflow.sdk import DAG

with DAG(
    "warehouse_maintenance",
    schedule=cron("0 7 * * 0"),
    **dag_options(
        ["maintenance"],
        "Every Sunday: room and statistics of the tables (PostgreSQL: VACUUM ANALYZE, as far as dbt's role may; "
        "Snowflake does it by itself), dead letters of the week by reason, an audit of every record and offset "
        "(`marketflowctl verify`), topics as they should be, old artifacts and manifests removed. RAW is never deleted "
        "from.",
    ),
):
    tables = DbtOperator(task_id="maintain_tables", arguments=["run-operation", "maintain_warehouse"])
    letters = DeadLetterReportOperator(task_id="dead_letters", hours=7 * 24)
    audit = ParityOperator(task_id="offsets_audit", arguments=["--list", "20"])
    topics = ProgramOperator(task_id="topics", program="marketflowctl", arguments=["topics", "check"])
    [tables, letters, audit, topics] >> CleanUpOperator(task_id="clean_up")
