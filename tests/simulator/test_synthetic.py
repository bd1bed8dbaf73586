# SPDX-License-Identifier: Apache-2.0
"""Invented data: stable, within sessions, moving with the clock, and lively enough for alerts."""

from __future__ import annotations

import itertools
import statistics
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marketflow_simulator.sessions import early_closes, easter, holidays, session
from marketflow_simulator.synthetic import Synthetic
from marketflow_simulator.windows import Windows
from mflocal import LocalError
from simulator_client import Client, start

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = 60_000


def minutes(client: Client, symbol: str, first: str, last: str) -> list[dict[str, Any]]:
    return client.rows(f"/v2/aggs/ticker/{symbol}/range/1/minute/{first}/{last}?limit=50000")


def local(row: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(row["t"] / 1000, UTC).astimezone(NEW_YORK)


# --- stability ---------------------------------------------------------------------------------------


def test_answers_survive_a_restart_and_depend_on_the_seed(client: Client, tmp_path: Path) -> None:
    url = "/v2/aggs/ticker/X:BTCUSD/range/1/minute/2026-03-17/2026-03-17?limit=50000"
    before = client.get(url).json["results"]
    for directory, seed, same in (("a", "7", True), ("b", "8", False)):
        other = start(tmp_path / directory, "--seed", seed, "--start-now", "2026-03-18T15:30:00Z")
        try:
            after = Client(other).get(url).json["results"]
        finally:
            other.stop()
        assert (after == before) is same


@settings(max_examples=60, deadline=None)
@given(
    symbol=st.sampled_from(["X:BTCUSD", "X:DOGEUSD", "NVDA", "ZZTOP", "C:EURUSD"]),
    unit=st.sampled_from(["minute", "second"]),
    start_minute=st.integers(0, 3 * 1440),
    length=st.integers(1, 400),
    backwards=st.booleans(),
)
def test_any_window_of_a_range_is_that_part_of_the_range(
    symbol: str, unit: str, start_minute: int, length: int, backwards: bool
) -> None:
    """A bar does not depend on which request asked for it."""
    source = Synthetic(5)
    origin = int(datetime(2026, 3, 6, tzinfo=UTC).timestamp() * 1000)  # spans a weekend and a clock change
    first, span = origin + start_minute * MINUTE, length * (MINUTE if unit == "minute" else 1000)
    around = source.base_bars(symbol, unit, first - 90_000, first + span + 90_000, False, True)
    expected = [bar for bar in around if first <= bar.start_ms < first + span]
    found = list(Synthetic(5).base_bars(symbol, unit, first, first + span, backwards, True))
    assert found == (expected[::-1] if backwards else expected)


# --- plausibility ------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["X:BTCUSD", "X:XRPUSD", "NVDA", "KO", "QWERTY", "C:USDJPY"])
def test_bars_are_plausible_and_days_hold_their_minutes(client: Client, symbol: str) -> None:
    day = client.rows(f"/v2/aggs/ticker/{symbol}/range/1/day/2026-03-17/2026-03-17")[0]
    rows = minutes(client, symbol, "2026-03-17", "2026-03-17")
    for row in [*rows, day]:
        assert 0 < row["l"] <= min(row["o"], row["c"]) <= max(row["o"], row["c"]) <= row["h"]
        assert row["l"] <= row["vw"] <= row["h"] and row["v"] > 0 and row["n"] >= 1
    assert all(day["l"] <= row["l"] and row["h"] <= day["h"] for row in rows)
    assert min(row["l"] for row in rows) == day["l"] and max(row["h"] for row in rows) == day["h"]
    regular = (
        rows if symbol[1] == ":" else [r for r in rows if 570 <= local(r).hour * 60 + local(r).minute < 960]
    )
    assert day["o"] == regular[0]["o"] and day["c"] == regular[-1]["c"]


def test_seconds_stay_within_their_minute(client: Client) -> None:
    (minute,) = client.rows("/v2/aggs/ticker/X:ETHUSD/range/1/minute/1773763200000/1773763200000")
    seconds = client.rows("/v2/aggs/ticker/X:ETHUSD/range/1/second/1773763200000/1773763259999")
    assert len(seconds) == 60
    assert seconds[0]["o"] == minute["o"] and seconds[-1]["c"] == minute["c"]
    assert all(minute["l"] <= row["l"] and row["h"] <= minute["h"] for row in seconds)


def test_crypto_volumes_are_fractional_and_minutes_sometimes_quiet(client: Client) -> None:
    rows = minutes(client, "X:BTCUSD", "2026-03-16", "2026-03-17")
    assert any(row["v"] != int(row["v"]) for row in rows)
    assert 2_880 * 0.95 < len(rows) < 2_880
    assert all(len(Decimal(str(row["v"])).as_tuple().digits) <= 15 for row in rows)


def test_alert_rules_have_something_to_find(client: Client) -> None:
    """Per symbol and day: volume spikes of more than three deviations, and minutes that move half a percent."""
    for symbol in ("X:SOLUSD", "X:LINKUSD", "X:AVAXUSD", "TSLA"):
        rows = minutes(client, symbol, "2026-03-17", "2026-03-17")
        spikes = sum(
            1
            for at in range(20, len(rows))
            if rows[at]["v"]
            > statistics.mean(r["v"] for r in rows[at - 20 : at])
            + 3 * statistics.stdev(r["v"] for r in rows[at - 20 : at])
        )
        moves = sum(1 for a, b in itertools.pairwise(rows) if abs(b["c"] / a["c"] - 1) >= 0.005)
        assert 10 <= spikes <= len(rows) // 10, symbol
        assert 1 <= moves <= len(rows) // 20, symbol


# --- sessions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-03-17", "04:00", "19:59"),
        ("2025-11-28", "04:00", "16:59"),  # the day after Thanksgiving ends at 13:00, post-market at 17:00
        ("2026-03-07", None, None),  # Saturday
        ("2026-01-19", None, None),  # Martin Luther King, Jr. Day
        ("2025-04-18", None, None),  # Good Friday
        ("2025-01-09", None, None),  # day of mourning
    ],
)
def test_stocks_trade_in_their_sessions_only(
    client: Client, day: str, first: str | None, last: str | None
) -> None:
    rows = minutes(client, "NVDA", day, day)
    days = client.rows(f"/v2/aggs/ticker/NVDA/range/1/day/{day}/{day}")
    if first is None or last is None:
        assert rows == [] and days == []
        return
    times = [local(row).strftime("%H:%M") for row in rows]
    assert first <= times[0] <= first[:4] + "9" and last[:4] + "0" <= times[-1] <= last
    assert len(days) == 1 and local(days[0]).strftime("%Y-%m-%d %H:%M") == f"{day} 00:00"


