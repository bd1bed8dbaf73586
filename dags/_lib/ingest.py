# SPDX-License-Identifier: Apache-2.0
"""The tasks that the ingesting and loading DAGs are put together from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, Param, task
from airflow.sdk.exceptions import AirflowFailException

from . import manifests, plan
from .dbt import VerifyCountsOperator
from .defaults import PROVIDER_POOL
from .operators import BackfillOperator, PublishManifestsOperator, load_settings, manifest_place
from .programs import ProgramError
from .sensors import ManifestSensor
from .sessions import day_at, day_of_run, moment_of_run, not_over, parse_day, sessions
from .settings import Settings, SettingsError

DAY = Param(
    None,
    type=["null", "string"],
    format="date",
    description="Trading day; null: New York's date six hours before the run",
)
SYMBOLS = Param(None, type=["null", "string"], description="Comma list; null: the one of the settings")
AGAIN = Param(False, type="boolean", description="Fetch anew what is complete already")
# Days that are looked back at for what was begun and not completed: a long weekend without Airflow, and some.
BEGUN_DAYS = 7
STOCK_TIMESPANS = Param(
    "day,minute", type="string", description="Comma list of timespans, as backfill bars knows them"
)


def stocks(settings: Settings, params: Any) -> list[str]:
    return _given(params.get("symbols")) or settings.names("MARKETFLOW_STOCKS")


def underlyings(settings: Settings, params: Any) -> list[str]:
    return _given(params.get("symbols")) or settings.names("MARKETFLOW_UNDERLYINGS", "MARKETFLOW_STOCKS")


def _given(text: str | None) -> list[str]:
    return sorted({part.strip() for part in (text or "").split(",")} - {""})


def has_session(
    settings: Settings, day: date, log: Callable[[str], None], *, open_ended: bool = False
) -> bool:
    """Whether there is something to fetch of a day. ValueError where it is too early: before the day is over in New
    York nothing of it can be complete; `open_ended` fetches from the session's close."""
    found = sessions(settings, day, day, log)
    if not found:
        log(f"{day}: no session")
        return False
    if found[0].closes > datetime.now(UTC):
        raise ValueError(f"the session of {day} closes at {found[0].closes.isoformat()}: run this afterwards")
    if not open_ended and not_over(day):
        raise ValueError(f"{day} is not over in New York: run this after midnight there")
    return True


