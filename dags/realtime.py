# SPDX-License-Identifier: Apache-2.0
"""DAGs of the real-time marts: the stream's windows every half hour, the marts every hour."""

from __future__ import annotations

from _lib.assets import RAW_REALTIME, REALTIME_MARTS
from _lib.dbt import DbtOperator, LoadResultsOperator
from _lib.defaults import cron, dag_options
from _lib.sensors import LagSensor
from _lib.transform import NO_VIEWS, TESTED
from airflow.sdk import DAG

with DAG(
    "stock_streaming_pipeline",
    schedule=cron("*/30 * * * *"),
    **dag_options(
        ["stream", "stocks"],
        "Waits until the three services are ready and next to nothing waits between them, notes how old RAW's minutes "
        "are, and brings the windows of fifteen minutes up to date (`stg_realtime_stock_analytics`), with their tests.",
    ),
):
    flowing = LagSensor(
        task_id="stream_flows",
        services=["ingestor", "processor", "sink"],
        most=1000,
        poke_interval=20,
        timeout=20 * 60,
    )
    fresh = DbtOperator(
        task_id="freshness",
        arguments=[
            "source",
            "freshness",
            "--select",
            "source:market_raw.raw_bars",
            "source:market_raw.raw_metrics",
        ],
        tolerate=True,
    )
    windows = DbtOperator(
        task_id="windows",
        arguments=["build", "--select", "+stg_realtime_stock_analytics", *NO_VIEWS, *TESTED],
        outlets=[RAW_REALTIME],
    )
    flowing >> fresh >> windows
    [fresh, windows] >> LoadResultsOperator(task_id="load_results", steps=["freshness", "windows"])
    windows >> DbtOperator(
        task_id="signals", arguments=["test", "--select", "stg_realtime_stock_analytics", *TESTED]
    )

with DAG(
    "realtime_marts_refresh",
    schedule=cron("5 * * * *"),
    **dag_options(
        ["dbt", "stream"],
        "Builds the real-time marts and all that they stand on but the seeds (`dbt build --selector realtime`), with "
        "their tests. `dbt_build_daily` must have run once.",
    ),
):
    refresh = DbtOperator(
        task_id="refresh", arguments=["build", "--selector", "realtime", *TESTED], outlets=[REALTIME_MARTS]
    )
    loaded = LoadResultsOperator(task_id="load_results", steps=["refresh"])
    refresh >> loaded
    # A leaf that fails with the build: loading its results must not make a failed run look well.
    refresh >> DbtOperator(task_id="quality", arguments=["run", "--selector", "quality"])
