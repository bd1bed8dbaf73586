# SPDX-License-Identifier: Apache-2.0
"""Runs in Airflow's environment, beside the tests: answers questions about the DAGs, one JSON object per line.

The tests have their own environment, without Airflow; they start this once (conftest.py) and ask it.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DAGS = Path(sys.argv[1])
sys.path.insert(0, str(DAGS))
AIRFLOW_HOME = os.environ["AIRFLOW_HOME"]  # the rest of the environment is another one in each question
NOW = datetime(2024, 7, 5, 22, 30, tzinfo=UTC)


def all_dags() -> tuple[dict[str, Any], dict[str, str]]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS))
    return dict(bag.dags), {str(path): str(problem) for path, problem in bag.import_errors.items()}


def names_of(callbacks: Any) -> list[str]:
    found = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
    return [getattr(callback, "__name__", str(callback)) for callback in found]


def reads_of(task: Any) -> list[list[str]]:
    """Which XComs of which tasks its fields stand for."""
    from airflow.sdk.definitions.xcom_arg import XComArg

    found = [
        [operator.task_id, key]
        for name in task.template_fields
        for operator, key in XComArg.iter_xcom_references(getattr(task, name, None))
    ]
    return sorted(found)


def describe_task(task: Any) -> dict[str, Any]:
    mapped = type(task).__name__ in ("MappedOperator", "DecoratedMappedOperator")
    return {
        "class": task.operator_class.__name__ if mapped else type(task).__name__,
        "mapped": mapped,
        "owner": task.owner,
        "retries": task.retries,
        "backoff": float(task.retry_exponential_backoff or 0),
        "max_retry_delay_s": task.max_retry_delay.total_seconds() if task.max_retry_delay else None,
        "timeout_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "callbacks": names_of(task.on_failure_callback),
        "pool": task.pool,
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "downstream": sorted(task.downstream_task_ids),
        "outlets": [asset.uri for asset in task.outlets or []],
        "mode": getattr(task, "mode", None) if not mapped else None,
        "multiple_outputs": bool(getattr(task, "multiple_outputs", False)),
        "reads": reads_of(task) if not mapped else [],
    }


def uris_of(condition: Any) -> set[str]:
    """Every asset of a condition, however they are combined."""
    if hasattr(condition, "objects"):
        return {uri for part in condition.objects for uri in uris_of(part)}
    return {condition.uri}


def assets_in(schedule: Any) -> list[str]:
    condition = getattr(schedule, "asset_condition", None)
    return [] if condition is None else sorted(uris_of(condition))


def describe(dag: Any) -> dict[str, Any]:
    timetable = dag.timetable
    timed = getattr(timetable, "timetable", timetable)
    cron = getattr(timed, "expression", None)
    return {
        "file": Path(dag.fileloc).name,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md or "",
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "cron": cron,
        "timed_by": type(timed).__name__,
        "zone": str(getattr(timed, "timezone", None) or getattr(timed, "_timezone", "")),
        "assets": assets_in(timetable),
        "params": sorted(dag.params),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def graph(_: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    dags, errors = all_dags()
    return {
        "errors": errors,
        "dags": {dag_id: describe(dag) for dag_id, dag in sorted(dags.items())},
        "seconds": time.monotonic() - began,
    }


class Context(dict[str, Any]):
    """What operators ask of Airflow's context, without Airflow running."""

    def __init__(self, asked: dict[str, Any]) -> None:
        outlets: dict[Any, SimpleNamespace] = {}
        moment = datetime.fromisoformat(asked["now"]) if asked.get("now") else NOW

        class Accessor:
            def __getitem__(self, asset: Any) -> SimpleNamespace:
                return outlets.setdefault(asset.uri, SimpleNamespace(extra={}))

        ti = SimpleNamespace(
            dag_id=asked.get("dag_id", "a_dag"),
            task_id=asked["kwargs"].get("task_id", "a_task"),
            map_index=asked.get("map_index", -1),
            try_number=1,
            xcom_pull=lambda **_: [],
        )
        events = {"asset": [SimpleNamespace(extra=extra) for extra in asked.get("events", [])]}
        super().__init__(
            ti=ti,
            task_instance=ti,
            run_id=asked.get("run_id", "manual__2024-07-05T22:30:00+00:00"),
            params=asked.get("params", {}),
            dag_run=SimpleNamespace(logical_date=moment, run_after=moment, run_id="manual", conf={}),
            logical_date=moment,
            outlet_events=Accessor(),
            triggering_asset_events=events,
        )
        self.outlets = outlets


