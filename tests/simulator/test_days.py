# SPDX-License-Identifier: Apache-2.0
"""Days in other shapes than a range: the same bars, digit for digit."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import Client

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks"
PRICES = ("o", "h", "l", "c", "v", "vw", "n")


def range_row(client: Client, symbol: str, day: str, adjusted: str = "true") -> dict[str, Any]:
    path = f"/v2/aggs/ticker/{symbol}/range/1/day/{day}/{day}?adjusted={adjusted}"
    return dict(client.get(path).json["results"][0])


@pytest.mark.parametrize("adjusted", ["true", "false"])
def test_the_whole_market_on_a_day(client: Client, adjusted: str) -> None:
    day = "2004-06-15"  # before a split of AAPL
    answer = client.get(f"{GROUPED}/{day}?adjusted={adjusted}").json
    rows = {row["T"]: row for row in answer["results"]}
    assert {"AAPL", "IBM", "NVDA", "KO", "ZZOLD"} <= set(rows)
    assert not {name for name in rows if ":" in name or name == "FB"}  # FB came in 2012
    assert answer["resultsCount"] == answer["queryCount"] == len(answer["results"]) == len(rows)
    assert "ticker" not in answer and answer["adjusted"] is (adjusted == "true")
    assert {row["t"] for row in rows.values()} == {1087329600000}  # the close, 16:00 in New York
    for symbol in ("AAPL", "NVDA"):
        wanted = range_row(client, symbol, day, adjusted)
        assert {name: rows[symbol].get(name) for name in PRICES} == {
            name: wanted.get(name) for name in PRICES
        }


def test_over_the_counter_on_request(client: Client) -> None:
    without = client.get(f"{GROUPED}/2024-01-03").json["results"]
    having = client.get(f"{GROUPED}/2024-01-03?include_otc=true").json["results"]
    added = [row for row in having if row not in without]
    assert [row["T"] for row in added] == ["ZZOTCA", "ZZOTCB"]
    assert all(row["otc"] is True for row in added)
    assert all("otc" not in row for row in without)


def test_what_is_gone_or_closed_or_to_come(client: Client) -> None:
    names = {row["T"] for row in client.get(f"{GROUPED}/2016-05-31").json["results"]}
    assert "ZZGONE" in names
    names = {row["T"] for row in client.get(f"{GROUPED}/2016-06-01").json["results"]}
    assert "ZZGONE" not in names
    for day in (
        "2024-01-01",
        "2024-01-06",
        "2026-03-18",
        "2026-03-19",
    ):  # the clock stands in the last session but one
        answer = client.get(f"{GROUPED}/{day}").json
        assert "results" not in answer and answer["resultsCount"] == 0
    assert client.get(f"{GROUPED}/yesterday").status == 400


def test_the_day_before(client: Client) -> None:
    answer = client.get("/v2/aggs/ticker/NVDA/prev").json
    assert answer["ticker"] == "NVDA" and answer["resultsCount"] == 1
    row, wanted = answer["results"][0], range_row(client, "NVDA", "2026-03-17")
    assert row["T"] == "NVDA" and row["t"] == 1773777600000
    assert all(row[name] == wanted[name] for name in PRICES)
    assert client.get("/v2/aggs/ticker/AAPL/prev").json["resultsCount"] == 0  # the replay is long over


def test_open_and_close(client: Client) -> None:
    answer = client.get("/v1/open-close/NVDA/2024-01-03").json
    wanted = range_row(client, "NVDA", "2024-01-03")
    assert set(answer) == {
        "status", "request_id", "from", "symbol", "open", "high", "low", "close", "volume", "preMarket", "afterHours",
    }  # fmt: skip
    assert (answer["status"], answer["from"], answer["symbol"]) == ("OK", "2024-01-03", "NVDA")
    named = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    assert {name: answer[name] for name in named} == {name: wanted[short] for name, short in named.items()}
    minutes = "/v2/aggs/ticker/NVDA/range/1/minute/1704272400000/1704330000000?limit=50000"  # 04:00 to 20:00
    rows = client.get(minutes).json["results"]
    assert answer["preMarket"] == rows[0]["o"]
    assert answer["afterHours"] == rows[-1]["c"]
    assert "preMarket" not in client.get("/v1/open-close/AAPL/2005-03-01").json


def test_no_open_close(client: Client) -> None:
    for path in ("NVDA/2024-01-01", "FB/2005-03-01", "X:BTCUSD/2024-01-03"):
        reply = client.get(f"/v1/open-close/{path}")
        assert reply.status == 404 and reply.json["status"] == "NOT_FOUND"
    assert client.get("/v1/open-close/NVDA/1.3.2024").status == 400


def test_bad_rows(client: Client) -> None:
    path = f"{GROUPED}/2024-01-03"
    client.simulator.add_fault("bad_row", match={"endpoint": "grouped"}, variant="missing_symbol", index=1)
    assert "T" not in client.get(path).json["results"][1]
    client.simulator.add_fault("bad_row", match={"endpoint": "grouped"}, variant="bad_symbol")
    assert client.get(path).json["results"][0]["T"] == "NOT A TICKER"
    path = "/v1/open-close/NVDA/2024-01-03"
    client.simulator.add_fault("bad_row", match={"endpoint": "open_close"}, variant="missing_close")
    assert "close" not in client.get(path).json
    client.simulator.add_fault("bad_row", match={"endpoint": "open_close"}, variant="other_day")
    assert client.get(path).json["from"] == "1999-01-04"
