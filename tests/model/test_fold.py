# SPDX-License-Identifier: Apache-2.0
"""`marketflow-processor replay` against the second implementation, output by output."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from feed import Feed, complete, daily_history
from marketmodel import Partition, Settings, compare
from marketmodel.compare import Published
from marketmodel.rules import DEFAULTS
from marketmodel.times import format_ms, parse_ms

Calendar = Callable[[str], tuple[int, int] | None]


def replay(binaries: Path, lines: list[bytes], tmp_path: Path, **settings: str) -> list[bytes]:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    command = [str(binaries / "marketflow-processor"), "replay", str(path)]
    environment = {"PATH": os.environ.get("PATH", ""), **settings}
    result = subprocess.run(command, capture_output=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    return result.stdout.splitlines()


def check(
    binaries: Path,
    calendar: Calendar,
    events: list[dict[str, Any]],
    tmp_path: Path,
    settings: Settings | None = None,
    **environment: str,
) -> dict[str, int]:
    """Everything that the file makes is what the model makes of it. Returns how many outputs of each kind."""
    lines = complete(binaries, events)
    model = Partition("RAW", settings or Settings(), calendar)
    for offset, line in enumerate(lines):
        model.record(offset, line)
    published = [Published.of_line(line) for line in replay(binaries, lines, tmp_path, **environment)]
    result = compare(model.outputs, published)
    assert not result.problems, "\n".join(result.problems)
    return result.compared


def test_the_daily_history(binaries: Path, calendar: Calendar, tmp_path: Path) -> None:
    """12 154 real bars: every metric and every alert of the processor is the model's."""
    events = daily_history(calendar)
    assert len(events) == 12_154
    compared = check(binaries, calendar, events, tmp_path)
    assert compared["METRICS"] == compared["BARS_FILTERED"] == 12_154
    assert compared["ALERTS"] > 5_000


@pytest.mark.parametrize("symbol", ["AAPL", "X:BTCUSD"])
def test_a_day_of_minutes(
    binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random, symbol: str
) -> None:
    """Minutes with everything that goes wrong: gaps, repeats, corrections, disorder, heartbeats of all lengths."""
    compared = check(binaries, calendar, Feed(seed, calendar).minutes(1, (symbol,)), tmp_path)
    assert compared["METRICS"] > 400
    assert compared["ALERTS"] > 50


