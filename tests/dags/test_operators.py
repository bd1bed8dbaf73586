# SPDX-License-Identifier: Apache-2.0
"""Operators and sensors of dags/_lib in Airflow's environment, around programs that note what they are started with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import InAirflow, Programs

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
        "--timespan", "day", "--manifest", f"{place}.new",
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
    open_day = REQUEST | {"to": "2099-01-01"}
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
    assert run(True, REQUEST) == "AirflowException"  # over: then something was left out
    assert run(True, open_day, error={"code": "taken_over", "message": "m"}) == "AirflowException"
    states["KO"]["error"] = {"code": "refused", "message": "m"}
    assert run(True, open_day) == "AirflowException"


def test_settings_that_are_wrong_are_final(execute: Execute) -> None:
    answer = backfill(execute, env={"MARKETFLOW_BIN_DIR": "/nowhere"})
    assert (answer["raised"], answer["message"]) == (
        "AirflowFailException",
        "MARKETFLOW_BIN_DIR has no marketflow-ingestor",
    )
    answer = backfill(execute, env={"MARKETFLOW_ENV_FILE": "/nowhere"})
    assert answer["raised"] == "AirflowFailException"


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


def plan(helper: InAirflow, programs: Programs, name: str, feed: str | None, **params: Any) -> dict[str, Any]:
    arguments = {"feed": feed} if feed else {}
    return helper.ask(
        "call", function=f"_lib.ingest.{name}", env=programs.env, params=params, arguments=arguments
    )


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
    assert (
        execute("dbt.VerdictOperator", kwargs=kwargs)["raised"] == "AirflowFailException"
    )  # no results at all
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


# ---------------------------------------------------------------- watching


def test_the_restart_hook_is_a_list_of_words(execute: Execute, programs: Programs) -> None:
    hook = json.dumps([str(programs.place / "marketflowctl"), "restart", "a b; $(c)"])
    answer = execute(
        "watch.RestartHookOperator", kwargs={"problems": ["p"]}, env={"MARKETFLOW_RESTART": hook}
    )
    assert answer["raised"] is None
    assert programs.calls()[0]["arguments"] == ["restart", "a b; $(c)"]
    answer = execute("watch.RestartHookOperator", kwargs={"problems": ["p"]})
    assert answer["message"] == "MARKETFLOW_RESTART is not set"


def test_a_silent_sink_is_unhealthy_and_worth_a_restart(execute: Execute) -> None:
    env = {"MARKETFLOW_SINK_URL": "http://127.0.0.1:9", "MARKETFLOW_MARKET": "never"}
    answer = execute("watch.StreamHealthOperator", kwargs={"asset": "STREAM_HEALTH"}, env=env)
    assert (answer["result"]["healthy"], answer["result"]["restart"]) == (False, True)
    assert answer["outlets"]["marketflow://ops/stream_health"]["problems"] == ["the sink does not answer"]
    answer = execute("watch.UnhealthyOperator", kwargs={"problems": answer["result"]["problems"]})
    assert (answer["raised"], answer["message"]) == ("AirflowFailException", "the sink does not answer")


def test_dead_letters_are_counted_and_judged(execute: Execute, programs: Programs) -> None:
    letters = [("ingest", "not_json"), ("process", "state_limit"), ("process", "state_limit")]
    listing = "\n".join(json.dumps({"stage": stage, "reason": reason}) for stage, reason in letters)
    programs.will("marketflowctl", {"stdout": listing, "stderr": "3 letters"})
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1, "limit": 2})
    assert answer["result"] == {"ingest not_json": 1, "process state_limit": 2}
    assert programs.calls()[0]["arguments"][:4] == ["dlq", "list", "--since", "2024-07-05T21:30:00.000Z"]
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1, "limit": 1})
    assert answer["raised"] == "AirflowFailException"


def test_old_artifacts_go(execute: Execute, programs: Programs) -> None:
    place = programs.place / "work" / "dbt" / "d" / "r"
    place.mkdir(parents=True)
    assert execute("watch.CleanUpOperator")["result"] == 0
    os.utime(place, (1, 1))
    assert execute("watch.CleanUpOperator")["result"] == 1
    assert not place.exists()
