# SPDX-License-Identifier: Apache-2.0
"""`deploy/local/demo`: from nothing to answers out of the warehouse, and an account of them.

Brings the stack up, backfills the whole replay history, lets the live feed run, waits until everything has
landed, builds and tests the models of dbt/, and tells what is there. Progress goes to standard error; with
--json standard output is one object.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .analytics import Outcome, build_marts
from .answers import Answers, paragraph, read_answers
from .explain import explain_alert
from .install import say
from .latency import Latency, LatencyReader
from .output import run_command
from .services import last_json_object, run_program
from .stack import Stack
from .universe import REPLAY_FROM, REPLAY_ROWS, REPLAY_TO, REPLAYED
from .waiting import LocalError, WaitTimeout, wait_for
from .warehouse import RAW_TABLES, Session

_BACKFILL_TIMEOUT = 1_800.0
_LANDING_TIMEOUT = 300.0
_QUIET = 2.0  # seconds without a new row of history after which it has landed
# Bars as they were traded, which is how the demo asks for them: those of somebody's own backfill are split-adjusted
# unless they ask otherwise, and then they are the demo's very rows.
_DAILY = """
SELECT count(*) FROM raw.raw_bars
 WHERE payload ->> 'interval' = '1d' AND payload ->> 'adjusted' = 'none'
   AND payload #>> '{provenance,mode}' = 'replay'
"""
_HISTORY = " UNION ALL ".join(
    f"SELECT '{table}', count(*) FROM raw.{table} WHERE lane LIKE 'backfill:%'"
    for table in ("raw_bars", "raw_alerts", "raw_metrics")
)
# What new live symbols begin with: history on the live lane, which must be through before latency is measured.
_WARMUP = "SELECT 'warmup', count(*) FROM raw.raw_bars WHERE jsonb_exists(payload -> 'flags', 'warmup')"
_EXAMPLE = """
SELECT payload FROM raw.raw_alerts WHERE payload ->> 'state' = 'firing'
 ORDER BY (lane = 'live') DESC, array_position(array['critical', 'warning', 'info'], payload ->> 'severity'),
          event_time DESC, event_id LIMIT 1
"""
_NEWEST = """
SELECT payload ->> 'event_type', symbol, payload ->> 'event_time', payload ->> 'ingest_time'
  FROM (SELECT * FROM raw.raw_bars UNION ALL SELECT * FROM raw.raw_news) AS events
 ORDER BY ingest_time DESC, event_time DESC LIMIT 1
"""


@dataclass
class Report:
    """What the demo found; `to_json` is the object that --json prints."""

    rows: dict[str, int]
    daily_bars: int
    alerts: dict[str, int]
    alerts_by_symbol: list[tuple[str, str, int]]
    latency: Latency
    services: dict[str, dict[str, float]]
    newest: dict[str, str]
    example: str
    backfill: dict[str, Any]
    simulated: bool
    dbt: Outcome
    answers: Answers | None  # None when dbt did not build everything
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "daily_bars": self.daily_bars,
            "alerts": self.alerts,
            "latency_ms": {"p50": self.latency.p50, "p99": self.latency.p99, "samples": self.latency.samples},
            "services": self.services,
            "newest_event": self.newest,
            "provider": "simulator" if self.simulated else "polygon",
            "dbt": self.dbt.to_json(),
            "answers": self.answers and self.answers.to_json() | {"paragraph": paragraph(self.answers)},
            "problems": self.problems,
        }


def backfill_arguments(simulated: bool) -> list[str]:
    """The replay's whole history; of the real provider thirty days of two symbols, which any plan allows."""
    if simulated:
        symbols, first, last, adjusted = ",".join(REPLAYED), REPLAY_FROM, REPLAY_TO, "none"
    else:
        last = (date.today() - timedelta(days=2)).isoformat()
        symbols, first = "AAPL,MSFT", (date.today() - timedelta(days=32)).isoformat()
        adjusted = "none"
    arguments = ["backfill", "bars", "--symbols", symbols, "--from", first, "--to", last]
    return [*arguments, "--timespan", "day", "--adjusted", adjusted]


def count_replayed(session: Session) -> int:
    """Daily bars of the replay as the demo loads them, whoever loaded them."""
    return session.number(_DAILY)


