# SPDX-License-Identifier: Apache-2.0
"""Options: contracts found by the provider's list, their bars, and what a restart makes of both."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from line import PARTITIONS, Line
from mflocal import last_json_object, wait_for

pytestmark = pytest.mark.feeds

LIST = "/v3/reference/options/contracts"
BARS = "/v2/aggs/ticker/O:"
DAYS = ["--from", "2024-06-03", "--to", "2024-06-14"]
XOM = ["options", "--underlying", "XOM", *DAYS]
NEAR = ["--expiration-to", "2024-06-21"]  # three weeks of ten contracts each
DAY_BARS = ["--timespan", "day"]


def bars(line: Line) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW_BACKFILL") if (e := m.event)["event_type"] == "option_bar"]


def asked_contracts(line: Line) -> Counter[str]:
    return Counter(request["path"].split("/")[4] for request in line.asked(BARS))


def identities(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(bar["contract"]["ticker"], bar["event_time"]) for bar in found}


def lane_ends(line: Line) -> set[int]:
    values = [(m.partition, m.value or b"") for m in line.messages("RAW_BACKFILL")]
    return {partition for partition, value in values if b'"lane_end":true' in value}


def test_contracts_become_series(line: Line) -> None:
    line.start("processor")
    line.start("sink")
    summary = line.backfill(*XOM, *NEAR, INGEST_REFERENCE_PAGE_LIMIT="7")
    assert summary["complete"] is True
    got = bars(line)
    one = summary["symbols"]["XOM"]
    assert summary["events"]["option_bar"] == one["events"] == one["events_total"] == len(got) > 1000
    assert one["status"] == "complete"
    assert one["contracts"]["found"] == 30
    assert 0 < one["contracts"]["empty"] < 30
    assert one["contracts"]["incomplete"] == 0
    assert {m.key for m in line.messages("RAW_BACKFILL") if b"option_bar" in (m.value or b"")} == {"XOM"}
    # N47: a contract without a trade is asked about once, and is no gap.
    assert set(asked_contracts(line).values()) == {1}
    assert len(asked_contracts(line)) == 30
    lists = line.asked(LIST)
    assert "expired=true" in lists[0]["query"]
    assert all(request["rows"] <= 7 for request in lists)
    assert lane_ends(line) == set(range(PARTITIONS))
    line.wait_count("raw_option_bars", len(got))
    passed = line.messages("OPTION_BARS_FILTERED")
    assert len(passed) == len(got)
    assert {m.key for m in passed} == {"XOM"}
    assert not line.messages("DLQ")
    before = len(lists)
    assert line.backfill(*XOM, *NEAR)["complete_before"] is True
    assert len(line.asked(LIST)) == before


def test_what_a_bar_carries(line: Line) -> None:
    line.backfill(*XOM, *NEAR, *DAY_BARS, "--type", "call")
    got = bars(line)
    assert {bar["adjusted"] for bar in got} == {"none"}
    assert {bar["asset_class"] for bar in got} == {"option"}
    for bar in got:
        contract = bar["contract"]
        assert contract["underlying"] == bar["symbol"] == "XOM"
        assert contract["type"] == "call"
        assert contract["exercise"] == "american"
        assert contract["shares_per_contract"] == 100
        assert contract["ticker"].endswith(f"C{int(contract['strike'] * 1000):08d}")
        assert bar["session_date"] <= contract["expiration"]
        if bar["session_date"] == contract["expiration"]:
            assert bar["days_to_expiration"] == 0
    assert {bar["contract"]["expiration"] for bar in got} <= {"2024-06-07", "2024-06-14", "2024-06-21"}
    assert {bar["interval"] for bar in got} == {"1d"}


def test_filters_choose_contracts(line: Line) -> None:
    strikes = ["--strike-from", "112.5", "--strike-to", "115", "--type", "put"]
    days = ["--expiration-from", "2024-06-20", "--expiration-to", "2024-06-28"]
    summary = line.backfill(*XOM, *strikes, *days, *DAY_BARS, "--as-of", "2024-06-03")
    assert summary["complete"] is True
    assert summary["symbols"]["XOM"]["contracts"]["found"] == 4
    for ticker in asked_contracts(line):
        assert ticker[5:11] in ("240621", "240628")
        assert ticker[11:] in ("P00112500", "P00115000")
    queries = [request["query"] for request in line.asked(LIST)]
    assert all("strike_price.gte=112.5" in query and "as_of=2024-06-03" in query for query in queries)
    assert all("expired=false" in query for query in queries)  # nothing of those days had expired by then


def test_adjusted_mini_and_index_contracts(line: Line) -> None:
    """Roots that are not the underlying, and contracts of other sizes than a hundred shares."""
    summary = line.backfill("options", "--underlying", "WMT,NVDA,I:SPX", *DAYS, *NEAR, *DAY_BARS)
    assert summary["complete"] is True
    contracts = {bar["contract"]["ticker"]: bar["contract"] for bar in bars(line)}
    roots = {ticker[2:-15]: contract for ticker, contract in contracts.items()}
    assert roots.keys() == {"WMT", "WMT1", "NVDA", "NVDA7", "SPX", "SPXW"}
    assert {root: contract["underlying"] for root, contract in roots.items()} == {
        "WMT": "WMT",
        "WMT1": "WMT",
        "NVDA": "NVDA",
        "NVDA7": "NVDA",
        "SPX": "SPX",
        "SPXW": "SPX",
    }
    assert roots["NVDA7"]["shares_per_contract"] == 10
    assert roots["SPXW"]["exercise"] == roots["SPX"]["exercise"] == "european"
    keys = {m.key for m in line.messages("RAW_BACKFILL") if b"option_bar" in (m.value or b"")}
    assert keys == {"WMT", "NVDA", "SPX"}


def listed(line: Line, *arguments: str, code: int = 0, **settings: str) -> list[dict[str, Any]]:
    result = line.run("marketflow-ingestor", "contracts", *arguments, **settings)
    assert result.returncode == code, result.stderr[-4000:]
    return [json.loads(text) for text in result.stdout.splitlines()]


def some_contracts(line: Line, underlying: str = "XOM") -> list[str]:
    """Contracts of two days in June 2024, as the list has them."""
    url = ["--expiration-from", "2024-06-14", "--expiration-to", "2024-06-21", "--as-of", "2024-06-03"]
    found = [row["ticker"] for row in listed(line, "--underlying", underlying, *url)]
    line.parts.simulator.forget_requests()
    return found


def test_contracts_are_listed_without_being_published(line: Line) -> None:
    bounds = ["--expiration-to", "2024-06-21", "--as-of", "2024-06-14"]
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "9"}
    found = listed(line, "--underlying", "WMT,SPX", *bounds, **small)
    assert Counter(row["underlying"] for row in found) == {"WMT": 30, "SPX": 20}
    adjusted = [row for row in found if row["ticker"].startswith("O:WMT1")]
    assert len(adjusted) == 10
    assert adjusted[0]["additional_underlyings"] == [
        {"amount": 6.53, "type": "currency", "underlying": "USD"}
    ]
    one = next(row for row in found if row["ticker"].startswith("O:SPX2"))
    assert one == {
        "ticker": one["ticker"],
        "underlying": "SPX",
        "expiration": "2024-06-21",
        "strike": one["strike"],
        "type": "call",
        "shares_per_contract": 100,
        "exercise": "european",
    }
    expired = ["--expired", "--expiration-from", "2024-06-01"]
    with_expired = listed(line, "--underlying", "WMT", *bounds, *expired)
    assert {row["expiration"] for row in with_expired} == {"2024-06-07", "2024-06-14", "2024-06-21"}
    assert not line.messages("RAW", "RAW_BACKFILL", "DLQ")


def test_bad_rows_of_a_list_are_told(line: Line) -> None:
    bounds = ["--underlying", "XOM", "--expiration-to", "2024-06-14", "--as-of", "2024-06-14"]
    line.parts.simulator.add_fault("bad_row", match={"endpoint": "contracts"}, variant="missing_shares")
    assert len(listed(line, *bounds)) == 9
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "contracts"})
    assert listed(line, *bounds, code=75) == []
    assert not line.messages("DLQ")


def test_single_contracts(line: Line) -> None:
    """Given by name: what is known about them comes from the provider, the underlying included."""
    known = [ticker for ticker in some_contracts(line, "WMT") if ticker.startswith("O:WMT1")][:3]
    names = [*known, "O:WMT240621C09999000"]
    line.expected_errors.append("unknown_ticker")
    summary = line.backfill("options", "--symbols", ",".join(names), *DAYS)
    assert summary["complete"] is True
    assert {name: one["status"] for name, one in summary["symbols"].items()} == {
        **dict.fromkeys(known, "complete"),
        "O:WMT240621C09999000": "unknown_ticker",
    }
    assert {bar["symbol"] for bar in bars(line)} == {"WMT"}
    assert {bar["contract"]["ticker"] for bar in bars(line)} <= set(known)
    details = line.asked(LIST)
    assert [request["path"].rsplit("/", 1)[1] for request in details] == sorted(names)
    assert all("as_of=2024-06-14" in request["query"] for request in details)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--symbols", "O:XOM240621C001125000", *DAYS],  # nine digits
        ["--symbols", "XOM", *DAYS],
        ["--symbols", "O:XOM240621C00112500", "--underlying", "XOM", *DAYS],
        ["--symbols", "O:XOM240621C00112500", "--type", "put", *DAYS],
        ["--underlying", "X:BTCUSD", *DAYS],
        ["--underlying", "XOM", "--strike-from", "10", "--strike-to", "9", *DAYS],
        ["--underlying", "XOM", "--type", "both", *DAYS],
        DAYS,
    ],
)
def test_arguments_that_say_nothing(line: Line, arguments: list[str]) -> None:
    line.backfill("options", *arguments, code=78)
    assert not line.asked("/v")


def test_a_plan(line: Line) -> None:
    """Of a list only its two passes are known; of a contract its details and the requests for its bars."""
    found = line.backfill(*XOM, "--dry-run")
    assert (found["requests"], found["bound"]) == (2, "at least")
    one = line.backfill("options", "--symbols", "O:XOM240621C00112500", *DAYS, "--dry-run")
    assert (one["requests"], one["bound"]) == (2, "at most")
    gone = line.backfill("options", "--symbols", "O:XOM240517C00112500", *DAYS, "--dry-run")
    assert gone["requests"] == 0  # nothing is asked for behind a contract's last day
    chain = line.backfill("chain", "--underlying", "XOM", "--dry-run")
    assert (chain["requests"], chain["bound"]) == (1, "at least")
    assert not line.asked("/v")


def test_a_failed_page_of_the_list_is_where_the_next_start_goes_on(line: Line) -> None:
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "7", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    line.parts.simulator.add_fault("server_error", match={"endpoint": "contracts", "page": 2})
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75, **small)
    assert summary["symbols"]["XOM"]["status"] == "incomplete"
    pages = len(line.asked(LIST))
    first = asked_contracts(line)
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, **small)
    assert summary["complete"] is True
    again = line.asked(LIST)[pages]
    assert (again["page"], "cursor=" in again["query"]) == (2, True)
    assert len(first) > 5
    assert set(asked_contracts(line).values()) == {1}
    assert summary["symbols"]["XOM"]["events_total"] == len(bars(line)) == len(identities(bars(line)))


@pytest.mark.parametrize("kind", ["bad_request", "not_found"])
def test_a_refused_cursor_of_the_list(line: Line, kind: str) -> None:
    """The pass is read once more, and no contract of it: neither one of this process, nor of the one before."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "4", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up|refused|unknown|not_found|bad_request")
    line.parts.simulator.add_fault(kind, match={"endpoint": "contracts", "page": 2})
    line.parts.simulator.add_fault("server_error", match={"endpoint": "contracts", "page": 3})
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75, **small)
    assert summary["symbols"]["XOM"]["status"] == "incomplete"
    assert [request["page"] for request in line.asked(LIST)][:5] == [1, 2, 1, 2, 3]
    line.parts.simulator.clear_faults()
    line.parts.simulator.forget_requests()
    line.parts.simulator.add_fault(kind, match={"endpoint": "contracts", "page": 3})
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, **small)
    assert (summary["complete"], summary["symbols"]["XOM"]["status"]) == (True, "complete")
    assert [request["page"] for request in line.asked(LIST)][:4] == [3, 1, 2, 3]
    got = bars(line)
    assert summary["symbols"]["XOM"]["events_total"] == len(got) == len(identities(got))
    other = line.backfill(*XOM, *NEAR, *DAY_BARS, "--again", **small)
    assert identities(bars(line)) == identities(got)
    assert other["symbols"]["XOM"]["contracts"]["found"] == 30


