# SPDX-License-Identifier: Apache-2.0
"""Days beside the exchange's rules: what is listed, what takes place, what the market's status says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mflocal import LocalError
from simulator_client import Client

# A Wednesday; NOW of the tests is 11:30 in New York on that day.
TODAY = "2026-03-18"
NOON = "2026-03-18T16:00:00.000Z"
MINUTES = f"/v2/aggs/ticker/KO/range/1/minute/{TODAY}/{TODAY}?limit=50000"
DAY = f"/v2/aggs/ticker/KO/range/1/day/{TODAY}/{TODAY}"


@pytest.fixture(autouse=True)
def no_days(client: Client) -> Iterator[None]:
    client.simulator.forget_days()
    yield
    client.simulator.forget_days()


def listed(client: Client, day: str) -> list[dict[str, Any]]:
    return [row for row in client.get("/v1/marketstatus/upcoming").json if row["date"] == day]


def test_a_closure(client: Client) -> None:
    client.simulator.set_clock(now=NOON)
    assert client.rows(MINUTES)
    client.simulator.announce_days({"date": TODAY, "name": "Mourning"})
    assert client.rows(MINUTES) == []
    status = client.get("/v1/marketstatus/now").json
    assert status["market"] == status["exchanges"]["nyse"] == "closed"
    rows = listed(client, TODAY)
    assert {row["exchange"] for row in rows} == {"NYSE", "NASDAQ"}
    assert all((row["status"], row["name"]) == ("closed", "Mourning") for row in rows)
    client.simulator.forget_days()
    assert client.rows(MINUTES)
    assert listed(client, TODAY) == []


def test_an_early_close(client: Client) -> None:
    client.simulator.announce_days({"date": TODAY, "status": "early-close", "close": "14:00"})
    row = listed(client, TODAY)[0]
    assert (row["open"], row["close"]) == ("2026-03-18T13:30:00.000Z", "2026-03-18T18:00:00.000Z")
    client.simulator.set_clock(now="2026-03-18T17:59:00.000Z")
    assert client.get("/v1/marketstatus/now").json["market"] == "open"
    assert client.rows(DAY) == []
    client.simulator.set_clock(now="2026-03-18T18:01:00.000Z")
    assert client.get("/v1/marketstatus/now").json["market"] == "extended-hours"
    assert len(client.rows(DAY)) == 1
    client.simulator.set_clock(now="2026-03-18T23:00:00.000Z")
    assert max(row["t"] for row in client.rows(MINUTES)) < 1_773_867_600_000  # 17:00 in New York


def test_what_one_exchange_says_alone_does_not_happen(client: Client) -> None:
    client.simulator.set_clock(now=NOON)
    client.simulator.announce_days({"date": TODAY, "exchanges": ["NYSE"]})
    assert [row["exchange"] for row in listed(client, TODAY)] == ["NYSE"]
    assert client.rows(MINUTES)


def test_what_is_not_listed_or_does_not_happen(client: Client) -> None:
    client.simulator.set_clock(now=NOON)
    client.simulator.announce_days({"date": TODAY, "listed": False})
    assert listed(client, TODAY) == []
    assert client.get("/v1/marketstatus/now").json["market"] == "closed"
    client.simulator.announce_days({"date": TODAY, "happens": False})
    assert len(listed(client, TODAY)) == 2
    assert client.get("/v1/marketstatus/now").json["market"] == "open"
    assert client.rows(MINUTES)


def test_a_session_on_a_holiday(client: Client) -> None:
    good_friday = "2026-04-03"
    client.simulator.announce_days({"date": good_friday, "status": "early-close"})
    assert [row["status"] for row in listed(client, good_friday)] == ["early-close", "early-close"]
    client.simulator.set_clock(now="2026-04-03T15:00:00.000Z")
    assert client.rows(MINUTES.replace(TODAY, good_friday))


@pytest.mark.parametrize(
    "day",
    [
        {"date": "2026-13-01"},
        {"date": TODAY, "status": "open"},
        {"date": TODAY, "status": "early-close", "close": "late"},
        {"date": TODAY, "exchanges": "NYSE"},
        {"date": TODAY, "colour": "red"},
        {"status": "closed"},
    ],
)
def test_a_day_that_is_none(client: Client, day: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        client.simulator.announce_days(day)
    assert client.simulator.control("GET", "days") == {"days": []}