def build(asked: dict[str, Any]) -> Any:
    module, _, name = asked["class"].rpartition(".")
    kwargs = dict(asked["kwargs"])
    if kwargs.get("asset"):
        kwargs["asset"] = getattr(importlib.import_module("_lib.assets"), kwargs["asset"])
    return getattr(importlib.import_module(module), name)(**kwargs)


class Clock(datetime):
    """datetime with another now."""

    moment = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.moment.astimezone(tz)


@contextmanager
def at(moment: str | None) -> Iterator[None]:
    """At another moment, for what _lib asks of the clock."""
    if not moment:
        yield
        return
    Clock.moment = datetime.fromisoformat(moment)
    modules = [
        importlib.import_module(f"_lib.{name}") for name in ("ingest", "operators", "sensors", "sessions")
    ]
    told = [module for module in modules if hasattr(module, "datetime")]
    for module in told:
        module.datetime = Clock
    try:
        yield
    finally:
        for module in told:
            module.datetime = datetime


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def execute(asked: dict[str, Any]) -> dict[str, Any]:
    """One operator with these settings, to its end: its result, or what it raised, and what it logged."""
    os.environ.clear()
    os.environ.update(asked["env"])
    log = Lines()
    logger = logging.Logger("tests", logging.INFO)
    logger.addHandler(log)
    with at(asked.get("now")):
        answer = execute_now(asked, logger)
    return {**answer, "log": "\n".join(log.lines)}


def execute_now(asked: dict[str, Any], logger: logging.Logger) -> dict[str, Any]:
    context = Context(asked)
    try:
        operator = build(asked)
        operator._cached_logger = logger  # in place of Airflow's own, which writes by itself
        method = operator.poke if asked.get("poke") else operator.execute
        result = method(context)
        answer: dict[str, Any] = {"result": result, "raised": None}
    except Exception as problem:
        answer = {"result": None, "raised": type(problem).__name__, "message": str(problem)}
    answer["outlets"] = {uri: event.extra for uri, event in context.outlets.items()}
    return answer


def call(asked: dict[str, Any]) -> dict[str, Any]:
    """A function of _lib with a context."""
    os.environ.clear()
    os.environ.update(asked["env"])
    module, _, name = asked["function"].rpartition(".")
    context = Context({"kwargs": {}, **asked})
    lines: list[str] = []
    try:
        from _lib.settings import Settings

        function = getattr(importlib.import_module(module), name)
        with at(asked.get("now")):
            result = function(Settings.load(), context, lines.append, **asked.get("arguments", {}))
        return {"result": result, "raised": None, "lines": lines}
    except Exception as problem:
        return {"result": None, "raised": type(problem).__name__, "message": str(problem), "lines": lines}


def escalation(_: dict[str, Any]) -> dict[str, Any]:
    """How long Airflow waits between SIGTERM and SIGKILL of a task."""
    import inspect

    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    return {"seconds": inspect.signature(WatchedSubprocess.kill).parameters["escalation_delay"].default}


