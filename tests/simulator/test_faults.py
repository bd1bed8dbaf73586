# SPDX-License-Identifier: Apache-2.0
"""Every fault does what its name says, only where and as often as it was asked to."""

from __future__ import annotations

import gzip
import json
import math
import threading
import time
import zlib
from http.client import RemoteDisconnected
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from marketflow_simulator.faults import KINDS
from simulator_client import KEY, Client, Reply

PATH = "/v2/aggs/ticker/AAPL/range/1/day/2005-02-14/2005-03-11?adjusted=false"
NEWS = "/v2/reference/news?ticker=NVDA&limit=5"


@pytest.fixture
def clean(client: Client) -> list[dict[str, Any]]:
    return list(client.get(PATH).json["results"])


def hit(client: Client, kind: str, **parameters: Any) -> Any:
    """The answer to PATH under this fault, and that the next answer is well again."""
    client.simulator.add_fault(kind, **parameters)
    reply = client.get(PATH)
    assert client.simulator.faults()[0]["hits"] == 1
    assert client.get(PATH).json["status"] == "OK"
    client.simulator.clear_faults()
    return reply


# --- answers instead of the provider's ---------------------------------------------------------------


def test_rate_limited_with_and_without_body_and_retry_after(client: Client) -> None:
    reply = hit(client, "rate_limited")
    assert (
        reply.status == 429
        and "maximum requests" in reply.json["error"]
        and "retry-after" not in reply.headers
    )
    reply = hit(client, "rate_limited", body=False)
    assert reply.status == 429 and reply.body == b"" and "retry-after" not in reply.headers
    reply = hit(client, "rate_limited", body=False, retry_after=7)
    assert reply.headers["retry-after"] == "7"
    reply = hit(client, "rate_limited", retry_after="Wed, 18 Mar 2026 15:31:00 GMT")
    assert reply.headers["retry-after"].endswith("GMT")


def test_statuses(client: Client) -> None:
    assert (reply := hit(client, "unauthorized")).status == 401 and reply.json["error"] == "Unknown API Key"
    assert b"<html>" in hit(client, "unauthorized", html=True).body
    reply = hit(client, "forbidden")
    assert (
        reply.status == 403
        and reply.json["status"] == "NOT_AUTHORIZED"
        and "upgrade" in reply.json["message"]
    )
    assert hit(client, "forbidden", style="error").json["status"] == "ERROR"
    assert (reply := hit(client, "not_found")).status == 404 and reply.json["status"] == "NOT_FOUND"
    assert hit(client, "bad_request").status == 400


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors(client: Client, status: int) -> None:
    reply = hit(client, "server_error", status=status)
    assert reply.status == status and reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<html>")
    assert hit(client, "server_error", status=status, body="empty").body == b""
    assert hit(client, "server_error", status=status, body="legacy").json["errorcode"] == "001"
    assert hit(client, "server_error", status=status, body="json").json["status"] == "ERROR"


def test_redirect(client: Client) -> None:
    reply = hit(client, "redirect", location="http://127.0.0.1:9/stolen")
    assert reply.status == 302 and reply.headers["location"] == "http://127.0.0.1:9/stolen"
    assert hit(client, "redirect", status=307).status == 307


def test_the_key_is_echoed_only_where_that_is_the_fault(client: Client) -> None:
    reply = hit(client, "key_echo", status=403)
    assert reply.status == 403 and reply.json["error"].count(KEY) == 2
    assert KEY not in client.get(PATH).text and KEY not in json.dumps(client.simulator.requests())


def test_disconnect(client: Client) -> None:
    client.simulator.add_fault("disconnect")
    with pytest.raises((RemoteDisconnected, ConnectionError)):
        client.get(PATH)
    assert client.get(PATH).status == 200


@pytest.mark.parametrize("after_headers", [False, True])
def test_hang_lasts_until_the_client_leaves(client: Client, after_headers: bool) -> None:
    client.simulator.add_fault("hang", after_headers=after_headers)
    with pytest.raises(TimeoutError):
        client.get(PATH, timeout=0.5)
    assert client.get(PATH).status == 200  # others are served meanwhile and afterwards
    deadline = time.monotonic() + 10
    while client.simulator.requests()["in_flight"]:
        assert time.monotonic() < deadline, "the hanging request outlived its client"


