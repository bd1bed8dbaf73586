# SPDX-License-Identifier: Apache-2.0
"""What is known about instruments: fetched whole, in pages, resumable, and in its raw table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from line import PARTITIONS, Line, Message
from mflocal import wait_for

pytestmark = pytest.mark.sanitized

TICKERS = "/v3/reference/tickers"
STOCKS = ["symbols", "--market", "stocks"]


def events(line: Line, kind: str = "symbol") -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW_BACKFILL") if (e := m.event)["event_type"] == kind]


def lane_ends(line: Line) -> set[int]:
    values = [(m.partition, m.value or b"") for m in line.messages("RAW_BACKFILL")]
    return {partition for partition, value in values if b'"lane_end":true' in value}


def test_a_market_comes_in_pages(line: Line) -> None:
    summary = line.backfill(*STOCKS, INGEST_REFERENCE_PAGE_LIMIT="4")
    assert summary["complete"] is True
    got = events(line)
    assert summary["events"]["symbol"] == len(got) == len({event["symbol"] for event in got})
    assert {"AAPL", "NVDA", "ZZGONE"} <= {event["symbol"] for event in got}
    assert not {event["symbol"] for event in got if ":" in event["symbol"]}
    seen = line.asked(TICKERS)
    assert len(seen) > 4
    assert all(request["rows"] <= 4 for request in seen)
    gone = {event["symbol"]: event for event in got if event["active"] is False}
    assert gone["ZZLOST"]["delist_date"] == "2019-11-01"
    assert len(gone) == 3
    apple = next(event for event in got if event["symbol"] == "AAPL")
    assert apple["name"] == "Apple Inc."
    assert (apple["exchange"], apple["type"], apple["currency"]) == ("XNAS", "CS", "usd")
    assert apple["figi"].startswith("BBG")
    assert apple["aliases"] == []
    # Delisted first: a ticker in use again is said last as what it is now.
    assert "active=false" in seen[0]["query"]
    assert lane_ends(line) == set(range(PARTITIONS))
    assert line.backfill(*STOCKS)["complete_before"] is True
    assert len(line.asked(TICKERS)) == len(seen)


def test_single_symbols_and_one_that_nobody_knows(line: Line) -> None:
    line.parts.simulator.add_fault("empty_results", match={"symbol": "NOSUCH"}, times=None)
    summary = line.backfill("symbols", "--symbols", "IBM,ZZGONE,NOSUCH,X:BTCUSD")
    assert summary["complete"] is True
    assert {name: one["status"] for name, one in summary["symbols"].items()} == {
        "IBM": "complete",
        "ZZGONE": "complete",
        "NOSUCH": "unknown_ticker",
        "X:BTCUSD": "complete",
    }
    assert sorted(event["symbol"] for event in events(line)) == ["IBM", "X:BTCUSD", "ZZGONE"]
    assert not line.messages("DLQ")


def test_a_kill_between_pages_costs_no_page_twice(line: Line) -> None:
    """The start after a failure goes on at the page it had reached, in the pass it was in."""
    small = {"INGEST_REFERENCE_PAGE_LIMIT": "4", "INGEST_RETRY_ATTEMPTS": "1"}
    line.expected_errors.append("series_given_up")
    failing = {"endpoint": "tickers", "page": 3}
    line.parts.simulator.add_fault("server_error", match=failing, times=1)
    assert line.backfill(*STOCKS, code=75, **small)["complete"] is False
    before = len(line.asked(TICKERS))
    assert line.backfill(*STOCKS, **small)["complete"] is True
    assert line.asked(TICKERS)[before]["page"] == 3
    symbols = [event["symbol"] for event in events(line)]
    assert len(symbols) == len(set(symbols))


def test_a_plan_without_tickers_is_partial(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "tickers"}, times=1)
    summary = line.backfill(*STOCKS, code=75)
    assert summary["symbols"]["market:stocks"]["status"] == "partial"
    assert not lane_ends(line)
    assert line.backfill(*STOCKS)["complete"] is True
    assert {"AAPL", "ZZGONE"} <= {event["symbol"] for event in events(line)}


@pytest.mark.parametrize("kind", ["foreign_next_url", "repeating_next_url"])
def test_a_bad_next_url_is_refused(line: Line, kind: str) -> None:
    line.expected_errors.append("next_url|page")
    line.parts.simulator.add_fault(kind, match={"endpoint": "tickers"}, times=None)
    summary = line.backfill(*STOCKS, code=75, INGEST_REFERENCE_PAGE_LIMIT="2")
    assert summary["symbols"]["market:stocks"]["status"] == "refused"


def test_an_empty_page_with_a_next_one_goes_on(line: Line) -> None:
    line.parts.simulator.add_fault("empty_page", match={"endpoint": "tickers", "page": 1})
    summary = line.backfill(*STOCKS, INGEST_REFERENCE_PAGE_LIMIT="4")
    assert summary["complete"] is True
    assert {"AAPL", "TSLA", "XOM"} <= {event["symbol"] for event in events(line)}


def test_bad_rows_become_dead_letters(line: Line) -> None:
    variants = ["missing_name", "missing_ticker", "bad_ticker", "bad_updated", "bad_delisted"]
    for index, variant in enumerate(variants):
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "tickers"}, after=1, index=index, variant=variant
        )
    line.parts.simulator.add_fault("duplicate_rows", match={"endpoint": "tickers"}, after=1, count=1)
    summary = line.backfill(*STOCKS)
    assert summary["rejected"] == summary["dead_lettered"] == len(variants)
    assert summary["duplicates"] == 1
    letters = [m.event for m in line.messages("DLQ")]
    assert {letter["reason"] for letter in letters} == {"missing_field", "bad_symbol", "bad_time", "bad_date"}
    assert {letter["origin"]["feed"] for letter in letters} == {"polygon.symbols"}
    # Of the row's own ticker, where it has one.
    assert {letter["symbol"] for letter in letters if letter["reason"] == "bad_symbol"} == {"_UNKNOWN"}
    assert len({letter["symbol"] for letter in letters}) == 4
    assert len(events(line)) == summary["events"]["symbol"]


EVENTS = "/vX/reference/tickers"
META = [{"symbol": "FB", "from": "2012-05-18", "to": "2022-06-08"}, {"symbol": "META", "from": "2022-06-09"}]


def test_other_names_come_with_the_symbol(line: Line) -> None:
    """N14: who asks for META learns that its years before 2022 are FB's."""
    summary = line.backfill("symbols", "--symbols", "META,KO,ZZNEW,ZZGONE,X:BTCUSD")
    assert summary["complete"] is True
    names = {event["symbol"]: event["aliases"] for event in events(line)}
    assert names["META"] == META
    assert [alias["symbol"] for alias in names["ZZNEW"]] == ["ZZOLDER", "ZZMID", "ZZNEW"]
    assert names["KO"] == names["ZZGONE"] == names["X:BTCUSD"] == []
    changes = [(e["symbol"], e["old_symbol"], e["new_symbol"]) for e in events(line, "corporate_action")]
    assert sorted(changes) == [
        ("META", "FB", "META"),
        ("ZZNEW", "ZZMID", "ZZNEW"),
        ("ZZNEW", "ZZOLDER", "ZZMID"),
    ]
    assert summary["events"]["corporate_action"] == 3
    assert not line.messages("DLQ")  # that nothing is called ZZGONE now is a right answer
    assert not any("BTC" in request["path"] for request in line.asked(EVENTS))