def test_a_cursor_that_is_always_refused(line: Line) -> None:
    """An underlying that had contracts is not one that the provider does not know."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "7"}
    line.expected_errors.append("refused|unknown|not_found")
    line.parts.simulator.add_fault("not_found", match={"endpoint": "contracts", "page": 2}, times=None)
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75, **small)
    assert (summary["complete"], summary["symbols"]["XOM"]["status"]) == (False, "refused")
    line.parts.simulator.clear_faults()
    assert line.backfill(*XOM, *NEAR, *DAY_BARS, **small)["complete"] is True
    assert set(asked_contracts(line).values()) == {1}
    assert len(asked_contracts(line)) == 30
    assert len(bars(line)) == len(identities(bars(line)))


def test_an_interrupted_run_says_what_is_on_the_topic(line: Line, tmp_path: Path) -> None:
    """Contracts of the page under way count, and those that a later start did not come by."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "7", "INGEST_PARALLEL": "2"}
    manifest = tmp_path / "manifest.json"
    options = [*XOM, *NEAR, *DAY_BARS, "--manifest", str(manifest)]
    line.expected_errors.append("key")
    for fault in [{"match": {"endpoint": "aggs"}, "after": 12}, {"match": {"endpoint": "contracts"}}]:
        line.parts.simulator.add_fault("unauthorized", times=None, **fault)
        summary = line.backfill(*options, code=75, **small)
        line.parts.simulator.clear_faults()
        newest: dict[int, int] = {}
        for message in line.messages("RAW_BACKFILL"):
            newest[message.partition] = max(message.offset, newest.get(message.partition, 0))
        assert summary["run"]["events"] == len(bars(line)) > 0
        told = json.loads(manifest.read_text(encoding="utf-8"))
        assert {one["partition"]: one["offset"] for one in told["raw"]} == newest
    summary = line.backfill(*options, **small)
    assert summary["run"]["events"] == len(bars(line)) == len(identities(bars(line)))