def test_hang_ends_by_itself_when_told_to(client: Client) -> None:
    client.simulator.add_fault("hang", seconds=0.2)
    with pytest.raises((RemoteDisconnected, ConnectionError)):
        client.get(PATH)


# --- the bytes and how they travel -------------------------------------------------------------------


def test_truncated(client: Client, clean: list[dict[str, Any]]) -> None:
    reply = hit(client, "truncated", keep=0.7)
    assert reply.status == 200 and not reply.truncated
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    reply = hit(client, "truncated", keep=0.3, length="full")
    assert reply.truncated and 0 < len(reply.body) < int(reply.headers["content-length"])
    assert len(hit(client, "truncated", keep=1.0).body) == len(client.get(PATH).body) - 1


def test_not_json(client: Client) -> None:
    reply = hit(client, "not_json")
    assert (
        reply.status == 200
        and reply.headers["content-type"].startswith("text/html")
        and reply.body[:1] == b"<"
    )
    assert hit(client, "not_json", body="Too Many Requests").body == b"Too Many Requests"


def test_bad_gzip(client: Client) -> None:
    reply = hit(client, "bad_gzip")
    assert reply.headers["content-encoding"] == "gzip" and reply.body[:2] == b"\x1f\x8b"
    with pytest.raises((zlib.error, EOFError)):
        gzip.decompress(reply.body)
    reply = hit(client, "bad_gzip", mode="plain")
    assert reply.headers["content-encoding"] == "gzip" and reply.body[:1] == b"{"


def test_large_body(client: Client, clean: list[dict[str, Any]]) -> None:
    reply = hit(client, "large_body", bytes=3 << 20)
    assert len(reply.body) == 3 << 20 and reply.json["results"] == clean


def test_slow(client: Client, clean: list[dict[str, Any]]) -> None:
    """Slow against itself: the answer takes at least the delays it was told, and holds everything."""
    started = time.monotonic()
    reply = hit(client, "slow", delay_ms=300, chunk_bytes=256, chunk_delay_ms=10)
    assert time.monotonic() - started >= 0.3 + len(reply.body) // 256 * 0.01
    assert reply.json["results"] == clean


# --- rows and envelope -------------------------------------------------------------------------------


def test_delayed(client: Client, clean: list[dict[str, Any]]) -> None:
    reply = hit(client, "delayed")
    assert reply.json["status"] == "DELAYED" and reply.json["results"] == clean


def test_results_null_absent_and_empty(client: Client) -> None:
    reply = hit(client, "null_results").json
    assert reply["results"] is None and reply["status"] == "OK" and reply["count"] == 0
    assert "results" not in hit(client, "absent_results").json
    assert hit(client, "empty_results").json["results"] == []


def test_foreign_next_url(client: Client) -> None:
    assert hit(client, "foreign_next_url").json["next_url"].startswith("http://elsewhere.invalid/")
    assert (
        hit(client, "foreign_next_url", url="https://127.0.0.1:1/x").json["next_url"]
        == "https://127.0.0.1:1/x"
    )


def test_the_right_next_url_at_another_host(client: Client, clean: list[dict[str, Any]]) -> None:
    first = client.get(PATH + "&limit=5").json
    client.simulator.add_fault("foreign_next_url", times=None, host="api.massive.com:443")
    moved = client.get(PATH + "&limit=5").json["next_url"]
    assert moved.startswith("https://api.massive.com:443/v2/aggs/")
    assert moved.split("/v2/")[1] == first["next_url"].split("/v2/")[1]
    assert client.get(PATH).json.keys() == {**first, "next_url": None}.keys() - {
        "next_url"
    }  # there is no next one
    client.simulator.clear_faults()
    assert client.rows(PATH) == clean


def test_missing_next_url(client: Client) -> None:
    first = client.get(PATH + "&limit=5").json
    client.simulator.add_fault("missing_next_url")
    cut = client.get(PATH + "&limit=5").json
    assert "next_url" in first and "next_url" not in cut
    assert cut["results"] == first["results"]


