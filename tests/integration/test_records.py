# SPDX-License-Identifier: Apache-2.0
"""One bad record never stops the flow: at the processor, at the sink, and in the database."""

from __future__ import annotations

import base64
import json

from line import Line
from mflocal import wait_for


def good_bars(line: Line) -> list[tuple[str, bytes, int]]:
    line.backfill_replay(["FB"])
    return [(m.key or "", m.value or b"", m.partition) for m in line.messages("RAW_BACKFILL")]


def test_poison_in_the_middle_of_the_input(line: Line) -> None:
    records = good_bars(line)
    partition = next(p for key, _, p in records if key == "FB")
    bad = {
        b"not json at all": "json_syntax",
        b'{"a":1,"a":2}': "json_duplicate_key",
        b'{"event_type":"bar"}': "missing_field",
        b"\xff\xfe\x00": "json_syntax",
        b"[" * 100: "json_depth",
        records[5][1].replace(b'"schema_version":"1.0"', b'"schema_version":"2.0"'): "unsupported_version",
        records[5][1].replace(b'"lane":"backfill', b'"lane":"live","x":"backfill'): "lane_mismatch",
        records[5][1].replace(b'"event_time":"20', b'"event_time":"29'): None,
        b"x" * 300_000: None,
    }
    line.produce("RAW_BACKFILL", list(bad), b"FB", partition)
    line.produce("RAW_BACKFILL", [records[9][1]], b"FB", partition)  # behind them: the flow goes on
    line.start("sink")
    processor = line.start("processor")
    line.wait_count("raw_bars", 196)
    line.wait_count("raw_dead_letters", len(bad))
    # Its lane has ended, so it is folded once more; in the warehouse it meets itself.
    wait_for(
        lambda: processor.metric("marketflow_events_total", type="bar", result="kept") == 197,
        30,
        "the last bar",
    )
    assert line.count("raw_bars") == 196
    letters = {m.event["origin"]["offset"]: m for m in line.messages("DLQ")}
    assert len(letters) == len(bad)
    for offset, (value, reason) in zip(sorted(letters), bad.items(), strict=True):
        letter = letters[offset].event
        assert letter["stage"] == "process"
        assert reason is None or letter["reason"] == reason, (letter["reason"], reason)
        assert letters[offset].headers["mf-origin-offset"] == str(offset)
        raw = base64.b64decode(letter["raw"])
        assert (
            raw == value if len(value) <= 256 * 1024 else (len(raw) == 64 * 1024 and "raw_sha256" in letter)
        )


def test_poison_at_the_sink(line: Line) -> None:
    """What is not an event on a filtered topic goes to the queue; its neighbours are loaded."""
    line.start("processor")
    good_bars(line)
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    partition = line.messages("BARS_FILTERED")[0].partition
    line.produce("BARS_FILTERED", [b"poison", b'{"event_type":"news"}'], b"FB", partition)
    extra = json.dumps({"no": "event", "event_id": "known-all-the-same"}).encode()
    line.produce("METRICS", [extra], b"FB", partition)
    line.start("sink")
    line.wait_count("raw_bars", 196)
    line.wait_count("raw_dead_letters", 3)
    assert line.count("raw_dead_letters", "payload->>'stage' = 'sink'") == 3
    assert line.count("raw_bars") == 196
    refused = line.events_logged("record_refused")
    assert sorted(entry.get("correlation_id", "") for entry in refused) == ["", "", "known-all-the-same"]


def test_poison_with_a_timestamp_that_no_event_can_have(line: Line) -> None:
    """A producer stamps its records in microseconds, or beyond the calendar: the letter is kept all the same."""
    line.start("processor")
    good_bars(line)
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    stamps = [1_704_205_862_000_000, 253_402_300_800_000, 2**63 - 1]
    for stamp in stamps:
        line.produce("BARS_FILTERED", [b"poison"], timestamp_ms=stamp)
        line.produce("DLQ", [b"poison"], timestamp_ms=stamp)
    sink = line.start("sink")
    line.wait_count("raw_bars", 196)
    # Of each pair one letter of the sink's own, and the digest of what was no dead letter.
    line.wait_count("raw_dead_letters", 2 * len(stamps))
    reasons = line.query(
        "SELECT payload->>'reason', count(*) FROM raw.raw_dead_letters GROUP BY 1 ORDER BY 1"
    )
    assert reasons == [["bad_dead_letter", str(len(stamps))], ["json_syntax", str(len(stamps))]]
    last = "event_time = '9999-12-31T23:59:59.999Z' AND payload->'origin'->>'timestamp' = '253402300799999'"
    assert line.count("raw_dead_letters", last) == 2 * len(stamps)
    wait_for(lambda: sink.lag() == 0, 30, "nothing left to load")
    assert sink.ready()