@pytest.mark.parametrize(
    ("variant", "reason"),
    [("missing_date", "missing_field"), ("bad_date", "bad_date"), ("bad_ticker", "bad_symbol")],
)
def test_a_bad_name_is_a_dead_letter(line: Line, variant: str, reason: str) -> None:
    line.parts.simulator.add_fault("bad_row", match={"endpoint": "ticker_events"}, index=1, variant=variant)
    assert line.backfill("symbols", "--symbols", "META")["complete"] is True
    assert [(m.event["reason"], m.event["symbol"]) for m in line.messages("DLQ")] == [(reason, "META")]
    assert [event["aliases"] for event in events(line)] == [[]]


def test_a_plan_without_names_is_partial(line: Line) -> None:
    """The symbol is worth having without them; the next start asks again."""
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "ticker_events"}, times=1)
    summary = line.backfill("symbols", "--symbols", "META", code=75)
    assert summary["symbols"]["META"]["status"] == "partial"
    assert summary["symbols"]["META"]["error"]["code"] == "plan_limit"
    assert [event["aliases"] for event in events(line)] == [[]]
    assert line.backfill("symbols", "--symbols", "META")["complete"] is True
    assert events(line)[-1]["aliases"] == META


def listed(line: Line) -> dict[str, str | None]:
    return {event["symbol"]: event.get("list_date") for event in events(line)}


def test_the_list_date_comes_with_the_symbol(line: Line) -> None:
    """From the details, one request for each stock that is asked for by name."""
    summary = line.backfill("symbols", "--symbols", "META,KO,ZZGONE,X:BTCUSD")
    assert summary["complete"] is True
    assert listed(line) == {"META": "2012-05-18", "KO": "2000-01-03", "ZZGONE": None, "X:BTCUSD": None}
    assert sorted(r["symbol"] for r in line.asked(TICKERS + "/")) == ["KO", "META", "ZZGONE"]
    assert not line.messages("DLQ")  # nor is it an error that there are none of ZZGONE