def test_repeating_next_url(client: Client) -> None:
    client.simulator.add_fault("repeating_next_url", match={"page": 2}, times=None)
    first = client.get(PATH + "&limit=5").json
    second = client.get(first["next_url"]).json
    third = client.get(second["next_url"]).json
    assert second["next_url"] == third["next_url"] and second["results"] == third["results"]


def test_empty_page_loses_nothing(client: Client, clean: list[dict[str, Any]]) -> None:
    client.simulator.add_fault("empty_page", match={"page": 2})
    first = client.get(PATH + "&limit=5").json
    empty = client.get(first["next_url"]).json
    assert "results" not in empty and empty["next_url"]
    assert empty["next_url"] != first["next_url"]  # who refuses pages that were asked for before goes on
    assert client.rows(PATH + "&limit=5") == clean  # the fault is over
    assert first["results"] + client.rows(empty["next_url"]) == clean


def test_corrections(client: Client, clean: list[dict[str, Any]]) -> None:
    client.simulator.add_fault("correction", times=None, t=clean[3]["t"], percent=2.5, volume_percent=-10)
    once, twice = client.get(PATH).json["results"], client.get(PATH).json["results"]
    assert once == twice, "a correction stays as it is"
    assert once[:3] == clean[:3] and once[4:] == clean[4:]
    assert math.isclose(once[3]["c"], clean[3]["c"] * 1.025, abs_tol=0.01)
    assert math.isclose(once[3]["v"], clean[3]["v"] * 0.9, rel_tol=1e-6)
    assert once[3]["h"] >= once[3]["c"] >= once[3]["l"]
    client.simulator.clear_faults()
    client.simulator.add_fault("correction", times=None, last=1, churn=True)
    seen = [client.get(PATH).json["results"] for _ in range(5)]
    assert len({rows[-1]["v"] for rows in seen}) == 5 and all(rows[:-1] == clean[:-1] for rows in seen)


def test_missing_rows(client: Client, clean: list[dict[str, Any]]) -> None:
    gone = {"from": "2005-02-15T05:00:00Z", "to": "2005-02-17T05:00:00Z"}
    answer = hit(client, "missing_rows", **gone).json
    assert answer["results"] == clean[:1] + clean[3:]
    assert answer["resultsCount"] == len(clean) - 2


def test_duplicate_rows(client: Client, clean: list[dict[str, Any]]) -> None:
    assert hit(client, "duplicate_rows", count=2).json["results"] == clean[:2] + clean


def test_rows_out_of_range(client: Client, clean: list[dict[str, Any]]) -> None:
    rows = hit(client, "out_of_range", early=2, late=1).json["results"]
    assert rows[2:-1] == clean and len(rows) == len(clean) + 3
    assert rows[0]["t"] < rows[1]["t"] < 1_108_357_200_000  # 2005-02-14 in New York
    assert rows[-1]["t"] > 1_110_603_600_000  # 2005-03-12


def test_rows_out_of_order(client: Client, clean: list[dict[str, Any]]) -> None:
    rows = hit(client, "out_of_order", seed=3).json["results"]
    assert rows != clean and sorted(rows, key=lambda row: row["t"]) == clean
    assert hit(client, "out_of_order", seed=3).json["results"] == rows


def test_wrong_ticker(client: Client) -> None:
    assert hit(client, "wrong_ticker", ticker="IBM").json["ticker"] == "IBM"


def test_duplicate_keys(client: Client) -> None:
    pairs = json.loads(hit(client, "duplicate_keys").body, object_pairs_hook=list)
    assert [name for name, _ in pairs].count("status") == 2


BAD_BARS = {
    "high_below_low": lambda text, row: row["h"] < row["l"],
    "close_above_high": lambda text, row: row["c"] > row["h"],
    "negative_price": lambda text, row: row["l"] < 0,
    "zero_price": lambda text, row: row["o"] == 0,
    "nan": lambda text, row: '"c":NaN' in text,
    "infinity": lambda text, row: '"h":Infinity' in text,
    "negative_volume": lambda text, row: row["v"] == -1,
    "string_numbers": lambda text, row: all(isinstance(row[name], str) for name in "ohlcv"),
    "exponent": lambda text, row: '"o":8.815e+01' in text,
    "integer_decimal": lambda text, row: '"n":12.0' in text,
    "null_close": lambda text, row: row["c"] is None,
    "text_close": lambda text, row: row["c"] == "n/a",
    "too_precise": lambda text, row: ".1234567890123" in text,
    "too_large": lambda text, row: row["h"] >= 1e15,
    "future": lambda text, row: row["t"] > 4_000_000_000_000,
    "seconds": lambda text, row: row["t"] < 10**10,
    "missing_close": lambda text, row: "c" not in row,
}


