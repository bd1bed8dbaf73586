# SPDX-License-Identifier: Apache-2.0
"""What dbt costs on PostgreSQL: a full build of daily and minute bars, and a build with one session new.

RAW is filled by the server itself with rows as the sink would write them, loaded an hour after their end. The time is
that of dbt's nodes, from the first to the last, as dbt measures it: its start-up is left out. Printed as JSON, with the
share of the incremental build in the full one, and the same for smaller numbers of symbols: the time of an incremental
build should grow with the new rows, and no faster. 500 symbols need about 20 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mflocal import Layout, Postgres, base_environment, build, run_program
from mflocal.analytics import dbt_command, warehouse_environment

LAST = date(2024, 3, 8)
# Rows of one table of RAW for sessions of all symbols. The price is a walk that every symbol and minute has its own of.
_ROWS = """
INSERT INTO raw.raw_bars (event_id, revision, event_type, symbol, event_time, ingest_time, loaded_at, payload,
    schema_version, source, lane, flags, dedupe_key, kafka_topic, kafka_partition, kafka_offset, load_id)
SELECT md5(b.symbol || b.t || '{interval}'), 0, 'bar', b.symbol, b.t, b.t + interval '{length}' + interval '2 s',
    b.t + interval '{length}' + interval '1 hour', jsonb_build_object(
        'schema_version', '1.0', 'event_type', 'bar', 'event_id', md5(b.symbol || b.t || '{interval}'),
        'symbol', b.symbol, 'asset_class', 'stock', 'source', 'polygon', 'lane', 'live',
        'event_time', to_char(b.t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'ingest_time', to_char(b.t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'flags', '[]'::jsonb, 'provenance', '{{"mode": "synthetic"}}'::jsonb, 'interval', '{interval}',
        'window_end', to_char((b.t + interval '{length}') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'session_date', b.day::text, 'session', '{session}',
        'open', b.price, 'high', b.price + 0.5, 'low', b.price - 0.5, 'close', b.price + b.drift,
        'volume', 1000 + b.n % 977, 'trade_count', 10 + b.n % 31, 'adjusted', 'split', 'vendor_ms', 0),
    '1.0', 'polygon', 'live', '', b.symbol || '|' || b.t || '|bar.{interval}.split', 'market.bars', 0, b.n,
    '00000000-0000-4000-8000-000000000000'
FROM (
    SELECT s.symbol, d.day, m.t, row_number() OVER () AS n,
        round((100 + 20 * sin(s.n + extract(epoch FROM m.t) / 864000) + s.n % 50)::numeric, 2) AS price,
        round((0.4 * sin(s.n * 7 + extract(epoch FROM m.t) / 3600))::numeric, 2) AS drift
    FROM (SELECT 'S' || lpad(n::text, 4, '0') AS symbol, n FROM generate_series(1, {symbols}) AS n) AS s
    CROSS JOIN (SELECT unnest(array[{days}]::date[]) AS day) AS d
    CROSS JOIN LATERAL (
        SELECT (d.day + time '{first}') AT TIME ZONE 'UTC' + k * interval '1 minute' AS t
        FROM generate_series(0, {bars} - 1) AS k
    ) AS m
) AS b
"""


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/bench/dbt", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=1260, help="daily bars per symbol")
    parser.add_argument("--sessions", type=int, default=20, help="sessions of minute bars")
    parser.add_argument("--minutes", type=int, default=390, help="minute bars per session")
    parser.add_argument("--shares", default="0.25,0.5,1", help="sizes to measure, as shares of the symbols")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(given)


def sessions_before(last: date, count: int) -> list[date]:
    days: list[date] = []
    day = last
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(1)
    return days[::-1]


def fill(postgres: Postgres, days: list[date], symbols: int, kind: str, bars: int) -> None:
    names = {"1d": ("1 day", "full", "05:00"), "1m": ("1 minute", "regular", "14:30")}
    length, session, first = names[kind]
    text = _ROWS.format(
        interval=kind, length=length, session=session, first=first, symbols=symbols, bars=bars,
        days=", ".join(f"'{day}'" for day in days),
    )  # fmt: skip
    postgres.sql(text, timeout=3600)


def timed_run(
    layout: Layout, postgres: Postgres, directory: Path, threads: int, *options: str
) -> dict[str, Any]:
    """One `dbt run` of everything; dbt's own measure of its nodes."""
    environment = base_environment() | warehouse_environment(postgres) | {"DO_NOT_TRACK": "1"}
    command = dbt_command(layout, ["run", "--threads", str(threads), *options], directory)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"dbt run failed:\n{done.stdout[-3000:]}")
    results = json.loads((directory / "run_results.json").read_text())
    slowest = sorted(results["results"], key=lambda r: -r["execution_time"])[:5]
    return {
        "seconds": round(results["elapsed_time"], 2),
        "slowest": {r["unique_id"].split(".")[-1]: round(r["execution_time"], 2) for r in slowest},
    }


def measure(layout: Layout, binaries: Path, symbols: int, options: argparse.Namespace) -> dict[str, Any]:
    directory = Path(tempfile.mkdtemp(prefix="dbt-bench-"))
    state = Layout(directory / "state", layout.cache)
    postgres = Postgres(state, die_with_parent=True, durable=False)
    # The server runs as another user and must reach its files.
    directory.chmod(0o755)
    try:
        postgres.start()
        postgres.wait_ready()
        settings = postgres.env | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        run_program(binaries / "marketflow-sink", ["migrate"], settings, timeout=60)
        days = sessions_before(LAST, options.days + 1)
        minutes = days[-options.sessions - 1 :]
        fill(postgres, days[:-1], symbols, "1d", 1)
        fill(postgres, minutes[:-1], symbols, "1m", options.minutes)
        postgres.sql("ANALYZE", timeout=600)
        environment = base_environment() | warehouse_environment(postgres) | {"DO_NOT_TRACK": "1"}
        seeds = dbt_command(state, ["seed"], directory / "dbt")
        subprocess.run(seeds, env=environment, capture_output=True, check=True)
        full = timed_run(state, postgres, directory / "dbt", options.threads, "--full-refresh")
        postgres.sql("ANALYZE", timeout=600)
        fill(postgres, days[-1:], symbols, "1d", 1)
        fill(postgres, days[-1:], symbols, "1m", options.minutes)
        one_day = timed_run(state, postgres, directory / "dbt", options.threads)
        rows = postgres.rows(
            "SELECT count(*), count(*) FILTER (WHERE loaded_at > '2024-03-10') FROM raw.raw_bars"
        )
        new_rows = symbols * (options.minutes + 1)
        one_day["us_per_new_row"] = round(1e6 * one_day["seconds"] / new_rows, 1)
        size = postgres.rows("SELECT round(pg_database_size(current_database()) / 1e9, 2)")
        return {
            "symbols": symbols, "days": options.days, "sessions": options.sessions, "rows": int(rows[0][0]),
            "new_rows": new_rows, "database_gb": float(size[0][0]), "full": full, "one_day": one_day,
            "share": round(one_day["seconds"] / full["seconds"], 3),
            "load_average": [round(value, 1) for value in os.getloadavg()],
        }  # fmt: skip
    finally:
        postgres.stop()
        postgres.reset()
        shutil.rmtree(directory, ignore_errors=True)


def run(options: argparse.Namespace) -> dict[str, Any]:
    layout = Layout.from_environment()
    binaries = build(layout)
    sizes = []
    for share in (float(text) for text in options.shares.split(",")):
        sizes.append(measure(layout, binaries, max(1, round(options.symbols * share)), options))
        print(json.dumps(sizes[-1]), file=sys.stderr, flush=True)
    return {"sizes": sizes, "share": sizes[-1]["share"], "growth": growth(sizes)}


def growth(sizes: list[dict[str, Any]]) -> float | None:
    """How the time of an incremental build grows with the new rows, between the smallest and the largest size: the
    exponent, 1 when it is proportional and less while what every build costs weighs in."""
    first, last = sizes[0], sizes[-1]
    if first["new_rows"] == last["new_rows"]:
        return None
    times = last["one_day"]["seconds"] / first["one_day"]["seconds"]
    return round(math.log(times) / math.log(last["new_rows"] / first["new_rows"]), 2)


def main() -> int:
    print(json.dumps(run(arguments(sys.argv[1:])), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