def test_a_bad_list_date_is_a_dead_letter(line: Line) -> None:
    bad = {"list_date": '"some day"'}
    line.parts.simulator.add_fault("bad_row", match={"endpoint": "ticker_details"}, set=bad)
    assert line.backfill("symbols", "--symbols", "META")["complete"] is True
    assert [(m.event["reason"], m.event["symbol"]) for m in line.messages("DLQ")] == [("bad_date", "META")]
    assert listed(line) == {"META": None}


def test_a_plan_without_details_is_partial(line: Line) -> None:
    line.expected_errors.append("plan")
    line.parts.simulator.add_fault("forbidden", match={"endpoint": "ticker_details"}, times=1)
    summary = line.backfill("symbols", "--symbols", "META", code=75)
    assert summary["symbols"]["META"]["status"] == "partial"
    assert listed(line) == {"META": None}
    assert events(line)[-1]["aliases"] == META
    assert line.backfill("symbols", "--symbols", "META")["complete"] is True
    assert listed(line) == {"META": "2012-05-18"}


def test_names_are_read_again_after_a_failure(line: Line) -> None:
    """They are kept nowhere: a start behind them would publish the symbol without."""
    line.expected_errors.append("series_given_up")
    line.parts.simulator.add_fault("server_error", match={"endpoint": "tickers"})
    line.backfill("symbols", "--symbols", "META", code=75, INGEST_RETRY_ATTEMPTS="1")
    assert line.backfill("symbols", "--symbols", "META")["complete"] is True
    assert [event["aliases"] for event in events(line)] == [META]


def test_symbols_reach_their_table(line: Line, tmp_path: Path) -> None:
    """From history and, as the live feed would send them, from market.raw."""
    for name in ("sink", "processor"):
        line.start(name)
    summary = line.backfill("symbols", "--symbols", "IBM,KO,ZZGONE")
    line.wait_count("raw_symbols", 3)
    assert summary["events"]["symbol"] == 3
    live = next(event for event in events(line) if event["symbol"] == "IBM")
    other = live | {"lane": "live", "name": "Another name"}
    del other["event_id"]
    file = tmp_path / "event.json"
    file.write_text(json.dumps(other) + "\n")
    completed = line.run("marketflowctl", "events", "complete", str(file))
    line.produce("RAW", [completed.stdout.strip().encode()], b"IBM")
    line.wait_count("raw_symbols", 4)
    assert [m.key for m in of_live(line)] == ["IBM"]
    rows = line.query(
        "SELECT symbol, payload->>'active', payload->>'lane' = 'live' FROM raw.raw_symbols ORDER BY 1, 3"
    )
    assert rows == [["IBM", "true", "f"], ["IBM", "true", "t"], ["KO", "true", "f"], ["ZZGONE", "false", "f"]]


def of_live(line: Line) -> list[Message]:
    return [m for m in line.messages("SYMBOLS_FILTERED") if m.event["lane"] == "live"]


DAYS = ["--from", "2000-03-01", "--to", "2013-03-01"]
SPLITS = ["splits", "--market", "stocks", *DAYS]
DIVIDENDS = ["dividends", "--market", "stocks", *DAYS]
# Of the replayed symbols, and an invented one that is delisted.
KNOWN = [
    ("AAPL", "2000-06-21", 1, 2),
    ("MSFT", "2003-02-18", 1, 2),
    ("AAPL", "2005-02-28", 1, 2),
    ("ZZOLD", "2006-09-05", 10, 1),
]


def actions(line: Line) -> list[dict[str, Any]]:
    return events(line, "corporate_action")


def ratios(line: Line) -> list[tuple[Any, ...]]:
    found = [(e["symbol"], e["ex_date"], e["split_from"], e["split_to"]) for e in actions(line)]
    return sorted(found, key=lambda one: str(one[1]))


def test_splits_come_in_pages(line: Line) -> None:
    summary = line.backfill(*SPLITS, INGEST_REFERENCE_PAGE_LIMIT="1")
    assert summary["complete"] is True
    assert summary["events"]["corporate_action"] == len(KNOWN)
    assert ratios(line) == KNOWN
    apple = next(e for e in actions(line) if e["ex_date"] == "2005-02-28")
    assert apple["event_time"] == "2005-02-28T05:00:00.000Z"  # midnight in New York
    assert len(line.asked("/v3/reference/splits")) == len(KNOWN)
    assert lane_ends(line) == set(range(PARTITIONS))