def test_a_failed_contract_holds_nothing_else_up(line: Line) -> None:
    """The others of its page and the pages behind it are fetched, and not again by the next start."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "7", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    line.parts.simulator.add_fault("server_error", match={"endpoint": "aggs"}, after=3)
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75, **small)
    one = summary["symbols"]["XOM"]
    assert (one["status"], one["contracts"]) == (
        "incomplete",
        {"found": 30, "empty": one["contracts"]["empty"], "incomplete": 1},
    )
    assert one["error"]["message"].startswith("O:XOM")
    assert one["events_total"] == len(bars(line))
    first = asked_contracts(line)
    assert (len(first), max(first.values())) == (30, 1)
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, **small)
    assert summary["complete"] is True
    assert sorted(asked_contracts(line).values()) == [1] * 29 + [2]
    assert summary["symbols"]["XOM"]["events_total"] == len(bars(line)) == len(identities(bars(line)))
    # It is on the first page of the list, so all were listed again.
    assert summary["symbols"]["XOM"]["contracts"]["found"] == 30


@pytest.mark.parametrize("at", [2, 9, 17, 26])
def test_a_kill_costs_no_bar(line: Line, at: int) -> None:
    """SIGKILL after some answers: the next start brings each bar, and at most what was under way twice."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "7", "INGEST_PARALLEL": "2"}
    match = {"endpoint": "aggs"}
    line.parts.simulator.add_fault("hang", match=match, after=at, times=None, seconds=60)
    service = line.service("ingestor", **small)
    service.spec.arguments.extend(["backfill", *XOM, *NEAR, *DAY_BARS])
    service.start()
    wait_for(lambda: len(line.asked(BARS)) >= at, 60, "requests before the kill", 0.05)
    service.kill()
    line.parts.simulator.clear_faults()
    before = identities(bars(line))
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, **small)
    assert summary["complete"] is True
    got = bars(line)
    times = Counter((bar["contract"]["ticker"], bar["event_time"]) for bar in got)
    twice = [one for one, count in times.items() if count > 1]
    assert before <= identities(got)
    assert len({ticker for ticker, _ in twice}) <= 2
    other = line.backfill(*XOM, *NEAR, *DAY_BARS, "--again", **small)
    assert identities(bars(line)) == identities(got)
    assert other["events"]["option_bar"] == len(identities(got))