def run_anew(context: Any, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return plan.anew(asked, str(context["run_id"])) if context["params"].get("again") else asked


def plan_day(
    settings: Settings, context: Any, log: Callable[[str], None], *, feed: str, open_ended: bool = False
) -> list[dict[str, Any]]:
    """The requests of one trading day: none when the exchange has no session, so that a holiday costs nothing."""
    params = context["params"]
    day = day_of_run(context)
    if not has_session(settings, day, log, open_ended=open_ended):
        return []
    names = stocks(settings, params) if feed == "bars" else underlyings(settings, params)
    parts = plan.groups(names, settings.number("MARKETFLOW_GROUPS", 4, low=1, high=plan.REQUESTS_MAX))
    return run_anew(context, plan.requests(feed, parts, [(day, day)], _given(params.get("timespans"))))


def plan_market_day(settings: Settings, context: Any, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """The day bars of all stocks come with one request; those of the settings are kept."""
    day = day_of_run(context)
    if not has_session(settings, day, log):
        return []
    return run_anew(context, [plan.request("grouped", stocks(settings, context["params"]), day, day)])


def plan_range(
    settings: Settings, context: Any, log: Callable[[str], None], *, feed: str
) -> list[dict[str, Any]]:
    """The requests of a range, by month and group."""
    params = context["params"]
    first, last = parse_day(params["start"]), parse_day(params["end"])
    if last < first:
        raise ValueError(f"end {last} is before start {first}")
    if not_over(last):
        raise ValueError(f"end {last} is not over in New York: such a range is never complete")
    names = stocks(settings, params) if feed == "bars" else underlyings(settings, params)
    parts = plan.groups(names, settings.number("MARKETFLOW_GROUPS", 4, low=1, high=plan.REQUESTS_MAX))
    timespans = _given(params.get("timespans"))
    return run_anew(context, plan.requests(feed, parts, plan.months(first, last), timespans))


def plan_recent(settings: Settings, context: Any, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Minutes and news of the day so far; each look resumes where the last one stopped. On a day without a session
    there are news only. What was begun on days before and is not complete comes first: a lane stays open until its run
    is complete, which it can be only when its day is over in New York."""
    params = context["params"]
    given = params.get("day")
    day = parse_day(given) if given else day_at(moment_of_run(context))
    names = stocks(settings, params)
    parts = plan.groups(names, settings.number("MARKETFLOW_GROUPS", 4, low=1, high=plan.REQUESTS_MAX))
    found = plan.requests("news", parts, [(day, day)], [])
    session = sessions(settings, day, day, log)
    if session and session[0].opens - timedelta(hours=6) <= datetime.now(UTC):
        found = plan.requests("bars", parts, [(day, day)], ["minute"]) + found
    if given:
        return found
    before = [day - timedelta(days=back) for back in range(BEGUN_DAYS, 0, -1)]
    return begun(settings, recent_of(parts, before)) + found


def recent_of(parts: list[list[str]], days: list[date]) -> list[dict[str, Any]]:
    return [
        one
        for day in days
        for feed, timespans in (("bars", ["minute"]), ("news", []))
        for one in plan.requests(feed, parts, [(day, day)], timespans)
    ]


def begun(settings: Settings, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of these requests those that a task has begun and none has completed, by their manifests."""

    def is_open(one: dict[str, Any]) -> bool:
        place = manifest_place(settings, one)
        try:
            return place.exists() and not manifests.read(place).get("complete")
        except manifests.ManifestError:
            return True

    return [one for one in asked if is_open(one)]


Planner = Callable[[Settings, Any, Callable[[str], None]], list[dict[str, Any]]]


def plan_task(planner: Planner, task_id: str = "plan") -> Any:
    """A task around a planner: what cannot be planned now will not be planned by another try."""

    @task(task_id=task_id)
    def planned(**context: Any) -> list[dict[str, Any]]:
        import logging

        log = logging.getLogger("airflow.task")
        try:
            return planner(load_settings(), context, lambda line: log.info("%s", line))
        except (ValueError, SettingsError) as problem:
            raise AirflowFailException(str(problem)) from None
        except ProgramError as problem:
            if problem.final:
                raise AirflowFailException(str(problem)) from None
            raise

    return planned()


def about_task(name: str = "") -> Any:
    """What the asset events of this run say beside their manifests."""

    @task(task_id=f"about_{name}" if name else "about")
    def about(**context: Any) -> dict[str, Any]:
        params = context["params"]
        if params.get("start"):
            return {"from": params["start"], "to": params["end"]}
        return {"day": day_of_run(context).isoformat()}

    return about()


def ingest_tasks(planner: Planner, asset: Asset, *, open_ended: bool = False) -> Any:
    """plan → ingest, one task per request → tell where the manifests are."""
    fetched = BackfillOperator.partial(
        task_id="ingest",
        pool=PROVIDER_POOL,
        open_ended=open_ended,
        max_active_tis_per_dagrun=8,
        map_index_template="{{ task.request['feed'] }} {{ task.request['from'] }}",
    ).expand(request=plan_task(planner))
    told = PublishManifestsOperator(
        task_id="publish_manifests", results=fetched.output, about=about_task(), asset=asset
    )
    return fetched >> told


def manifest_paths_task() -> Any:
    """The manifests that this run is to load: those of the parameter `manifests`, else those of the asset events that
    triggered it; several events may have come together."""

    @task(task_id="manifests")
    def paths(**context: Any) -> list[str]:
        given = context["params"].get("manifests")
        if given:
            return [str(path) for path in given]
        events = context.get("triggering_asset_events") or {}
        extras = [dict(event.extra or {}) for found in events.values() for event in found]
        return manifests.paths_of(extras)

    return paths()


def load_tasks(asset: Asset) -> Any:
    """manifests → wait for each → count."""
    paths = manifest_paths_task()
    waited = ManifestSensor.partial(task_id="wait", poke_interval=15).expand(manifest=paths)
    counted = VerifyCountsOperator(task_id="verify_counts", manifests=paths, asset=asset)
    return waited >> counted