def test_poison_in_a_header(line: Line) -> None:
    """A record and a dead letter with headers that are none of ours: both are kept, the sink goes on."""
    line.start("processor")
    good_bars(line)
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    value = line.messages("BARS_FILTERED")[7].value or b""
    cases = [("mf-revision", b"abc"), ("mf-revision", b"\xff\xfe"), ("mf-flags", b"NOT, FLAGS")]
    for header in cases:
        line.produce("BARS_FILTERED", [value], b"FB", headers=[header])
        line.produce("DLQ", [b"poison"], headers=[header])
    sink = line.start("sink")
    line.wait_count("raw_bars", 196)
    line.wait_count("raw_dead_letters", 2 * len(cases))
    kept = line.query("SELECT payload->>'raw' FROM raw.raw_dead_letters WHERE payload->>'raw' <> ''")
    assert [base64.b64decode(row[0]) for row in kept] == [value] * len(
        cases
    )  # the letters, not digests of them
    wait_for(lambda: sink.lag() == 0, 30, "nothing left to load")
    assert line.count("raw_bars") == 196


def test_a_row_that_the_database_refuses(line: Line) -> None:
    """One row of a batch breaks a constraint: it alone is dead-lettered, the offset passes it."""
    line.start("processor")
    line.parts.postgres.sql(
        "ALTER TABLE raw.raw_bars ADD CONSTRAINT no_such_day CHECK (payload->>'session_date' <> '2012-06-01')",
        user="postgres",
        database=line.database,
    )
    line.expected_errors.append("no_such_day|data|bisect")
    good_bars(line)
    sink = line.start("sink")
    line.wait_count("raw_bars", 195)
    line.wait_count("raw_dead_letters", 1)
    letter = line.query("SELECT payload->>'reason', payload->>'detail' FROM raw.raw_dead_letters")[0]
    assert "23514" in " ".join(letter)
    event_id = next(m.event["event_id"] for m in line.messages("BARS_FILTERED") if b"2012-06-01" in m.value)
    assert [entry["correlation_id"] for entry in line.events_logged("record_refused")] == [event_id]
    assert line.count("raw_bars") == 195
    wait_for(lambda: sink.lag() == 0, 30, "nothing left to load")


def test_a_batch_that_is_too_large_for_the_statement_timeout(line: Line) -> None:
    """Every row takes its time, all of them together too much: smaller statements land."""
    line.settings |= {"WAREHOUSE_STATEMENT_TIMEOUT_MS": "1000", "SINK_RETRY_MIN_MS": "100"}
    line.settings["SINK_RETRY_MAX_MS"] = "100"
    line.start("processor")
    line.parts.postgres.sql(
        "CREATE FUNCTION raw.slowly() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(0.008); RETURN NEW; END';"
        "CREATE TRIGGER slowly BEFORE INSERT ON raw.raw_bars FOR EACH ROW EXECUTE FUNCTION raw.slowly()",
        user="postgres",
        database=line.database,
    )
    good_bars(line)
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196, 60, "filtered bars", 0.3)
    sink = line.start("sink")
    line.wait_count("raw_bars", 196)
    assert (sink.metric("marketflow_sink_retries_total", reason="split_rows") or 0) > 0
    assert line.count("raw_dead_letters") == 0
    assert line.count("raw_bars") == 196


def test_a_missing_table_is_not_poison(line: Line) -> None:
    """Everything fails for one reason: the breaker opens, nothing is dead-lettered, nothing is lost."""
    line.expected_errors.append("odbc|breaker|raw_bars|42P01|warehouse")
    line.settings["SINK_BREAKER_RETRY_MS"] = "1000"
    line.start("processor")
    good_bars(line)
    line.parts.postgres.sql(
        "ALTER TABLE raw.raw_bars RENAME TO hidden", user="postgres", database=line.database
    )
    sink = line.service("sink")
    sink.start()
    wait_for(lambda: "raw_bars" in str(sink.readiness()), 60, "a readiness answer that names the table")
    assert not sink.ready()
    assert not line.messages("DLQ")
    line.parts.postgres.sql(
        "ALTER TABLE raw.hidden RENAME TO raw_bars", user="postgres", database=line.database
    )
    line.wait_count("raw_bars", 196)
    assert line.count("raw_dead_letters") == 0