def test_duplicate_splits_are_dropped_and_counted(line: Line) -> None:
    """N16: the same rows again, and one of another ratio; one split per ticker and day in the table."""
    line.parts.simulator.add_fault("duplicate_rows", match={"endpoint": "splits"}, times=None, count=2)
    for index, (variant, insert) in enumerate([("ratio_as_text", True), ("other_ratio", True)]):
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "splits"}, index=2 * index, variant=variant, insert=insert
        )
    for name in ("sink", "processor"):
        line.start(name)
    summary = line.backfill(*SPLITS)
    assert summary["duplicates"] == 3  # the first one three times, once as text; the second one twice
    letters = [m.event for m in line.messages("DLQ")]
    assert [(letter["reason"], letter["symbol"]) for letter in letters] == [("conflicting_row", "MSFT")]
    assert summary["rejected"] == summary["dead_lettered"] == 1
    line.wait_count("raw_corporate_actions", len(KNOWN))
    rows = line.query("SELECT symbol, payload->>'ex_date' FROM raw.raw_corporate_actions ORDER BY 2")
    assert rows == [[symbol, day] for symbol, day, _, _ in KNOWN]


def test_a_changed_split_is_a_revision(line: Line) -> None:
    """The vendor says the ratio otherwise within one run's lane: the same key, the next revision."""
    line.start("processor")
    line.backfill("splits", "--symbols", "AAPL", *DAYS, "--run-id", "one")
    first = next(m for m in line.messages("RAW_BACKFILL") if m.key == "AAPL")
    changed = first.event | {"split_to": 3, "lane": "live"}
    del changed["event_id"]
    live = first.event | {"lane": "live"}
    del live["event_id"]
    file = line.layout.log / "events.jsonl"
    file.write_text(json.dumps(live) + "\n" + json.dumps(changed) + "\n" + json.dumps(changed) + "\n")
    completed = line.run("marketflowctl", "events", "complete", str(file))
    line.produce("RAW", [text.encode() for text in completed.stdout.splitlines()], b"AAPL")
    wait_for(lambda: len(passed(line)) >= 2, 60, "both revisions", 0.1)
    assert [m.headers.get("mf-revision") for m in passed(line)] == [None, "1"]
    assert passed(line)[1].event["split_to"] == 3


def passed(line: Line) -> list[Message]:
    return [m for m in line.messages("CORPORATE_ACTIONS_FILTERED") if m.event["lane"] == "live"]


def test_dividends(line: Line) -> None:
    summary = line.backfill(*DIVIDENDS, INGEST_REFERENCE_PAGE_LIMIT="100")
    got = actions(line)
    assert summary["complete"] is True
    assert len(got) == 6 * 4 * 13  # six payers, four a year
    assert all(event["kind"] == "dividend" and event["currency"] == "USD" for event in got)
    assert len({(event["symbol"], event["ex_date"]) for event in got}) == len(got)
    assert all(0.19 < event["cash_amount"] < 1.01 for event in got)
    assert all("2000-03-01" <= event["ex_date"] <= "2013-03-01" for event in got)


def test_pairs_have_no_splits(line: Line) -> None:
    """Symbols of all kinds in one list: only stocks are worth a request."""
    summary = line.backfill("splits", "--symbols", "AAPL,X:BTCUSD,C:EURUSD,I:SPX", *DAYS)
    assert summary["complete"] is True
    assert {one["status"] for one in summary["symbols"].values()} == {"complete"}
    assert [request["symbol"] for request in line.asked("/v3/reference/splits")] == ["AAPL"]
    assert len(actions(line)) == 2


def test_what_is_announced_comes_with_its_day(line: Line) -> None:
    """Dividends are declared ahead; a run up to today leaves out what has not come, and says so by going on."""
    today = datetime.now(UTC).date()
    days = ["--from", str(today - timedelta(days=200)), "--to", str(today)]
    summary = line.backfill("dividends", "--symbols", "KO,IBM", *days, code=75)
    assert summary["complete"] is False
    assert {event["symbol"] for event in actions(line)} == {"KO", "IBM"}
    assert max(event["ex_date"] for event in actions(line)) <= str(today)
    asked = line.asked("/v3/reference/dividends")
    line.backfill("dividends", "--symbols", "KO,IBM", *days, code=75)
    assert len(line.asked("/v3/reference/dividends")) > len(asked)


def test_bad_actions_become_dead_letters(line: Line) -> None:
    for endpoint, variants in (
        ("splits", ["missing_ratio", "zero_ratio", "bad_date"]),
        ("dividends", ["missing_cash", "negative_cash", "too_precise", "bad_date"]),
    ):
        for index, variant in enumerate(variants):
            line.parts.simulator.add_fault(
                "bad_row", match={"endpoint": endpoint}, index=index, variant=variant
            )
    assert line.backfill(*SPLITS)["dead_lettered"] == 3
    assert line.backfill(*DIVIDENDS)["dead_lettered"] == 4
    reasons = sorted(m.event["reason"] for m in line.messages("DLQ"))
    assert reasons == sorted(
        [
            "missing_field",
            "bad_value",
            "bad_date",
            "missing_field",
            "bad_value",
            "number_out_of_range",
            "bad_date",
        ]
    )
