# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backfill: what is on the topic, up to where, and what is missing and why."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from line import PARTITIONS, Line
from mflocal import wait_for

pytestmark = pytest.mark.once

# A Tuesday, a short day, a holiday, a Friday.
STOCKS = ("JPM", "KO", "WMT", "XOM")
DAYS = ["--from", "2024-07-02", "--to", "2024-07-05"]
MINUTES = ["bars", "--symbols", ",".join(STOCKS), *DAYS]
EXPECTED = 390 + 210 + 390


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def series(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["symbol"]: one for one in manifest["series"]}


def published(line: Line) -> dict[str, set[str]]:
    """The minutes on the topic, by symbol."""
    found: dict[str, set[str]] = {}
    for message in line.messages("RAW_BACKFILL"):
        if (event := message.event)["event_type"] == "bar":
            found.setdefault(event["symbol"], set()).add(event["event_time"])
    return found


def ends(line: Line) -> dict[int, int]:
    last: dict[int, int] = {}
    for message in line.messages("RAW_BACKFILL"):
        last[message.partition] = message.offset
    return last


def offsets(manifest: dict[str, Any]) -> dict[int, int]:
    return {one["partition"]: one["offset"] for one in manifest["raw"]}


def lose_minutes(line: Line, symbol: str, first: str, last: str) -> None:
    gone = {"from": f"2024-{first}:00Z", "to": f"2024-{last}:00Z"}
    match = {"symbol": symbol, "timespan": "minute"}
    line.parts.simulator.add_fault("missing_rows", match=match, times=None, **gone)


def causes_at(one: dict[str, Any], start: str) -> tuple[str, int]:
    found = [r for r in one["ranges"] if r["from"] == f"2024-{start}:00.000Z"]
    assert len(found) == 1, (start, one["ranges"])
    assert found[0].get("guess", False) is (found[0]["cause"] == "halt")
    return found[0]["cause"], found[0]["missing"]


def test_a_run_says_what_it_has_and_lacks(line: Line, tmp_path: Path) -> None:
    """N13 and others: the other symbols, the calendar and the length tell the likely cause."""
    lose_minutes(line, "KO", "07-02T14:00", "07-02T14:02")
    lose_minutes(line, "XOM", "07-05T15:10", "07-05T15:25")
    for symbol in STOCKS:
        lose_minutes(line, symbol, "07-03T16:00", "07-03T16:03")
    path = tmp_path / "manifest.json"
    path.write_text("of an earlier run")
    summary = line.backfill(*MINUTES, "--manifest", str(path))
    manifest = read(path)
    assert [p.name for p in tmp_path.glob("manifest.json*")] == ["manifest.json"]
    assert (manifest["run_id"], manifest["complete"]) == (summary["run_id"], True)
    assert summary["manifest"] == str(path)
    assert offsets(manifest) == ends(line)
    assert len(manifest["raw"]) == PARTITIONS
    assert [(c["date"], c["cause"], c["minutes"]) for c in manifest["closures"]] == [
        ("2024-07-03", "early_close", 180),
        ("2024-07-04", "holiday", 390),
    ]
    found = series(manifest)
    bars = published(line)
    for symbol in STOCKS:
        one = found[symbol]
        assert one["received"] == len(bars[symbol])
        assert one["expected_sessions"] == one["received_sessions"] == 3
        assert one["expected_minutes"] == EXPECTED
        assert one["missing_minutes"] == EXPECTED - regular(bars[symbol])
        own = {k: v for k, v in one["causes"].items() if k not in ("holiday", "early_close")}
        assert sum(own.values()) == one["missing_minutes"]
        assert (one["causes"]["holiday"], one["causes"]["early_close"]) == (390, 180)
        assert summary["symbols"][symbol]["causes"] == one["causes"]
        cause, missing = causes_at(one, "07-03T16:00")
        assert (cause, missing >= 3) == ("quiet", True)
    assert causes_at(found["KO"], "07-02T14:00")[0] == "vendor_gap"
    assert causes_at(found["XOM"], "07-05T15:10")[0] == "halt"


def regular(times: set[str]) -> int:
    """Of these minutes, those in a session: July is four hours behind UTC."""
    close = {"2024-07-03": "17:00"}
    return sum("13:30" <= at[11:16] < close.get(at[:10], "20:00") for at in times)


