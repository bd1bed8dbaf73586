# SPDX-License-Identifier: Apache-2.0
"""`marketflow-processor replay` and `explain` as a person uses them."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from feed import Feed, complete

Calendar = Callable[[str], tuple[int, int] | None]
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(binaries: Path) -> Run:
    def command(*arguments: str, stdin: bytes = b"", **settings: str) -> subprocess.CompletedProcess[bytes]:
        environment = {"PATH": os.environ.get("PATH", ""), **settings}
        full = [str(binaries / "marketflow-processor"), *arguments]
        return subprocess.run(full, input=stdin, capture_output=True, env=environment, timeout=60)

    return command


@pytest.fixture
def events(calendar: Calendar) -> list[dict[str, Any]]:
    return Feed(random.Random(7), calendar, trouble=0).minutes(1, ("AAPL", "MSFT"), news=20)


@pytest.fixture
def history(binaries: Path, events: list[dict[str, Any]], tmp_path: Path) -> Path:
    path = tmp_path / "history.ndjson"
    path.write_bytes(b"\n".join(complete(binaries, events)) + b"\n")
    return path


def outputs(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_same_bytes_twice_and_from_standard_input(run: Run, history: Path) -> None:
    first = run("replay", str(history))
    assert {e["event_type"] for e in outputs(first)} >= {"bar", "metric", "alert", "news", "symbol"}
    assert run("replay", str(history)).stdout == first.stdout
    assert run("replay", "-", stdin=history.read_bytes()).stdout == first.stdout
    assert b"folded" in first.stderr


def test_a_missing_event_id_is_computed(run: Run, history: Path) -> None:
    bare = b""
    for line in history.read_bytes().splitlines():
        event = json.loads(line, parse_float=str, parse_int=str)
        start = line.index(b'"event_id":')
        end = line.index(b",", start) + 1
        assert line[start:end].split(b'"')[3].decode() == event["event_id"]
        bare += line[:start] + line[end:] + b"\n"
    result = run("replay", "-", stdin=bare)
    assert result.stdout == run("replay", str(history)).stdout
    assert b"given their event_id" in result.stderr


def test_lanes(run: Run, history: Path) -> None:
    live = history.read_bytes()
    text = live.replace(b'"lane":"live"', b'"lane":"backfill:run-1"')
    both = live + text
    alone = run("replay", "-", stdin=text)
    assert all(e["lane"] == "backfill:run-1" for e in outputs(alone))
    assert run("replay", "-", "--lane", "backfill:run-1", stdin=both).stdout == alone.stdout
    everything = outputs(run("replay", "-", stdin=both))
    assert len(everything) == len(outputs(alone)) + len(outputs(run("replay", str(history))))


def test_bad_lines_become_dead_letters_and_the_rest_goes_on(run: Run, history: Path) -> None:
    lines = history.read_bytes().splitlines()
    result = run("replay", "-", stdin=b"\n".join([b"not json", *lines, b"{}", b"x" * 500_000]) + b"\n")
    letters = [e for e in outputs(result) if e["event_type"] == "dead_letter"]
    assert [e["reason"] for e in letters][:2] == ["json_syntax", "missing_field"]
    assert letters[0]["origin"]["offset"] == 0  # the line, from 0
    assert len(letters) == 3


def test_a_line_that_is_too_large_is_named(run: Run, history: Path) -> None:
    lines = history.read_bytes().splitlines()[:2]
    result = run(
        "replay", "-", stdin=b"\n".join([lines[0], b"x" * 393_217, b"x" * 1_000_001, lines[1]]) + b"\n"
    )
    letters = [e for e in outputs(result) if e["event_type"] == "dead_letter"]
    assert [(e["reason"], e["origin"]["offset"]) for e in letters] == [("json_size", 1)]
    told = result.stderr.decode()
    assert "-:2: the record is too large: 393217 bytes, at most 393216 are allowed" in told
    assert "-:3: the record is larger than 1000000 bytes" in told
    assert "4 lines, 3 folded" in told


def test_thresholds_can_be_tried_out(run: Run, history: Path) -> None:
    def alerts(**settings: str) -> int:
        found = outputs(run("replay", str(history), **settings))
        return sum(e["event_type"] == "alert" and e["rule_id"] == "price_move" for e in found)

    off = dict.fromkeys(
        ("ALERT_PRICE_MOVE_INFO", "ALERT_PRICE_MOVE_WARNING", "ALERT_PRICE_MOVE_CRITICAL"), "0"
    )
    assert alerts(**off) == 0
    assert alerts(**{**off, "ALERT_PRICE_MOVE_INFO": "0.05"}) > alerts() > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay",), "FILE"),
        (("replay", "/no/such/file"), "/no/such/file"),
        (("replay", "/"), "directory"),
        (("replay", "-", "--lane", "sideways"), "sideways"),
        (("replay", "-", "--speed", "9"), "--speed"),
        (("explain", "-", "--rule", "gap"), "--symbol"),
        (("explain", "-", "--symbol", "AAPL", "--rule", "nonsense"), "price_move"),
        (("explain", "-", "--symbol", "AAPL", "--rule", "gap", "--at", "noon"), "noon"),
        (("explain", "-", "--symbol", "AAPL", "--rule", "gap", "--interval", "7m"), "7m"),
        (("explain", "-", "--symbol", "NOBODY", "--rule", "gap"), "NOBODY"),
    ],
)
def test_what_is_wrong_is_named(run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.returncode == 78
    assert words in result.stderr.decode()
    assert result.stdout == b""


def test_a_contradictory_setting_is_refused(run: Run, history: Path) -> None:
    result = run("replay", str(history), ALERT_GAP_INFO="9")
    assert result.returncode == 78
    assert b"ALERT_GAP" in result.stderr


def test_an_alert_is_explained_with_its_own_numbers(run: Run, history: Path) -> None:
    published = outputs(run("replay", str(history)))
    fired = [
        e for e in published
        if e["event_type"] == "alert" and e["state"] == "firing" and e["interval"] != "news"
    ]  # fmt: skip
    assert len({e["rule_id"] for e in fired}) >= 5
    for rule in {e["rule_id"] for e in fired}:
        alert = next(e for e in fired if e["rule_id"] == rule)
        arguments = ["--symbol", alert["symbol"], "--rule", rule, "--at", alert["event_time"]]
        result = run("explain", str(history), *arguments, "--interval", alert["interval"])
        assert result.returncode == 0, result.stderr
        text = result.stdout.decode()
        assert f"fires {alert['severity']}" in text
        assert alert["message"] in text
        assert alert["rule_version"] in text


def test_silence_is_explained_too(run: Run, history: Path) -> None:
    text = run("explain", str(history), "--symbol", "AAPL", "--rule", "new_52w").stdout.decode()
    assert "does not fire" in text
    assert "0 alert events" in text


@pytest.mark.parametrize("rule", ["news_keyword", "news_sentiment", "news_cluster"])
def test_articles_are_explained(run: Run, history: Path, rule: str) -> None:
    published = outputs(run("replay", str(history), ALERT_NEWS_CLUSTER_INFO="1"))
    alerts = [e for e in published if e["event_type"] == "alert" and e["rule_id"] == rule]
    for alert in alerts[:3]:
        arguments = ["--symbol", alert["symbol"], "--rule", rule, "--at", alert["event_time"]]
        text = run("explain", str(history), *arguments, ALERT_NEWS_CLUSTER_INFO="1").stdout.decode()
        assert alert["article_id"] in text
        assert f"verdict     {alert['severity']}: {alert['message']}" in text
    quiet = run("explain", str(history), "--symbol", "AAPL", "--rule", rule, ALERT_NEWS_CLUSTER_RATIO="1000")
    assert "numbers" in quiet.stdout.decode() or "known       no" in quiet.stdout.decode()
    assert alerts


def test_nothing_to_explain_is_said_so(run: Run, history: Path) -> None:
    arguments = ("explain", str(history), "--symbol", "AAPL", "--rule")
    told = run(*arguments, "gap", "--at", "1990-01-10T00:00:00Z").stdout.decode()
    assert "no final bar at or before 1990-01-10T00:00:00.000Z" in told
    assert "no heartbeat" in run(*arguments, "stale_feed", "--interval", "1s").stdout.decode()


def test_a_silent_feed_is_explained(run: Run, events: list[dict[str, Any]], binaries: Path) -> None:
    start = [e for e in events if e["event_type"] != "bar" or e["event_time"] < "2024-03-07T16:00"]
    start = [e for e in start if e["event_type"] != "heartbeat" or e["event_time"] < "2024-03-07T18:00"]
    stdin = b"\n".join(complete(binaries, start)) + b"\n"
    found = [e for e in outputs(run("replay", "-", stdin=stdin)) if e.get("rule_id") == "stale_feed"]
    assert {e["severity"] for e in found} >= {"critical"}
    text = run("explain", "-", "--symbol", "AAPL", "--rule", "stale_feed", stdin=stdin).stdout.decode()
    assert "verdict     critical: above 10" in text
    assert "steady      yes" in text


def test_an_option_is_explained(run: Run, calendar: Calendar, binaries: Path) -> None:
    events = Feed(random.Random(7), calendar, trouble=0).options(2, contracts=2)
    stdin = b"\n".join(complete(binaries, events)) + b"\n"
    alert = next(
        e
        for e in outputs(run("replay", "-", stdin=stdin))
        if e["event_type"] == "alert" and e["state"] == "firing"
    )
    arguments = ["-", "--symbol", "AAPL", "--rule", "price_integrity", "--at", alert["event_time"]]
    text = run("explain", *arguments, "--contract", alert["contract"], stdin=stdin).stdout.decode()
    assert text.startswith(f"{alert['contract']}, an option of AAPL 30m of polygon")
    assert "fires critical" in text
    assert alert["message"] in text
    without = run("explain", *arguments, stdin=stdin).stdout.decode()
    assert "no final bar at or before" in without  # options of it only
    assert "0 alert events of price_integrity would be published\n" in without
    refused = run("explain", "-", "--symbol", "AAPL", "--rule", "gap", "--contract", alert["contract"])
    assert refused.returncode == 78
    assert b"price_integrity" in refused.stderr