class Demo:
    """One run over one stack."""

    def __init__(self, stack: Stack, seconds: float) -> None:
        self.stack = stack
        self.seconds = seconds
        self.simulated = stack.wants_simulator()

    def run(self) -> Report:
        say("bringing the stack up")
        self.stack.up()
        backfill = self._backfill()
        with Session(self.stack.postgres) as session:
            self._wait_history(session, backfill)
            latency = self._live(session)
            self._wait_drained()
            say("building and testing the models of dbt/")
            built = build_marts(self.stack.layout)
            return self._report(session, backfill, latency, built)

    # --- the work --------------------------------------------------------------------------------

    def _backfill(self) -> dict[str, Any]:
        assert self.stack.binaries is not None
        own = {"KAFKA_INSTANCE_ID": "local-backfill", "METRICS_LISTEN": "127.0.0.1:0", "LOG_LEVEL": "warning"}
        arguments = backfill_arguments(self.simulated)
        say("marketflow-ingestor " + " ".join(arguments))
        result = run_program(
            self.stack.binaries / "marketflow-ingestor",
            arguments,
            self.stack.settings() | own,
            _BACKFILL_TIMEOUT,
            quiet=False,
        )
        if result.returncode != 0:
            raise LocalError(f"the backfill exited {result.returncode}")
        return last_json_object(result.stdout)

    def _wait_history(self, session: Session, backfill: dict[str, Any]) -> None:
        """Returns once the history's rows stop growing, all of them being there when it is the replay."""
        say("waiting for the history to land")
        last: list[list[str]] = []
        since = time.monotonic()

        def landed() -> bool:
            nonlocal last, since
            counts = session.query(f"{_HISTORY} UNION ALL {_WARMUP}")
            if counts != last:
                last, since = counts, time.monotonic()
            enough = not self.simulated or count_replayed(session) >= REPLAY_ROWS
            return enough and time.monotonic() - since >= _QUIET and self._lag() == 0

        try:
            wait_for(landed, _LANDING_TIMEOUT, "the history in the warehouse", interval=0.5)
        except WaitTimeout as problem:
            raise LocalError(f"{problem}; rows so far: {last}, backlog: {self._lag()}") from None

    def _live(self, session: Session) -> Latency:
        """Lets the live feed run, watching rows come in."""
        say(f"watching the live feed for {self.seconds:g} s")
        reader = LatencyReader(self.stack.postgres)
        reader.start()
        deadline = time.monotonic() + self.seconds
        shown = time.monotonic()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))  # how long the feed runs is what was asked for
            if time.monotonic() - shown >= 10:
                shown = time.monotonic()
                say(f"  {left:3.0f} s left, {reader.samples()} rows seen")
        return reader.stop()

    def _lag(self) -> float | None:
        """Messages between the topics and the warehouse; None while a service cannot say."""
        services = self.stack.running_services()
        lags = [services[name].lag() for name in ("processor", "sink")]
        return None if None in lags else sum(lag or 0 for lag in lags)

    def _wait_drained(self) -> None:
        say("waiting until everything has landed")
        wait_for(lambda: self._lag() == 0, _LANDING_TIMEOUT, "an empty backlog", interval=0.1)

    # --- the account -----------------------------------------------------------------------------

    def _report(self, session: Session, backfill: dict[str, Any], latency: Latency, built: Outcome) -> Report:
        rows = {table: session.number(f"SELECT count(*) FROM raw.{table}") for table in RAW_TABLES}
        by_symbol = [
            (rule, symbol, int(count))
            for rule, symbol, count in session.query(
                "SELECT payload ->> 'rule_id', symbol, count(*) FROM raw.raw_alerts GROUP BY 1, 2 ORDER BY 1, 2"
            )
        ]
        alerts: dict[str, int] = {}
        for rule, _, count in by_symbol:
            alerts[rule] = alerts.get(rule, 0) + count
        newest = session.query(_NEWEST)
        example = session.value(_EXAMPLE)
        report = Report(
            rows=rows,
            daily_bars=count_replayed(session),
            alerts=alerts,
            alerts_by_symbol=by_symbol,
            latency=latency,
            services=self._services(),
            newest=dict(zip(("event_type", "symbol", "event_time", "ingest_time"), newest[0], strict=True))
            if newest
            else {},
            example=explain_alert(json.loads(example)) if example else "",
            backfill=backfill,
            simulated=self.simulated,
            dbt=built,
            answers=None if built.failed else read_answers(session),
        )
        report.problems = self._problems(report)
        return report

    def _services(self) -> dict[str, dict[str, float]]:
        found = {}
        for name, service in sorted(self.stack.running_services().items()):
            identity = service.identity
            found[name] = {
                "cpu_s": round(identity.cpu_seconds(), 2) if identity else 0.0,
                "rss_mib": round(identity.resident_mib(), 1) if identity else 0.0,
            }
        return found

    def _problems(self, report: Report) -> list[str]:
        """What a reader must not overlook; the exit code is 1 when there is any."""
        problems = []
        if self.simulated and report.daily_bars != REPLAY_ROWS:
            problems.append(f"{report.daily_bars} replayed daily bars, expected {REPLAY_ROWS}")
        # Crypto has a new minute in every sixty seconds; a shorter look may fall between two.
        if self.simulated and self.seconds >= 60 and report.latency.samples == 0:
            problems.append("no live row was seen")
        problems += [f"dbt: {name}" for name in report.dbt.failed]
        down = [name for name, service in self.stack.running_services().items() if not service.running()]
        problems += [f"{name} is not running" for name in down]
        return problems


