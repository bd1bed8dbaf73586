# SPDX-License-Identifier: Apache-2.0
"""Operators around the project's programs: each builds an argument list from settings that it reads when it runs,
passes the program's messages on to the task's log, and makes of its exit code what Airflow should do: succeed, try
again later (75, 70, a signal), or give up at once (78: another try would fail as well)."""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from . import manifests, plan, sessions
from .programs import EXIT_TEMPORARY, ProgramError, Run
from .settings import Settings, SettingsError

INSTANCE_MAX = 120


def instance_of(context: Any) -> str:
    """An instance id of this very task instance: backfills run beside each other and beside the services."""
    ti = context["ti"]
    text = f"airflow-{ti.dag_id}-{ti.task_id}-{getattr(ti, 'map_index', -1)}"
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", text)
    if len(name) <= INSTANCE_MAX:
        return name
    # What is cut must not make two of one: the map index stands at the end.
    return f"{name[: INSTANCE_MAX - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def load_settings() -> Settings:
    """Wrong settings will not be better at the next try."""
    try:
        return Settings.load()
    except SettingsError as problem:
        raise AirflowFailException(str(problem)) from None


def raise_failure(problem: ProgramError) -> None:
    raise (AirflowFailException if problem.final else AirflowException)(str(problem)) from None