def test_crypto_trades_around_the_clock(client: Client) -> None:
    rows = minutes(client, "X:ETHUSD", "2026-03-07", "2026-03-08")
    assert {datetime.fromtimestamp(row["t"] / 1000, UTC).hour for row in rows} == set(range(24))


def test_sessions_follow_daylight_saving() -> None:
    for day, opens in (
        ("2021-03-12", "14:30"),
        ("2021-03-15", "13:30"),
        ("2021-11-05", "13:30"),
        ("2021-11-08", "14:30"),
    ):
        hours = session("stock", date.fromisoformat(day))
        assert hours is not None
        assert datetime.fromtimestamp(hours.regular_start_ms / 1000, UTC).strftime("%H:%M") == opens


def test_holiday_rules() -> None:
    assert easter(2024) == date(2024, 3, 31) and easter(2038) == date(2038, 4, 25)
    assert len([d for d in holidays(2024) if d.weekday() < 5]) == 10
    assert date(2021, 12, 31) not in holidays(2021) and date(2022, 1, 1) not in holidays(2022)
    assert date(2021, 6, 18) not in holidays(2021) and date(2022, 6, 20) in holidays(2022)
    assert set(early_closes(2024)) == {date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)}
    assert set(early_closes(2022)) == {date(2022, 11, 25)}
    trading = [
        d
        for d in (
            date.fromordinal(n) for n in range(date(2000, 3, 1).toordinal(), date(2013, 3, 2).toordinal())
        )
        if session("stock", d)
    ]
    assert len(trading) == 3_270  # as many days as the replayed history has