def test_bars_outside_the_life_of_a_contract(line: Line) -> None:
    """N48: after the last day, and before any exchange could have listed it."""
    rows = {"after_expiration": 1719000000000, "before_listing": 1086000000000}
    for index, stamp in enumerate(rows.values()):
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "aggs"}, index=index, insert=True, set={"t": str(stamp)}
        )
    summary = line.backfill(*XOM, "--expiration-to", "2024-06-14", *DAY_BARS, INGEST_PARALLEL="1")
    assert summary["complete"] is True
    letters = [m.event for m in line.messages("DLQ")]
    assert {letter["reason"] for letter in letters} <= set(rows)
    assert len(letters) == summary["rejected"] == len(rows)
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.options.1d"}


def test_bad_contracts_are_dead_letters(line: Line) -> None:
    variants = {
        "missing_shares": "missing_field",
        "long_strike": "bad_strike",
        "bad_contract": "bad_option_ticker",
        "other_expiration": "contract_mismatch",
        "other_strike": "contract_mismatch",
        "other_style": "bad_value",
        "no_shares": "bad_number",
    }
    line.parts.simulator.add_fault("duplicate_rows", match={"endpoint": "contracts"}, after=1, count=1)
    for index, variant in enumerate([*variants, "other_underlying"], 2):
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "contracts"}, after=1, index=index, variant=variant
        )
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS)
    letters = [m.event for m in line.messages("DLQ")]
    assert Counter(letter["reason"] for letter in letters) == Counter(variants.values())
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.contracts"}
    assert summary["rejected"] == summary["dead_lettered"] == len(variants)
    assert (summary["foreign"], summary["duplicates"]) == (1, 1)
    assert summary["symbols"]["XOM"]["contracts"]["found"] == 30 - len(variants) - 1


