# SPDX-License-Identifier: Apache-2.0
"""State survives: restarts, kills, moves between instances, and what is refused when it does not fit.

What the topics must hold is what `marketflow-processor replay` prints for each partition's input: the same fold,
without a broker, in one piece. The feed comes from a seed, which MARKETFLOW_TEST_SEED changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions
from line import PARTITIONS, Line
from mflocal import ServiceProcess, WaitTimeout, wait_for
from mflocal.ports import Ports

sys.path.append(str(Path(__file__).resolve().parents[1] / "model"))
from feed import Feed, complete
from marketmodel.times import parse_ms

SEED = int(os.environ.get("MARKETFLOW_TEST_SEED", "20241121"))
SYMBOLS = ("AAPL", "IBM", "X:BTCUSD")
OUTPUTS = {
    "BARS_FILTERED": "bar",
    "NEWS_FILTERED": "news",
    "METRICS": "metric",
    "ALERTS": "alert",
    "SYMBOLS_FILTERED": "symbol",
    "CORPORATE_ACTIONS_FILTERED": "corporate_action",
}
# Small transactions and much to store, so that every kill finds something half done.
SESSION_S = 6  # where a session is to end soon
BUSY = {"PROCESSOR_COMMIT_RECORDS": "300", "PROCESSOR_SNAPSHOT_INTERVAL_MS": "500"}

Values = list[tuple[str | None, bytes]]


def sessions(binaries: Path) -> Callable[[str], tuple[int, int] | None]:
    command = [str(binaries / "marketflowctl"), "calendar", "2024-01-01", "2024-12-31"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = rows[0].split(",")
    days = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:]]
    return {day["session"]: (parse_ms(day["open"]), parse_ms(day["close"])) for day in days}.get


def feed(line: Line, days: int = 1) -> Values:
    """Key and value of each record in the order of arrival; a heartbeat, which goes to every partition, has no key."""
    binaries = line.parts.binaries
    events = Feed(random.Random(SEED), sessions(binaries)).minutes(days, SYMBOLS, news=60)
    values = complete(binaries, events)
    return [(event.get("symbol"), value) for event, value in zip(events, values, strict=True)]


def send(producer: Producer, line: Line, values: Values) -> None:
    for key, value in values:
        for partition in range(PARTITIONS) if key is None else (-1,):
            producer.produce(line.topic("RAW"), value, key.encode() if key else b"*", partition)
        producer.poll(0)
    assert producer.flush(60) == 0


def parts_of(values: Values, count: int) -> Iterator[Values]:
    size = len(values) // count + 1
    for start in range(0, len(values), size):
        yield values[start : start + size]


def committed(line: Line) -> dict[int, int]:
    """By partition of market.raw, what the group has committed; -1001 is nothing."""
    # A consumer that never joins: the admin client's call for the same crashes now and then (librdkafka 2.x).
    reader = Consumer(
        {"bootstrap.servers": line.parts.broker.bootstrap, "group.id": f"{line.name}-processor"}
    )
    try:
        asked = [TopicPartition(line.topic("RAW"), partition) for partition in range(PARTITIONS)]
        return {tp.partition: tp.offset for tp in reader.committed(asked, timeout=20)}
    finally:
        reader.close()


def processed(line: Line) -> bool:
    """Has the group committed everything that is on market.raw?"""
    done = committed(line)
    ends: dict[int, int] = {}
    for message in line.messages("RAW"):
        ends[message.partition] = message.offset + 1
    return all(done.get(partition, 0) >= end for partition, end in ends.items())


def wait_processed(line: Line, timeout: float = 90) -> None:
    wait_for(lambda: processed(line), timeout, "everything processed", 0.3)


def expected(line: Line, tmp_path: Path, **settings: str) -> dict[tuple[str, int], list[bytes]]:
    """By output topic and partition, what one uninterrupted fold makes of what is on market.raw."""
    result: dict[tuple[str, int], list[bytes]] = {}
    raw = line.messages("RAW")
    for partition in range(PARTITIONS):
        file = tmp_path / f"raw-{partition}.ndjson"
        file.write_bytes(b"".join((m.value or b"") + b"\n" for m in raw if m.partition == partition))
        answer = line.run("marketflow-processor", "replay", str(file), **settings)
        assert answer.returncode == 0, answer.stderr
        for role, kind in OUTPUTS.items():
            start = f'{{"schema_version":"1.0","event_type":"{kind}"'
            result[role, partition] = [
                row.encode() for row in answer.stdout.splitlines() if row.startswith(start)
            ]
    return result


def assert_as_expected(line: Line, tmp_path: Path, **settings: str) -> None:
    wanted = expected(line, tmp_path, **settings)
    assert sum(map(len, wanted.values())) > 1000
    for role in OUTPUTS:
        found = line.messages(role)
        for partition in range(PARTITIONS):
            got = [m.value for m in found if m.partition == partition]
            want = wanted[role, partition]
            first = next(
                (i for i, pair in enumerate(zip(got, want, strict=False)) if pair[0] != pair[1]), None
            )
            assert first is None, (SEED, role, partition, first, got[first], want[first])
            assert len(got) == len(want), (SEED, role, partition, len(got), len(want))


def restored(line: Line) -> list[dict[str, Any]]:
    return line.events_logged("state_restored")


def test_a_clean_stop_leaves_nothing_to_replay(line: Line, tmp_path: Path) -> None:
    producer = line.producer()
    processor = line.service("processor")
    for part in parts_of(feed(line), 3):
        processor.start()
        processor.wait_ready()
        send(producer, line, part)
        wait_processed(line)
        processor.stop()
        assert processor.wait_exit(1) == 0
    starts = restored(line)
    assert len(starts) == 3
    assert [start["replayed"] for start in starts] == [0, 0, 0]
    assert [start["cells"] for start in starts] == [0, len(SYMBOLS), len(SYMBOLS)]
    assert_as_expected(line, tmp_path)
    # What was known of a symbol before the restarts is joined to its news after them.
    newest = [m for m in line.messages("NEWS_FILTERED") if m.key == "IBM"][-1]
    joined = {"mf-symbol-name": "IBM Incorporated", "mf-symbol-exchange": "XNAS", "mf-symbol-type": "CS"}
    assert joined.items() <= newest.headers.items()


@pytest.mark.kills
def test_kills_change_nothing(line: Line, tmp_path: Path) -> None:
    """Whatever the sizes of transactions, and however often the process dies."""
    rng = random.Random(SEED)
    producer = line.producer()
    processor = line.service("processor", **BUSY)
    processor.start()
    for number, part in enumerate(parts_of(feed(line, 2), 10)):
        send(producer, line, part)
        # Anywhere from the start-up to the middle of a transaction; one in three times while it restores.
        run_for_a_while(processor, rng, patience=rng.uniform(0, 0.5) if number % 3 == 2 else 10)
        processor.kill()
        processor.spec.settings["PROCESSOR_COMMIT_RECORDS"] = str(rng.choice((20, 100, 10_000)))
        processor.spec.settings["PROCESSOR_SNAPSHOT_SHARE_PCT"] = str(rng.choice((0, 15, 100)))
        processor.start()
    processor.wait_ready()
    wait_processed(line)
    assert any(start["replayed"] > 0 for start in restored(line))
    assert_as_expected(line, tmp_path)


def run_for_a_while(service: ServiceProcess, rng: random.Random, patience: float) -> None:
    """Ends at a random moment, which the kill is to hit, after something was committed or patience is over."""

    def committed() -> float:
        return service.metric("marketflow_transactions_total", result="committed") or 0

    before = committed()
    with contextlib.suppress(WaitTimeout):
        wait_for(lambda: committed() != before, patience, "a commit", 0.01)
    time.sleep(rng.uniform(0, 0.4))  # that the moment is random is the point


def test_state_that_nothing_touches_is_stored_too(line: Line, tmp_path: Path) -> None:
    """Every dirty cell within the interval, also when no record comes any more."""
    settings = {"PROCESSOR_SNAPSHOT_INTERVAL_MS": "1000", "PROCESSOR_SNAPSHOT_SHARE_PCT": "0"}
    processor = line.start("processor", **settings)
    values = feed(line)
    send(line.producer(), line, values[: len(values) // 2])
    wait_processed(line)
    wait_for(lambda: processor.metric("marketflow_state_dirty_cells") == 0, 30, "all state stored")
    processor.kill()
    processor.start()
    processor.wait_ready()
    assert restored(line)[-1]["replayed"] == 0
    assert restored(line)[-1]["cells"] == len(SYMBOLS)
    send(line.producer(), line, values[len(values) // 2 :])
    wait_processed(line)
    assert_as_expected(line, tmp_path)


@pytest.mark.kills
def test_partitions_move_with_their_state(line: Line, tmp_path: Path) -> None:
    """A second instance comes, is killed, and its partitions go back after its session."""
    timeouts = {"KAFKA_SESSION_TIMEOUT_MS": f"{SESSION_S}000", "KAFKA_TRANSACTION_TIMEOUT_MS": "3000"}
    line.settings |= {**BUSY, **timeouts}
    producer = line.producer()
    parts = list(parts_of(feed(line), 5))
    first = line.start("processor")
    send(producer, line, parts[0])
    second = line.service("processor")
    second.spec.settings["KAFKA_INSTANCE_ID"] = f"{line.name}-second"
    second = _renamed(line, second, "processor-2")
    send(producer, line, parts[1])
    second.start()
    wait_for(lambda: _assigned(first) == _assigned(second) == PARTITIONS, 60, "half of the partitions each")
    send(producer, line, parts[2])
    wait_processed(line)
    second.kill()
    send(producer, line, parts[3])
    wait_for(lambda: _assigned(first) == 2 * PARTITIONS, 60, "all partitions")
    second.start()
    wait_for(lambda: _assigned(second) == PARTITIONS, 60, "half of the partitions again")
    second.stop()
    send(producer, line, parts[4])
    wait_processed(line)
    assert_as_expected(line, tmp_path)


@pytest.mark.kills
def test_an_instance_that_slept_while_another_took_over(line: Line, tmp_path: Path) -> None:
    """It wakes in the middle of a transaction of partitions that are not its any more; outputs come once."""
    line.settings |= {**BUSY, "KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "3000"}
    producer = line.producer()
    parts = list(parts_of(feed(line), 4))
    first = line.start("processor")
    send(producer, line, parts[0])
    first.freeze()
    send(producer, line, parts[1])
    second = line.service("processor")
    second.spec.settings["KAFKA_INSTANCE_ID"] = f"{line.name}-second"
    second = _renamed(line, second, "processor-2")
    second.start()
    wait_for(lambda: _assigned(second) == 2 * PARTITIONS, 60, "all partitions")
    send(producer, line, parts[2])
    first.thaw()
    send(producer, line, parts[3])
    wait_for(lambda: _assigned(first) == _assigned(second) == PARTITIONS, 60, "half of the partitions each")
    wait_processed(line)
    assert_as_expected(line, tmp_path)


def test_two_processes_with_one_id(line: Line) -> None:
    """The older one leaves with 70 and names the id; the newer one goes on with the state."""
    line.expected_errors.append("service_failed|fenced|old epoch|librdkafka")
    producer = line.producer()
    values = feed(line)
    first = line.start("processor")
    send(producer, line, values[:500])
    wait_processed(line)
    second = _renamed(line, line.service("processor"), "processor-2")
    second.start()
    send(producer, line, values[500:1000])
    assert first.wait_exit(60) == 70
    line.services.remove(first)
    failure = line.events_logged("service_failed")[-1]
    assert failure["error_code"] == "fenced" and f"{line.name}-processor" in json.dumps(failure)
    second.wait_ready()
    wait_processed(line)
    assert second.running()


def _freeze_until_ready(line: Line, processor: ServiceProcess) -> None:
    line.parts.broker.freeze()
    time.sleep(2 * SESSION_S)  # how long it is frozen is the fault itself
    line.parts.broker.thaw()
    wait_for(processor.ready, 90, "ready again")


@pytest.mark.kills
@pytest.mark.long
def test_a_broker_frozen_for_longer_than_the_session(line: Line, tmp_path: Path) -> None:
    """What was asked of it meanwhile is answered all at once, and late: nobody is taken for somebody else."""
    line.expected_errors.append("broker|kafka|transport|connect")
    line.settings |= {**BUSY, "KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_TRANSACTION_TIMEOUT_MS": "3000"}
    parts = list(parts_of(feed(line), 4))
    processor = line.start("processor")
    pid = processor.identity.pid if processor.identity else 0
    _freeze_until_ready(line, processor)  # before anything was committed
    producer = line.producer()
    for part in parts[:3]:
        send(producer, line, part)
        _freeze_until_ready(line, processor)
    send(producer, line, parts[3])
    wait_processed(line)
    assert processor.identity and processor.identity.pid == pid and processor.running()
    assert_as_expected(line, tmp_path)


def _renamed(line: Line, service: ServiceProcess, name: str) -> ServiceProcess:
    """A second process of a kind, with files and a port of its own."""
    service.name = name
    service.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{Ports(line.layout).take(f'metrics-{name}')}"
    return service


def _assigned(service: ServiceProcess) -> float:
    return service.metric("marketflow_kafka_assigned_partitions") or 0


def half_processed(line: Line, **settings: str) -> tuple[ServiceProcess, Values]:
    """A processor that has stored its state of the first half of the feed and ended; and the other half."""
    values = feed(line)
    processor = line.start("processor", **settings)
    send(line.producer(), line, values[: len(values) // 2])
    wait_processed(line)
    processor.stop()
    return processor, values[len(values) // 2 :]


def assert_refused(line: Line, processor: ServiceProcess, *words: str, code: int = 78) -> None:
    line.expected_errors.append("service_failed")
    processor.start()
    assert processor.wait_exit(60) == code
    message = json.dumps(line.events_logged("service_failed")[-1])
    for word in words:
        assert word in message, (word, message)


def test_other_state_shaping_settings_are_refused_or_rebuilt(line: Line, tmp_path: Path) -> None:
    processor, rest = half_processed(line)
    processor.spec.settings["PROCESSOR_LATENESS_MS"] = "60000"
    assert_refused(
        line, processor, "state_mismatch", "PROCESSOR_LATENESS_MS", "PROCESSOR_STATE_MISMATCH=rebuild"
    )
    before = {role: len(line.messages(role)) for role in OUTPUTS}
    processor.spec.settings["PROCESSOR_STATE_MISMATCH"] = "rebuild"
    processor.start()
    processor.wait_ready()
    assert line.events_logged("state_rebuilt")
    assert before == {role: len(line.messages(role)) for role in OUTPUTS}  # no output is repeated
    processor.kill()  # what was rebuilt is stored already
    del processor.spec.settings["PROCESSOR_STATE_MISMATCH"]
    processor.start()
    processor.wait_ready()
    assert restored(line)[-1]["replayed"] == 0
    send(line.producer(), line, rest)
    wait_processed(line)
    # Metrics of vendor bars do not depend on the lateness: as if nothing had happened.
    wanted = expected(line, tmp_path, PROCESSOR_LATENESS_MS="60000")
    found = line.messages("METRICS")
    for partition in range(PARTITIONS):
        got = [m.value for m in found if m.partition == partition and b'"interval":"1m"' in (m.value or b"")]
        want = [value for value in wanted["METRICS", partition] if b'"interval":"1m"' in value]
        assert got == want


def test_a_lost_changelog_is_refused_or_rebuilt(line: Line, tmp_path: Path) -> None:
    processor, rest = half_processed(line)
    processor.spec.settings["KAFKA_TOPIC_PROCESSOR_CHANGELOG"] = f"{line.name}.another"
    line.run("marketflowctl", "topics", "apply", KAFKA_TOPIC_PROCESSOR_CHANGELOG=f"{line.name}.another")
    assert_refused(line, processor, "state_missing", "PROCESSOR_STATE_MISMATCH=rebuild")
    processor.spec.settings["PROCESSOR_STATE_MISMATCH"] = "rebuild"
    processor.start()
    processor.wait_ready()
    send(line.producer(), line, rest)
    wait_processed(line)
    assert_as_expected(line, tmp_path)


def test_offsets_that_were_moved_are_refused(line: Line) -> None:
    """State and committed offset are of one transaction; if not, both are named."""
    processor, _ = half_processed(line)
    busiest = max(range(PARTITIONS), key=lambda p: sum(m.partition == p for m in line.messages("RAW")))
    end = max(m.offset for m in line.messages("RAW") if m.partition == busiest) + 1
    move_offsets(line, {busiest: 7})
    assert_refused(line, processor, "state_mismatch", f"as of offset {end}", "has committed 7")


def admin_of(line: Line) -> AdminClient:
    return AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})


def move_offsets(line: Line, offsets: dict[int, int]) -> None:
    """Of market.raw. A static member stays in the group's books until its session is over."""
    admin, group, topic = admin_of(line), f"{line.name}-processor", line.topic("RAW")
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p, o) for p, o in offsets.items()])

    def move() -> bool:
        try:
            admin.alter_consumer_group_offsets([moved])[group].result()
        except KafkaException:
            return False
        return offsets.items() <= committed(line).items()

    wait_for(move, 60, "an empty group", 0.5)


