# SPDX-License-Identifier: Apache-2.0
"""Operators that look after the stream, around programs that note what they are started with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from helpers import Programs

Execute = Callable[..., dict[str, Any]]


def test_the_restart_hook_is_a_list_of_words(execute: Execute, programs: Programs) -> None:
    hook = json.dumps([str(programs.place / "marketflowctl"), "restart", "a b; $(c)"])
    answer = execute(
        "watch.RestartHookOperator", kwargs={"verdict": {"problems": ["p"]}}, env={"MARKETFLOW_RESTART": hook}
    )
    assert answer["raised"] is None
    assert programs.calls()[0]["arguments"] == ["restart", "a b; $(c)"]
    assert "a b; $(c)" not in answer["log"]  # it may hold a secret
    assert "marketflowctl" in answer["log"]
    answer = execute("watch.RestartHookOperator", kwargs={"verdict": {"problems": ["p"]}})
    assert answer["message"] == "MARKETFLOW_RESTART is not set"


NOBODY = {"MARKETFLOW_SINK_URL": "http://127.0.0.1:9", "MARKETFLOW_MARKET": "never"}


def look(execute: Execute) -> dict[str, Any]:
    return execute("watch.StreamHealthOperator", kwargs={"asset": "STREAM_HEALTH"}, env=NOBODY)


def age_last_look(programs: Programs, seconds: float) -> None:
    place = programs.place / "work" / "health" / "sink.json"
    kept = json.loads(place.read_text())
    place.write_text(json.dumps(kept | {"at": kept["at"] - seconds}))


def test_a_sink_that_stays_silent_is_worth_one_restart(execute: Execute, programs: Programs) -> None:
    first = look(execute)
    assert (first["result"]["healthy"], first["result"]["restart"]) == (False, False)
    assert first["outlets"]["marketflow://ops/stream_health"]["problems"] == ["the sink does not answer"]
    age_last_look(programs, 300)
    assert look(execute)["result"]["restart"] is True
    hook = {"MARKETFLOW_RESTART": json.dumps([str(programs.place / "marketflowctl")])}
    assert (
        execute("watch.RestartHookOperator", kwargs={"verdict": {"problems": ["p"]}}, env=hook)["raised"]
        is None
    )
    age_last_look(programs, 300)
    third = look(execute)["result"]
    assert (third["healthy"], third["restart"]) == (False, False)
    assert "has not helped" in third["problems"][1]
    answer = execute("watch.UnhealthyOperator", kwargs={"verdict": third})
    assert answer["raised"] == "AirflowFailException"
    assert answer["message"].startswith("the sink does not answer; the restart ")


def test_an_address_without_a_scheme_is_named(execute: Execute) -> None:
    env = {"MARKETFLOW_SINK_URL": "127.0.0.1:9", "MARKETFLOW_MARKET": "never"}
    answer = execute("watch.StreamHealthOperator", kwargs={"asset": "STREAM_HEALTH"}, env=env)
    assert (answer["raised"], answer["message"]) == (
        "AirflowFailException",
        "MARKETFLOW_SINK_URL must be http://host:port",
    )


@pytest.mark.parametrize(
    ("code", "stdout", "raised"),
    [
        (0, '{"totals": {"records": 3}}', None),
        (75, '{"totals": {"records": 3}}', None),  # the sink has not loaded everything yet
        (75, "", "AirflowException"),  # the broker is away: nothing was compared
        (1, '{"totals": {"missing": 1}}', "AirflowFailException"),
    ],
)
def test_parity_is_what_was_compared(
    execute: Execute, programs: Programs, code: int, stdout: str, raised: str | None
) -> None:
    programs.will("marketflowctl", {"code": code, "stdout": stdout, "stderr": "the broker is away"})
    answer = execute("watch.ParityOperator", kwargs={"arguments": ["--list", "5"]})
    assert answer["raised"] == raised
    if raised is None:
        assert answer["result"] == {"records": 3}
    else:
        assert "the broker is away" in answer["message"]
    assert programs.calls()[0]["arguments"] == ["verify", "--format", "json", "--list", "5"]


def test_dead_letters_are_counted_and_judged(execute: Execute, programs: Programs) -> None:
    letters = [("ingest", "not_json"), ("process", "state_limit"), ("process", "state_limit")]
    listing = "\n".join(json.dumps({"stage": stage, "reason": reason}) for stage, reason in letters)
    programs.will("marketflowctl", {"stdout": listing, "stderr": "3 letters"})
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1, "limit": 2})
    assert answer["result"] == {"ingest not_json": 1, "process state_limit": 2}
    assert programs.calls()[0]["arguments"][:6] == [
        "dlq", "list", "--since", "2024-07-05T21:30:00.000Z", "--until", "2024-07-05T22:30:00.000Z",
    ]  # fmt: skip
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1, "limit": 1})
    assert answer["raised"] == "AirflowFailException"


def test_dead_letters_beyond_what_is_listed_are_not_passed_over(execute: Execute, programs: Programs) -> None:
    letter = json.dumps({"stage": "ingest", "reason": "not_json"})
    programs.will("marketflowctl", {"stdout": "\n".join([letter] * 100_000)})
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1, "limit": 2})
    assert answer["raised"] == "AirflowFailException"
    assert "not all of them were counted" in answer["message"]
    answer = execute("watch.DeadLetterReportOperator", kwargs={"hours": 1})
    assert answer["raised"] is None
    assert "not all of them were counted" in answer["log"]


def test_old_artifacts_go(execute: Execute, programs: Programs) -> None:
    place = programs.place / "work" / "dbt" / "d" / "r"
    place.mkdir(parents=True)
    assert execute("watch.CleanUpOperator")["result"] == 0
    os.utime(place, (1, 1))
    assert execute("watch.CleanUpOperator")["result"] == 1
    assert not place.exists()