@pytest.mark.parametrize("kind", ["foreign_next_url", "repeating_next_url"])
def test_a_bad_next_url_of_the_list(line: Line, kind: str) -> None:
    line.expected_errors.append("next_url|page")
    line.parts.simulator.add_fault(kind, match={"endpoint": "contracts"}, times=None)
    summary = line.backfill(*XOM, *DAY_BARS, code=75, INGEST_REFERENCE_PAGE_LIMIT="5")
    assert summary["symbols"]["XOM"]["status"] == "refused"


def test_a_plan_without_options_is_partial(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "contracts"})
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75)
    assert summary["symbols"]["XOM"]["status"] == "partial"
    assert line.backfill(*XOM, *NEAR, *DAY_BARS)["complete"] is True


def test_a_plan_without_some_bars_is_partial(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "aggs"}, times=2)
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS, code=75)
    assert summary["symbols"]["XOM"]["status"] == "partial"
    assert summary["symbols"]["XOM"]["contracts"]["incomplete"] == 2
    summary = line.backfill(*XOM, *NEAR, *DAY_BARS)
    assert summary["complete"] is True
    assert max(asked_contracts(line).values()) == 2


def test_underlyings_share_the_slots(line: Line) -> None:
    """More underlyings than walks under way, two requests at a time."""
    names = ["AMZN", "NVDA", "TSLA", "JPM", "XOM", "KO", "WMT", "DIS", "IBM", "GOOG"]
    week = ["--from", "2024-06-10", "--to", "2024-06-14", "--expiration-to", "2024-06-14"]
    summary = line.backfill("options", "--underlying", ",".join(names), *week, *DAY_BARS, INGEST_PARALLEL="2")
    assert summary["complete"] is True
    assert summary["symbols"].keys() == set(names)
    assert {one["contracts"]["found"] for one in summary["symbols"].values()} == {10}