def killed(asked: dict[str, Any]) -> dict[str, Any]:
    """A sensor around a program that does not end: on_kill is called as soon as it has left its mark."""
    os.environ.clear()
    os.environ.update(asked["env"])
    sensor = build(asked)
    sensor.command = lambda settings: asked["program"]

    def kill() -> None:
        while not Path(asked["mark"]).exists():
            time.sleep(0.05)
        sensor.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        sensor.poke(Context(asked))
    except Exception:  # what an ended program means is not asked here
        traceback.print_exc(file=sys.stderr)
    finally:
        thread.join()
    return {"code": sensor._run.code}


def commands(asked: dict[str, Any]) -> dict[str, Any]:
    """What each task that is no mapped one would start, rendered."""
    from _lib.dbt import DbtOperator, LoadResultsOperator, VerdictOperator, VerifyCountsOperator
    from _lib.operators import ProgramOperator
    from _lib.settings import Settings
    from _lib.watch import DeadLetterReportOperator

    settings = Settings(asked["env"])
    found: dict[str, list[str]] = {}
    dags, _ = all_dags()
    computed = (LoadResultsOperator, VerdictOperator, VerifyCountsOperator, DeadLetterReportOperator)
    for dag_id, dag in sorted(dags.items()):
        for task in dag.tasks:
            if not isinstance(task, ProgramOperator) or isinstance(task, computed):
                continue
            context = Context({"kwargs": {"task_id": task.task_id}, "dag_id": dag_id})
            task.render_template_fields(context)
            if isinstance(task, DbtOperator):
                found[f"{dag_id}.{task.task_id}"] = task.command_in(settings, task.place(settings, context))
            else:
                found[f"{dag_id}.{task.task_id}"] = task.command(settings)
    return {"commands": found}


def denied(_: dict[str, Any]) -> dict[str, Any]:
    """Executes each DAG file where nothing may be connected to, started, written, or read but code and time zones."""
    import airflow.sdk  # noqa: F401
    from airflow.dag_processing.dagbag import DagBag  # noqa: F401

    allowed = tuple(
        str(Path(place).resolve())
        for place in (
            sys.prefix,
            sys.base_prefix,
            DAGS,
            "/usr/lib/python3",
            "/usr/share/zoneinfo",
            AIRFLOW_HOME,
        )
    )
    refused: list[str] = []
    watching = [False]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching[0]:
            return
        if event in (
            "socket.connect",
            "socket.getaddrinfo",
            "subprocess.Popen",
            "os.system",
            "os.exec",
            "os.posix_spawn",
        ):
            refused.append(f"{event} {arguments[:1]}")
            raise PermissionError(event)
        if event == "open" and isinstance(arguments[0], str):
            path, mode = os.path.realpath(arguments[0]), arguments[1] or ""
            if any(letter in mode for letter in "wax+") or not path.startswith(allowed):
                refused.append(f"open {path} {mode}")
                raise PermissionError(path)

    sys.addaudithook(hook)
    files = sorted(DAGS.glob("*.py"))
    seconds = {}
    for path in files:
        for name in [n for n in sys.modules if n == "_lib" or n.startswith("_lib.")]:
            del sys.modules[name]
        code = compile(path.read_text(), str(path), "exec")
        watching[0] = True
        began = time.monotonic()
        try:
            exec(code, {"__name__": path.stem, "__file__": str(path)})
        except PermissionError:
            traceback.print_exc(file=sys.stderr)
        finally:
            watching[0] = False
        seconds[path.name] = time.monotonic() - began
    return {"files": [path.name for path in files], "refused": refused, "seconds": seconds}


def main() -> None:
    answers = {
        "graph": graph, "execute": execute, "call": call, "commands": commands, "denied": denied,
        "escalation": escalation, "killed": killed,
    }  # fmt: skip
    kept = os.dup(1)
    out = os.fdopen(kept, "w")
    os.dup2(2, 1)  # whoever prints, prints to the log
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with redirect_stdout(sys.stderr):
                answer = answers[asked["what"]](asked)
        except Exception:
            answer = {"crashed": traceback.format_exc()}
        out.write(json.dumps(answer, default=str) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
