# SPDX-License-Identifier: Apache-2.0
"""One factory for every DAG that builds all of dbt, and the steps that others are put together from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from airflow.sdk import DAG, Asset

from .assets import MARTS
from .dbt import DbtOperator, LoadResultsOperator, VerdictOperator
from .defaults import dag_options

# Tests are run with the step whose tables they look at, once all of those are there.
TESTED = ("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test")

# A part of the models leaves views as they are: PostgreSQL drops the views on top of one that is replaced, and those
# that are not among the part would stay away until the next whole build.
NO_VIEWS = ("--exclude", "config.materialized:view")


def freshness_step(**options: Any) -> DbtOperator:
    """How old RAW is: a result for the dashboard, and no reason not to build."""
    return DbtOperator(
        task_id="source_freshness", arguments=["source", "freshness"], tolerate=True, **options
    )


def staging_step(**options: Any) -> DbtOperator:
    """Typed events and what stands on them, with their tests: nothing is built on what is wrong."""
    return DbtOperator(
        task_id="build_staging", arguments=["build", "--selector", "staging", *TESTED], **options
    )


def marts_step(**options: Any) -> DbtOperator:
    return DbtOperator(task_id="build_marts", arguments=["run", "--selector", "marts"], **options)


def snapshot_step(**options: Any) -> DbtOperator:
    """After the marts, since one of them is kept as well."""
    return DbtOperator(task_id="snapshot", arguments=["snapshot"], **options)


def test_step(**options: Any) -> DbtOperator:
    """Every data test; what fails is for the verdict to say, once the results are loaded."""
    arguments = ["test", "--exclude-resource-type", "unit_test"]
    return DbtOperator(task_id="test", arguments=arguments, tolerate=True, **options)


def test_tasks(asset: Asset | None = None) -> tuple[DbtOperator, VerdictOperator]:
    """test → load the results → verdict: first and last of them."""
    tested = test_step()
    loaded = LoadResultsOperator(
        task_id="load_results", steps=["test"], **({"outlets": [asset]} if asset is not None else {})
    )
    verdict = VerdictOperator(task_id="verdict", steps=["test"])
    # By both ways: where nothing was loaded because dbt itself failed, the verdict must not be passed over.
    tested >> loaded >> verdict
    tested >> verdict
    return tested, verdict


def build_dbt_dag(dag_id: str, schedule: Any, doc: str, tags: list[str]) -> DAG:
    """source freshness → seeds, staging with its tests → marts → snapshots → documentation; the results of all steps to
    the warehouse, whatever became of them. Incremental: a second run takes in what came since, and nothing twice."""
    with DAG(dag_id, schedule=schedule, **dag_options(["dbt", "transform", *tags], doc)) as dag:
        steps = [freshness_step(), staging_step(), marts_step(outlets=[MARTS]), snapshot_step()]
        for before, after in pairwise(steps):
            before >> after
        docs = DbtOperator(task_id="docs", arguments=["docs", "generate"])
        loaded = LoadResultsOperator(task_id="load_results", steps=[step.task_id for step in steps])
        steps[-1] >> [docs, loaded]
        steps[:-1] >> loaded
    return dag