def test_without_options(line: Line) -> None:
    """An underlying that has none is no failure."""
    line.parts.simulator.add_fault("empty_results", match={"endpoint": "contracts"}, times=None)
    summary = line.backfill(*XOM, *DAY_BARS)
    assert summary["complete"] is True
    assert summary["symbols"]["XOM"]["contracts"]["found"] == 0
    assert last_json_object(json.dumps(summary))["events"]["option_bar"] == 0


# --- chains --------------------------------------------------------------------------------------

CHAIN = "/v3/snapshot/options/"


def test_a_chain_is_what_is_known_now(line: Line) -> None:
    line.start("processor")
    line.start("sink")
    summary = line.backfill("chain", "--underlying", "XOM,KO,I:SPX", INGEST_REFERENCE_PAGE_LIMIT="30")
    assert summary["complete"] is True
    got = bars(line)
    assert summary["events"]["option_bar"] == len(got) > 100
    assert {bar["symbol"] for bar in got} == {"XOM", "KO", "SPX"}
    assert len({bar["contract"]["ticker"] for bar in got}) == len(got)
    assert {bar["interval"] for bar in got} == {"1d"}
    assert {"delayed" in bar["flags"] for bar in got if bar["symbol"] == "KO"} == {True}
    assert {"delayed" in bar["flags"] for bar in got if bar["symbol"] != "KO"} == {False}
    for bar in got:
        known = bar["snapshot"]
        assert known["time"][:10] >= bar["session_date"]
        assert 0.15 <= known["implied_volatility"] <= 0.5
        assert (known["delta"] >= 0) is (bar["contract"]["type"] == "call")
        assert known["gamma"] >= 0
        assert known["open_interest"] == int(known["open_interest"])
        assert known["underlying_price"] > 0
    # A contract that has never traded has no bar for it to be known of.
    assert summary["out_of_range"] > 0
    assert all(request["rows"] <= 30 for request in line.asked(CHAIN))
    assert lane_ends(line) == set(range(PARTITIONS))
    final = [bar for bar in got if "forming" not in bar["flags"]]
    line.wait_count("raw_option_bars", len(got))
    assert len(line.messages("OPTION_BARS_FILTERED")) == len(got) >= len(final)
    rows = line.query(
        "SELECT count(*), count(payload->'snapshot'->>'delta'), count(DISTINCT dedupe_key) FROM raw.raw_option_bars"
    )
    assert rows == [[str(len(got))] * 3]
    asked = len(line.asked(CHAIN))
    assert line.backfill("chain", "--underlying", "I:SPX,KO,XOM")["complete_before"] is True
    assert len(line.asked(CHAIN)) == asked


