# SPDX-License-Identifier: Apache-2.0
"""How the way into the warehouse is judged (dags/_lib/health.py)."""

from __future__ import annotations

from typing import Any

import pytest
from _lib import health
from _lib.settings import Settings, SettingsError
from helpers import Server

METRICS = """\
# HELP x
marketflow_kafka_consumer_lag_messages{topic="a",partition="0"} 11
marketflow_kafka_consumer_lag_messages{topic="a",partition="1"} 0
marketflow_sink_last_event_timestamp_seconds{table="raw_bars"} 900
marketflow_sink_last_event_timestamp_seconds{table="raw_news"} 950
marketflow_sink_rows_total{table="raw_bars",result="ok"} 7
marketflow_sink_rows_total{table="raw_bars",result="duplicate"} 1
marketflow_sink_rows_total{table="raw_news",result="ok"} 2
marketflow_dead_letters_total{topic="a",reason="b"} 4
process_start_time_seconds 400
"""


def test_a_service_is_read(server: Server) -> None:
    server.pages = {"/readyz": (200, '{"status":"ok","checks":{}}'), "/metrics": (200, METRICS)}
    reading = health.read_service("sink", server.url + "/")
    assert (reading.answers, reading.ready, reading.measured, reading.lag) == (True, True, True, 10.0)
    assert (reading.last_event, reading.rows, reading.bars) == (900.0, 10.0, 8.0)  # news hide no missing bars
    assert (reading.dead_letters, reading.started) == (4.0, 400.0)
    checks = '{"checks":{"service":{"ok":true,"detail":"running"},"warehouse":{"ok":false,"detail":"away"}}}'
    server.pages["/readyz"] = (503, checks)
    assert health.read_service("sink", server.url).not_ready == ["warehouse: away"]
    del server.pages["/metrics"]
    assert not health.read_service("sink", server.url).measured
    server.close()
    assert not health.read_service("sink", server.url).answers


LIMITS = health.Limits(lag=100, event_age_s=60, dead_letters_per_minute=10)


def reading(**changes: Any) -> health.Reading:
    usual = {"answers": True, "ready": True, "measured": True, "last_event": 990.0, "started": 400.0}
    return health.Reading("sink", **usual | changes)


def judged(sink: health.Reading, **options: Any) -> dict[str, Any]:
    return health.judge(sink, LIMITS, **{"before": None, "market_open": True, "moment": 1000.0} | options)


def look(at: float, **changes: Any) -> dict[str, Any]:
    """What an earlier look has kept."""
    return judged(reading(**changes), moment=at)["sink"]


@pytest.mark.parametrize(
    ("sink", "is_open", "said"),
    [
        (reading(), True, ""),
        (reading(answers=False), True, "does not answer"),
        (reading(ready=False, not_ready=["warehouse: away"]), True, "warehouse: away"),
        (reading(measured=False, started=0), True, "metrics cannot be read"),
        (reading(lag=101), True, "101 records wait"),
        (reading(lag=101, last_event=900), True, "100 s old"),
        (reading(last_event=900), True, "100 s old"),
        (reading(last_event=900), False, ""),
        (reading(last_event=0), True, "600 s old"),  # none since the sink was started
        (reading(last_event=0, started=970), True, ""),
        (reading(last_event=99_000), True, "600 s old"),  # one from the future hides all that follow
        (reading(last_event=1010), True, ""),  # clocks differ
        (reading(lag=101, last_event=0), False, "101 records wait"),
        (reading(dead_letters=200), True, "20.0 dead letters a minute"),
    ],
)
def test_a_verdict_has_reasons(sink: health.Reading, is_open: bool, said: str) -> None:
    found = judged(sink, market_open=is_open)
    assert found["healthy"] == (not said)
    assert said in "; ".join(found["problems"])
    assert found["restart"] is False  # one look is not enough


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize(
    ("before", "now", "restart"),
    [
        (look(700, answers=False), reading(answers=False), True),
        (look(700), reading(answers=False), False),  # a statement may hold it for a while
        (look(700, answers=False), reading(), False),
        (look(990, answers=False), reading(answers=False), False),  # the same moment, seen twice
        (look(-9000, answers=False), reading(answers=False), False),  # who knows what was in between
        (look(700, lag=200, rows=5), reading(lag=200, rows=5), True),
        (look(700, lag=200, rows=5), reading(lag=9000, rows=5), True),
        (look(700, lag=9000, rows=5), reading(lag=200, rows=6), False),  # a backlog that is taken in
        (look(700, lag=50, rows=5), reading(lag=200, rows=5), False),  # it has come just now
        (look(700, lag=200, rows=5, started=1), reading(lag=200, rows=5), False),  # it was started in between
        (
            look(700, lag=200, rows=5),
            reading(lag=200, rows=5, ready=False),
            False,
        ),  # it says what it waits for
        (look(700, last_event=0), reading(last_event=0), False),  # nothing waits: it is not the sink's fault
    ],
)
def test_only_what_two_looks_have_seen_is_worth_a_restart(
    before: dict[str, Any], now: health.Reading, restart: bool, is_open: bool
) -> None:
    assert judged(now, before=before, market_open=is_open)["restart"] is restart


def test_a_restart_that_has_not_helped_is_said_and_not_tried_at_once() -> None:
    stuck = {"lag": 200, "rows": 5}
    again = judged(reading(**stuck), before=look(700, **stuck), restarted=600.0)
    assert (again["healthy"], again["restart"]) == (False, False)
    assert "the restart 400 s ago has not helped" in again["problems"]
    later = judged(reading(**stuck), before=look(700, **stuck), restarted=1000.0 - health.RESTART_AGAIN_S)
    assert later["restart"] is True


def test_an_event_from_the_future_is_passed_over_while_bars_come() -> None:
    first = judged(reading(last_event=99_000, bars=1), moment=980.0)["sink"]
    grown = judged(reading(last_event=99_000, bars=2), before=first)
    assert (grown["healthy"], grown["event_age_s"]) == (True, 0)
    still = judged(reading(last_event=99_000, bars=2), before=grown["sink"], moment=1100.0)
    assert (still["healthy"], still["event_age_s"]) == (False, 100.0)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9464", "sink:9464", "http://", "http://sink:x", "ftp://sink:1", "http://a b"]
)
def test_an_address_that_cannot_be_asked_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="MARKETFLOW_SINK_URL must be"):
        health.service_url(Settings({"MARKETFLOW_SINK_URL": url}), "sink")


def test_a_whole_address_is_taken() -> None:
    found = Settings({"MARKETFLOW_SINK_URL": "http://[::1]:9464/"})
    assert health.service_url(found, "sink") == "http://[::1]:9464/"


def test_the_rate_of_dead_letters_is_since_the_last_look() -> None:
    before = {"at": 940.0, "started": 400.0, "dead_letters": 190.0}
    assert health.letters_per_minute(reading(dead_letters=200), before, 1000.0) == 10.0
    restarted = {"at": 940.0, "started": 300.0, "dead_letters": 190.0}
    assert health.letters_per_minute(reading(dead_letters=200), restarted, 1000.0) == 20.0
