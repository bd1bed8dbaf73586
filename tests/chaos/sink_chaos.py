# SPDX-License-Identifier: Apache-2.0
"""Two or three sinks under continuous load while everything around them breaks.

At random, by the seed: SIGKILL and SIGSTOP of sinks, restarts, crashes and freezes of the database and of the broker,
connections reset in the middle of a statement and between a commit and its answer, rebalances with two and three
sinks. The load has committed and aborted transactions, records that are no events, repeats and revisions. In the end
`marketflowctl verify` must find nothing missing and nothing doubled; every event that a commit was confirmed for must
be in the warehouse, and none that was aborted. Prints one JSON object; exit code 0 only if all of that holds. Progress
goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(HERE)]
sys.path += [str(HERE.parent / "faults"), str(HERE.parent / "integration")]

from chaos_faults import EXPECTED_EXITS, Sink, Stage, mend, order_of_faults  # noqa: E402
from chaos_load import Load, Tally  # noqa: E402
from mflocal import (  # noqa: E402
    Broker,
    Layout,
    Postgres,
    WaitTimeout,
    free_port,
    run_program,
    wait_for,
)
from tcp_proxy import TcpProxy  # noqa: E402

PARTITIONS = 6
BARS, NEWS = "market.bars.filtered", "market.news.filtered"
SETTLE_S = 300.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def settings_of(stage_env: dict[str, str], proxy_port: int) -> dict[str, str]:
    """Short delays, so that a run has many of everything; the proxy instead of the database."""
    return {
        **stage_env,
        "WAREHOUSE_PORT": str(proxy_port),
        "KAFKA_PARTITIONS": str(PARTITIONS),
        "KAFKA_SESSION_TIMEOUT_MS": "6000",
        "KAFKA_TRANSACTION_TIMEOUT_MS": "5000",
        "KAFKA_MAX_POLL_INTERVAL_MS": "30000",
        "WAREHOUSE_LOGIN_TIMEOUT_MS": "2000",
        "WAREHOUSE_STATEMENT_TIMEOUT_MS": "4000",
        "WAREHOUSE_DEADLINE_MS": "6000",
        "SINK_RETRY_MIN_MS": "100",
        "SINK_RETRY_MAX_MS": "1000",
        "SINK_BREAKER_RETRY_MS": "1000",
        "SINK_IDLE_COMMIT_MS": "1000",
        "SINK_POISON_PER_MINUTE": "100",
        "SINK_SESSION_MS": "20000",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "json",
    }


def run(stage: Stage, binary: str, *arguments: str, timeout: float = 300) -> Any:
    """One program to its end, beside the proxy."""
    own = {**stage.settings, **stage.postgres.env, "METRICS_LISTEN": "127.0.0.1:0"}
    return run_program(stage.binaries / binary, arguments, own, timeout)


def verdict(stage: Stage) -> dict[str, Any]:
    """What verify says once nothing is left to load; its answer too when it never comes to that."""
    found: dict[str, Any] = {}

    def judged() -> bool:
        nonlocal found
        stage.look_after()
        result = run(stage, "marketflowctl", "verify", "--format", "json", "--list", "20")
        if result.stdout.strip():
            found = json.loads(result.stdout)
        if result.returncode in (0, 1):
            return True
        say(f"pending: {found.get('pending', result.stderr.strip()[-200:])}")
        return False

    with contextlib.suppress(WaitTimeout):
        wait_for(judged, SETTLE_S, "a verdict", 1)
    return found


def loaded_ids(stage: Stage) -> set[str]:
    tables = " UNION ALL ".join(f"SELECT event_id FROM raw.{t}" for t in ("raw_bars", "raw_news"))
    return set(stage.postgres.sql(tables).split())


def break_things(stage: Stage, load: Load, minutes: float) -> None:
    started = time.monotonic()
    until = started + minutes * 60
    while time.monotonic() < until:
        for fault in order_of_faults(stage.rng):
            if time.monotonic() >= until:
                break
            stage.done[fault.__name__] += 1
            say(f"{time.monotonic() - started:6.1f} s  {fault.__name__} ({load.tally.records} events)")
            fault(stage)
            stage.pause(0.3, 3)


def report(
    stage: Stage, tally: Tally, found: dict[str, Any], recovered_s: float, seed: int
) -> dict[str, Any]:
    there = loaded_ids(stage)
    lost = tally.committed - there
    phantoms = tally.aborted & there
    strange = {code: n for code, n in stage.exits.items() if int(code) not in EXPECTED_EXITS}
    counts = ("records", "rows", "dead_letters", "missing", "doubled", "pending", "unverifiable")
    good = (
        found.get("verdict") == "ok"
        and not lost
        and not phantoms
        and not strange
        and len(tally.committed) > 0
        and (stage.done["lose_answers"] == 0 or stage.proxy.sprung["answer"] > 0)
    )
    return {
        "seed": seed,
        "verdict": "ok" if good else "failed",
        "events": tally.records,
        "committed": len(tally.committed),
        "aborted": len(tally.aborted),
        "poison": tally.poison,
        "repeats": tally.repeats,
        "transactions": tally.transactions,
        "transactions_unknown": tally.unknown,
        "faults": dict(sorted(stage.done.items())),
        "answers_lost": stage.proxy.sprung["answer"],
        "requests_lost": stage.proxy.sprung["torn"],
        "sink_exits": dict(sorted(stage.exits.items())),
        "unexpected_exits": strange,
        "verify": {"verdict": found.get("verdict")} | {name: found.get(name) for name in counts},
        "verify_lists": {k: found.get(k) for k in ("missing_list", "doubled_list") if found.get(k)},
        "lost": len(lost),
        "phantoms": len(phantoms),
        "recovered_s": round(recovered_s, 1),
    }


def play(directory: Path, binaries: Path, minutes: float, seed: int, rate: int) -> dict[str, Any]:
    layout = Layout(directory, ROOT / ".local")
    broker = Broker(layout, die_with_parent=True)
    postgres = Postgres(layout, die_with_parent=True, durable=False)
    proxy = None
    stage = None
    try:
        for part in (postgres, broker):
            part.start()
        for part in (postgres, broker):
            part.wait_ready()
        proxy = TcpProxy(postgres.port)
        env = {**broker.env, **postgres.env}
        rng = random.Random(seed)
        ports = [free_port() for _ in range(3)]
        stage = Stage(layout, broker, postgres, proxy, binaries, settings_of(env, proxy.port), rng, ports)
        for binary, arguments in (("marketflowctl", ("topics", "apply")), ("marketflow-sink", ("migrate",))):
            result = run(stage, binary, *arguments)
            assert result.returncode == 0, result.stderr
        stage.sinks = [Sink(stage, number) for number in range(3)]
        for sink in stage.sinks[:-1]:
            sink.start()
        load = Load(broker.bootstrap, BARS, NEWS, rate, seed)
        load.start()
        break_things(stage, load, minutes)
        mend(stage)
        load.stop()
        stopped = time.monotonic()
        found = verdict(stage)
        return report(stage, load.tally, found, time.monotonic() - stopped, seed)
    finally:
        for sink in stage.sinks if stage is not None else []:
            sink.wanted = False
            sink.process.kill()
        if proxy is not None:
            proxy.stop()
        broker.stop()
        postgres.stop()
        postgres.reset()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tests/chaos/sink", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2, help="how long things break (default: 2)")
    parser.add_argument("--seed", type=int, default=None, help="of everything that is random (default: any)")
    parser.add_argument("--rate", type=int, default=1000, help="events a second (default: 1000)")
    parser.add_argument(
        "--bin-dir", type=Path, default=ROOT / "build" / "release" / "bin", help="the programs"
    )
    parser.add_argument("--keep", action="store_true", help="leave logs and data where they are")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    directory = Path(tempfile.mkdtemp(prefix="marketflow-chaos-"))
    directory.chmod(0o755)  # the database's account must reach its files
    say(f"seed {seed}, in {directory}")
    kept = options.keep
    try:
        result = play(directory, options.bin_dir.resolve(), options.minutes, seed, options.rate)
        kept = kept or result["verdict"] != "ok"
        print(json.dumps(result, indent=2))
        return 0 if result["verdict"] == "ok" else 1
    finally:
        if kept:
            say(f"logs are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
