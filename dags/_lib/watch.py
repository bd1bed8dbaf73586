# SPDX-License-Identifier: Apache-2.0
"""Operators that look after the stream: a verdict about it, a hook that restarts, words for the webhook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from . import artifacts, health, webhook
from .operators import ProgramOperator, instance_of, load_settings, raise_failure
from .programs import EXIT_TEMPORARY, ProgramError, Run
from .sessions import day_at, moment_of_run, sessions
from .settings import Settings, SettingsError


def market_is_open(settings: Settings, log: Any) -> bool:
    """Whether new events must come now: MARKETFLOW_MARKET is `us` (sessions of the US stock exchanges, the default),
    `always` (coins) or `never`. Twenty minutes after the opening there is something to be seen."""
    kind = settings.text("MARKETFLOW_MARKET", "us")
    if kind not in ("us", "always", "never"):
        raise SettingsError("MARKETFLOW_MARKET is us, always or never")
    if kind != "us":
        return kind == "always"
    now = datetime.now(UTC)
    found = sessions(settings, day_at(now), day_at(now), log)
    return bool(found) and found[0].opens + timedelta(minutes=20) <= now <= found[0].closes


class StreamHealthOperator(BaseOperator):
    """Looks at the sink: lag, age of the newest bar in the warehouse, dead letters a minute since the last look.
    Result: the verdict of health.judge; an unhealthy stream does not fail this task, what follows does."""

    ui_color = "#f8e8f0"

    def __init__(self, *, asset: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset

    def execute(self, context: Any) -> dict[str, Any]:
        settings = load_settings()
        try:
            limits = health.Limits.of(settings)
            reading = health.read_service("sink", health.service_url(settings, "sink"), health.PATIENCE_S)
            is_open = market_is_open(settings, lambda line: self.log.info("%s", line))
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        except ProgramError as problem:
            raise_failure(problem)
        place = health.look_place(settings)
        verdict = health.judge(
            reading,
            limits,
            before=health.last_look(place),
            market_open=is_open,
            moment=health.now(),
            restarted=health.last_restart(health.restart_place(settings)),
        )
        health.keep(place, verdict["sink"])
        if verdict["healthy"]:
            health.restart_place(settings).unlink(missing_ok=True)
        self.log.info("%s", {name: value for name, value in verdict.items() if name != "sink"})
        context["outlet_events"][self.asset].extra = {
            name: verdict[name] for name in ("healthy", "problems", "lag", "event_age_s")
        }
        return verdict


def problems_of(verdict: Any) -> list[str]:
    """Of a look's result, which is taken whole: its parts are no XComs of their own."""
    return [str(problem) for problem in dict(verdict or {}).get("problems") or []]


class RestartHookOperator(ProgramOperator):
    """Runs the command of MARKETFLOW_RESTART, a JSON list of words, and tells the webhook so. Tried once: the next
    looks of the stream decide whether it has helped, for which the moment is kept."""

    template_fields: Sequence[str] = ("verdict",)
    ui_color = "#f8d8d8"

    arguments_are_ours = False

    def __init__(self, *, verdict: Any, **kwargs: Any) -> None:
        super().__init__(
            program="restart",
            arguments=(),
            **{"retries": 0, "execution_timeout": timedelta(minutes=5), **kwargs},
        )
        self.verdict = verdict

    def command(self, settings: Settings) -> list[str]:
        try:
            words = settings.words("MARKETFLOW_RESTART")
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        if not words:
            raise AirflowFailException("MARKETFLOW_RESTART is not set")
        return words

    def execute(self, context: Any) -> None:
        settings = load_settings()
        command = self.command(settings)
        # Kept before it runs: a hook that is killed has been tried as well.
        health.keep(health.restart_place(settings), {"at": health.now()})
        self._run = Run(
            command, settings.hook_environment(), lambda line: self.log.info("%s", line), apart=True
        )
        self.log.info("%s", self._run.name)  # its words may hold a secret
        try:
            self.check(self._run.wait())
        except ProgramError as problem:
            raise_failure(problem)
        problems = problems_of(self.verdict)
        tell(
            settings, self.log, {"kind": "restarted", "text": "the sink was restarted", "problems": problems}
        )