@pytest.mark.parametrize("variant", BAD_BARS)
def test_bad_bars(client: Client, clean: list[dict[str, Any]], variant: str) -> None:
    reply = hit(client, "bad_row", variant=variant, index=2)
    rows = reply.json["results"]
    assert BAD_BARS[variant](reply.text, rows[2])
    assert rows[:2] == clean[:2] and rows[3:] == clean[3:]
    if variant in ("string_numbers", "exponent"):  # odd, but the right values
        assert all(float(rows[2][name]) == clean[2][name] for name in "ohlcv")


def test_a_bad_row_can_be_added_or_written_by_hand(client: Client, clean: list[dict[str, Any]]) -> None:
    rows = hit(client, "bad_row", variant="nan", index=-1, insert=True).json["results"]
    assert rows[:-1] == clean and math.isnan(rows[-1]["c"])
    reply = hit(client, "bad_row", index=0, set={"c": "1e-7", "x": '"new"'}, drop=["v"])
    assert '"c":1e-7' in reply.text and "v" not in reply.json["results"][0]


TICKERS = "/v3/reference/tickers?active=false&limit=3"
SPLITS = "/v3/reference/splits?limit=3"
DIVIDENDS = "/v3/reference/dividends?limit=3"
EVENTS = "/vX/reference/tickers/META/events"
# endpoint, URL, variant: a member of the row, and what it is then (None: it is not there)
BAD_REFERENCE: list[tuple[str, str, str, str, Any]] = [
    ("tickers", TICKERS, "missing_name", "name", None),
    ("tickers", TICKERS, "missing_ticker", "ticker", None),
    ("tickers", TICKERS, "bad_ticker", "ticker", "NOT A TICKER"),
    ("tickers", TICKERS, "bad_updated", "last_updated_utc", "lately"),
    ("tickers", TICKERS, "bad_delisted", "delisted_utc", "2019-02-30T00:00:00Z"),
    ("splits", SPLITS, "missing_ratio", "split_to", None),
    ("splits", SPLITS, "zero_ratio", "split_to", 0),
    ("splits", SPLITS, "other_ratio", "split_to", 2),
    ("splits", SPLITS, "ratio_as_text", "split_from", "10.0"),
    ("splits", SPLITS, "bad_date", "execution_date", "2005-02-30"),
    ("dividends", DIVIDENDS, "missing_cash", "cash_amount", None),
    ("dividends", DIVIDENDS, "too_precise", "cash_amount", 0.1234567890123),
    ("dividends", DIVIDENDS, "bad_date", "ex_dividend_date", "soon"),
    ("ticker_events", EVENTS, "missing_date", "date", None),
    ("ticker_events", EVENTS, "bad_date", "date", "2012-02-30"),
    ("ticker_events", EVENTS, "bad_ticker", "ticker_change", {"ticker": "NOT A TICKER"}),
    ("ticker_events", EVENTS, "other_ticker", "ticker_change", {"ticker": "ZZELSE"}),
    ("ticker_events", EVENTS, "other_type", "type", "something_else"),
]


def reference_rows(client: Client, url: str) -> list[dict[str, Any]]:
    results = client.get(url).json["results"]
    return list(results["events"] if isinstance(results, dict) else results)


@pytest.mark.parametrize(("endpoint", "url", "variant", "member", "value"), BAD_REFERENCE)
def test_bad_reference_rows(
    client: Client, endpoint: str, url: str, variant: str, member: str, value: Any
) -> None:
    clean = reference_rows(client, url)
    client.simulator.add_fault("bad_row", match={"endpoint": endpoint}, variant=variant, index=1)
    spoilt = reference_rows(client, url)
    assert spoilt[1].get(member) == value
    assert spoilt[0] == clean[0] and spoilt[2:] == clean[2:]
    rest = {name: text for name, text in spoilt[1].items() if name != member}
    assert rest == {name: text for name, text in clean[1].items() if name != member}


