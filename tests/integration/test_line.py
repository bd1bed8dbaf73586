# SPDX-License-Identifier: Apache-2.0
"""The whole line: every replayed day arrives once, live bars flow, a second run adds nothing."""

from __future__ import annotations

from collections import Counter

from line import REPLAY_ROWS, Line
from mflocal import wait_for

# Rows per symbol in the public-domain history that the simulator replays.
DAYS = {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
DAILY = "payload->>'interval' = '1d' AND payload->'provenance'->>'mode' = 'replay'"


def start_consumers(line: Line) -> None:
    for name in ("sink", "processor"):
        line.start(name)


def test_history_arrives_exactly_once(line: Line) -> None:
    assert sum(DAYS.values()) == REPLAY_ROWS
    start_consumers(line)
    summary = line.backfill_replay()
    assert summary["complete"] is True
    assert summary["events"]["bar"] == REPLAY_ROWS
    assert summary["rejected"] == 0
    line.wait_count("raw_bars", REPLAY_ROWS, DAILY, timeout=300)
    line.wait_count("raw_metrics", REPLAY_ROWS, timeout=300)
    assert line.count("raw_bars") == REPLAY_ROWS
    assert line.number("SELECT count(DISTINCT (symbol, event_time)) FROM raw.raw_bars") == REPLAY_ROWS
    per_symbol = {
        row[0]: int(row[1]) for row in line.query("SELECT symbol, count(*) FROM raw.raw_bars GROUP BY 1")
    }
    assert per_symbol == DAYS
    assert line.count("raw_metrics") == REPLAY_ROWS
    assert line.count("raw_dead_letters") == 0
    before = {table: line.keys(table) for table in ("raw_bars", "raw_metrics", "raw_alerts")}

    again = line.backfill_replay()  # the same command names the same, complete run
    assert again["complete"] is True
    assert again["events"].get("bar", 0) == 0
    fresh = line.backfill(
        *["bars", "--symbols", "FB", "--from", "2000-03-01", "--to", "2013-03-01", "--timespan", "day"],
        *["--adjusted", "none", "--again"],
    )
    assert fresh["events"]["bar"] == DAYS["FB"]
    # The new lane's bars are the same bars: they meet the old keys in the warehouse. Its metrics are a lane's own.
    line.wait_count("raw_metrics", REPLAY_ROWS + DAYS["FB"])
    assert line.keys("raw_bars") == before["raw_bars"]
    assert not line.stored_secrets()


def test_the_numbers_are_the_feeds_own(line: Line) -> None:
    start_consumers(line)
    line.backfill_replay(["FB"])
    line.wait_count("raw_bars", DAYS["FB"])
    first = line.query(
        "SELECT payload->>'open', payload->>'high', payload->>'low', payload->>'close', payload->>'volume', "
        "payload->>'session_date', payload->>'adjusted', source FROM raw.raw_bars ORDER BY event_time LIMIT 1"
    )[0]
    # Facebook's first day, 2012-05-18, as the public history has it.
    assert first == ["42.05", "45.0", "38.0", "38.2318", "573576400", "2012-05-18", "none", "polygon"]
    raw = {m.value for m in line.messages("RAW_BACKFILL") if b'"bar"' in (m.value or b"")}
    filtered = {m.value for m in line.messages("BARS_FILTERED")}
    assert raw == filtered  # passed on byte for byte


def test_live_bars_become_rows(line: Line) -> None:
    symbols = ["X:BTCUSD", "X:ETHUSD"]
    line.settings |= {"INGEST_SYMBOLS": ",".join(symbols), "INGEST_POLL_MS": "500"}
    start_consumers(line)
    line.start("ingestor")
    for symbol in symbols:
        where = f"symbol = '{symbol}' AND lane = 'live' AND payload->>'interval' = '1m'"
        line.wait_count("raw_bars", 20, where)
    wait_for(lambda: line.count("raw_metrics", "payload ? 'rsi_14'") > 0, 60, "warm metrics")
    # Invented data can never pass as real.
    assert line.count("raw_bars", "flags !~ 'is_mock' OR payload->'provenance'->>'mode' <> 'synthetic'") == 0
    assert line.count("raw_metrics", "flags !~ 'is_mock'") == 0
    keys = line.query(
        "SELECT symbol, source, event_time, payload->>'interval' FROM raw.raw_bars WHERE revision = 0"
    )
    assert max(Counter(map(tuple, keys)).values()) == 1


def test_alerts_explain_themselves(line: Line) -> None:
    start_consumers(line)
    line.backfill_replay(["AAPL"])
    line.wait_count("raw_bars", DAYS["AAPL"])
    line.wait_count("raw_metrics", DAYS["AAPL"])
    wait_for(lambda: line.count("raw_alerts") > 100, 60, "alerts")
    fields = ("rule_id", "rule_version", "severity", "value", "threshold", "message", "state", "cause")
    for field in fields:
        assert line.count("raw_alerts", f"payload->>'{field}' IS NULL") == 0, field
    assert line.count("raw_alerts", "payload->>'state' = 'firing' AND payload->'baseline' IS NULL") == 0
    # Every alert names a bar that exists.
    orphans = (
        "SELECT count(*) FROM raw.raw_alerts a WHERE NOT EXISTS "
        "(SELECT 1 FROM raw.raw_bars b WHERE b.event_id = a.payload->>'cause')"
    )
    assert line.number(orphans) == 0


LEVELS = ((2.0, "info"), (3.0, "warning"), (5.0, "critical"))  # price_move on 1d bars


def fired_by_hand(bars: list[tuple[str, float, float]]) -> list[tuple[str, str]]:
    """price_move with its hygiene over (time, close, volume), written down once more from docs/rules.md."""
    fired: list[tuple[str, str]] = []
    open_level, clear, upwards = -1, 0, False
    for at in range(1, len(bars)):
        time, close, _ = bars[at]
        change = (close / bars[at - 1][1] - 1) * 100
        level = max((i for i, (threshold, _) in enumerate(LEVELS) if abs(change) >= threshold), default=-1)
        if open_level >= 0:
            turned = level >= 0 and (change > 0) != upwards
            clear = 0 if level >= 0 else clear + 1
            if clear == 3 or turned:
                open_level, clear = -1, 0
        liquid = at >= 20 and sum(volume for _, _, volume in bars[at - 20 : at]) / 20 >= 1000 and close >= 1
        if liquid and level > open_level:  # fires anew when nothing is open, or when it is more severe
            fired.append((time, LEVELS[level][1]))
            open_level, clear, upwards = level, 0, change > 0
    return fired


def test_price_moves_by_hand(line: Line) -> None:
    """A second implementation over the warehouse's own closes fires on the same days with the same severity."""
    start_consumers(line)
    line.backfill_replay(["IBM"])
    line.wait_count("raw_bars", DAYS["IBM"])
    line.wait_count("raw_bars", DAYS["IBM"])
    line.wait_count("raw_metrics", DAYS["IBM"])
    rows = line.query("SELECT event_time, payload->>'close', payload->>'volume' FROM raw.raw_bars ORDER BY 1")
    expected = fired_by_hand([(time, float(close), float(volume)) for time, close, volume in rows])
    assert len(expected) > 50
    published = len(line.messages("ALERTS"))
    line.wait_count("raw_alerts", published)
    fired = line.query(
        "SELECT event_time, payload->>'severity' FROM raw.raw_alerts WHERE payload->>'rule_id' = 'price_move' "
        "AND revision = 0 ORDER BY 1"
    )
    assert [tuple(row) for row in fired] == expected


def test_a_symbol_is_one_partition_in_time_order(line: Line) -> None:
    """Everything about a symbol lies in one partition, in time order."""
    start_consumers(line)
    line.backfill_replay(["AAPL"])
    events = [m for m in line.messages("RAW_BACKFILL") if m.key == "AAPL"]
    assert len({m.partition for m in events}) == 1
    times = [m.event["event_time"] for m in events]
    assert times == sorted(times)
    ends = [m for m in line.messages("RAW_BACKFILL") if b'"lane_end":true' in (m.value or b"")]
    assert {m.partition for m in ends} == set(range(4))


def test_the_smallest_producer_queue_is_enough(line: Line) -> None:
    """A turn brings more outputs than fit: the transaction ends early, it is not aborted."""
    line.backfill_replay(["IBM"])
    processor = line.start("processor", KAFKA_QUEUE_MESSAGES="1000")
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == DAYS["IBM"], 120, "every bar filtered", 0.5)
    assert len(line.messages("METRICS")) == DAYS["IBM"]
    assert processor.metric("marketflow_transactions_total", result="aborted") == 0


def test_transactions_grow_behind_a_backlog(line: Line) -> None:
    """PROCESSOR_COMMIT_MS is for an input that keeps up: behind a backlog, many small ones would only cost more."""
    line.backfill_replay()
    processor = line.start("processor", PROCESSOR_COMMIT_MS="1")

    def folded() -> float | None:
        return processor.metric("marketflow_events_total", type="bar", result="kept")

    wait_for(lambda: folded() == REPLAY_ROWS, 120, "every bar folded", 0.2)
    # Within 1 ms the loop takes two turns at the most, of 500 records each.
    name = "marketflow_transaction_records_bucket"
    sizes = {le: processor.metric(name, le=le) or 0 for le in ("1000", "+Inf")}
    assert sizes["+Inf"] > sizes["1000"], processor.metrics()
