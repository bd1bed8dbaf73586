# SPDX-License-Identifier: Apache-2.0
"""stream_to_snowflake: is the way into the warehouse well, and what to do when it is not."""

from __future__ import annotations

from typing import Any

from _lib.assets import STREAM_HEALTH
from _lib.defaults import cron, dag_options
from _lib.operators import load_settings
from _lib.sensors import LagSensor
from _lib.watch import ParityOperator, RestartHookOperator, StreamHealthOperator, UnhealthyOperator
from airflow.sdk import DAG, Param, task

DOC = """\
Every five minutes: how many records wait before the sink, how old the newest bar in the warehouse is while the market
is open, how many dead letters a minute there are; once an hour whether every record of the topics is in the warehouse,
once (`marketflowctl verify`). Where two looks have seen what a restart may help (the sink is silent, or says that it is
well and takes none of what waits) and `MARKETFLOW_RESTART` holds a command, that is run and the sink waited for.
Anything else fails the run, which the webhook is told; so does a restart that has not helped. The name is historical:
it is the same for PostgreSQL and Snowflake.
"""

with DAG(
    "stream_to_snowflake",
    schedule=cron("*/5 * * * *"),
    params={
        "parity": Param(
            None, type=["null", "boolean"], description="Compare offsets; null: in the first run of an hour"
        )
    },
    **dag_options(["stream", "health"], DOC, task={"retries": 1}),
):
    look = StreamHealthOperator(task_id="look", asset=STREAM_HEALTH)

    @task.branch(task_id="decide")
    def decide(verdict: dict[str, Any]) -> str:
        if verdict["healthy"]:
            return "healthy"
        return (
            "restart_sink"
            if verdict["restart"] and load_settings().values.get("MARKETFLOW_RESTART")
            else "unhealthy"
        )

    @task(task_id="healthy")
    def healthy(verdict: dict[str, Any]) -> dict[str, Any]:
        return {"lag": verdict["lag"], "event_age_s": verdict["event_age_s"]}

    @task.short_circuit(task_id="parity_is_due", ignore_downstream_trigger_rules=False)
    def parity_is_due(**context: Any) -> bool:
        asked = context["params"].get("parity")
        run = context["dag_run"]
        return bool(asked) if asked is not None else (run.logical_date or run.run_after).minute < 5

    chosen = decide(look.output)
    restarted = RestartHookOperator(task_id="restart_sink", verdict=look.output)
    settled = LagSensor(
        task_id="sink_is_back", services=["sink"], most=1_000_000_000, poke_interval=5, timeout=600
    )
    chosen >> [healthy(look.output), UnhealthyOperator(task_id="unhealthy", verdict=look.output)]
    chosen >> restarted >> settled
    parity_is_due() >> ParityOperator(
        task_id="offsets_parity", arguments=["--list", "5", "--timeout-s", "120"]
    )