def test_other_dividends(client: Client) -> None:
    cash = reference_rows(client, DIVIDENDS)[0]["cash_amount"]
    for variant, factor in (("negative_cash", -1), ("other_cash", 2)):
        client.simulator.add_fault("bad_row", match={"endpoint": "dividends"}, variant=variant)
        assert reference_rows(client, DIVIDENDS)[0]["cash_amount"] == pytest.approx(cash * factor)


@pytest.mark.parametrize("kind", ["null_results", "absent_results", "empty_results"])
def test_ticker_events_without_rows(client: Client, kind: str) -> None:
    client.simulator.add_fault(kind, match={"endpoint": "ticker_events"})
    body = client.get(EVENTS).json
    assert body["status"] == "OK"
    if kind == "empty_results":
        assert body["results"]["events"] == [] and body["results"]["name"]
    else:
        assert body.get("results") is None and ("results" in body) == (kind == "null_results")


@pytest.mark.parametrize(
    "variant",
    [
        "missing_title",
        "missing_id",
        "future",
        "bad_time",
        "no_tickers",
        "embedded_nul",
        "lone_surrogate",
        "emoji",
        "long_description",
    ],
)
def test_bad_articles(client: Client, variant: str) -> None:
    before = client.get(NEWS).json["results"]
    client.simulator.add_fault("bad_row", match={"endpoint": "news"}, variant=variant)
    after = client.get(NEWS).json["results"]
    assert after[0] != before[0] and after[1:] == before[1:]


def test_a_fault_that_does_not_fit_is_said_aloud(client: Client) -> None:
    client.simulator.add_fault("correction", percent="much")
    reply = client.get(PATH)
    assert reply.status == 500 and "(correction)" in reply.json["error"]


def rows_as_sent(reply: Reply) -> str:
    """The text of the rows, as two texts of a number can mean the same."""
    return reply.text.partition('"results":')[2].partition('"status":')[0]


@pytest.mark.parametrize(
    ("kind", "parameters", "hits"),
    [
        ("correction", {}, [False, False, True]),
        *(
            ("bad_row", {"variant": variant}, [False, False, True])
            for variant in sorted({*BAD_BARS} - {"future"})
        ),
        ("bad_row", {"variant": "missing_title"}, [True, False, False]),
        ("bad_row", {"variant": "future"}, [True, False, True]),
        ("bad_row", {"set": {"x": "1"}}, [True, True, True]),
    ],
)
def test_a_fault_of_rows_waits_for_its_endpoint(
    client: Client, kind: str, parameters: dict[str, Any], hits: list[bool]
) -> None:
    urls = [NEWS, "/v3/reference/tickers?ticker=NVDA", PATH]
    before = [rows_as_sent(client.get(url)) for url in urls]
    client.simulator.add_fault(kind, times=None, **parameters)
    replies = [client.get(url) for url in urls]
    assert [reply.status for reply in replies] == [200] * 3
    assert [rows_as_sent(reply) != rows for reply, rows in zip(replies, before, strict=True)] == hits
    assert client.simulator.faults()[0]["hits"] == sum(hits), "nothing is counted that did nothing"


@pytest.mark.parametrize(
    ("kind", "match", "parameters", "sentence"),
    [
        ("correction", {"endpoint": "news"}, {}, "correction changes aggs only, and match names others"),
        ("correction", {"path": "/v2/reference/"}, {}, "correction changes aggs only"),
        ("bad_row", {"endpoint": "news"}, {"variant": "nan"}, "bad_row nan changes aggs only"),
        (
            "bad_row",
            {"endpoint": "tickers"},
            {"variant": "future"},
            "future changes aggs or chain or news only",
        ),
        ("bad_row", {"timespan": "day"}, {"variant": "emoji"}, "bad_row emoji changes news only"),
        (
            "bad_row",
            {},
            {"variant": "nonsense"},
            "bad_row has no variant 'nonsense'; for aggs: high_below_low",
        ),
        ("bad_row", {}, {"variant": ["nan"]}, "bad_row has no variant"),
    ],
)
def test_a_fault_that_could_never_hit_is_refused(
    client: Client, kind: str, match: dict[str, Any], parameters: dict[str, Any], sentence: str
) -> None:
    fault = json.dumps({"kind": kind, "match": match, "parameters": parameters}).encode()
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{client.simulator.url}/control/faults", fault, timeout=20)
    assert refused.value.code == 400 and sentence in json.load(refused.value)["error"]
    assert client.simulator.faults() == []


