# SPDX-License-Identifier: Apache-2.0
"""DAGs that follow an ingest into the warehouse: by its manifests, which come as assets."""

from __future__ import annotations

from _lib.assets import OPTION_MANIFESTS, RAW_BARS, RAW_OPTION_BARS, STOCK_MANIFESTS
from _lib.defaults import dag_options
from _lib.ingest import load_tasks
from airflow.sdk import DAG, Param

MANIFESTS = Param(
    None,
    type=["null", "array"],
    items={"type": "string"},
    description="Manifest files; null: those of the asset events that triggered the run",
)
DOC = """\
Waits until what an ingest of {what} published is in the warehouse (`marketflowctl wait --manifest`, one task per
manifest), then counts: each symbol must have as many rows as were published. An ingest of a day without a session has
no manifests; its load succeeds with nothing. Loading is the sink's work: run this again whenever you like.
"""

for kind, what, source, table in (
    ("stocks", "stock bars", STOCK_MANIFESTS, RAW_BARS),
    ("options", "option bars", OPTION_MANIFESTS, RAW_OPTION_BARS),
):
    with DAG(
        f"polygon_{kind}_load",
        schedule=[source],
        params={"manifests": MANIFESTS},
        **dag_options(["load", kind], DOC.format(what=what)),
    ):
        load_tasks(table)