def test_a_run_in_parts_ends_with_the_same_manifest(line: Line, tmp_path: Path) -> None:
    """What an earlier process published and found missing is in the last one's manifest."""
    lose_minutes(line, "KO", "07-02T14:00", "07-02T14:02")
    small = {"INGEST_BARS_PAGE_LIMIT": "100", "INGEST_PARALLEL": "1", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    first, second, third, whole = (tmp_path / name for name in ("a.json", "b.json", "c.json", "d.json"))
    match = {"endpoint": "aggs", "page": 3}
    line.parts.simulator.add_fault("server_error", match=match, times=len(STOCKS))
    summary = line.backfill(*MINUTES, "--manifest", str(first), code=75, **small)
    part = read(first)
    assert (part["complete"], summary["complete"]) == (False, False)
    assert offsets(part) == ends(line)
    bars = published(line)
    for symbol, one in series(part).items():
        assert one["received"] == len(bars[symbol])
        assert one["causes"]["not_asked"] > 390
        assert one["status"] == "incomplete"
    summary = line.backfill(*MINUTES, "--manifest", str(second), **small)
    manifest = read(second)
    assert (manifest["complete"], offsets(manifest)) == (True, ends(line))
    bars = published(line)
    assert summary["run"]["events"] == sum(len(times) for times in bars.values())
    # Once more: the run is known to be complete, its symbols are not known any more.
    again = line.backfill(*MINUTES, "--manifest", str(third), **small)
    assert again["complete_before"] is True
    assert again["run"] == summary["run"]
    assert (read(third)["raw"], read(third)["complete"]) == (manifest["raw"], True)
    assert "series" not in read(third)
    line.backfill(*MINUTES, "--manifest", str(whole), "--again")
    assert read(whole)["series"] == manifest["series"]


def test_a_name_that_is_newer_than_the_range(line: Line, tmp_path: Path) -> None:
    """N14: the years before META are FB's, and the manifest says so."""
    gone = {"from": "2022-05-01T00:00:00Z", "to": "2022-06-09T04:00:00Z"}
    for symbol in ("META", "KO"):
        line.parts.simulator.add_fault("missing_rows", match={"symbol": symbol}, times=None, **gone)
    path = tmp_path / "manifest.json"
    days = ["--from", "2022-05-02", "--to", "2022-06-30", "--timespan", "day"]
    line.backfill("bars", "--symbols", "META,KO,XOM", *days, "--manifest", str(path))
    found = series(read(path))
    assert found["XOM"]["missing_days"] == 0
    assert found["META"]["ranges"] == [
        {
            "from": "2022-05-02T13:30:00.000Z",
            "to": "2022-06-08T20:00:00.000Z",
            "missing": 27,
            "cause": "renamed",
        }
    ]
    # It always had its name: then nothing but the pattern speaks.
    assert found["KO"]["causes"]["before_listing"] == 27
    assert found["KO"]["ranges"][0]["guess"] is True
    assert found["META"]["causes"] == {"renamed": 27, "holiday": 2}
    asked = [r["path"] for r in line.asked("/vX/")]
    assert sorted(asked) == ["/vX/reference/tickers/KO/events", "/vX/reference/tickers/META/events"]


def test_the_names_are_asked_for_by_the_next_start(line: Line, tmp_path: Path) -> None:
    """The process is killed while nothing but the names is left to ask for."""
    gone = {"from": "2022-05-01T00:00:00Z", "to": "2022-06-09T04:00:00Z"}
    line.parts.simulator.add_fault("missing_rows", match={"symbol": "META"}, times=None, **gone)
    line.parts.simulator.add_fault("slow", match={"endpoint": "ticker_events"}, times=None, delay_ms=20000)
    path = tmp_path / "manifest.json"
    days = ["--from", "2022-05-02", "--to", "2022-06-30", "--timespan", "day"]
    command = ["bars", "--symbols", "META", *days, "--manifest", str(path)]
    killed = line.service("ingestor", KAFKA_INSTANCE_ID=f"{line.name}-killed")
    killed.spec.arguments.extend(["backfill", *command])
    killed.start()

    def marked() -> bool:
        return any(m.key and "META" in m.key for m in line.messages("INGESTOR_WATERMARKS"))

    wait_for(lambda: marked() and line.parts.simulator.requests(path="/vX/")["total"] > 0, 60, "the names")
    killed.kill()
    line.services.remove(killed)
    line.parts.simulator.clear_faults()
    summary = line.backfill(*command)
    assert summary["requests"] == 1, "the names, and no bars"
    assert series(read(path))["META"]["causes"] == {"renamed": 27, "holiday": 2}


def test_what_the_plan_leaves_out(line: Line, tmp_path: Path) -> None:
    line.expected_errors.append("plan")
    path = tmp_path / "manifest.json"
    line.parts.simulator.add_fault("forbidden", match={"symbol": "KO"}, times=1)
    line.backfill(*MINUTES, "--manifest", str(path), code=75)
    assert series(read(path))["KO"]["causes"] == {"plan_limit": EXPECTED, "holiday": 390, "early_close": 180}
    # The plan is another one now: its bars are there, and which minutes they are was not looked at.
    line.backfill(*MINUTES, "--manifest", str(path))
    one = series(read(path))["KO"]
    assert (one["unexamined"], one["missing_minutes"]) == (EXPECTED, 0)
    assert one["received"] == len(published(line)["KO"])


def test_wait_with_the_manifest_of_a_backfill(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    line.start("processor")
    line.start("sink")
    summary = line.backfill("bars", "--symbols", "KO,X:ETHUSD", *DAYS, "--manifest", str(path))
    result = line.run("marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "120")
    assert result.returncode == 0, result.stderr
    # At once, without looking twice: the rows are there.
    fetched = "source <> 'processor'"
    assert line.count("raw_bars", fetched) == summary["events"]["bar"] == summary["run"]["events"]
    answer = json.loads(result.stdout)
    assert (answer["run_id"], answer["complete"]) == (summary["run_id"], True)
    assert (answer["symbols"], answer["raw_partitions"]) == (2, PARTITIONS)


def test_a_manifest_that_cannot_be_written(line: Line, tmp_path: Path) -> None:
    refused = line.run(
        "marketflow-ingestor", "backfill", *MINUTES, "--manifest", str(tmp_path / "no" / "m.json")
    )
    assert refused.returncode == 78
    assert "--manifest" in refused.stderr
    assert line.run("marketflow-ingestor", "backfill", *MINUTES, "--manifest", str(tmp_path)).returncode == 78
    assert not line.messages("RAW_BACKFILL")


def test_runs_at_once_have_manifests_of_their_own(line: Line, tmp_path: Path) -> None:
    """Each ends with the last record of its own lane, whatever the others publish in between."""
    runs = {
        "one": MINUTES,
        "two": ["bars", "--symbols", "DIS,NVDA", *DAYS],
        "three": ["news", "--symbols", "KO,NVDA", *DAYS],
    }
    with ThreadPoolExecutor(len(runs)) as pool:
        waiting = [
            pool.submit(line.backfill, *arguments, "--run-id", run, "--manifest", str(tmp_path / run))
            for run, arguments in runs.items()
        ]
        totals = {summary["run_id"]: summary["run"]["events"] for summary in (w.result() for w in waiting)}
    values = {(m.partition, m.offset): m.event for m in line.messages("RAW_BACKFILL")}
    for run in runs:
        manifest = read(tmp_path / run)
        last = [values[at] for at in offsets(manifest).items()]
        assert len(last) == PARTITIONS
        assert all(event["lane_end"] and event["lane"] == f"backfill:{run}" for event in last)
        assert sum(one["received"] for one in manifest["series"]) == totals[run]


@pytest.mark.parametrize(
    ("arguments", "sessions"),
    [
        (["symbols", "--market", "stocks"], None),
        (["options", "--underlying", "XOM", *DAYS, "--expiration-to", "2024-07-12"], 3),
    ],
    ids=["market", "options"],
)
def test_other_feeds_part_by_part(
    line: Line, tmp_path: Path, arguments: list[str], sessions: int | None
) -> None:
    """Of many symbols in one series: the last record of every partition, over all starts; of options, how many
    sessions there were."""
    path = tmp_path / "manifest.json"
    line.expected_errors.append("series_given_up|circuit")
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "5", "INGEST_RETRY_ATTEMPTS": "1"}
    line.parts.simulator.add_fault("server_error", after=3, times=1)
    line.backfill(*arguments, "--manifest", str(path), code=75, **small)
    part = read(path)
    assert part["complete"] is False
    assert offsets(part) == ends(line)
    assert "closures" not in part
    summary = line.backfill(*arguments, "--manifest", str(path), **small)
    manifest = read(path)
    assert (manifest["complete"], offsets(manifest)) == (True, ends(line))
    assert [one["received"] for one in manifest["series"]] == [summary["run"]["events"]]
    assert [one.get("expected_sessions") for one in manifest["series"]] == [sessions]
    assert line.run("marketflowctl", "wait", "--manifest", str(path), "--timeout-s", "1").returncode == 75


def test_a_manifest_that_fails_at_the_end(line: Line, tmp_path: Path) -> None:
    """The run is complete, and the same command writes the file, with all that is known, and asks for nothing."""
    line.expected_errors.append("manifest_not_written")
    line.parts.simulator.add_fault("slow", times=None, delay_ms=500)
    folder = tmp_path / "gone"
    folder.mkdir()
    path = folder / "manifest.json"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(line.backfill, *MINUTES, "--manifest", str(path), code=75)
        wait_for(lambda: line.parts.simulator.requests()["total"] > 0, 60, "a request", 0.01)
        folder.rmdir()
        summary = running.result()
    assert (summary["complete"], summary["error"]["code"]) == (True, "manifest_not_written")
    asked = line.parts.simulator.requests()["total"]
    folder.mkdir()
    again = line.backfill(*MINUTES, "--manifest", str(path))
    assert (again["complete_before"], again["run"]) == (True, summary["run"])
    assert line.parts.simulator.requests()["total"] == asked
    manifest = read(path)
    assert (manifest["complete"], offsets(manifest)) == (True, ends(line))
    assert {s: one["received"] for s, one in series(manifest).items()} == {
        symbol: one["events_total"] for symbol, one in summary["symbols"].items()
    }