@pytest.mark.parametrize(
    "match", [{"endpoint": "aggs"}, {"path": "/v2/"}, {"path": PATH[:20]}, {"timespan": "day"}, {"page": 1}]
)
def test_a_match_that_leaves_its_endpoint_is_taken(
    client: Client, clean: list[dict[str, Any]], match: dict[str, Any]
) -> None:
    client.simulator.add_fault("correction", match=match)
    assert client.get(PATH).json["results"] != clean


# --- where and how often -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ({}, [True, True, True, True]),
        ({"symbol": "IBM"}, [False, True, False, False]),
        ({"endpoint": "news"}, [False, False, True, False]),
        ({"path": "/v2/"}, [True, True, True, False]),
        ({"timespan": "day", "symbol": "AAPL"}, [True, False, False, False]),
        ({"page": 2}, [False, False, False, False]),
    ],
)
def test_match(client: Client, match: dict[str, Any], hits: list[bool]) -> None:
    client.simulator.add_fault("not_found", match=match, times=None)
    urls = [PATH, PATH.replace("AAPL", "IBM"), NEWS, "/v3/reference/tickers"]
    assert [client.get(url).status == 404 for url in urls] == hits


def test_after_and_times(client: Client) -> None:
    client.simulator.add_fault("server_error", after=2, times=3)
    assert [client.get(PATH).status for _ in range(7)] == [200, 200, 502, 502, 502, 200, 200]


def test_page_seven_of_nine(client: Client) -> None:
    """The provider's classic: a limit in the middle of paging, then the same page again."""
    client.simulator.add_fault("rate_limited", match={"page": 7})
    url: str | None = "/v2/aggs/ticker/IBM/range/1/day/2005-01-03/2005-03-04?limit=5"
    statuses, rows = [], 0
    while url:
        reply = client.get(url)
        statuses.append(reply.status)
        if reply.status == 200:
            rows += len(reply.json["results"])
            url = reply.json.get("next_url")
    assert statuses == [200] * 6 + [429] + [200] * 3 and rows == 43


def test_faults_wait_for_each_other(client: Client) -> None:
    """Two faults that answer instead come one after the other, in the order they were set."""
    client.simulator.control("POST", "faults", [{"kind": "server_error"}, {"kind": "rate_limited"}])
    assert [client.get(PATH).status for _ in range(3)] == [502, 429, 200]


def test_faults_add_up(client: Client, clean: list[dict[str, Any]]) -> None:
    client.simulator.add_fault("delayed")
    client.simulator.add_fault("duplicate_rows")
    client.simulator.add_fault("slow", delay_ms=1)
    reply = client.get(PATH).json
    assert reply["status"] == "DELAYED" and reply["results"] == clean[:1] + clean
    assert client.simulator.requests()["faults"] == {"delayed": 1, "duplicate_rows": 1, "slow": 1}


def test_one_fault_can_be_removed(client: Client) -> None:
    first = client.simulator.add_fault("server_error", times=None)
    client.simulator.add_fault("delayed", times=None)
    assert client.simulator.control("DELETE", f"faults?id={first}") == {"removed": 1}
    assert client.get(PATH).json["status"] == "DELAYED"


def test_slow_answers_do_not_hold_up_others(client: Client) -> None:
    client.simulator.add_fault("slow", match={"symbol": "AAPL"}, delay_ms=5_000)
    slow = threading.Thread(target=client.get, args=(PATH,))
    slow.start()
    try:
        assert client.get(PATH.replace("AAPL", "IBM")).status == 200
        assert slow.is_alive()
    finally:
        slow.join()


def test_every_kind_is_tried_here() -> None:
    with open(__file__) as stream:
        text = stream.read()
    assert [kind for kind in sorted(KINDS) if f'"{kind}"' not in text] == []
