# SPDX-License-Identifier: Apache-2.0
"""Paging: what `limit` counts, that pages add up to the whole, and what next_url carries."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from simulator_client import KEY, NOW, Client, start

RANGES = [
    ("AAPL", "1/day/2000-03-01/2001-03-01"),
    ("AAPL", "1/week/2000-03-01/2003-03-01"),
    ("AAPL", "1/month/2000-03-01/2006-03-01"),
    ("X:BTCUSD", "1/minute/2026-03-17/2026-03-18"),
    ("X:BTCUSD", "7/minute/2026-03-17/2026-03-17"),
    ("AMZN", "30/minute/2026-03-16/2026-03-18"),
    ("AMZN", "1/hour/2026-03-12/2026-03-18"),
    ("AMZN", "1/day/2025-12-01/2026-03-18"),
    ("C:EURUSD", "4/hour/2026-03-12/2026-03-17"),
]


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 250])
@pytest.mark.parametrize(("symbol", "what"), RANGES)
def test_pages_add_up_to_the_unpaged_answer(
    client: Client, symbol: str, what: str, limit: int, sort: str
) -> None:
    url = f"/v2/aggs/ticker/{symbol}/range/{what}?sort={sort}"
    whole = client.get(f"{url}&limit=50000").json
    assert "next_url" not in whole and whole["resultsCount"] > 3
    if limit == 1 and whole["resultsCount"] > 400:
        limit = 3  # thousands of pages would prove no more
    assert client.rows(f"{url}&limit={limit}") == whole["results"]
    times = [row["t"] for row in whole["results"]]
    assert times == sorted(times, reverse=sort == "desc") and len(set(times)) == len(times)


def test_limit_counts_base_aggregates(client: Client) -> None:
    url = "/v2/aggs/ticker/AMZN/range/30/minute/2026-03-16/2026-03-17"
    first = client.get(f"{url}?limit=100").json
    assert first["queryCount"] <= 100 and first["resultsCount"] < 100
    # The next window did not fit: its minutes would have gone over the limit.
    second = client.get(first["next_url"]).json
    minutes = client.get(
        f"/v2/aggs/ticker/AMZN/range/1/minute/{second['results'][0]['t']}/2026-03-17?limit=30"
    ).json
    in_window = [r for r in minutes["results"] if r["t"] < second["results"][0]["t"] + 1_800_000]
    assert first["queryCount"] + len(in_window) > 100


def test_the_default_limit_is_5000_base_aggregates(client: Client) -> None:
    reply = client.get("/v2/aggs/ticker/X:BTCUSD/range/30/minute/2026-03-01/2026-03-15").json
    assert 4_950 < reply["queryCount"] <= 5_000
    assert (reply["results"][-1]["t"] - reply["results"][0]["t"]) / 86_400_000 == pytest.approx(3.5, abs=0.2)
    assert "next_url" in reply


def test_a_limit_below_one_window_still_moves_on(client: Client) -> None:
    rows = client.rows("/v2/aggs/ticker/X:ETHUSD/range/1/hour/2026-03-17/2026-03-17?limit=1")
    assert len(rows) == 24


@pytest.mark.parametrize(
    "path",
    [
        "/v2/aggs/ticker/AAPL/range/1/day/2000-03-01/2013-03-01?limit=5",
        "/v2/reference/news?limit=2",
        "/v3/reference/tickers?limit=2",
        "/v3/reference/splits?limit=2",
        "/v3/reference/dividends?limit=2",
    ],
)
def test_next_url_is_absolute_and_carries_only_a_cursor(client: Client, path: str) -> None:
    next_url = client.get(path).json["next_url"]
    parts = urlsplit(next_url)
    assert next_url.startswith(client.simulator.url + "/") and parts.port == client.simulator.port
    assert list(parse_qs(parts.query)) == ["cursor"]
    cursor = parse_qs(parts.query)["cursor"][0]
    inside = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    assert KEY not in next_url and KEY not in inside
    assert client.get(next_url, key=None).status == 401


def test_a_cursor_that_was_not_made_here_is_refused(client: Client) -> None:
    path = "/v2/aggs/ticker/AAPL/range/1/day/2000-03-01/2013-03-01"
    assert client.get(f"{path}?cursor=nonsense").status == 400
    inside = base64.urlsafe_b64encode(b"limit=5&sort=asc&adjusted=true&page=x").decode()
    assert client.get(f"{path}?cursor={inside}").status == 400


def test_news_pages_add_up(client: Client) -> None:
    url = "/v2/reference/news?ticker=X:BTCUSD&published_utc.gte=2026-03-14&published_utc.lt=2026-03-17"
    for order in ("asc", "desc"):
        whole = client.get(f"{url}&order={order}&limit=1000").json["results"]
        assert len(whole) > 50
        assert client.rows(f"{url}&order={order}&limit=7") == whole
        times = [row["published_utc"] for row in whole]
        assert times == sorted(times, reverse=order == "desc")
        assert len({row["id"] for row in whole}) == len(whole)
        assert all("X:BTCUSD" in row["tickers"] for row in whole)


def test_ticker_pages_add_up(client: Client) -> None:
    whole = client.get("/v3/reference/tickers?limit=1000").json["results"]
    assert client.rows("/v3/reference/tickers?limit=4") == whole
    assert {"AAPL", "X:BTCUSD", "NVDA", "C:EURUSD"} <= {row["ticker"] for row in whole}
    crypto = client.rows("/v3/reference/tickers?market=crypto&limit=3")
    assert crypto == [row for row in whole if row["market"] == "crypto"]


@pytest.mark.parametrize(("kind", "day"), [("splits", "execution_date"), ("dividends", "ex_dividend_date")])
def test_action_pages_add_up(client: Client, kind: str, day: str) -> None:
    url = f"/v3/reference/{kind}?sort={day}"
    for order in ("asc", "desc"):
        whole = client.get(f"{url}&order={order}&limit=1000").json["results"]
        assert len(whole) > 4
        assert client.rows(f"{url}&order={order}&limit=3") == whole
        days = [row[day] for row in whole]
        assert days == sorted(days, reverse=order == "desc")
        assert len({row["id"] for row in whole}) == len(whole)
    one = client.rows(
        f"{url}&ticker={whole[0]['ticker']}&{day}.gte={whole[0][day]}&{day}.lte={whole[0][day]}"
    )
    assert one == [whole[0]]
    assert client.rows(f"{url}&{day}.lt=1990-01-01") == []
    assert client.get(f"{url}&{day}.gte=soon").status == 400


def test_ticker_details(client: Client) -> None:
    (row,) = client.rows("/v3/reference/tickers?ticker=META")
    details = client.get("/v3/reference/tickers/META").json["results"]
    assert details["list_date"] == "2012-05-18" and "list_date" not in row
    known = {name: value for name, value in row.items() if name != "last_updated_utc"}
    assert {name: value for name, value in details.items() if name != "list_date"} == known
    assert "list_date" not in client.get("/v3/reference/tickers/X:BTCUSD").json["results"]
    assert client.get("/v3/reference/tickers/ZZGONE").json["status"] == "NOT_FOUND"
    client.simulator.add_fault("bad_row", match={"endpoint": "ticker_details"}, set={"list_date": '"soon"'})
    assert client.get("/v3/reference/tickers/META").json["results"] == details | {"list_date": "soon"}


def test_ticker_events(client: Client) -> None:
    result = client.get("/vX/reference/tickers/META/events?types=ticker_change").json["results"]
    assert [(row["date"], row["ticker_change"]["ticker"]) for row in result["events"]] == [
        ("2022-06-09", "META"),
        ("2012-05-18", "FB"),
    ]
    (row,) = client.rows("/v3/reference/tickers?ticker=META")
    assert result["composite_figi"] == row["composite_figi"]
    (event,) = client.get("/vX/reference/tickers/KO/events").json["results"]["events"]
    assert event["ticker_change"] == {"ticker": "KO"} and event["type"] == "ticker_change"
    assert client.get("/vX/reference/tickers/ZZGONE/events").json["status"] == "NOT_FOUND"
    assert client.get("/vX/reference/tickers/KO/events?types=splits").status == 400


def test_dividends_are_declared_ahead(client: Client) -> None:
    rows = client.rows("/v3/reference/dividends?ticker=KO&limit=1000")
    ahead = [row for row in rows if row["ex_dividend_date"] > "2026-03-18"]
    assert ahead == []  # the next one is in June
    client.simulator.set_clock(now="2026-05-10T12:00:00Z")
    later = client.rows("/v3/reference/dividends?ticker=KO&limit=1000")
    assert len(later) == len(rows) + 1
    assert later[0]["ex_dividend_date"] == "2026-06-10"


def test_delisted_tickers_are_shown_when_asked_for(client: Client) -> None:
    gone = client.rows("/v3/reference/tickers?active=false&limit=2")
    assert len(gone) >= 3
    assert all(row["active"] is False and row["delisted_utc"] for row in gone)
    active = client.rows("/v3/reference/tickers?limit=1000")
    assert all(row["active"] is True and "delisted_utc" not in row for row in active)
    assert not {row["ticker"] for row in gone} & {row["ticker"] for row in active}
    (one,) = client.rows(f"/v3/reference/tickers?ticker={gone[0]['ticker']}&active=false")
    assert one == gone[0] and len(one["composite_figi"]) == 12
    assert client.get("/v3/reference/tickers?active=perhaps").status == 400


@pytest.mark.parametrize(
    "path",
    [
        "AAPL/range/0/day/2000-03-01/2013-03-01",
        "AAPL/range/x/day/2000-03-01/2013-03-01",
        "AAPL/range/1/fortnight/2000-03-01/2013-03-01",
        "AAPL/range/1/day/2013-03-01/2000-03-01",
        "AAPL/range/1/day/yesterday/2013-03-01",
        "AAPL/range/1/day/2000-02-30/2013-03-01",
        "AAPL/range/1/day/2000-03-01/2013-03-01?limit=0",
        "AAPL/range/1/day/2000-03-01/2013-03-01?limit=many",
        "AAPL/range/1/day/2000-03-01/2013-03-01?sort=up",
        "AAPL/range/1/day/2000-03-01/2013-03-01?adjusted=maybe",
    ],
)
def test_wrong_input_is_400_with_a_reason(client: Client, path: str) -> None:
    reply = client.get(f"/v2/aggs/ticker/{path}")
    assert reply.status == 400 and reply.json["status"] == "ERROR" and len(reply.json["error"]) > 10
    assert reply.json["request_id"]


def test_a_kept_answer_is_given_again_to_the_byte(tmp_path: Path) -> None:
    past = "/v2/aggs/ticker/X:BTCUSD/range/1/minute/2026-03-01/2026-03-02?limit=1000"
    today = "/v2/aggs/ticker/X:BTCUSD/range/1/minute/2026-03-18/2026-03-18"
    simulator = start(tmp_path, "--cache-mib", "1")
    try:
        simulator.set_clock(now=NOW, frozen=True)
        client = Client(simulator)
        first = client.get(past)
        assert client.get(past).body == first.body
        assert client.get(past).headers["x-request-id"] == first.json["request_id"]
        entry = simulator.requests()["requests"][-1]
        assert (entry["rows"], entry["data"]) == (len(first.json["results"]), "synthetic")
        # Another page, a fault, and bars that are still to come are answered anew.
        assert client.get(first.json["next_url"]).json["results"][0]["t"] > first.json["results"][-1]["t"]
        simulator.add_fault("duplicate_rows", count=3)
        assert len(client.get(past).json["results"]) == len(first.json["results"]) + 3
        assert client.get(past).body == first.body
        rows = len(client.get(today).json["results"])
        simulator.set_clock(advance_ms=600_000)
        assert len(client.get(today).json["results"]) > rows
        # Beyond its size the oldest goes: asked for again it has a new id.
        for day in range(1, 9):
            client.get(f"/v2/aggs/ticker/X:ETHUSD/range/1/minute/2026-02-0{day}/2026-02-0{day}")
        again = client.get(past)
        assert again.json["request_id"] != first.json["request_id"]
        assert again.json["results"] == first.json["results"]
    finally:
        simulator.stop()
