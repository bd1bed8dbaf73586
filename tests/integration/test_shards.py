# SPDX-License-Identifier: Apache-2.0
"""Two ingestors that share the partitions say together what one says alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from line import PARTITIONS, ROLES, Line, Message
from mflocal import ServiceProcess, free_port, wait_for

pytestmark = pytest.mark.long

# On all four partitions, of every kind that has bars; stocks have news, and are more than are asked for by name when it
# comes to splits and dividends.
SYMBOLS = "AAA,KO,PEP,AMZN,NVDA,CSCO,ORCL,INTC,DIS,X:BTCUSD,X:ETHUSD,X:SOLUSD,X:DOTUSD,C:EURUSD"
OVERLAP = timedelta(hours=12)
SETTINGS = {
    "INGEST_SYMBOLS": SYMBOLS,
    "INGEST_POLL_MS": "2000",
    "INGEST_CLOSED_POLL_MS": "3000",
    "INGEST_NEWS_POLL_MS": "2000",
    "INGEST_NEWS_OVERLAP_MS": str(int(OVERLAP.total_seconds()) * 1000),
    "INGEST_REFERENCE": "true",
    "INGEST_HEARTBEAT_MS": "500",
    "INGEST_SETTLE_MS": "0",
}


def beside(line: Line, name: str) -> Line:
    """The same line with topics of its own, made here."""
    other = dataclasses.replace(line, name=f"{line.name}_{name}")
    topics = {f"KAFKA_TOPIC_{role}": other.topic(role) for role in ROLES}
    other.settings = {**line.settings, **topics}
    other.services = line.services
    assert other.run("marketflowctl", "topics", "apply").returncode == 0
    return other


def start_shard(line: Line, index: int, count: int) -> ServiceProcess:
    shard = line.service(
        "ingestor", KAFKA_INSTANCE_ID=f"{line.name}-{index}", INGEST_SHARD=f"{index}/{count}", **SETTINGS
    )
    shard.name = f"{line.name}-ingestor-{index}"
    shard.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{free_port()}"
    shard.start()
    return shard


def is_progress(event: dict[str, Any]) -> bool:
    return event["event_type"] in ("heartbeat", "feed_status")


def identities(messages: list[Message]) -> Counter[tuple[int, str]]:
    """What was said, where, and how often."""
    return Counter((m.partition, m.event["event_id"]) for m in messages if not is_progress(m.event))


def since(messages: list[Message], moment: str) -> list[Message]:
    """News begin when an ingestor begins: those of a later one have to be compared from there on."""
    return [m for m in messages if m.event["event_type"] != "news" or m.event["event_time"] >= moment]


def beats(line: Line) -> Counter[int]:
    return Counter(m.partition for m in line.messages("RAW") if m.event["event_type"] == "heartbeat")


def last_beats(line: Line) -> dict[int, dict[str, str]]:
    return {
        m.partition: m.event["feeds"] for m in line.messages("RAW") if m.event["event_type"] == "heartbeat"
    }


def is_quiet(line: Line, feeds: set[str]) -> bool:
    """Every symbol is described and every partition has heard of every feed: everything there is has been read."""
    last = last_beats(line)
    described = {
        m.key for m in line.messages("INGESTOR_WATERMARKS") if m.key and m.key.startswith("polygon|symbols|")
    }
    if len(described) < len(SYMBOLS.split(",")):
        return False
    return len(last) == PARTITIONS and all(feeds <= set(said) for said in last.values())


def test_two_shards_say_what_one_says(line: Line) -> None:
    """The same bars, news and whatever else, once, on the same partitions, while the provider's clock stands still."""
    line.parts.simulator.set_clock(frozen=True)
    try:
        pair = beside(line, "pair")
        single = start_shard(line, 0, 1)
        shards = [start_shard(pair, index, 2) for index in range(2)]
        feeds = {"polygon.bars.1m", "polygon.bars.1d", "polygon.news"}
        for one in (line, pair):
            wait_for(lambda one=one: is_quiet(one, feeds), 180, "all feeds on all partitions", 0.5)
        alone, together = line.messages("RAW"), pair.messages("RAW")
        starts = [datetime.fromisoformat(m.event["ingest_time"]) for m in (*alone, *together)]
        latest = max(starts) - OVERLAP  # no range of news began after that
        moment = latest.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert identities(since(together, moment)) == identities(since(alone, moment))
        assert set(identities(together).values()) == {1}
        kinds = {m.event["event_type"] for m in together}
        assert {"bar", "news", "symbol", "corporate_action", "heartbeat", "feed_status"} == kinds
        assert {m.partition for m in together if m.event["event_type"] == "bar"} == set(range(PARTITIONS))
        assert_statuses(alone, together)
        assert_own_partitions(pair, shards)
        assert single.running()
    finally:
        line.parts.simulator.set_clock(real=True)


def assert_statuses(alone: list[Message], together: list[Message]) -> None:
    """The state of a feed says which shard's symbols it speaks of, and the dedupe key keeps them apart."""
    said = [m.event for m in alone if m.event["event_type"] == "feed_status"]
    assert {status["shard"] for status in said} == {"0/1"}
    shared = {(m.event["feed"], m.event["shard"]) for m in together if m.event["event_type"] == "feed_status"}
    assert shared == {(status["feed"], shard) for status in said for shard in ("0/2", "1/2")}


def assert_own_partitions(line: Line, shards: list[ServiceProcess]) -> None:
    """With one of them gone its partitions hear nothing, and the others as before."""
    shards[1].stop()
    before = beats(line)
    wait_for(
        lambda: beats(line)[0] >= before[0] + 3 and beats(line)[2] >= before[2] + 3, 60, "three beats", 0.2
    )
    after = beats(line)
    assert [after[partition] for partition in (1, 3)] == [before[partition] for partition in (1, 3)]
    shards[0].stop()
    shards[1].start()
    before = beats(line)
    wait_for(
        lambda: beats(line)[1] >= before[1] + 3 and beats(line)[3] >= before[3] + 3, 60, "three beats", 0.2
    )
    after = beats(line)
    assert [after[partition] for partition in (0, 2)] == [before[partition] for partition in (0, 2)]