def test_a_week_of_minutes(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    """Long enough for the coarse intervals of the roll-up chain, over a weekend on which the clocks change."""
    feed = Feed(seed, calendar, trouble=0.02)
    compared = check(binaries, calendar, feed.minutes(5, ("X:BTCUSD", "MSFT")), tmp_path)
    assert compared["METRICS"] > compared["BARS_FILTERED"] > 5_000


def test_news(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    events = Feed(seed, calendar).minutes(days=1, symbols=("AAPL", "MSFT"), news=200)
    compared = check(binaries, calendar, events, tmp_path)
    assert compared["NEWS_FILTERED"] > 100


def test_two_providers(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    events = Feed(seed, calendar).minutes(days=1, symbols=("X:BTCUSD",), providers=("polygon", "coinbase"))
    compared = check(binaries, calendar, events, tmp_path)
    assert compared["ALERTS"] > 50


def test_interesting_bars(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    events = Feed(seed, calendar).minutes(days=1, symbols=("AAPL",))
    settings = Settings(keep_interesting=True)
    compared = check(binaries, calendar, events, tmp_path, settings, PROCESSOR_KEEP_BARS="interesting")
    assert compared["METRICS"] > compared["BARS_FILTERED"] > 50


def test_other_thresholds(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    """Sensitive rules fire often: hygiene under stress."""
    settings, environment = Settings(cooldown_ms=120_000), {"ALERT_COOLDOWN_MS": "120000"}
    for rule in (
        "price_move",
        "price_move_z",
        "velocity",
        "vwap_dev",
        "volume_spike",
        "rel_volume",
        "bollinger_break",
    ):
        levels = tuple(level / 10 for level in DEFAULTS[rule])
        settings.thresholds[rule] = levels  # type: ignore[assignment]
        for name, level in zip(("INFO", "WARNING", "CRITICAL"), levels, strict=True):
            environment[f"ALERT_{rule.upper()}_{name}"] = f"{level:.4g}"
    events = Feed(seed, calendar).minutes(days=1, symbols=("AAPL", "MSFT"))
    assert check(binaries, calendar, events, tmp_path, settings, **environment)["ALERTS"] > 300


def across(events: list[dict[str, Any]], moment: str) -> list[dict[str, Any]]:
    """The same, but in the year in which the first bar of the second half begins at the moment."""
    bars = sorted(parse_ms(event["event_time"]) for event in events if event["event_type"] == "bar")
    shift = parse_ms(moment) - bars[len(bars) // 2]
    times = ("event_time", "ingest_time", "window_end", "clock")
    for event in events:
        event |= {name: format_ms(parse_ms(event[name]) + shift) for name in times if name in event}
        if "feeds" in event:
            event["feeds"] = {
                feed: format_ms(parse_ms(time) + shift) for feed, time in event["feeds"].items()
            }
        if "session_date" in event:
            event["session_date"] = event["event_time"][:10]
    return events


@pytest.mark.parametrize("thresholds", ["usual", "low"])
def test_across_1970(
    binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random, thresholds: str
) -> None:
    """The first moment of 1970 is a time like any other, though it is written as 0."""
    events = across(Feed(seed, calendar).minutes(1, ("X:BTCUSD",), news=200), "1970-01-01T00:00:00Z")
    settings, environment = Settings(), {}
    if thresholds == "low":  # every bar has something open
        settings.thresholds["price_move"] = (0.0001, 0.0002, 0.05)
        environment = {
            "ALERT_PRICE_MOVE_INFO": "0.0001",
            "ALERT_PRICE_MOVE_WARNING": "0.0002",
            "ALERT_PRICE_MOVE_CRITICAL": "0.05",
        }
    assert check(binaries, calendar, events, tmp_path, settings, **environment)["ALERTS"] > 50


@pytest.mark.parametrize(("keep", "share"), [("all", 0.5), ("interesting", 0.1)])
def test_session_dates_that_run_backwards(
    binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random, share: float, keep: str
) -> None:
    """A date may lie a day off its bar, on either side: windows of days then end in another order than their bars."""
    events = Feed(seed, calendar).minutes(3, ("MSFT",))
    for event in events:
        if event["event_type"] == "bar" and seed.random() < share:
            day = date.fromisoformat(event["event_time"][:10])
            event["session_date"] = (day + timedelta(seed.choice((-1, 0, 1)))).isoformat()
            event["session"] = seed.choice(("pre", "regular", "post"))
    settings = Settings(keep_interesting=keep == "interesting")
    compared = check(binaries, calendar, events, tmp_path, settings, PROCESSOR_KEEP_BARS=keep)
    assert compared["METRICS"] > 1000


def test_the_live_lane_has_no_end(
    binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random
) -> None:
    events = Feed(seed, calendar).minutes(1, ("X:BTCUSD",))
    beats = [i for i, event in enumerate(events) if event["event_type"] == "heartbeat"]
    events[beats[len(beats) // 2]]["lane_end"] = True
    assert check(binaries, calendar, events, tmp_path)["DLQ"] == 1


def test_options(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    """Contracts with everything that goes wrong, some of which expire and are forgotten; one rule looks at them."""
    compared = check(binaries, calendar, Feed(seed, calendar).options(25), tmp_path)
    assert compared["OPTION_BARS_FILTERED"] > 1_500
    assert compared["ALERTS"] > 100
    assert "METRICS" not in compared


def test_options_beside_bars(binaries: Path, calendar: Calendar, tmp_path: Path, seed: random.Random) -> None:
    """The bars of the underlying and of its options are of one cell and do not disturb each other."""
    feed = Feed(seed, calendar)
    events = feed.minutes(1, ("AAPL",)) + feed.options(2)
    events.sort(key=lambda event: event["ingest_time"])
    settings, environment = Settings(), {"ALERT_PRICE_INTEGRITY_INFO": "1.05"}
    settings.thresholds["price_integrity"] = (1.05, 0, 2)
    compared = check(binaries, calendar, events, tmp_path, settings, **environment)
    assert compared["METRICS"] > 400
    assert compared["OPTION_BARS_FILTERED"] > 50