def made_anew(line: Line, role: str) -> None:
    admin, topic = admin_of(line), line.topic(role)
    admin.delete_topics([topic], operation_timeout=30)[topic].result()
    wait_for(lambda: line.run("marketflowctl", "topics", "apply").returncode == 0, 60, f"{role} anew", 0.5)


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"PROCESSOR_OFFSET_RESET": "earliest"},
        {"PROCESSOR_STATE_MISMATCH": "rebuild", "PROCESSOR_LATENESS_MS": "60000"},
    ],
    ids=["plain", "earliest", "rebuild"],
)
@pytest.mark.parametrize("clean", [False, True], ids=["killed", "stopped"])
def test_a_log_that_lost_its_end_is_told(line: Line, way: dict[str, str], clean: bool) -> None:
    """As after an unclean election: never waited for, and new records are not taken for what was processed.

    Killed, the processor has all of it to fold again first; stopped, everything was stored and nothing is left to do.
    """
    line.settings |= {"KAFKA_SESSION_TIMEOUT_MS": f"{SESSION_S}000", "KAFKA_TRANSACTION_TIMEOUT_MS": "3000"}
    values, admin, group = feed(line), admin_of(line), f"{line.name}-processor"
    settings = {"PROCESSOR_RESTORE_STALL_MS": "2000", "PROCESSOR_SNAPSHOT_SHARE_PCT": "0"}
    processor = line.start("processor", **settings)
    send(line.producer(), line, values[:800])
    wait_processed(line)
    done = committed(line)
    if clean:
        processor.stop()
        assert processor.wait_exit(1) == 0
    else:
        processor.kill()
    made_anew(line, "RAW")  # the broker forgets the group's offsets of it
    send(line.producer(), line, values[800:1000])
    move_offsets(line, done)
    before = line.messages("METRICS")
    processor.spec.settings.update(way)
    changelog = line.topic("PROCESSOR_CHANGELOG")
    assert_refused(
        line, processor, "input_lost", "lost its end", f"delete topic {changelog} and group {group}"
    )
    assert committed(line) == done and len(line.messages("METRICS")) == len(before)

    # What it says to do, done: the records of the log that is there are processed from the first on.
    def group_deleted() -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result()
        except KafkaException:
            return False
        return True

    wait_for(group_deleted, 60, "the end of the member's session", 0.5)
    made_anew(line, "PROCESSOR_CHANGELOG")
    processor.start()
    processor.wait_ready()
    wait_processed(line)
    assert restored(line)[-1]["replayed"] == 0
    assert len(line.messages("METRICS")) > len(before)


