# SPDX-License-Identifier: Apache-2.0
"""dbt_build_daily, and the names under which others look for it."""

from __future__ import annotations

from _lib.assets import RAW_BARS, RAW_DAILY, RAW_OPTION_BARS
from _lib.defaults import cron
from _lib.transform import build_dbt_dag
from airflow.sdk import DAG, AssetOrTimeSchedule

DOC = """\
Builds everything of dbt: how old RAW is, seeds and staging with their tests, marts, snapshots, documentation. Started
by what a load has brought, and at 06:00 UTC in any case. Loads what dbt said about each step into
`ops.dbt_run_results`. Run it again whenever you like: it takes in what came since, and nothing twice.
"""

build: DAG = build_dbt_dag(
    "dbt_build_daily",
    AssetOrTimeSchedule(
        timetable=cron("0 6 * * *"),
        assets=(RAW_BARS | RAW_OPTION_BARS | RAW_DAILY),
    ),
    DOC,
    ["daily"],
)
# The same by other names, for whoever starts it by hand or from elsewhere; they have no schedule of their own, so that
# nothing is built three times.
aliases: list[DAG] = [
    build_dbt_dag(name, None, DOC + "\nAnother name of `dbt_build_daily`, without a schedule.\n", ["alias"])
    for name in ("dbt_build", "dbt_transformation_pipeline")
]