class ParityOperator(ProgramOperator):
    """`marketflowctl verify`, which compares every record with the warehouse. What the sink has not loaded yet (75) is
    no fault; but 75 is a dependency that is away, too, and then nothing was compared and no report printed: such a run
    fails, and is tried again. A record that is missing or doubled (1) is so at the next try as well."""

    def __init__(self, *, arguments: Sequence[str] = (), **kwargs: Any) -> None:
        words = ["verify", "--format", "json", *arguments]
        super().__init__(
            program="marketflowctl", arguments=words, accept=(0, EXIT_TEMPORARY), final=(1,), **kwargs
        )

    def execute(self, context: Any) -> dict[str, Any]:
        settings = load_settings()
        run = self.start(self.command(settings), settings.program_environment(instance_of(context)))
        self.check(run)
        try:
            report = run.json()
        except ProgramError:
            said = run.tail[-1] if run.tail else "it said nothing"
            raise AirflowException(f"{run.name} compared nothing (exit code {run.code}): {said}") from None
        totals = dict(report.get("totals") or {})
        self.log.info("%s", totals)
        return totals


class UnhealthyOperator(BaseOperator):
    """Fails with the reasons, so that the failure callback tells them."""

    template_fields: Sequence[str] = ("verdict",)

    def __init__(self, *, verdict: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict

    def execute(self, context: Any) -> None:
        raise AirflowFailException("; ".join(problems_of(self.verdict) or ["unhealthy"]))


class DeadLetterReportOperator(ProgramOperator):
    """The dead letters of the last `hours`, counted by stage and reason. More than `limit` of them that were refused
    for what they are (a contract broken on the way, not an answer of the provider's) fail the task; None: it only
    counts."""

    template_fields: Sequence[str] = ()
    LISTED = 100_000

    def __init__(self, *, hours: int, limit: int | None = None, **kwargs: Any) -> None:
        super().__init__(program="marketflowctl", arguments=(), **kwargs)
        self.hours = hours
        self.limit = limit

    def execute(self, context: Any) -> dict[str, int]:
        settings = load_settings()
        until = moment_of_run(context)
        window = ["--since", moment_text(until - timedelta(hours=self.hours)), "--until", moment_text(until)]
        self.arguments = ["dlq", "list", *window, "--format", "json", "--limit", str(self.LISTED)]
        done = self.start(self.command(settings), settings.program_environment(instance_of(context)))
        self.check(done)
        counts = count_letters(done.output)
        for name, count in sorted(counts.items()):
            self.log.info("%s: %s", name, count)
        if sum(counts.values()) >= self.LISTED:
            text = f"{self.LISTED} dead letters or more in {self.hours} h: not all of them were counted"
            if self.limit is not None:
                raise AirflowFailException(text)
            self.log.warning("%s", text)
        inside = sum(count for name, count in counts.items() if not name.startswith("ingest "))
        if self.limit is not None and inside > self.limit:
            raise AirflowFailException(
                f"{inside} records were refused in {self.hours} h, more than {self.limit}: {counts}"
            )
        return counts


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def count_letters(output: str) -> dict[str, int]:
    """Letters by "stage reason", of one JSON object per line."""
    counts: dict[str, int] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            letter = json.loads(line)
            name = f"{letter.get('stage', '?')} {letter.get('reason', '?')}"
            counts[name] = counts.get(name, 0) + 1
    return counts


class CleanUpOperator(BaseOperator):
    """Removes artifacts of dbt and manifests that nobody has written to for MARKETFLOW_KEEP_DAYS (30)."""

    def execute(self, context: Any) -> int:
        settings = load_settings()
        try:
            days = settings.number("MARKETFLOW_KEEP_DAYS", 30, low=1, high=36_500)
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        removed = 0
        for place in list(artifacts.old_places(settings, days)):
            artifacts.remove(place)
            self.log.info("removed %s", place)
            removed += 1
        return removed


def tell(settings: Settings, log: Any, message: dict[str, Any]) -> None:
    """To the webhook, where there is one; that it cannot be told is no reason to fail."""
    try:
        webhook.send(settings, message)
    except (webhook.WebhookError, SettingsError) as problem:
        log.warning("not told: %s", problem)


class TellOperator(BaseOperator):
    """Tells the webhook what a run has to say, here and now; a webhook that does not answer fails the task."""

    template_fields: Sequence[str] = ("message",)

    def __init__(self, *, message: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message

    def execute(self, context: Any) -> bool:
        settings = load_settings()
        try:
            told = webhook.send(settings, dict(self.message))
        except (webhook.WebhookError, SettingsError) as problem:
            raise AirflowException(str(problem)) from None
        if not told:
            self.log.info("no webhook is set: %s", self.message)
        return told