def test_an_open_transaction_on_the_changelog_is_waited_for_then_told(line: Line) -> None:
    processor, rest = half_processed(line, PROCESSOR_RESTORE_STALL_MS="3000")
    stranger = Producer(
        {
            "bootstrap.servers": line.parts.broker.bootstrap,
            "transactional.id": f"{line.name}-stranger",
            "transaction.timeout.ms": 60000,
        }
    )
    stranger.init_transactions(30)
    stranger.begin_transaction()
    topic = line.topic("PROCESSOR_CHANGELOG")
    stranger.produce(topic, b"?", b"?", 0)
    assert stranger.flush(30) == 0
    try:
        assert_refused(line, processor, "stalled", f"{topic} [0]", "a transaction is open", code=75)
    finally:
        stranger.abort_transaction(30)
    processor.start()
    processor.wait_ready()
    send(line.producer(), line, rest)
    wait_processed(line)


def test_partitions_added_while_running(line: Line) -> None:
    """The keys of new records would go elsewhere than their state: drained, and both counts named."""
    processor = line.start("processor", KAFKA_STATISTICS_MS="500")
    line.expected_errors.append("service_failed")
    admin = admin_of(line)
    admin.create_partitions([NewPartitions(line.topic("RAW"), PARTITIONS + 2)])[line.topic("RAW")].result()
    assert processor.wait_exit(90) == 78
    assert [failure["error_code"] for failure in line.events_logged("service_failed")] == ["partition_count"]
    message = json.dumps(line.events_logged("service_failed"))
    # Whether the group's new assignment or the look at the topics was first.
    assert re.search(rf"topic {line.topic('RAW')} has {PARTITIONS + 1} partitions or more, |"
                     rf"topic {line.topic('RAW')} has {PARTITIONS + 2} partitions, ", message)  # fmt: skip
    assert f"KAFKA_PARTITIONS says {PARTITIONS}" in message
    assert "delete the topics and make them anew with marketflowctl topics apply" in message


