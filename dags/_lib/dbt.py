# SPDX-License-Identifier: Apache-2.0
"""dbt by its path, in an environment of its own; what it found goes to the warehouse and decides about alerts.

Exit code 1 of dbt means that a node failed, 2 that dbt itself did. A failed test would fail again, so it is not tried
again; anything else is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from . import artifacts, manifests
from .defaults import WAREHOUSE_POOL
from .operators import ProgramOperator, instance_of, load_settings
from .programs import Run
from .settings import Settings, SettingsError


class DbtOperator(ProgramOperator):
    """One dbt command. `tolerate`: a failed node is a result to report, not a failure of the task (tests, freshness).
    Result: the directory of its artifacts, counts by status, what failed."""

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#fde6d8"

    def __init__(self, *, arguments: Sequence[str], tolerate: bool = False, **kwargs: Any) -> None:
        super().__init__(program="dbt", arguments=arguments, **{"pool": WAREHOUSE_POOL, **kwargs})
        self.tolerate = tolerate

    def command_in(self, settings: Settings, place: Path) -> list[str]:
        """Options before the command are dbt's own; places belong to the command."""
        try:
            project = str(settings.dbt_project)
            places = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(place)]
            return [
                settings.dbt, "--no-version-check", "--no-use-colors", *self.arguments,
                *places, "--log-path", str(place / "logs"),
            ]  # fmt: skip
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None

    def place(self, settings: Settings, context: Any) -> Path:
        ti = context["ti"]
        return artifacts.step_directory(settings, ti.dag_id, context["run_id"], ti.task_id)

    def run_dbt(self, settings: Settings, place: Path) -> Run:
        try:
            artifacts.begin(settings, place)
            environment = settings.dbt_environment()
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        run = self.start(self.command_in(settings, place), environment, merge=True)
        artifacts.keep_parsed(settings, place)
        return run

    def execute(self, context: Any) -> dict[str, Any]:
        settings = load_settings()
        place = self.place(settings, context)
        run = self.run_dbt(settings, place)
        found = artifacts.outcome(place)
        if run.code == 0 or (run.code == 1 and self.tolerate):
            counts = found.counts if found else {}
            return {
                "place": str(place),
                "code": run.code,
                "counts": counts,
                "bad": found.bad[:50] if found else [],
            }
        if found is not None and found.bad:
            text = f"dbt {self.arguments[0]}: {len(found.bad)} failed: " + "; ".join(found.bad[:10])
            raise (AirflowFailException if found.only_tests_failed else AirflowException)(text)
        raise AirflowException(f"dbt {self.arguments[0]}: exit code {run.code}: {' '.join(run.tail[-3:])}")


class LoadResultsOperator(ProgramOperator):
    """`marketflow-sink load-results` for what these steps of the run have written; each invocation counts once, however
    often it is loaded. It runs whatever became of the steps; with nothing to load it is skipped."""

    template_fields: Sequence[str] = ()

    def __init__(self, *, steps: Sequence[str], **kwargs: Any) -> None:
        rule = {"trigger_rule": "all_done"}
        super().__init__(program="marketflow-sink", arguments=(), **{**rule, **kwargs})
        self.steps = list(steps)

    def execute(self, context: Any) -> list[str]:
        settings = load_settings()
        files = artifacts.result_files(settings, context["ti"].dag_id, context["run_id"], self.steps)
        if not files:
            raise AirflowSkipException("no step has written results")
        self.arguments = ["load-results", *files]
        self.check(self.start(self.command(settings), settings.program_environment(instance_of(context))))
        return files


