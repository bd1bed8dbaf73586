# SPDX-License-Identifier: Apache-2.0
"""How the services are, by what they say at /readyz and /metrics. No Airflow."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .settings import Settings, SettingsError

ANSWER_MAX = 16 << 20
# A service has one thread, which a statement of the warehouse may hold for WAREHOUSE_DEADLINE_MS (a minute on
# Snowflake). Who listens and says nothing for longer than this is silent; where nobody listens it is known at once.
PATIENCE_S = 75.0
# Two looks closer than this see the same moment; two further apart are not about the same trouble.
LOOKS_APART_S = (60.0, 3600.0)
# A restart that has not helped is not tried again before this, unless a healthy look came in between.
RESTART_AGAIN_S = 3600.0
# Clocks differ; an event that is further ahead tells nothing about how far the warehouse has come.
AHEAD_S = 120.0
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
    measured: bool = False  # its metrics could be read; without them the rest says nothing
    lag: float = 0.0  # records between its position and the ends of its topics
    last_event: float = (
        0.0  # Unix seconds; the sink's: newest bar in the warehouse since it started, 0 without one
    )
    rows: float = 0.0  # the sink's: what it has put into the warehouse or found there, since it started
    bars: float = 0.0  # of these, bars
    dead_letters: float = 0.0  # since it started
    started: float = 0.0  # Unix seconds


def failed_checks(body: str) -> list[str]:
    """What /readyz says is not well, with its reason."""
    try:
        checks = json.loads(body)["checks"]
        return [f"{name}: {check['detail']}"[:300] for name, check in checks.items() if not check["ok"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def read_service(service: str, url: str, patience: float = 5.0) -> Reading:
    """`patience`: seconds that it may take to answer."""
    reading = Reading(service)
    status, body = fetch(url.rstrip("/") + "/readyz", patience)
    reading.answers = status != 0
    reading.ready = status == 200
    if not reading.answers:
        return reading
    reading.not_ready = [] if reading.ready else failed_checks(body)
    status, text = fetch(url.rstrip("/") + "/metrics", patience)
    reading.measured = status == 200
    for sample in parse(text) if reading.measured else ():
        take(reading, sample)
    return reading


def take(reading: Reading, sample: Sample) -> None:
    """Of the tables only raw_bars tells how old the newest event is: news and metrics come at times of their own."""
    is_bars = sample.labels.get("table") == "raw_bars"
    if sample.name == "marketflow_kafka_consumer_lag_messages":
        # One a partition is not counted: a reader of transactions stands in front of the last one's end marker.
        reading.lag += max(0.0, sample.value - 1)
    elif sample.name == "marketflow_sink_last_event_timestamp_seconds" and is_bars:
        reading.last_event = max(reading.last_event, sample.value)
    elif sample.name == "marketflow_sink_rows_total":
        reading.rows += sample.value
        reading.bars += sample.value if is_bars else 0.0
    elif sample.name == "marketflow_dead_letters_total":
        reading.dead_letters += sample.value
    elif sample.name == "process_start_time_seconds":
        reading.started = sample.value


def service_url(settings: Settings, service: str) -> str:
    """What cannot be asked is a wrong setting, not a service that is silent."""
    name = _URLS[service]
    url = settings.text(name)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable or any(letter.isspace() for letter in url):
        raise SettingsError(f"{name} must be http://host:port")
    return url


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


def same_process(now: Reading, before: Mapping[str, Any] | None) -> bool:
    return before is not None and now.started > 0 and before.get("started") == now.started


def letters_per_minute(now: Reading, before: Mapping[str, Any] | None, moment: float) -> float:
    """The rate since the last look, or since the service's start where that is later or no look is known."""
    base, since = 0.0, now.started
    if before and same_process(now, before) and before.get("at", moment) < moment:
        base, since = float(before["dead_letters"]), float(before["at"])
    minutes = max(moment - since, 1.0) / 60.0
    return (now.dead_letters - base) / minutes


def bars_grew_at(now: Reading, before: Mapping[str, Any] | None, moment: float) -> float:
    """When bars were last seen to come, at the latest: the look that found more of them, or the service's start."""
    if before is None or not same_process(now, before):
        return now.started
    if now.bars > float(before.get("bars", 0.0)):
        return moment
    return float(before.get("bars_grew_at", now.started))


