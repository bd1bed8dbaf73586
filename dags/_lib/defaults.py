# SPDX-License-Identifier: Apache-2.0
"""What all DAGs have in common: owner, retries with a growing delay, the failure callback, one run at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable

from .callbacks import notify_failure

# Mirrors the budget of the provider's key (pools.py): as many backfills at a time as it feeds.
PROVIDER_POOL = "marketflow_provider"
# One dbt at a time: two would delete and insert the same rows of the same tables.
WAREHOUSE_POOL = "marketflow_warehouse"
START = datetime(2024, 1, 1, tzinfo=UTC)


def cron(expression: str) -> CronTriggerTimetable:
    """A schedule in UTC whose logical date is the moment of the run. A bare string would mean something else where
    Airflow is told to make data intervals of it: the beginning of the interval, which is another day."""
    return CronTriggerTimetable(expression, timezone="UTC")


def task_defaults(**changes: Any) -> dict[str, Any]:
    return {
        "owner": "marketflow",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": notify_failure,
        **changes,
    }


def dag_options(tags: list[str], doc: str, **changes: Any) -> dict[str, Any]:
    """Arguments of DAG(): missed runs are not made up for, since a run takes in whatever came until then; ingests of
    missed days have a backfill DAG."""
    return {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["marketflow", *tags],
        "doc_md": doc,
        "default_args": task_defaults(**changes.pop("task", {})),
        "render_template_as_native_obj": False,
        **changes,
    }
