# SPDX-License-Identifier: Apache-2.0
"""on_failure_callback of every task: what failed goes to the webhook of MARKETFLOW_WEBHOOK(_FILE). It never fails the
task a second time, and what it says is free of secrets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from . import webhook
from .settings import Settings, SettingsError

log = logging.getLogger(__name__)


def failure_message(context: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to say about a task that has failed for good."""
    task = context["ti"]
    run = context.get("dag_run")
    problem = context.get("exception")
    moment = getattr(run, "logical_date", None) or getattr(run, "run_after", None)
    kind = type(problem).__name__ if isinstance(problem, BaseException) else ""
    return {
        "kind": "task_failed",
        "dag_id": task.dag_id,
        "task_id": task.task_id,
        "map_index": getattr(task, "map_index", -1),
        "run_id": context.get("run_id") or getattr(run, "run_id", ""),
        "try_number": getattr(task, "try_number", 0),
        "logical_date": moment.isoformat() if moment else None,
        "error": kind,
        "message": str(problem or ""),
        "text": f"{task.dag_id}.{task.task_id} failed: {problem}",
    }


def notify_failure(context: Mapping[str, Any]) -> None:
    try:
        if webhook.send(Settings.load(), failure_message(context)):
            log.info("the webhook was told")
    except (webhook.WebhookError, SettingsError) as problem:
        log.warning("failure not told: %s", problem)
