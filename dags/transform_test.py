# SPDX-License-Identifier: Apache-2.0
"""dbt_test: after each build all data tests, their results in the warehouse, an alert where one failed."""

from __future__ import annotations

from _lib.assets import MARTS, TEST_RESULTS
from _lib.defaults import dag_options
from _lib.transform import test_tasks
from airflow.sdk import DAG

with DAG(
    "dbt_test",
    schedule=[MARTS],
    **dag_options(
        ["dbt", "quality"],
        "Runs every data test of dbt after a build and loads the results into `ops.dbt_run_results` "
        "(`marketflow-sink load-results`), also of those that failed; then fails if one of severity error did, which "
        "the webhook is told. Failing rows are in the schema `dq_failures`. Run it again whenever you like.",
    ),
):
    test_tasks(TEST_RESULTS)
