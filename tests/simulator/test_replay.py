# SPDX-License-Identifier: Apache-2.0
"""The replayed history: complete, digit for digit, and adjusted by the splits inside it."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from marketflow_simulator.replay import EXPECTED_ROWS, SYMBOLS, data_file
from simulator_client import Client

NEW_YORK = ZoneInfo("America/New_York")
WHOLE = "range/1/day/2000-03-01/2013-03-01"


@pytest.fixture(scope="module")
def file_rows() -> list[list[str]]:
    with gzip.open(data_file(), "rt", newline="") as stream:
        return list(csv.reader(stream))[1:]


def exact(client: Client, symbol: str, adjusted: str) -> list[dict[str, str]]:
    """Rows with numbers as the text that was sent."""
    reply = client.get(f"/v2/aggs/ticker/{symbol}/{WHOLE}?adjusted={adjusted}&limit=50000")
    assert reply.status == 200 and reply.headers["x-marketflow-data"] == "replay"
    value = json.loads(reply.body, parse_float=str, parse_int=str)
    assert value["status"] == "OK" and value["ticker"] == symbol and "next_url" not in value
    assert value["resultsCount"] == value["queryCount"] == value["count"] == str(len(value["results"]))
    return list(value["results"])


def session_date(row: dict[str, str]) -> str:
    moment = datetime.fromtimestamp(int(row["t"]) / 1000, UTC).astimezone(NEW_YORK)
    assert (moment.hour, moment.minute) == (0, 0)
    return moment.date().isoformat()


def test_every_row_of_the_file_comes_out_verbatim(client: Client, file_rows: list[list[str]]) -> None:
    sent = [
        [symbol, session_date(row), row["o"], row["h"], row["l"], row["c"], row["v"]]
        for symbol in SYMBOLS
        for row in exact(client, symbol, "false")
    ]
    assert sorted(sent) == sorted(row[:7] for row in file_rows)
    assert len(sent) == EXPECTED_ROWS == 12_154
    assert Counter(row[0] for row in sent) == {
        "AAPL": 3270,
        "IBM": 3270,
        "MSFT": 3270,
        "GOOG": 2148,
        "FB": 196,
    }


@pytest.mark.parametrize(
    ("symbol", "before", "factor"),
    [
        ("AAPL", "2000-06-20", 4),
        ("AAPL", "2005-02-25", 2),
        ("MSFT", "2003-02-14", 2),
        ("IBM", "2003-02-14", 1),
    ],
)
def test_adjusted_applies_the_splits_after_a_day(
    client: Client, symbol: str, before: str, factor: int
) -> None:
    plain = {session_date(row): row for row in exact(client, symbol, "false")}[before]
    adjusted = {session_date(row): row for row in exact(client, symbol, "true")}[before]
    for name in "ohlc":
        assert Decimal(adjusted[name]) * factor == Decimal(plain[name])
    assert Decimal(adjusted["v"]) == Decimal(plain["v"]) * factor


@pytest.mark.parametrize(
    ("symbol", "ex_date"), [("AAPL", "2005-02-28"), ("AAPL", "2000-06-21"), ("MSFT", "2003-02-18")]
)
def test_an_adjusted_series_has_no_jump_at_a_split(client: Client, symbol: str, ex_date: str) -> None:
    rows = exact(client, symbol, "true")
    at = next(i for i, row in enumerate(rows) if session_date(row) == ex_date)
    assert Decimal("0.8") < Decimal(rows[at]["o"]) / Decimal(rows[at - 1]["c"]) < Decimal("1.25")
    raw = exact(client, symbol, "false")
    assert Decimal(raw[at]["o"]) / Decimal(raw[at - 1]["c"]) < Decimal("0.65")


def test_the_history_has_days_only(client: Client) -> None:
    reply = client.get("/v2/aggs/ticker/AAPL/range/1/minute/2005-02-25/2005-02-28")
    assert reply.status == 200 and reply.json["resultsCount"] == 0 and "results" not in reply.json
    assert reply.headers["x-marketflow-data"] == "replay"


def test_the_history_ends_on_its_last_day(client: Client) -> None:
    assert client.rows("/v2/aggs/ticker/IBM/range/1/day/2013-03-02/2026-01-01") == []


def test_a_day_is_not_there_before_it_is_over(client: Client) -> None:
    url = "/v2/aggs/ticker/IBM/range/1/day/2005-02-24/2005-02-28"
    client.simulator.set_clock(now="2005-02-25T20:59:59Z")  # a second before the close
    assert len(client.rows(url)) == 1
    client.simulator.set_clock(now="2005-02-25T21:00:00Z")
    assert len(client.rows(url)) == 2


def test_weeks_start_on_sunday_and_hold_their_days(client: Client) -> None:
    (week,) = client.rows("/v2/aggs/ticker/IBM/range/1/week/2005-02-22/2005-02-24?adjusted=false")
    days = client.rows("/v2/aggs/ticker/IBM/range/1/day/2005-02-20/2005-02-26?adjusted=false")
    start = datetime.fromtimestamp(week["t"] / 1000, UTC).astimezone(NEW_YORK)
    assert start.strftime("%a %H:%M") == "Sun 00:00"
    assert len(days) == 4  # Monday was Washington's Birthday
    assert week["o"] == days[0]["o"] and week["c"] == days[-1]["c"]
    assert week["h"] == max(day["h"] for day in days) and week["l"] == min(day["l"] for day in days)
    assert week["v"] == sum(day["v"] for day in days)


def test_news_of_a_replayed_symbol_is_empty(client: Client) -> None:
    reply = client.get("/v2/reference/news?ticker=AAPL")
    assert reply.json["results"] == [] and reply.headers["x-marketflow-data"] == "replay"
