# SPDX-License-Identifier: Apache-2.0
"""Operators and sensors of dags/_lib in Airflow's environment, around programs that note what they are started with."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from helpers import InAirflow, Programs
from mflocal import wait_for

Execute = Callable[..., dict[str, Any]]
REQUEST = {
    "feed": "bars",
    "symbols": ["KO", "JPM"],
    "from": "2024-07-05",
    "to": "2024-07-05",
    "timespan": "day",
}
CALENDAR = "session,open,close,early\n2024-07-05,2024-07-05T13:30:00Z,2024-07-05T20:00:00Z,false\n"


def summary(**changes: Any) -> str:
    one = {"status": "complete", "events": 1}
    whole = {"run_id": "r1", "complete": True, "run": {"events": 2}, "symbols": {"KO": one, "JPM": one}}
    return json.dumps(whole | changes)


def manifest(**changes: Any) -> str:
    whole = {
        "manifest_version": "1.1", "run_id": "r1", "complete": True, "feed": "bars", "timespan": "day",
        "adjusted": "split", "from": "2024-07-05", "to": "2024-07-05",
        "raw": [{"topic": "market.raw.backfill", "partition": 0, "offset": 3}],
        "series": [{"symbol": "KO", "received": 1}, {"symbol": "JPM", "received": 1}],
    }  # fmt: skip
    return json.dumps(whole | changes)


def succeeds(programs: Programs, **changes: Any) -> None:
    """The ingestor writes its manifest where its last argument says, and its summary."""
    programs.will("marketflow-ingestor", {"stdout": summary(**changes), "files": {"<12>": manifest()}})


def backfill(execute: Execute, **options: Any) -> dict[str, Any]:
    kwargs = {"request": REQUEST, **options.pop("kwargs", {})}
    return execute("operators.BackfillOperator", kwargs=kwargs, **options)


# ---------------------------------------------------------------- backfill


def test_a_backfill_runs_the_program_and_keeps_its_manifest(execute: Execute, programs: Programs) -> None:
    succeeds(programs)
    answer = backfill(execute, map_index=3)
    assert answer["raised"] is None
    place = Path(answer["result"]["manifest"])
    assert json.loads(place.read_text())["run_id"] == "r1"
    assert (answer["result"]["events"], answer["result"]["feed"], answer["result"]["not_complete"]) == (
        2,
        "bars",
        [],
    )
    (call,) = programs.calls()
    assert call["program"] == "marketflow-ingestor"
    assert call["arguments"] == [
        "backfill", "bars", "--symbols", "KO,JPM", "--from", "2024-07-05", "--to", "2024-07-05",
        "--timespan", "day", "--manifest", str(place.with_name(f"{place.stem}.airflow-a_dag-a_task-3.new")),
    ]  # fmt: skip
    assert call["env"]["KAFKA_INSTANCE_ID"] == "airflow-a_dag-a_task-3"
    assert call["env"]["METRICS_LISTEN"] == "127.0.0.1:0"


def test_the_same_request_again_keeps_the_manifest_that_knows_its_series(
    execute: Execute, programs: Programs
) -> None:
    succeeds(programs)
    first = backfill(execute)["result"]
    without = {name: value for name, value in json.loads(manifest()).items() if name != "series"}
    again = {"stdout": summary(), "files": {"<12>": json.dumps(without)}}
    programs.will("marketflow-ingestor", again)
    second = backfill(execute)["result"]
    assert first == second
    assert "series" in json.loads(Path(first["manifest"]).read_text())


@pytest.mark.parametrize(
    ("code", "raised"), [(75, "AirflowException"), (70, "AirflowException"), (78, "AirflowFailException")]
)
def test_exit_codes_become_retries_or_the_end(
    execute: Execute, programs: Programs, code: int, raised: str
) -> None:
    programs.will("marketflow-ingestor", {"code": code, "stderr": "the reason"})
    answer = backfill(execute)
    assert answer["raised"] == raised
    assert "the reason" in answer["message"]


def test_a_day_that_is_not_over_is_a_success_only_where_it_is_expected(
    execute: Execute, programs: Programs
) -> None:
    today = datetime.now(ZoneInfo("America/New_York")).date()
    open_day = REQUEST | {"to": today.isoformat()}
    over = REQUEST | {"to": (today - timedelta(days=1)).isoformat()}
    states = {"KO": {"status": "incomplete", "events": 1}}

    def run(open_ended: bool, request: dict[str, Any], **changes: Any) -> str | None:
        plan = {
            "code": 75,
            "stdout": summary(complete=False, symbols=states, **changes),
            "files": {"<12>": manifest()},
        }
        programs.will("marketflow-ingestor", plan)
        answer = backfill(execute, kwargs={"request": request, "open_ended": open_ended})
        return answer["raised"]

    assert run(True, open_day) is None
    assert run(False, open_day) == "AirflowException"
    assert run(True, over) == "AirflowException"  # over: then something was left out
    assert run(True, open_day, error={"code": "taken_over", "message": "m"}) == "AirflowException"
    states["KO"]["error"] = {"code": "refused", "message": "m"}
    assert run(True, open_day) == "AirflowException"


def test_new_yorks_day_goes_on_when_utcs_has_ended(execute: Execute, programs: Programs) -> None:
    """Between 00:00 UTC and New York's midnight a look at New York's day is no failure, nor is that day over."""
    states = {"KO": {"status": "incomplete", "events": 1}}
    plan = {"code": 75, "stdout": summary(complete=False, symbols=states), "files": {"<12>": manifest()}}
    for moment, raised in (
        ("2024-07-06T03:59:00+00:00", None),
        ("2024-07-06T04:00:00+00:00", "AirflowException"),
    ):
        programs.will("marketflow-ingestor", plan)
        answer = backfill(execute, kwargs={"request": REQUEST, "open_ended": True}, now=moment)
        assert answer["raised"] == raised, moment
        over = {"requests": [REQUEST]}
        answer = execute("sensors.DayOverSensor", poke=True, kwargs=over, now=moment)
        assert answer["result"] is (raised is not None)
    assert execute("sensors.DayOverSensor", poke=True, kwargs={"requests": []})["result"] is True


def test_two_tasks_with_one_request_wait_for_each_other(execute: Execute, programs: Programs) -> None:
    succeeds(programs)
    place = Path(backfill(execute)["result"]["manifest"])
    succeeds(programs)
    answers: list[dict[str, Any]] = []
    with place.with_suffix(".lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: answers.append(backfill(execute, task="another_task")))
        thread.start()
        wait_for(lambda: waits_for_lock(place.with_suffix(".lock")), 60, "the second task at the lock")
        assert len(programs.calls()) == 1
    thread.join(60)
    assert [answer["raised"] for answer in answers] == [None]
    assert len(programs.calls()) == 2
    news = [call["arguments"][-1] for call in programs.calls()]
    assert len(set(news)) == 2  # neither writes into the other's file


def waits_for_lock(path: Path) -> bool:
    """As the kernel tells: a line with an arrow is somebody who waits for the lock above it."""
    inode = f":{path.stat().st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_long_names_keep_instances_apart(helper: InAirflow, programs: Programs) -> None:
    succeeds(programs)
    names = set()
    for index in (1, 2):
        kwargs = {"task_id": "t" * 150, "request": REQUEST}
        case = {"class": "_lib.operators.BackfillOperator", "kwargs": kwargs, "map_index": index}
        helper.ask("execute", env=programs.env, **case)
        names.add(programs.calls()[-1]["env"]["KAFKA_INSTANCE_ID"])
    assert len(names) == 2
    assert max(map(len, names)) <= 120


@pytest.mark.parametrize(
    "name, kwargs",
    [("operators.BackfillOperator", {"request": REQUEST}), ("dbt.DbtOperator", {"arguments": ["test"]})],
)
def test_a_place_that_cannot_be_written_names_its_setting(
    execute: Execute, programs: Programs, name: str, kwargs: dict[str, Any]
) -> None:
    (programs.place / "file").write_text("")
    answer = execute(name, kwargs=kwargs, env={"MARKETFLOW_WORK_DIR": f"{programs.place}/file/below"})
    assert answer["raised"] == "AirflowFailException"
    assert answer["message"].startswith("MARKETFLOW_WORK_DIR: ")


def test_settings_that_are_wrong_are_final(execute: Execute) -> None:
    answer = backfill(execute, env={"MARKETFLOW_BIN_DIR": "/nowhere"})
    assert (answer["raised"], answer["message"]) == (
        "AirflowFailException",
        "MARKETFLOW_BIN_DIR has no marketflow-ingestor",
    )
    answer = backfill(execute, env={"MARKETFLOW_ENV_FILE": "/nowhere"})
    assert answer["raised"] == "AirflowFailException"
    kwargs = {"manifests": [], "asset": "RAW_BARS"}
    answer = execute("dbt.VerifyCountsOperator", kwargs=kwargs, env={"MARKETFLOW_VERIFY_COUNTS": "yes"})
    assert answer["raised"] == "AirflowFailException"
    assert "MARKETFLOW_VERIFY_COUNTS" in answer["message"]


# ---------------------------------------------------------------- manifests as assets


def test_manifests_are_told_by_the_asset_event(execute: Execute) -> None:
    results = [
        {"manifest": "/a", "events": 2, "feed": "bars", "not_complete": ["ZZ"]},
        {"manifest": "/b", "events": 3, "feed": "news", "not_complete": []},
    ]
    kwargs = {"results": results, "about": {"day": "2024-07-05"}, "asset": "STOCK_MANIFESTS"}
    answer = execute("operators.PublishManifestsOperator", kwargs=kwargs)
    told = {"day": "2024-07-05", "manifests": ["/a", "/b"], "events": 5}
    assert answer["outlets"] == {"marketflow://manifests/stocks": told}
    answer = execute("operators.PublishManifestsOperator", kwargs=kwargs | {"results": [], "feed": "news"})
    assert answer["result"] == {"day": "2024-07-05", "manifests": [], "events": 0}


# ---------------------------------------------------------------- planning


def plan(
    helper: InAirflow,
    programs: Programs,
    name: str,
    feed: str | None,
    now: str | None = None,
    open_ended: bool = False,
    **params: Any,
) -> dict[str, Any]:
    arguments = {"feed": feed} if feed else {}
    if open_ended:
        arguments["open_ended"] = True
    case = {"env": programs.env, "params": params, "arguments": arguments, "now": now}
    return helper.ask("call", function=f"_lib.ingest.{name}", **case)


def test_a_day_is_planned_by_group_and_timespan(helper: InAirflow, programs: Programs) -> None:
    programs.will("marketflowctl", {"stdout": CALENDAR})
    programs.env |= {"MARKETFLOW_GROUPS": "2"}
    answer = plan(helper, programs, "plan_day", "bars", day="2024-07-05", timespans="minute,day")
    assert [(one["timespan"], one["symbols"]) for one in answer["result"]] == [
        ("day", ["JPM", "XOM"]), ("day", ["KO"]), ("minute", ["JPM", "XOM"]), ("minute", ["KO"]),
    ]  # fmt: skip
    assert programs.calls()[0]["arguments"] == ["calendar", "2024-07-05", "2024-07-05"]


def test_a_holiday_plans_nothing(helper: InAirflow, programs: Programs) -> None:
    programs.will("marketflowctl", {"stdout": "session,open,close,early\n"})
    answer = plan(helper, programs, "plan_day", "bars", day="2024-07-04", timespans="day")
    assert (answer["result"], answer["lines"]) == ([], ["2024-07-04: no session"])


def test_a_session_that_is_not_over_is_refused(helper: InAirflow, programs: Programs) -> None:
    late = CALENDAR.replace("2024-07-05", "2099-07-06")
    programs.will("marketflowctl", {"stdout": late})
    answer = plan(helper, programs, "plan_day", "bars", day="2099-07-06", timespans="day")
    assert answer["raised"] == "ValueError" and "closes at 2099-07-06" in answer["message"]


@pytest.mark.parametrize("name", ["plan_day", "plan_market_day"])
def test_a_scheduled_day_is_over_in_new_york(helper: InAirflow, programs: Programs, name: str) -> None:
    """Before midnight there the ingestor calls the range open-ended: nothing of it can be complete."""
    feed = "bars" if name == "plan_day" else None
    programs.will("marketflowctl", {"stdout": CALENDAR})
    early = plan(helper, programs, name, feed, now="2024-07-06T01:30:00+00:00", timespans="day")
    assert early["raised"] == "ValueError"
    assert early["message"] == "2024-07-05 is not over in New York: run this after midnight there"
    found = plan(helper, programs, name, feed, now="2024-07-06T05:30:00+00:00", timespans="day")
    assert {(one["from"], one["to"]) for one in found["result"]} == {("2024-07-05", "2024-07-05")}


def test_the_pipeline_of_the_evening_fetches_what_the_session_left(
    helper: InAirflow, programs: Programs
) -> None:
    programs.will("marketflowctl", {"stdout": CALENDAR})
    moment = "2024-07-06T01:00:00+00:00"
    found = plan(helper, programs, "plan_day", "bars", now=moment, open_ended=True, timespans="day")
    assert {one["to"] for one in found["result"]} == {"2024-07-05"}
    moment = "2024-07-05T19:59:00+00:00"
    found = plan(helper, programs, "plan_day", "bars", now=moment, open_ended=True, timespans="day")
    assert "closes at" in found["message"]


def test_fetching_anew_names_its_runs(helper: InAirflow, programs: Programs) -> None:
    programs.will("marketflowctl", {"stdout": CALENDAR})
    asked = {"day": "2024-07-05", "timespans": "day", "again": True}
    first = plan(helper, programs, "plan_day", "bars", **asked)["result"]
    assert plan(helper, programs, "plan_day", "bars", **asked)["result"] == first
    assert all(one["run-id"].startswith("again-") for one in first)
    usual = plan(helper, programs, "plan_day", "bars", **(asked | {"again": False}))["result"]
    assert all("run-id" not in one for one in usual)


def test_a_range_is_planned_by_month(helper: InAirflow, programs: Programs) -> None:
    params = {"start": "2024-01-30", "end": "2024-02-02", "timespans": "day", "symbols": "KO"}
    answer = plan(helper, programs, "plan_range", "options", **params)
    assert [(one["feed"], one["from"], one["to"]) for one in answer["result"]] == [
        ("options", "2024-01-30", "2024-01-31"), ("options", "2024-02-01", "2024-02-02"),
    ]  # fmt: skip
    answer = plan(helper, programs, "plan_range", "bars", **(params | {"end": "2099-01-01"}))
    assert "never complete" in answer["message"]


def test_recent_events_are_news_and_on_trading_days_minutes(helper: InAirflow, programs: Programs) -> None:
    programs.will("marketflowctl", {"stdout": CALENDAR}, {"stdout": "session,open,close,early\n"})
    answer = plan(helper, programs, "plan_recent", None, day="2024-07-05")
    assert {one["feed"] for one in answer["result"]} == {"bars", "news"}
    answer = plan(helper, programs, "plan_recent", None, day="2024-07-04")
    assert {one["feed"] for one in answer["result"]} == {"news"}


def test_what_was_begun_on_the_day_before_is_completed(helper: InAirflow, programs: Programs) -> None:
    """Nobody else would start its runs again, and their lanes would stay open."""
    programs.will("marketflowctl", {"stdout": CALENDAR})
    programs.env |= {"MARKETFLOW_GROUPS": "1"}
    evening, morning = "2024-07-05T23:45:00+00:00", "2024-07-06T04:00:00+00:00"
    today = plan(helper, programs, "plan_recent", None, now=evening)["result"]
    assert {one["to"] for one in today} == {"2024-07-05"}
    for one in today:
        states = {"KO": {"status": "incomplete", "events": 1}}
        stdout = summary(complete=False, symbols=states)
        at = 12 if one["feed"] == "bars" else 10
        files = {f"<{at}>": manifest(complete=False)}
        programs.will("marketflow-ingestor", {"code": 75, "stdout": stdout, "files": files})
        case = {"kwargs": {"task_id": "a_task", "request": one, "open_ended": True}, "now": evening}
        done = helper.ask(
            "execute", **{"class": "_lib.operators.BackfillOperator", "env": programs.env, **case}
        )
        assert done["raised"] is None
    programs.will("marketflowctl", {"stdout": "session,open,close,early\n"})
    found = plan(helper, programs, "plan_recent", None, now=morning)["result"]
    assert [one for one in found if one["to"] == "2024-07-05"] == today
    assert {one["to"] for one in found} == {"2024-07-05", "2024-07-06"}
    for path in (programs.place / "work" / "manifests").glob("*.json"):
        path.write_text(manifest())
    found = plan(helper, programs, "plan_recent", None, now=morning)["result"]
    assert {one["to"] for one in found} == {"2024-07-06"}


# ---------------------------------------------------------------- sensors


@pytest.mark.parametrize(
    ("code", "result", "raised"),
    [(0, True, None), (75, False, None), (78, None, "AirflowFailException"), (70, None, "AirflowException")],
)
def test_waiting_for_a_manifest(
    execute: Execute, programs: Programs, code: int, result: bool | None, raised: str | None
) -> None:
    programs.will("marketflowctl", {"code": code, "stderr": "said"})
    answer = execute("sensors.ManifestSensor", poke=True, kwargs={"manifest": "/m.json"})
    assert (answer["result"], answer["raised"]) == (result, raised)
    assert programs.calls()[0]["arguments"] == ["wait", "--manifest", "/m.json", "--timeout-s", "20"]


def test_a_silent_service_is_waited_for_and_a_missing_setting_is_not(execute: Execute) -> None:
    nobody = {"MARKETFLOW_SINK_URL": "http://127.0.0.1:9"}
    assert (
        execute("sensors.LagSensor", poke=True, kwargs={"services": ["sink"]}, env=nobody)["result"] is False
    )
    answer = execute("sensors.LagSensor", poke=True, kwargs={"services": ["sink"]})
    assert (answer["raised"], answer["message"]) == ("AirflowFailException", "MARKETFLOW_SINK_URL is not set")


def test_a_session_is_waited_for(execute: Execute, programs: Programs) -> None:
    programs.will(
        "marketflowctl", {"stdout": CALENDAR}, {"stdout": CALENDAR.replace("2024-07-05", "2099-07-06")}
    )
    assert execute("sensors.SessionOverSensor", poke=True, kwargs={"day": "2024-07-05"})["result"] is True
    assert execute("sensors.SessionOverSensor", poke=True, kwargs={"day": "2099-07-06"})["result"] is False


# ---------------------------------------------------------------- dbt


def results(*statuses: str) -> str:
    listed = [
        {"unique_id": f"test.marketflow.t{n}", "status": s, "message": "m"} for n, s in enumerate(statuses)
    ]
    return json.dumps({"results": listed})


def place_of(programs: Programs, task: str = "a_task") -> str:
    return f"{programs.place}/work/dbt/a_dag/manual__2024-07-05T22_30_00_00_00/{task}"


def dbt(execute: Execute, programs: Programs, code: int, *statuses: str, **kwargs: Any) -> dict[str, Any]:
    files = {f"{place_of(programs)}/run_results.json": results(*statuses)} if statuses else {}
    programs.will("dbt", {"code": code, "files": files, "stdout": "dbt said"})
    return execute("dbt.DbtOperator", kwargs={"arguments": ["test"], **kwargs})


def test_dbt_is_called_by_path_with_a_place_of_its_own(execute: Execute, programs: Programs) -> None:
    secret = programs.place / "password"
    secret.write_text("canary-password-1\n")
    programs.will("dbt", {"files": {f"{place_of(programs)}/run_results.json": results("pass")}})
    env = {"WAREHOUSE_PASSWORD_FILE": str(secret), "POLYGON_API_KEY_FILE": "/k"}
    answer = execute("dbt.DbtOperator", kwargs={"arguments": ["build", "--selector", "staging"]}, env=env)
    assert answer["result"]["counts"] == {"pass": 1}
    (call,) = programs.calls()
    assert call["arguments"][:5] == [
        "--no-version-check",
        "--no-use-colors",
        "build",
        "--selector",
        "staging",
    ]
    assert call["arguments"][-4:] == [
        "--target-path",
        place_of(programs),
        "--log-path",
        f"{place_of(programs)}/logs",
    ]
    assert call["env"]["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"] == "canary-password-1"
    assert call["env"]["DO_NOT_TRACK"] == "1"
    assert "POLYGON_API_KEY_FILE" not in call["env"]
    assert "canary-password-1" not in str(call["arguments"])


@pytest.mark.parametrize(
    ("code", "statuses", "tolerate", "raised"),
    [
        (0, ["pass", "warn"], False, None),
        (1, ["pass", "fail"], True, None),
        (1, ["pass", "fail"], False, "AirflowFailException"),
        (1, ["fail", "error"], False, "AirflowException"),
        (2, [], True, "AirflowException"),
        (2, [], False, "AirflowException"),
    ],
)
def test_what_dbt_ends_with(
    execute: Execute, programs: Programs, code: int, statuses: list[str], tolerate: bool, raised: str | None
) -> None:
    answer = dbt(execute, programs, code, *statuses, tolerate=tolerate)
    assert answer["raised"] == raised


def test_results_of_an_earlier_try_are_not_taken_for_this_one(execute: Execute, programs: Programs) -> None:
    assert dbt(execute, programs, 0, "pass")["raised"] is None
    assert dbt(execute, programs, 2)["raised"] == "AirflowException"
    assert not Path(place_of(programs), "run_results.json").exists()


def test_results_are_loaded_for_the_steps_that_wrote_some(execute: Execute, programs: Programs) -> None:
    kwargs = {"steps": ["a_task", "absent"]}
    assert execute("dbt.LoadResultsOperator", kwargs=kwargs)["raised"] == "AirflowSkipException"
    dbt(execute, programs, 1, "fail", tolerate=True)
    answer = execute("dbt.LoadResultsOperator", kwargs=kwargs)
    path = f"{place_of(programs)}/run_results.json"
    assert answer["result"] == [path]
    assert programs.calls()[-1]["program"] == "marketflow-sink"
    assert programs.calls()[-1]["arguments"] == ["load-results", path]


def test_the_verdict_names_what_failed_and_lets_warnings_pass(execute: Execute, programs: Programs) -> None:
    kwargs = {"steps": ["a_task"]}
    # No results at all.
    assert execute("dbt.VerdictOperator", kwargs=kwargs)["raised"] == "AirflowFailException"
    dbt(execute, programs, 0, "pass", "warn", tolerate=True)
    assert execute("dbt.VerdictOperator", kwargs=kwargs)["result"] == {"pass": 1, "warn": 1}
    dbt(execute, programs, 1, "pass", "fail", tolerate=True)
    answer = execute("dbt.VerdictOperator", kwargs=kwargs)
    assert answer["raised"] == "AirflowFailException"
    assert "1 failed: t1: fail: m" in answer["message"]


def count(
    execute: Execute, programs: Programs, rows: dict[str, int], letters: dict[str, int], **env: str
) -> dict[str, Any]:
    path = programs.place / "m.json"
    path.write_text(manifest())
    programs.will(
        "dbt",
        {
            "stdout": "12:00  MARKETFLOW_ROWS "
            + json.dumps({"answers": [{"rows": rows, "dead_letters": letters}]})
        },
    )
    kwargs = {"manifests": [str(path)], "asset": "RAW_BARS", "about": None}
    return execute("dbt.VerifyCountsOperator", kwargs=kwargs, env=env)


def test_counts_are_compared_with_the_manifest(execute: Execute, programs: Programs) -> None:
    answer = count(execute, programs, {"KO": 1, "JPM": 1}, {})
    totals = {"manifests": 1, "published": 2, "rows": 2, "dead_letters": 0, "not_counted": 0}
    assert answer["result"] == totals
    assert answer["outlets"] == {"marketflow://warehouse/raw/raw_bars": totals}
    arguments = programs.calls()[0]["arguments"]
    (question,) = json.loads(arguments[arguments.index("--args") + 1])["questions"]
    assert question["symbols"] == ["JPM", "KO"]
    assert (question["first_day"], question["bar_interval"], question["table"]) == (
        "2024-07-05",
        "1d",
        "raw_bars",
    )
    assert count(execute, programs, {"KO": 1}, {"JPM": 1})["raised"] is None
    answer = count(execute, programs, {"KO": 1}, {})
    assert answer["raised"] == "AirflowException"
    assert "JPM: 1 published, 0 rows, 0 dead letters" in answer["message"]
    assert count(execute, programs, {}, {}, MARKETFLOW_VERIFY_COUNTS="0")["result"]["not_counted"] == 1


def test_nothing_to_load_counts_nothing(execute: Execute, programs: Programs) -> None:
    answer = execute("dbt.VerifyCountsOperator", kwargs={"manifests": [], "asset": "RAW_BARS"})
    assert answer["result"]["manifests"] == 0
    assert programs.calls() == []