@pytest.mark.kills
def test_new_thresholds_hold_from_the_committed_offset_on(line: Line, tmp_path: Path) -> None:
    """What was folded before is replayed under the thresholds of its time, and stored before anything new."""
    values = feed(line)
    producer = line.producer()
    settings = {"PROCESSOR_SNAPSHOT_SHARE_PCT": "0", "ALERT_PRICE_MOVE_INFO": "0.5"}
    processor = line.start("processor", **settings)
    send(producer, line, values[: len(values) // 2])
    wait_processed(line)
    processor.kill()
    old = expected(line, tmp_path, **settings)
    found = line.messages("ALERTS")
    for partition in range(PARTITIONS):
        assert [m.value for m in found if m.partition == partition] == old["ALERTS", partition]
    versions = {m.event["rule_version"] for m in found if m.event["rule_id"] == "price_move"}
    assert len(versions) == 1
    processor.spec.settings["ALERT_PRICE_MOVE_INFO"] = "0.9"
    processor.start()
    processor.wait_ready()
    assert restored(line)[-1]["replayed"] > 0
    assert len(line.messages("ALERTS")) == len(found)
    send(producer, line, values[len(values) // 2 :])
    wait_processed(line)
    later = [m.event for m in line.messages("ALERTS")]
    assert {e["rule_version"] for e in later if e["rule_id"] == "price_move"} > versions
    processor.kill()  # the new ones are stored: replayed with, not refused
    processor.start()
    processor.wait_ready()
    wanted = expected(line, tmp_path, **settings)  # metrics do not depend on thresholds
    metrics = line.messages("METRICS")
    for partition in range(PARTITIONS):
        assert [m.value for m in metrics if m.partition == partition] == wanted["METRICS", partition]
