# SPDX-License-Identifier: Apache-2.0
"""The parts of dags/_lib that need no Airflow: settings, plans, manifests, the webhook, running a program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _lib import artifacts, manifests, plan, pools, programs, sessions, webhook
from _lib.settings import DBT_PASSWORD, Settings, SettingsError, read_env_file
from helpers import Server
from mflocal import wait_for

SECRET = "canary-webhook-token-77"


# ---------------------------------------------------------------- settings


def test_the_file_of_settings_is_read_as_systemd_does(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment\n; another\n\nA=1\n B = \"two words\" \nC='x=y'\n")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "x=y"}
    path.write_text("A=1\nnothing\n")
    with pytest.raises(SettingsError, match="line 2"):
        read_env_file(path)
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        read_env_file(tmp_path / "absent")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("KAFKA_GROUP_PREFIX=file\nWAREHOUSE_HOST=file\n")
    settings = Settings.load({"MARKETFLOW_ENV_FILE": str(tmp_path / "env"), "WAREHOUSE_HOST": "own"})
    assert (settings.text("KAFKA_GROUP_PREFIX"), settings.text("WAREHOUSE_HOST")) == ("file", "own")


def test_programs_see_their_settings_and_nothing_of_airflow() -> None:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": "b:1", "POLYGON_API_KEY_FILE": "/k", "WAREHOUSE_HOST": "h", "PATH": "/bin",
        "AIRFLOW__API__SECRET_KEY": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "MARKETFLOW_WEBHOOK": SECRET,
        DBT_PASSWORD: SECRET,
    }  # fmt: skip
    found = Settings.load(env).program_environment("airflow-x")
    assert found["KAFKA_BOOTSTRAP_SERVERS"] == "b:1"
    assert found["KAFKA_INSTANCE_ID"] == "airflow-x"
    assert found["METRICS_LISTEN"] == "127.0.0.1:0"
    assert found["TZ"] == "UTC"
    assert SECRET not in found.values()
    assert "POLYGON_API_KEY_FILE" not in Settings.load(env).dbt_environment()


def test_dbt_gets_the_password_under_the_name_that_it_masks(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    found = Settings.load({"WAREHOUSE_PASSWORD_FILE": str(tmp_path / "password")}).dbt_environment()
    assert found[DBT_PASSWORD] == SECRET
    found = Settings.load({"WAREHOUSE_PASSWORD": SECRET}).dbt_environment()
    assert found[DBT_PASSWORD] == SECRET
    assert "WAREHOUSE_PASSWORD" not in found
    with pytest.raises(SettingsError, match="both set"):
        Settings.load({"WAREHOUSE_PASSWORD": "a", "WAREHOUSE_PASSWORD_FILE": "/b"}).dbt_environment()


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "101", "٣"])
def test_numbers_have_bounds(text: str) -> None:
    with pytest.raises(SettingsError, match="MARKETFLOW_GROUPS must be a whole number from 1 to 100"):
        Settings({"MARKETFLOW_GROUPS": text}).number("MARKETFLOW_GROUPS", 4, low=1, high=100)


def test_lists_and_commands() -> None:
    settings = Settings(
        {"A": " KO,JPM,,KO ", "C": '["systemctl", "restart", "a b"]', "D": "systemctl restart", "E": "[]"}
    )
    assert settings.names("A") == ["JPM", "KO"]
    assert settings.names("B", "A") == ["JPM", "KO"]
    assert settings.words("C") == ["systemctl", "restart", "a b"]
    assert settings.words("absent") == []
    for bad in ("D", "E"):
        with pytest.raises(SettingsError, match="JSON list"):
            settings.words(bad)
    with pytest.raises(SettingsError, match="B is not set"):
        settings.names("B")


def test_secrets_of_all_kinds_are_taken_out(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("file-secret-1\n")
    settings = Settings(
        {
            "POLYGON_API_KEY_FILE": str(tmp_path / "key"),
            "KAFKA_SASL_PASSWORD": "sasl-secret-2",
            "KAFKA_TOPIC_RAW": "market.raw",
        }
    )
    text = webhook.clean(settings, "file-secret-1 sasl-secret-2 market.raw postgresql://me:pw@host/db")
    assert text == "*** *** market.raw postgresql://***@host/db"
    said = "redis://me:p@ss/w@host:1/0, redis://:pw@host; see http://host:80/path and a@b"
    assert (
        webhook.clean(settings, said)
        == "redis://***@host:1/0, redis://***@host; see http://host:80/path and a@b"
    )
    assert len(webhook.clean(settings, "x" * 5000)) == webhook.TEXT_MAX


# ---------------------------------------------------------------- plans


def test_groups_hold_every_symbol_once_and_do_not_depend_on_order() -> None:
    symbols = [f"S{number}" for number in range(23)]
    parts = plan.groups(symbols, 4)
    assert len(parts) == 4
    assert sorted(symbol for part in parts for symbol in part) == sorted(symbols)
    assert {len(part) for part in parts} <= {5, 6}
    assert plan.groups([*reversed(symbols), "S3"], 4) == parts
    assert plan.groups(["A"], 4) == [["A"]]
    assert plan.groups([], 4) == []
    assert max(map(len, plan.groups([f"S{n}" for n in range(4000)], 1))) <= plan.GROUP_MAX


def test_ranges_are_cut_at_the_ends_of_months() -> None:
    assert plan.months(date(2023, 12, 30), date(2024, 2, 1)) == [
        (date(2023, 12, 30), date(2023, 12, 31)),
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 1)),
    ]
    assert plan.months(date(2024, 2, 2), date(2024, 2, 1)) == []


def test_a_request_becomes_a_list_of_arguments() -> None:
    day = date(2024, 7, 5)
    asked = plan.request("bars", ["KO", "X Y;rm"], day, day, timespan="minute", adjusted="")
    assert plan.backfill_arguments(asked, "/w/a b.json") == [
        "backfill", "bars", "--symbols", "KO,X Y;rm", "--from", "2024-07-05", "--to", "2024-07-05",
        "--timespan", "minute", "--manifest", "/w/a b.json",
    ]  # fmt: skip
    options = plan.request("options", ["KO"], day, day, timespan="day")
    assert plan.backfill_arguments(options, "m")[2:4] == ["--underlying", "KO"]
    symbols = plan.request("symbols", ["KO"], day, day)
    assert "--from" not in plan.backfill_arguments(symbols, "m")


def test_requests_have_names_of_their_own_and_a_bound() -> None:
    day, parts = date(2024, 7, 5), [["A"], ["B"]]
    asked = plan.requests("bars", parts, [(day, day)], ["day", "minute"])
    assert len({plan.name_of(one) for one in asked}) == 4
    assert [plan.name_of(one) for one in asked] == [
        plan.name_of(one) for one in plan.requests("bars", parts, [(day, day)], ["day", "minute"])
    ]
    kinds = [
        plan.request("options", ["A"], day, day, timespan="day", type=kind) for kind in ("call", "put", "")
    ]
    assert len({plan.name_of(one) for one in kinds}) == 3
    with pytest.raises(ValueError, match="at most 200"):
        plan.requests("bars", [[f"S{n}"] for n in range(201)], [(day, day)], ["day"])


def test_fetching_anew_is_one_run_for_each_run_of_the_dag() -> None:
    """A task that is tried again goes on with its run; another run of the DAG fetches once more."""
    day = date(2024, 7, 5)
    asked = plan.requests("bars", [["A"], ["B"]], [(day, day)], ["day"])
    found = plan.anew(asked, "manual__1")
    assert found == plan.anew(asked, "manual__1")
    names = [one["run-id"] for one in found + plan.anew(asked, "manual__2")]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) for name in names)
    arguments = plan.backfill_arguments(found[0], "m")
    assert arguments[-4:] == ["--run-id", names[0], "--manifest", "m"]
    assert "--again" not in arguments
    assert plan.name_of(found[0]) != plan.name_of(asked[0])


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-07-06T01:00:00+00:00", "2024-07-05"),  # nine in the evening in New York
        ("2024-07-05T22:30:00+00:00", "2024-07-05"),
        ("2024-07-06T05:45:00+00:00", "2024-07-05"),  # the day before, which is over
        ("2024-01-06T05:30:00+00:00", "2024-01-05"),  # winter: half an hour after midnight
        ("2024-07-06T09:59:59+00:00", "2024-07-05"),
        ("2024-07-06T10:00:00+00:00", "2024-07-06"),
        ("2024-01-06T11:00:00+00:00", "2024-01-06"),
    ],
)
def test_a_run_is_about_new_yorks_date_some_hours_before(moment: str, day: str) -> None:
    run = SimpleNamespace(logical_date=datetime.fromisoformat(moment), run_after=None)
    assert sessions.day_of_run({"params": {}, "dag_run": run}).isoformat() == day
    by_hand = SimpleNamespace(logical_date=None, run_after=datetime.fromisoformat(moment))
    assert sessions.day_of_run({"params": {"day": None}, "dag_run": by_hand}).isoformat() == day
    assert sessions.day_of_run({"params": {"day": "2024-02-29"}, "dag_run": run}) == date(2024, 2, 29)
    with pytest.raises(ValueError, match="2024-02-30"):
        sessions.day_of_run({"params": {"day": "2024-02-30"}, "dag_run": run})


def test_the_programs_own_calendar_is_understood(binaries: str) -> None:
    settings = Settings({"MARKETFLOW_BIN_DIR": binaries, "PATH": os.environ["PATH"]})
    found = sessions.sessions(settings, date(2024, 7, 2), date(2024, 7, 5), lambda _: None)
    assert [one.day.isoformat() for one in found] == ["2024-07-02", "2024-07-03", "2024-07-05"]
    assert [one.early for one in found] == [False, True, False]
    assert found[1].closes == datetime(2024, 7, 3, 17, 0, tzinfo=UTC)


def test_pools_follow_the_budget() -> None:
    slots = {
        text: pools.provider_slots(Settings({"POLYGON_REQUESTS_PER_MINUTE": text}))
        for text in ("0", "5", "60", "6000")
    }
    assert slots == {"0": 8, "5": 1, "60": 6, "6000": 8}
    assert pools.provider_slots(Settings({})) == 1
    assert (
        pools.provider_slots(Settings({"MARKETFLOW_POOL_SLOTS": "3", "POLYGON_REQUESTS_PER_MINUTE": "0"}))
        == 3
    )
    done = subprocess.run(
        [sys.executable, "-B", "-m", "_lib.pools"], cwd=Path(pools.__file__).parents[1], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "POLYGON_REQUESTS_PER_MINUTE": "30"},
    )  # fmt: skip
    assert json.loads(done.stdout)["marketflow_provider"]["slots"] == 3
    assert json.loads(done.stdout)["marketflow_warehouse"]["slots"] == 1


# ---------------------------------------------------------------- manifests


def manifest(**changes: Any) -> dict[str, Any]:
    series = [
        {"symbol": "KO", "status": "complete", "received": 3},
        {"symbol": "JPM", "status": "complete", "received": 0},
    ]
    whole = {
        "manifest_version": "1.1", "run_id": "r1", "complete": True, "feed": "bars", "timespan": "day",
        "adjusted": "split",
        "from": "2024-07-02", "to": "2024-07-05", "raw": [], "series": series,
    }  # fmt: skip
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def test_a_promise_is_what_was_received() -> None:
    promise = manifests.promise(manifest())
    assert promise is not None
    assert promise.received == {"KO": 3}
    assert promise.question(["KO"]) == {
        "table": "raw_bars", "first_day": "2024-07-02", "last_day": "2024-07-05", "bar_interval": "1d",
        "adjusted": "split", "symbols": ["KO"],
    }  # fmt: skip
    assert manifests.promise(manifest(series=None)) is None
    assert manifests.promise(manifest(feed="news")) is None
    assert manifests.promise(manifest(timespan="month")) is None
    contracts = [
        {"symbol": "O:KO240719C00060000", "received": 2},
        {"symbol": "O:KO240719P00060000", "received": 1},
    ]
    promise = manifests.promise(manifest(feed="options", series=contracts))
    assert promise is not None and (promise.table, promise.received) == ("raw_option_bars", {"KO": 3})


def test_questions_fit_into_calls() -> None:
    def promise(count: int, letter: str) -> manifests.Promise:
        received = {f"{letter}{number}": 1 for number in range(count)}
        return manifests.Promise("raw_bars", "2024-07-05", "2024-07-05", "1d", "", received)

    found = manifests.batches(
        [promise(2, "A"), promise(0, "B"), promise(1, "C"), promise(manifests.SYMBOLS_MAX + 1, "D")]
    )
    assert [[(number, len(asked["symbols"])) for number, asked in batch] for batch in found] == [
        [(0, 2), (2, 1)],
        [(3, manifests.SYMBOLS_MAX)],
        [(3, 1)],
    ]
    assert manifests.batches([]) == []


def test_a_shortfall_counts_dead_letters_as_accounted_for() -> None:
    expected = {"A": 3, "B": 3, "C": 3, "D": 1}
    found = manifests.shortfall(expected, {"A": 3, "B": 2, "C": 2, "D": 5}, {"B": 1})
    assert found == {"C": (3, 2, 0)}


def test_a_manifest_with_its_series_is_not_replaced_by_one_without(tmp_path: Path) -> None:
    new, target = tmp_path / "m.json.new", tmp_path / "m.json"
    new.write_text(json.dumps(manifest()))
    assert "series" in manifests.keep(new, target)
    new.write_text(json.dumps(manifest(series=None)))
    assert "series" in manifests.keep(new, target)
    assert not new.exists()
    assert "series" in manifests.read(target)
    new.write_text(json.dumps(manifest(series=None, run_id="r2")))
    assert "series" not in manifests.keep(new, target)
    new.write_text("[]")
    with pytest.raises(manifests.ManifestError, match="no manifest"):
        manifests.keep(new, target)


def test_manifests_of_several_events_come_once_each() -> None:
    assert manifests.paths_of([{"manifests": ["a", "b"]}, {}, {"manifests": ["b", "c"]}]) == ["a", "b", "c"]


# ---------------------------------------------------------------- dbt's artifacts


def write_results(place: Path, *results: tuple[str, str, str | None]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    listed = [{"unique_id": f"test.marketflow.{name}", "status": s, "message": m} for name, s, m in results]
    (place / "run_results.json").write_text(json.dumps({"results": listed}))


def test_an_outcome_tells_tests_from_errors(tmp_path: Path) -> None:
    assert artifacts.outcome(tmp_path) is None
    write_results(tmp_path, ("a", "pass", None), ("b", "fail", "Got 2\n results"), ("c", "warn", "Got 1"))
    found = artifacts.outcome(tmp_path)
    assert found is not None and found.only_tests_failed
    assert found.bad == ["b: fail: Got 2 results"]
    assert found.warned == ["c: warn: Got 1"]
    assert found.counts == {"pass": 1, "fail": 1, "warn": 1}
    write_results(tmp_path, ("b", "fail", "x"), ("d", "error", "connection lost"))
    found = artifacts.outcome(tmp_path)
    assert found is not None and not found.only_tests_failed


def test_each_step_of_each_run_has_a_place_of_its_own(tmp_path: Path) -> None:
    settings = Settings({"MARKETFLOW_WORK_DIR": str(tmp_path)})
    places = [
        artifacts.step_directory(settings, "d", run, step)
        for run in ("manual__2024-07-05T22:30:00+00:00", "../../etc") for step in ("test", "build")
    ]  # fmt: skip
    assert len(set(places)) == 4
    assert all(tmp_path in place.resolve().parents for place in places)
    write_results(places[0])
    assert artifacts.result_files(settings, "d", "manual__2024-07-05T22:30:00+00:00", ["build", "test"]) == [
        str(places[0] / "run_results.json")
    ]


def test_only_old_places_go(tmp_path: Path) -> None:
    settings = Settings({"MARKETFLOW_WORK_DIR": str(tmp_path)})
    old, new = tmp_path / "dbt" / "d" / "old", tmp_path / "dbt" / "d" / "new"
    kept = tmp_path / "manifests" / "m.json"
    for place in (old, new, kept.parent):
        place.mkdir(parents=True)
    kept.write_text("{}")
    left = kept.with_name("m.airflow-x.new")
    left.write_text("{}")
    for place in (old, left):
        os.utime(place, (1, 1))
    assert list(artifacts.old_places(settings, 30)) == [old, left]
    for place in (old, left):
        artifacts.remove(place)
    assert not old.exists() and not left.exists() and new.exists() and kept.exists()


def test_a_macros_answer_is_found_behind_its_mark() -> None:
    output = '12:00:01  Running\n12:00:02  MARKETFLOW_ROWS {"rows": {"KO": 3}}\n'
    assert artifacts.marked(output) == {"rows": {"KO": 3}}
    with pytest.raises(ValueError, match="nothing"):
        artifacts.marked("12:00:01  Running\n")


# ---------------------------------------------------------------- programs


def run_python(code: str, **options: Any) -> tuple[programs.Run, list[str]]:
    lines: list[str] = []
    run = programs.Run([sys.executable, "-c", code], {"PATH": os.environ["PATH"]}, lines.append, **options)
    return run.wait(), lines


def test_output_and_talk_are_kept_apart_unless_merged() -> None:
    code = 'import sys; print("{\\"a\\": 1}"); print("hello", file=sys.stderr)'
    run, lines = run_python(code)
    assert (run.code, run.json(), lines) == (0, {"a": 1}, ["hello"])
    run, lines = run_python(code, merge=True)
    assert sorted(lines) == ["hello", '{"a": 1}']


@pytest.mark.parametrize(
    ("code", "final", "said"), [(75, False, "later"), (78, True, "wrong"), (70, False, "70")]
)
def test_exit_codes_say_whether_to_try_again(code: int, final: bool, said: str) -> None:
    run, _ = run_python(f"import sys; print('because', file=sys.stderr); sys.exit({code})")
    problem = run.failure()
    assert (problem.code, problem.final) == (code, final)
    assert said in str(problem) and "because" in str(problem)


def test_a_program_that_is_not_there_is_final() -> None:
    with pytest.raises(programs.ProgramError, match="No such file") as caught:
        programs.Run(["/nowhere/program"], {}, lambda _: None).wait()
    assert caught.value.final


def test_a_task_that_takes_too_long_ends_its_program(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import os, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
        "while True: time.sleep(0.1)\n"
    )
    run = programs.Run([sys.executable, "-c", code], {"PATH": os.environ["PATH"]}, lambda _: None)

    def interrupt() -> None:
        wait_for(lambda: mark.exists() and mark.read_text(), 30, "the program")
        os.kill(os.getpid(), signal.SIGALRM)

    def on_alarm(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, on_alarm)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(TimeoutError):
            run.wait()
    finally:
        thread.join()
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


# ---------------------------------------------------------------- the webhook


def test_the_webhook_is_told_without_secrets(server: Server, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"{server.url}/{SECRET}\n")
    settings = Settings(
        {"MARKETFLOW_WEBHOOK_FILE": str(tmp_path / "hook"), "WAREHOUSE_PASSWORD": "pass-word-9"}
    )
    assert webhook.send(settings, {"text": "pass-word-9 is wrong", "many": [{"deep": "pass-word-9"}], "n": 1})
    assert server.posted == [(f"/{SECRET}", {"text": "*** is wrong", "many": [{"deep": "***"}], "n": 1})]


def test_without_a_webhook_nothing_is_told() -> None:
    assert webhook.send(Settings({}), {"text": "x"}) is False


@pytest.mark.parametrize("answer", [302, 500])
def test_a_webhook_that_refuses_is_not_named(server: Server, answer: int) -> None:
    server.answer = answer
    settings = Settings({"MARKETFLOW_WEBHOOK": f"{server.url}/{SECRET}"})
    with pytest.raises(webhook.WebhookError) as caught:
        webhook.send(settings, {"text": "x"})
    assert str(answer) in str(caught.value)
    assert SECRET not in str(caught.value) and server.url not in str(caught.value)
    assert len(server.posted) == 1  # the redirect was not followed


def test_a_webhook_that_is_away_is_not_named(server: Server) -> None:
    url = server.url
    server.close()
    began = time.monotonic()
    with pytest.raises(webhook.WebhookError) as caught:
        webhook.send(Settings({"MARKETFLOW_WEBHOOK": f"{url}/{SECRET}"}), {"text": "x"})
    assert SECRET not in str(caught.value)
    assert time.monotonic() - began < 60
    for bad in (f"{url}/a {SECRET}", f"http://[::1/{SECRET}"):
        with pytest.raises(webhook.WebhookError) as caught:
            webhook.send(Settings({"MARKETFLOW_WEBHOOK": bad}), {"text": "x"})
        assert SECRET not in str(caught.value)
    with pytest.raises(webhook.WebhookError, match="no http"):
        webhook.send(Settings({"MARKETFLOW_WEBHOOK": f"ftp://{SECRET}"}), {})