def test_what_has_not_changed_is_the_same_event(line: Line) -> None:
    """Taken twice: other runs, and the events of contracts whose numbers are the same have the same identity."""
    near = ["--strike-from", "112", "--strike-to", "118", "--type", "put"]
    assert line.backfill("chain", "--underlying", "XOM", *near)["complete"] is True
    first = {bar["event_id"]: bar for bar in bars(line)}
    assert {bar["contract"]["type"] for bar in first.values()} == {"put"}
    assert {bar["contract"]["strike"] for bar in first.values()} <= {112.5, 115, 117.5}
    other = line.backfill("chain", "--underlying", "XOM", *near, "--again")
    again = [bar for bar in bars(line) if bar["lane"] == other["lane"]]
    assert len(again) == len(first)
    for bar in again:
        before = first.get(bar["event_id"])
        if before is not None:
            assert bar["snapshot"]["delta"] == before["snapshot"]["delta"]
            assert bar["close"] == before["close"]


def test_a_chain_goes_on_at_its_page(line: Line) -> None:
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "20", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    line.parts.simulator.add_fault("server_error", match={"endpoint": "chain", "page": 3})
    assert line.backfill("chain", "--underlying", "XOM", code=75, **small)["complete"] is False
    before = len(line.asked(CHAIN))
    assert line.backfill("chain", "--underlying", "XOM", **small)["complete"] is True
    assert line.asked(CHAIN)[before]["page"] == 3
    tickers = [bar["contract"]["ticker"] for bar in bars(line)]
    assert len(tickers) == len(set(tickers)) > 40


def test_bad_rows_of_a_chain(line: Line) -> None:
    variants = {
        "missing_details": "missing_field",
        "long_strike": "bad_strike",
        "high_below_low": "ohlc_inconsistent",
        "zero_price": "bad_value",
        "missing_updated": "bad_time",
        "future": "future_timestamp",
        "text_volatility": "bad_number",
    }
    right = ["no_greeks", "exponent", "no_day"]
    whole = line.backfill("chain", "--underlying", "XOM", "--run-id", "whole")
    traded = [at for at, bar in enumerate(chain_order(line)) if bar]
    for at, variant in zip(traded, [*variants, *right], strict=False):
        line.parts.simulator.add_fault("bad_row", match={"endpoint": "chain"}, index=at, variant=variant)
    summary = line.backfill("chain", "--underlying", "XOM", "--run-id", "spoilt")
    letters = [m.event for m in line.messages("DLQ")]
    assert Counter(letter["reason"] for letter in letters) == Counter(variants.values())
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.chain"}
    lost = len(variants) + 1  # and the one without a day
    assert summary["events"]["option_bar"] == whole["events"]["option_bar"] - lost
    spoilt = [bar for bar in bars(line) if bar["lane"] == "backfill:spoilt"]
    assert sum("delta" not in bar["snapshot"] for bar in spoilt) == 1
    assert sum(bar["snapshot"].get("gamma") == 0.00001235 for bar in spoilt) == 1


def chain_order(line: Line) -> list[bool]:
    """Which rows of XOM's chain have a day, in the order of the provider's answer."""
    traded = {bar["contract"]["ticker"] for bar in bars(line)}
    found = [row["ticker"] for row in listed(line, "--underlying", "XOM")]
    return [ticker in traded for ticker in found]


def test_arguments_of_a_chain(line: Line) -> None:
    line.backfill("chain", code=78)
    line.backfill("chain", "--underlying", "O:XOM240621C00112500", code=78)
    line.backfill("chain", "--underlying", "XOM", "--as-of", "2024-06-03", code=78)
    line.backfill("chain", "--underlying", "XOM", "--symbols", "XOM", code=78)