# --- the clock ---------------------------------------------------------------------------------------


def test_a_bar_exists_once_its_minute_is_over(client: Client) -> None:
    url = "/v2/aggs/ticker/X:SOLUSD/range/1/minute/2026-03-18/2026-03-18?sort=desc&limit=1"
    client.simulator.set_clock(now="2026-03-18T15:30:59.999Z")
    newest = client.get(url).json["results"][0]["t"]
    assert newest <= 1_773_847_740_000  # 15:29, or earlier when that minute was quiet
    client.simulator.set_clock(advance_ms=1)
    rows = client.get("/v2/aggs/ticker/X:SOLUSD/range/1/minute/1773847800000/1773847900000").json
    bar = list(
        Synthetic(7).base_bars("X:SOLUSD", "minute", 1_773_847_800_000, 1_773_847_860_000, False, True)
    )
    assert [row["t"] for row in rows.get("results", [])] == [b.start_ms for b in bar]


def test_the_forming_bar_is_shown_when_asked_for(client: Client) -> None:
    url = "/v2/aggs/ticker/X:ETHUSD/range/1/minute/1773847800000/1773847859999"
    client.simulator.set_clock(now="2026-03-18T15:30:40.500Z")
    assert "results" not in client.get(url).json
    client.simulator.set_options(forming=True)
    (forming,) = client.get(url).json["results"]
    client.simulator.set_clock(now="2026-03-18T15:31:00Z")
    (final,) = client.get(url).json["results"]
    assert forming["t"] == final["t"] and forming["o"] == final["o"]
    assert forming["v"] < final["v"] and forming["n"] < final["n"]


def test_wider_windows_wait_for_their_end(client: Client) -> None:
    url = "/v2/aggs/ticker/X:ETHUSD/range/5/minute/2026-03-18/2026-03-18?sort=desc&limit=5"
    client.simulator.set_clock(now="2026-03-18T15:34:59Z")
    assert client.get(url).json["results"][0]["t"] == 1_773_847_500_000  # 15:25
    client.simulator.set_clock(now="2026-03-18T15:35:00Z")
    assert client.get(url).json["results"][0]["t"] == 1_773_847_800_000


def test_a_stock_day_is_there_from_its_close(client: Client) -> None:
    url = "/v2/aggs/ticker/TSLA/range/1/day/2026-03-18/2026-03-18"
    client.simulator.set_clock(now="2026-03-18T19:59:59Z")
    assert "results" not in client.get(url).json
    client.simulator.set_clock(now="2026-03-18T20:00:00Z")
    assert len(client.get(url).json["results"]) == 1


def test_the_clock_runs_at_the_rate_it_is_given(client: Client) -> None:
    client.simulator.set_clock(now="2026-03-18T15:30:00Z", frozen=False, rate=1000)
    first = client.simulator.control("GET", "clock")["now_ms"]
    second = client.simulator.control("GET", "clock")["now_ms"]
    client.simulator.set_clock(rate=1, frozen=True)
    assert second > first >= 1_773_847_800_000


def test_hour_windows_start_on_the_hour_in_new_york() -> None:
    windows = Windows("NVDA", 1, "hour")
    opening = int(datetime(2026, 3, 18, 9, 30, tzinfo=NEW_YORK).timestamp() * 1000)
    assert windows.start(opening) == opening - 30 * MINUTE
    assert Windows("NVDA", 4, "hour").start(opening) == opening - 90 * MINUTE  # 08:00
    month = Windows("NVDA", 1, "month")
    assert datetime.fromtimestamp(month.start(opening) / 1000, NEW_YORK).day == 1