def show(report: Report) -> None:
    """The account for people."""
    print("\nRows in the warehouse")
    for table, count in report.rows.items():
        print(f"  {table:<22} {count:>9}")
    if report.simulated:
        print(f"  replayed daily bars    {report.daily_bars:>9}  (expected {REPLAY_ROWS})")
    print("\nAlerts by rule and symbol")
    for rule, symbol, count in report.alerts_by_symbol:
        print(f"  {rule:<16} {symbol:<12} {count:>7}")
    if not report.alerts_by_symbol:
        print("  none")
    if report.example:
        print(f"\nOne of them in words\n  {report.example}")
    if report.newest:
        newest = report.newest
        print(
            f"\nNewest event\n  {newest['event_type']} of {newest['symbol']} at {newest['event_time']},",
            end="",
        )
        print(f" fetched {newest['ingest_time']}")
    latency = report.latency
    print("\nProvider's answer to visible row, live")
    if latency.samples:
        print(
            f"  p50 {latency.p50} ms, p99 {latency.p99} ms, worst {latency.worst} ms, {latency.samples} rows"
        )
    else:
        print("  no row was seen")
    print("\nServices since their start")
    for name, used in report.services.items():
        print(f"  {name:<11} {used['cpu_s']:>8.2f} CPU s {used['rss_mib']:>7.1f} MiB")
    built = report.dbt
    tests = ", ".join(f"{count} {status}" for status, count in sorted(built.tests.items()))
    print(
        f"\ndbt in {built.seconds:.0f} s\n  {built.models} models, {built.snapshots} snapshots, {built.seeds} seeds"
    )
    print(f"  {sum(built.tests.values())} tests: {tests}")
    if report.answers:
        print("\nWhat the marts say")
        print(textwrap.fill(paragraph(report.answers), 110, initial_indent="  ", subsequent_indent="  "))
    for problem in report.problems:
        print(f"\nPROBLEM: {problem}")


def duration(text: str) -> float:
    """Seconds from the command line, more than none and an end to them."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="deploy/local/demo", description=__doc__.split("\n\n")[0] if __doc__ else ""
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--down", action="store_true", help="stop the stack afterwards")
    parser.add_argument("--seconds", type=duration, default=60.0, help="how long to watch the live feed (60)")
    options = parser.parse_args(arguments)
    stack = Stack(env=os.environ)
    began = datetime.now(UTC)
    try:
        report = Demo(stack, options.seconds).run()
        if options.json:
            print(json.dumps(report.to_json()))
        else:
            show(report)
        say(f"done in {(datetime.now(UTC) - began).total_seconds():.0f} s")
        return 1 if report.problems else 0
    except LocalError as problem:
        say(f"demo: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if options.down:
            say("stopping the stack")
            stack.down()
        elif not options.json:
            say("the stack keeps running; deploy/local/stack down stops it")


if __name__ == "__main__":
    raise SystemExit(run_command("demo", main))