class ProgramOperator(BaseOperator):
    """Runs one of the project's programs; `accept` are the exit codes of success. With `json` the task's result is the
    last JSON object that it printed, else nothing.

    `arguments` is a template field, each argument by itself: what is rendered stays one argument.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#dbe9f4"
    arguments_are_ours = True  # else they are somebody's own and may hold a secret: no log shows them

    def __init__(
        self,
        *,
        program: str,
        arguments: Sequence[str],
        accept: Sequence[int] = (0,),
        final: Sequence[int] = (),
        json: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.arguments = list(arguments)
        self.accept = tuple(accept)
        self.final = tuple(final)
        self.json = json
        self._run: Run | None = None

    def command(self, settings: Settings) -> list[str]:
        try:
            return [settings.program(self.program), *self.arguments]
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None

    def start(self, command: Sequence[str], environment: dict[str, str], *, merge: bool = False) -> Run:
        """Runs a command to its end; an exit code that is no success is left to the caller."""
        shown = " ".join(command)[:4000] if self.arguments_are_ours else Path(command[0]).name
        self.log.info("%s", shown)
        self._run = Run(command, environment, lambda line: self.log.info("%s", line), merge=merge)
        try:
            return self._run.wait()
        except ProgramError as problem:
            raise_failure(problem)
            raise

    def check(self, run: Run) -> None:
        if run.code in self.accept:
            return
        problem = run.failure()
        problem.final = problem.final or run.code in self.final
        raise_failure(problem)

    def execute(self, context: Any) -> Any:
        settings = load_settings()
        run = self.start(self.command(settings), settings.program_environment(instance_of(context)))
        self.check(run)
        return run.json() if self.json else None

    def on_kill(self) -> None:
        if self._run is not None:
            self._run.stop()


def manifest_place(settings: Settings, request: dict[str, Any]) -> Path:
    return settings.work / "manifests" / f"{plan.name_of(request)}.json"


class BackfillOperator(ProgramOperator):
    """`marketflow-ingestor backfill` for one request of plan.py, with a manifest. The run's id is a hash of its
    arguments: the same request resumes what was interrupted, and asks for nothing where all is there.

    A range that ends today in New York is never complete (exit 75 although all went well): it is a success when
    `open_ended` says that this is expected and nothing failed. Two tasks with the same request, of whichever DAG, wait
    for each other: the ingestor would have the one take the run over from the other, to and fro. Result: manifest,
    run_id, events of the whole run, complete, failed symbols.
    """

    template_fields: Sequence[str] = ("request",)
    ui_color = "#d5f0dc"

    def __init__(self, *, request: dict[str, Any], open_ended: bool = False, **kwargs: Any) -> None:
        super().__init__(program="marketflow-ingestor", arguments=(), **kwargs)
        self.request = request
        self.open_ended = open_ended
        self.fresh = ""

    def command(self, settings: Settings) -> list[str]:
        self.arguments = plan.backfill_arguments(
            self.request, self.fresh or f"{manifest_place(settings, self.request)}.new"
        )
        return super().command(settings)

    def execute(self, context: Any) -> dict[str, Any]:
        settings = load_settings()
        place = manifest_place(settings, self.request)
        try:
            settings.directory(place.parent)
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        with self.alone(place):
            return self.fetch(settings, context, place)

    @contextmanager
    def alone(self, place: Path) -> Iterator[None]:
        """Until no other task has this request under way. A file system without locks goes without: then the ingestor
        says that the run was taken over, and the next try finds it complete."""
        path = place.with_suffix(".lock")
        try:
            path.touch()  # whoever cleans up goes by the time of the last use
            opened = path.open("a")
        except OSError as problem:
            raise AirflowFailException(f"MARKETFLOW_WORK_DIR: {path}: {problem.strerror}") from None
        with opened as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.log.info("another task fetches the same: waiting for its end")
                fcntl.flock(held, fcntl.LOCK_EX)
            except OSError as problem:
                self.log.warning("%s cannot be locked: %s", place.parent, problem.strerror)
            yield

    def fetch(self, settings: Settings, context: Any, place: Path) -> dict[str, Any]:
        fresh = place.with_name(f"{place.stem}.{instance_of(context)}.new")
        fresh.unlink(missing_ok=True)
        self.fresh = str(fresh)
        run = self.start(self.command(settings), settings.program_environment(instance_of(context)))
        if run.code not in (0, EXIT_TEMPORARY):
            raise_failure(run.failure())
        try:
            summary = run.json()
        except ProgramError:
            raise_failure(run.failure())
            raise
        if run.code != 0 and not self.is_open(summary):
            raise_failure(run.failure())
        try:
            manifests.keep(fresh, place)
        except manifests.ManifestError as problem:
            raise AirflowException(str(problem)) from None
        return self.result(summary, place)

    def is_open(self, summary: dict[str, Any]) -> bool:
        """Incomplete for no other reason than that the day is not over."""
        last = sessions.parse_day(self.request["to"])
        if not self.open_ended or "error" in summary or not sessions.not_over(last):
            return False
        symbols = summary.get("symbols") or {}
        return bool(symbols) and not any("error" in one for one in symbols.values())

    def result(self, summary: dict[str, Any], place: Path) -> dict[str, Any]:
        symbols = summary.get("symbols") or {}
        done = ("complete", "incomplete") if self.open_ended else ("complete",)
        return {
            "manifest": str(place),
            "feed": self.request["feed"],
            "run_id": summary["run_id"],
            "complete": bool(summary.get("complete")),
            "events": int((summary.get("run") or {}).get("events") or 0),
            "symbols": len(symbols),
            "not_complete": sorted(s for s, one in symbols.items() if one["status"] not in done)[:50],
        }


class PublishManifestsOperator(BaseOperator):
    """Ends an ingest: tells the load where the manifests of this run lie, by an asset event. An ingest without a
    session has none, and tells that: nothing to load is a result, too. Result: manifests, events, day or range."""

    template_fields: Sequence[str] = ("results", "about")

    def __init__(self, *, results: Any, about: Any, asset: Asset, feed: str = "", **kwargs: Any) -> None:
        super().__init__(outlets=[asset], trigger_rule="none_failed", **kwargs)
        self.results = results
        self.about = about
        self.asset = asset
        self.feed = feed  # of the results only these; all without it

    def execute(self, context: Any) -> dict[str, Any]:
        results = [dict(r) for r in self.results or [] if not self.feed or r["feed"] == self.feed]
        told = {
            **dict(self.about or {}),
            "manifests": [result["manifest"] for result in results],
            "events": sum(result["events"] for result in results),
        }
        unknown = sorted({symbol for result in results for symbol in result["not_complete"]})
        if unknown:
            self.log.warning("not complete, or unknown to the provider: %s", ", ".join(unknown))
        context["outlet_events"][self.asset].extra = told
        self.log.info("%s events in %s manifests", told["events"], len(results))
        return told