# --- news and reference ------------------------------------------------------------------------------


def test_news_moves_with_the_clock(client: Client) -> None:
    url = "/v2/reference/news?ticker=NVDA&limit=1"
    newest = client.get(url).json["results"][0]["published_utc"]
    assert newest <= "2026-03-18T15:30:20Z"
    client.simulator.set_clock(advance_ms=6 * 3_600_000)
    assert client.get(url).json["results"][0]["published_utc"] > newest


def test_news_has_the_documented_shape(client: Client) -> None:
    reply = client.get("/v2/reference/news?limit=1000")
    assert reply.headers["x-marketflow-data"] == "synthetic"
    rows = reply.json["results"]
    for row in rows:
        assert {"id", "publisher", "title", "author", "published_utc", "article_url", "tickers"} <= set(row)
        assert row["article_url"].startswith(row["publisher"]["homepage_url"])
        assert all(set(i) == {"ticker", "sentiment", "sentiment_reasoning"} for i in row.get("insights", []))
    assert any("description" not in row for row in rows) and any("insights" not in row for row in rows)
    assert any(len(row["tickers"]) > 1 for row in rows)
    words = " ".join(row["title"] for row in rows).lower()
    assert all(word in words for word in ("earnings", "guidance", "sec", "merger", "downgrade"))


def test_an_unknown_symbol_is_served_and_named_invented(client: Client) -> None:
    (row,) = client.rows("/v3/reference/tickers?ticker=QWERTY")
    assert row["ticker"] == "QWERTY" and "invented" in row["name"]
    reply = client.get("/v2/aggs/ticker/QWERTY/range/1/day/2026-03-01/2026-03-17")
    assert reply.headers["x-marketflow-data"] == "synthetic" and reply.json["resultsCount"] > 10
    assert client.rows("/v2/aggs/ticker/O:SPY251219C00650000/range/1/day/2026-03-01/2026-03-17") == []


@pytest.mark.parametrize(
    ("now", "market"),
    [
        ("2026-03-18T14:00:00Z", "open"),
        ("2026-03-18T12:00:00Z", "extended-hours"),
        ("2026-03-18T21:00:00Z", "extended-hours"),
        ("2026-03-18T03:00:00Z", "closed"),
        ("2026-03-21T15:00:00Z", "closed"),
        ("2026-04-03T15:00:00Z", "closed"),  # Good Friday
    ],
)
def test_market_status(client: Client, now: str, market: str) -> None:
    client.simulator.set_clock(now=now)
    status = client.get("/v1/marketstatus/now").json
    assert status["market"] == market and status["exchanges"]["nasdaq"] == market
    assert status["currencies"]["crypto"] == "open"


def test_upcoming_is_a_bare_array(client: Client) -> None:
    rows = client.get("/v1/marketstatus/upcoming").json
    assert isinstance(rows, list)
    good_friday = [row for row in rows if row["date"] == "2026-04-03"]
    assert {row["exchange"] for row in good_friday} == {"NYSE", "NASDAQ"} and good_friday[0][
        "status"
    ] == "closed"
    early = next(row for row in rows if row["status"] == "early-close")
    assert early["close"].endswith("Z") and early["open"].endswith("Z")


def test_announcements_come_on_top_and_go_again(client: Client) -> None:
    splits = "/v3/reference/splits?ticker=KO"
    split = {"ticker": "KO", "execution_date": "2020-01-02", "split_from": 1, "split_to": 3}
    client.simulator.announce(splits=[split])
    assert [row["split_to"] for row in client.rows(splits)] == [3]
    for wrong in ({"splits": [{"ticker": "KO"}]}, {"news": []}):
        with pytest.raises(LocalError):
            client.simulator.announce(**wrong)
    client.simulator.announce()
    assert client.rows(splits) == []
