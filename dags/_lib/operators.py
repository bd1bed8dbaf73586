# SPDX-License-Identifier: Apache-2.0
"""Operators around the project's programs: each builds an argument list from settings that it reads when
it runs, passes
the program's messages on to the task's log, and makes of its exit code what Airflow should do: succeed, try again later
(75, 70, a signal), or give up at once (78: another try would fail as well)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from . import manifests, plan
from .programs import EXIT_TEMPORARY, ProgramError, Run
from .sessions import parse_day
from .settings import Settings, SettingsError


def instance_of(context: Any) -> str:
    """An instance id of this very task instance: backfills run beside each other and beside the services."""
    ti = context["ti"]
    text = f"airflow-{ti.dag_id}-{ti.task_id}-{getattr(ti, 'map_index', -1)}"
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:120]


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
        self.log.info("%s", " ".join(command)[:4000])
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


class BackfillOperator(ProgramOperator):
    """`marketflow-ingestor backfill` for one request of plan.py, with a manifest. The run's id is a hash of its
    arguments: the same request resumes what was interrupted, and asks for nothing where all is there.

    A range that ends today is never complete (exit 75 although all went well): it is a success when `open_ended` says
    that this is expected and nothing failed. Result: manifest, run_id, events of the whole run, complete,
    failed symbols.
    """

    template_fields: Sequence[str] = ("request",)
    ui_color = "#d5f0dc"

    def __init__(self, *, request: dict[str, Any], open_ended: bool = False, **kwargs: Any) -> None:
        super().__init__(program="marketflow-ingestor", arguments=(), **kwargs)
        self.request = request
        self.open_ended = open_ended

    def place(self, settings: Settings) -> Path:
        return settings.work / "manifests" / f"{plan.name_of(self.request)}.json"

    def command(self, settings: Settings) -> list[str]:
        self.arguments = plan.backfill_arguments(self.request, f"{self.place(settings)}.new")
        return super().command(settings)

    def execute(self, context: Any) -> dict[str, Any]:
        settings = load_settings()
        place = self.place(settings)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(place.name + ".new")
        fresh.unlink(missing_ok=True)
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
        if not self.open_ended or "error" in summary or not not_over(self.request["to"]):
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


def not_over(day: str) -> bool:
    """As the ingestor sees it: by the UTC date."""
    return parse_day(day) >= datetime.now(UTC).date()


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