class VerdictOperator(ProgramOperator):
    """Fails, once and for good, when a test of these steps failed with severity error, and names it: so the callback
    tells. Warnings are named in the log."""

    template_fields: Sequence[str] = ()

    def __init__(self, *, steps: Sequence[str], **kwargs: Any) -> None:
        super().__init__(program="dbt", arguments=(), **kwargs)
        self.steps = list(steps)

    def execute(self, context: Any) -> dict[str, int]:
        settings = load_settings()
        bad: list[str] = []
        counts: dict[str, int] = {}
        for step in self.steps:
            place = artifacts.step_directory(settings, context["ti"].dag_id, context["run_id"], step)
            found = artifacts.outcome(place)
            if found is None:
                raise AirflowFailException(f"{step} has written no results")
            bad += found.bad
            for text in found.warned:
                self.log.warning("%s", text)
            for status, count in found.counts.items():
                counts[status] = counts.get(status, 0) + count
        if bad:
            raise AirflowFailException(f"{len(bad)} failed: " + "; ".join(bad[:20]))
        return counts


class VerifyCountsOperator(DbtOperator):
    """Counts, for each manifest, the rows of its symbols and days in the warehouse, and fails when there are fewer than
    were published; what became a dead letter on the way is taken off and named. A manifest without series (of a run
    that was complete long before) and feeds without days are passed over, and said so.

    It takes PROCESSOR_KEEP_BARS=all: where uninteresting bars are left out, set MARKETFLOW_VERIFY_COUNTS=0.
    """

    template_fields: Sequence[str] = ("manifests", "about")

    def __init__(
        self, *, manifests: Any, about: Any = None, asset: Asset | None = None, **kwargs: Any
    ) -> None:
        rule = {"trigger_rule": "none_failed", "outlets": [asset] if asset else []}
        super().__init__(arguments=("run-operation", "loaded_by_symbol"), **{**rule, **kwargs})
        self.manifests = manifests
        self.about = about
        self.asset = asset

    def execute(self, context: Any) -> dict[str, int]:
        settings = load_settings()
        promises = [self.promise(path) for path in self.manifests or []]
        counted = [promise for promise in promises if promise is not None]
        try:
            wanted = settings.number("MARKETFLOW_VERIFY_COUNTS", 1, high=1)
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        if not wanted:
            counted = []
        totals = {"manifests": len(promises), "not_counted": len(promises) - len(counted)}
        if totals["not_counted"]:
            self.log.warning("%s manifests cannot be counted, or shall not be", totals["not_counted"])
        loaded: list[dict[str, int]] = [{} for _ in counted]
        letters: list[dict[str, int]] = [{} for _ in counted]
        for batch in manifests.batches(counted):
            answers = self.ask(settings, context, [question for _, question in batch])
            for (number, _), answer in zip(batch, answers, strict=True):
                loaded[number] |= answer["rows"]
                letters[number] |= answer["dead_letters"]
        totals["published"] = sum(sum(promise.received.values()) for promise in counted)
        totals["rows"] = sum(sum(one.values()) for one in loaded)
        totals["dead_letters"] = sum(sum(one.values()) for one in letters)
        missing = [
            f"{symbol}: {published} published, {rows} rows, {dead} dead letters"
            for number, promise in enumerate(counted)
            for symbol, (published, rows, dead) in manifests.shortfall(
                promise.received, loaded[number], letters[number]
            ).items()
        ]
        if missing:
            raise AirflowException(f"{len(missing)} symbols lack rows: " + "; ".join(missing[:20]))
        if self.asset is not None:
            context["outlet_events"][self.asset].extra = {**dict(self.about or {}), **totals}
        self.log.info("%s", totals)
        return totals

    def promise(self, path: str) -> manifests.Promise | None:
        try:
            return manifests.promise(manifests.read(Path(path)))
        except (manifests.ManifestError, KeyError) as problem:
            raise AirflowFailException(f"{path}: {problem}") from None

    def ask(self, settings: Settings, context: Any, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.arguments = ["run-operation", "loaded_by_symbol", "--args", json.dumps({"questions": questions})]
        run = self.run_dbt(settings, self.place(settings, context))
        if run.code != 0:
            raise AirflowException(f"dbt run-operation: exit code {run.code}: {' '.join(run.tail[-3:])}")
        try:
            return list(artifacts.marked(run.output)["answers"])
        except (ValueError, KeyError) as problem:
            raise AirflowException(str(problem)) from None