def age_of(now: Reading, grew_at: float, moment: float) -> float | None:
    """Of the newest bar in the warehouse. A sink that has had none since it started, or one from the future, which
    hides all that follow, is judged by when it last had any; None when its metrics are not known."""
    if not now.started:
        return None
    usable = 0 < now.last_event <= moment + AHEAD_S
    return max(0.0, moment - (now.last_event if usable else grew_at))


def does_not_move(now: Reading, before: Mapping[str, Any] | None, limits: Limits) -> bool:
    """Too much waits, as at the last look, and not one record of it was taken since, though it says that it is well."""
    if before is None or not same_process(now, before) or not now.ready:
        return False
    waited = float(before.get("lag", 0.0))
    return now.lag > limits.lag and waited > limits.lag and before.get("rows") == now.rows


def may_restart(sink: Reading, before: Mapping[str, Any] | None, limits: Limits, moment: float) -> bool:
    """What one look sees may be over at the next one; only what two have seen is worth a restart."""
    shortest, longest = LOOKS_APART_S
    if before is None or not shortest <= moment - float(before["at"]) <= longest:
        return False
    if not sink.answers:
        return before.get("answers") is False
    return does_not_move(sink, before, limits)


def judge(
    sink: Reading,
    limits: Limits,
    *,
    before: Mapping[str, Any] | None,
    market_open: bool,
    moment: float,
    restarted: float | None = None,
) -> dict[str, Any]:
    """A verdict about the way into the warehouse. `before` is the last look, `restarted` when the restart hook last ran
    without a healthy look since. `restart`: what ails the sink has been seen twice and a start may help.
    A quiet market has no new events, so their age counts only while one is open."""
    problems = []
    restart = may_restart(sink, before, limits, moment)
    if not sink.answers:
        problems.append("the sink does not answer")
    elif not sink.ready:
        problems.append("the sink is not ready: " + ("; ".join(sink.not_ready) or "it does not say why"))
    if sink.answers and not sink.measured:
        problems.append("the sink's metrics cannot be read")
    rate = letters_per_minute(sink, before, moment) if sink.measured else 0.0
    grew_at = bars_grew_at(sink, before, moment)
    age = age_of(sink, grew_at, moment)
    if sink.measured:
        if sink.lag > limits.lag:
            stands = ", and none was taken since the last look" if does_not_move(sink, before, limits) else ""
            problems.append(f"{sink.lag:.0f} records wait, more than {limits.lag}{stands}")
        if market_open and age is not None and age > limits.event_age_s:
            problems.append(
                f"the newest event in the warehouse is {age:.0f} s old, more than {limits.event_age_s}"
            )
        if rate > limits.dead_letters_per_minute:
            problems.append(f"{rate:.1f} dead letters a minute, more than {limits.dead_letters_per_minute}")
    if restart and restarted is not None and moment - restarted < RESTART_AGAIN_S:
        restart = False
        problems.append(f"the restart {moment - restarted:.0f} s ago has not helped")
    return {
        "healthy": not problems, "restart": restart, "problems": problems, "lag": sink.lag,
        "event_age_s": None if age is None else round(age, 1), "dead_letters_per_minute": round(rate, 2),
        "sink": asdict(sink) | {"at": moment, "bars_grew_at": grew_at},
    }  # fmt: skip


# --- what is kept between two looks --------------------------------------------------------------


def look_place(settings: Settings) -> Path:
    return settings.work / "health" / "sink.json"


def restart_place(settings: Settings) -> Path:
    return settings.work / "health" / "restarted.json"


def last_look(place: Path) -> dict[str, Any] | None:
    found = _kept(place)
    return found if found is not None and {"at", "started", "dead_letters"} <= found.keys() else None


def last_restart(place: Path) -> float | None:
    found = _kept(place)
    return float(found["at"]) if found is not None and "at" in found else None


def _kept(place: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def keep(place: Path, value: Mapping[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(place.name + ".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    os.replace(part, place)


def now() -> float:
    return time.time()
