# SPDX-License-Identifier: Apache-2.0
"""How the services are, by what they say at /readyz and /metrics. No Airflow."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .settings import Settings

ANSWER_MAX = 16 << 20
_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
SERVICES = ("sink", "processor", "ingestor")
_URLS = {
    "sink": "MARKETFLOW_SINK_URL",
    "processor": "MARKETFLOW_PROCESSOR_URL",
    "ingestor": "MARKETFLOW_INGESTOR_URL",
}


@dataclass(frozen=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> Iterator[Sample]:
    """Samples of the Prometheus text format."""
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match:
            yield Sample(match[1], dict(_LABEL.findall(match[2] or "")), float(match[3]))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# Services are asked directly, whatever proxy the worker has for the outside.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def fetch(url: str, timeout: float = 5.0) -> tuple[int, str]:
    """Status and body; status 0 when nobody answers."""
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            return answer.status, answer.read(ANSWER_MAX).decode("utf-8", "replace")
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read(ANSWER_MAX).decode("utf-8", "replace")
    except (OSError, ValueError):
        return 0, ""


@dataclass
class Reading:
    """What one service said."""

    service: str
    answers: bool = False
    ready: bool = False
    not_ready: list[str] = field(default_factory=list)
    lag: float = 0.0  # records between its position and the ends of its topics
    last_event: float = 0.0  # Unix seconds; the sink's: newest event in the warehouse
    dead_letters: float = 0.0  # since it started
    started: float = 0.0  # Unix seconds


def failed_checks(body: str) -> list[str]:
    """What /readyz says is not well, with its reason."""
    try:
        checks = json.loads(body)["checks"]
        return [f"{name}: {check['detail']}"[:300] for name, check in checks.items() if not check["ok"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def read_service(service: str, url: str) -> Reading:
    reading = Reading(service)
    status, body = fetch(url.rstrip("/") + "/readyz")
    reading.answers = status != 0
    reading.ready = status == 200
    if not reading.answers:
        return reading
    reading.not_ready = [] if reading.ready else failed_checks(body)
    for sample in parse(fetch(url.rstrip("/") + "/metrics")[1]):
        if sample.name == "marketflow_kafka_consumer_lag_messages":
            # One a partition is not counted: a reader of transactions stands in front of the last one's end marker.
            reading.lag += max(0.0, sample.value - 1)
        elif sample.name in (
            "marketflow_sink_last_event_timestamp_seconds",
            "marketflow_last_event_timestamp_seconds",
        ):
            reading.last_event = max(reading.last_event, sample.value)
        elif sample.name == "marketflow_dead_letters_total":
            reading.dead_letters += sample.value
        elif sample.name == "process_start_time_seconds":
            reading.started = sample.value
    return reading


def service_url(settings: Settings, service: str) -> str:
    return settings.text(_URLS[service])


@dataclass(frozen=True)
class Limits:
    lag: int
    event_age_s: int
    dead_letters_per_minute: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            settings.number("MARKETFLOW_MAX_LAG", 10_000),
            settings.number("MARKETFLOW_MAX_EVENT_AGE_S", 900, low=1),
            settings.number("MARKETFLOW_MAX_DEAD_LETTERS_PER_MINUTE", 10),
        )


def letters_per_minute(now: Reading, before: Mapping[str, Any] | None, moment: float) -> float:
    """The rate since the last look, or since the service's start where that is later or no look is known."""
    base, since = 0.0, now.started
    if before and before.get("started") == now.started and before.get("at", moment) < moment:
        base, since = float(before["dead_letters"]), float(before["at"])
    minutes = max(moment - since, 1.0) / 60.0
    return (now.dead_letters - base) / minutes


def judge(
    sink: Reading, limits: Limits, *, before: Mapping[str, Any] | None, market_open: bool, moment: float
) -> dict[str, Any]:
    """A verdict about the way into the warehouse. `restart`: what ails it may be helped by starting the sink again.
    A quiet market has no new events, so their age counts only while one is open."""
    problems = []
    restart = False
    if not sink.answers:
        problems.append("the sink does not answer")
        restart = True
    elif not sink.ready:
        problems.append("the sink is not ready: " + ("; ".join(sink.not_ready) or "it does not say why"))
    rate = letters_per_minute(sink, before, moment) if sink.answers else 0.0
    age = moment - sink.last_event if sink.last_event else None
    if sink.answers:
        late = age is not None and age > limits.event_age_s
        if sink.lag > limits.lag:
            problems.append(f"{sink.lag:.0f} records wait, more than {limits.lag}")
            restart = restart or (sink.ready and late)  # it says it is well and does not move
        if market_open and late:
            problems.append(
                f"the newest event in the warehouse is {age:.0f} s old, more than {limits.event_age_s}"
            )
        if rate > limits.dead_letters_per_minute:
            problems.append(f"{rate:.1f} dead letters a minute, more than {limits.dead_letters_per_minute}")
    return {
        "healthy": not problems, "restart": restart, "problems": problems, "lag": sink.lag,
        "event_age_s": None if age is None else round(age, 1), "dead_letters_per_minute": round(rate, 2),
        "sink": asdict(sink) | {"at": moment},
    }  # fmt: skip


def now() -> float:
    return time.time()
