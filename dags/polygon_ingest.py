# SPDX-License-Identifier: Apache-2.0
"""DAGs that fetch from the provider into Kafka: recent events, a day, a range; stocks and options."""

from __future__ import annotations

from functools import partial

from _lib.assets import KAFKA_BARS, KAFKA_NEWS, OPTION_MANIFESTS, STOCK_MANIFESTS
from _lib.defaults import PROVIDER_POOL, cron, dag_options
from _lib.ingest import (
    AGAIN,
    DAY,
    STOCK_TIMESPANS,
    SYMBOLS,
    about_task,
    ingest_tasks,
    plan_day,
    plan_range,
    plan_recent,
    plan_task,
)
from _lib.operators import BackfillOperator, PublishManifestsOperator
from _lib.sessions import AFTER_THE_DAY
from airflow.sdk import DAG, Param

START = Param("2024-01-02", type="string", format="date", description="First day")
END = Param("2024-01-31", type="string", format="date", description="Last day, over by now")

DAY_DOC = """\
Fetches one trading day of {what} into Kafka, one task per group of symbols, and tells the load where the manifests are.
The day is `day`, else New York's date six hours before the run; a day without a session asks for nothing and succeeds,
one that is not over in New York is refused. Run it again for the same day whenever you like: what is complete is not
fetched again, unless `again` is true.
"""
RANGE_DOC = """\
Fetches a range of {what} into Kafka, one task per month and group of symbols. An interrupted run goes on where it
stopped when it is started again with the same parameters. At most 200 tasks at a time: take a shorter range if it says
so.
"""

with DAG(
    "ingestion_polygon_to_kafka",
    schedule=cron("*/15 * * * *"),
    params={"day": DAY, "symbols": SYMBOLS},
    **dag_options(
        ["ingest", "stocks", "news"],
        "Fetches the day's minutes and news so far into Kafka, each time what has come since, and completes the day "
        "when it is over in New York. For places without a live `marketflow-ingestor`; beside one it spends requests "
        "and brings nothing new.",
    ),
):
    recent = BackfillOperator.partial(
        task_id="ingest",
        pool=PROVIDER_POOL,
        open_ended=True,
        max_active_tis_per_dagrun=8,
        map_index_template="{{ task.request['feed'] }} {{ task.request['symbols'] | length }}",
    ).expand(request=plan_task(plan_recent))
    for name, topic in (("bars", KAFKA_BARS), ("news", KAFKA_NEWS)):
        PublishManifestsOperator(
            task_id=f"record_{name}", results=recent.output, about=about_task(name), asset=topic, feed=name
        )

for feed, kind, what, asset, params in (
    ("bars", "stocks", "stock bars", STOCK_MANIFESTS, {"timespans": STOCK_TIMESPANS}),
    (
        "options",
        "options",
        "option bars",
        OPTION_MANIFESTS,
        {"timespans": Param("day", type="string", description="Comma list of timespans")},
    ),
):
    with DAG(
        f"polygon_{kind}_ingest_daily",
        schedule=cron(AFTER_THE_DAY),
        params={"day": DAY, "symbols": SYMBOLS, "again": AGAIN, **params},
        **dag_options(["ingest", kind, "daily"], DAY_DOC.format(what=what)),
    ):
        ingest_tasks(partial(plan_day, feed=feed), asset)

    with DAG(
        f"polygon_{kind}_ingest_backfill",
        schedule=None,
        params={"start": START, "end": END, "symbols": SYMBOLS, "again": AGAIN, **params},
        **dag_options(["ingest", kind, "backfill"], RANGE_DOC.format(what=what)),
    ):
        ingest_tasks(partial(plan_range, feed=feed), asset)
