# SPDX-License-Identifier: Apache-2.0
"""What the sink costs: bars and metrics that wait in four partitions each, loaded into PostgreSQL by one sink and two.

In the same run the floor: COPY of the same rows into the same empty tables, in one server process from a file, and
through psql from a pipe. Before that, at a steady rate, the time from handing an event to the producer until another
session sees its row. Prints one JSON object; of rounds the fastest counts, for the sink as for the floor. Progress and
what has no key goes to stderr. With --backlog more events wait than are loaded: the sink is stopped after the first
--events of them, which shows what it holds in memory with all of the others behind.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mflocal import Broker, Layout, Postgres, ServiceProcess, Session, run_program, wait_for

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
TOPICS = ("market.bars.filtered", "market.metrics")
TABLES = ("raw.raw_bars", "raw.raw_metrics")
RATE, RATE_S, WARM_UP_S = 5_000, 20, 5
# Between two looks at the offsets: the resolution of what is visible. A few per cent of the tens of milliseconds that
# are measured; looking more often would take from the database, which the sink needs, more than it would tell.
LOOK_S = 0.002
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 3_600.0
MIB = 1024 * 1024


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """User and system time of a process, with `children` also of those that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(value) for value in fields[11 : 15 if children else 13]) / TICKS


def peak_rss_mib(pid: int) -> float:
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    return 0.0


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Server(Postgres):
    """The stack's server, durable, with the memory and the log that a loaded warehouse has."""

    def command(self) -> list[str]:
        options = {"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
        return [*super().command(), *(part for n, v in options.items() for part in ("-c", f"{n}={v}"))]

    def cpu_seconds(self) -> float:
        server = self.identity
        assert server is not None
        return cpu_seconds(server.pid, children=True) + sum(cpu_seconds(p.pid) for p in server.children())


@dataclass
class Drained:
    rows: int
    seconds: float
    cpu_s: float
    server_cpu_s: float
    peak_rss_mib: float
    flush_ms: dict[float, float] = field(default_factory=dict)

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.seconds


def histogram_quantiles(service: ServiceProcess, shares: tuple[float, ...]) -> dict[float, float]:
    """Of the durations of flushes in ms, interpolated between the bounds of the histogram."""
    name = "marketflow_sink_flush_duration_seconds_bucket"
    buckets: dict[float, float] = {}
    for sample in service.metrics():
        if sample.name == name:
            bound = float(sample.labels["le"].replace("+Inf", "inf"))
            buckets[bound] = buckets.get(bound, 0) + sample.value
    found: dict[float, float] = {}
    for share in shares:
        low, below = 0.0, 0.0
        for bound, count in sorted(buckets.items()):
            if count >= share * buckets[float("inf")]:
                high = low if bound == float("inf") else bound
                within = (share * buckets[float("inf")] - below) / max(1.0, count - below)
                found[share] = 1000 * (low + (high - low) * within)
                break
            low, below = bound, count
    return found


@dataclass
class Bench:
    layout: Layout
    broker: Broker
    server: Server
    build: Path
    symbols: int
    extra: dict[str, str]
    loaded: int = 0
    goal: int = 0  # rows at which a sink is done; those of the topics unless there is a backlog
    runs: int = 0
    dumped: int = 0  # rows in the files of the floor

    def settings(self, group: str, instance: str) -> dict[str, str]:
        return {
            **self.broker.env,
            **self.server.env,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_GROUP_PREFIX": group,
            "KAFKA_INSTANCE_ID": instance,
            "METRICS_LISTEN": "127.0.0.1:0",
            **self.extra,
        }

    def program(self, name: str, *arguments: str) -> None:
        settings = self.settings("bench", "bench")
        result = run_program(self.build / "bin" / name, arguments, settings, 300)
        assert result.returncode == 0, result.stderr

    def load_command(self, events: int, rate: int) -> list[str]:
        tool = str(self.build / "tests" / "bench" / "sink_load")
        numbers = (PARTITIONS, events, self.symbols, (self.loaded + 1) // 2, rate)
        self.loaded += events
        return [tool, self.broker.bootstrap, *TOPICS, *map(str, numbers)]

    def load(self, events: int) -> dict[str, int]:
        result = subprocess.run(self.load_command(events, 0), stdout=subprocess.PIPE, text=True, check=True)
        return dict(json.loads(result.stdout))

    def superuser(self, text: str, timeout: float = PATIENCE_S) -> str:
        return self.server.sql(text, user="postgres", database="marketflow", timeout=timeout)

    def empty(self) -> None:
        """What a run before left, dirty pages included, is no cost of the next one."""
        self.superuser(f"TRUNCATE {', '.join(TABLES)}; TRUNCATE ops.sink_offsets; CHECKPOINT")

    @contextmanager
    def sinks(self, count: int) -> Iterator[list[ServiceProcess]]:
        """Sinks of a group of their own, which begins at the start of the topics."""
        self.runs += 1
        services = []
        for i in range(count):
            settings = self.settings(f"bench{self.runs}", f"bench-{i}")
            del settings["METRICS_LISTEN"]
            folder = Layout(self.layout.state / f"sink{i}", self.layout.cache)
            services.append(
                ServiceProcess.create(folder, "sink", self.build / "bin", settings, die_with_parent=True)
            )
        try:
            for service in services:
                service.start()
            yield services
        finally:
            for service in services:
                service.stop()

    def drain(self, count: int) -> Drained:
        """From the first rows of every sink to the last row of all, or to the goal."""
        self.empty()
        stored = "SELECT coalesce(sum(next_offset), 0)"
        query = (
            f"{stored}, count(DISTINCT owner_instance) FILTER (WHERE next_offset > 0) FROM ops.sink_offsets"
        )
        with self.sinks(count) as services, Session(self.server) as session:
            pids = [s.identity.pid for s in services if s.identity is not None]
            begin, first, cpu, server_cpu = 0.0, 0, 0.0, 0.0
            end = time.monotonic() + PATIENCE_S
            while True:
                done, owners = (int(value) for value in session.query(query)[0])
                if begin == 0.0 and owners == count:
                    begin, first = time.monotonic(), done
                    cpu, server_cpu = sum(map(cpu_seconds, pids)), self.server.cpu_seconds()
                if done >= self.goal:
                    break
                assert all(s.running() for s in services), services[0].log_tail()
                assert time.monotonic() < end, f"{done} of {self.goal} rows"
                time.sleep(0.05)  # how often it looks is the measurement's resolution
            result = Drained(
                rows=done - first,
                seconds=time.monotonic() - begin,
                cpu_s=sum(map(cpu_seconds, pids)) - cpu,
                server_cpu_s=self.server.cpu_seconds() - server_cpu,
                peak_rss_mib=max(map(peak_rss_mib, pids)),
                flush_ms=histogram_quantiles(services[0], (0.5, 0.99)),
            )
        rows, offsets = self.rows(), int(self.superuser(f"{stored} FROM ops.sink_offsets"))
        assert rows == offsets >= self.goal, (rows, offsets, self.goal)
        say(f"{count} sink(s): {result}")
        return result

    def rows(self) -> int:
        return int(self.superuser("SELECT " + " + ".join(f"(SELECT count(*) FROM {t})" for t in TABLES)))

    # ---------------------------------------------------------------- the floor

    def copy_out(self) -> list[Path]:
        files = [self.server.directory() / f"{table}.copy" for table in TABLES]
        for table, file in zip(TABLES, files, strict=True):
            self.superuser(f"COPY {table} TO '{file}'")
        self.dumped = self.rows()
        say(f"the rows as COPY has them: {sum(f.stat().st_size for f in files) / MIB:.0f} MiB")
        return files

    def copy_in(self, files: list[Path]) -> float:
        """Rows a second, one server process."""
        self.empty()
        with Session(self.server, user="postgres") as session:
            session.query("SELECT 1")
            begin, cpu = time.monotonic(), self.server.cpu_seconds()
            for table, file in zip(TABLES, files, strict=True):
                session.query(f"COPY {table} FROM '{file}'")
            seconds = time.monotonic() - begin
            cpu = self.server.cpu_seconds() - cpu
        rows = self.copied()
        say(f"COPY from a file: {rows / seconds:.0f} rows/s, server {cpu / rows * 1e6:.1f} CPU-s per million")
        return rows / seconds

    def copy_through_pipe(self, files: list[Path]) -> float:
        self.empty()
        begin = time.monotonic()
        for table, file in zip(TABLES, files, strict=True):
            command = self.server.psql_command("-c", f"COPY {table} FROM STDIN", user="postgres")
            with subprocess.Popen(["cat", str(file)], stdout=subprocess.PIPE) as cat:
                environment = self.server.psql_environment("postgres")
                subprocess.run(command, stdin=cat.stdout, env=environment, cwd="/", check=True)
        seconds = time.monotonic() - begin
        rate = self.copied() / seconds
        say(f"COPY through psql from a pipe: {rate:.0f} rows/s")
        return rate

    def copied(self) -> int:
        """The rows of the floor: they are the sink's, in tables with the key that the sink's rows had to pass."""
        keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND convalidated AND conrelid IN "
        names = ", ".join(f"'{table}'::regclass" for table in TABLES)
        assert int(self.superuser(f"{keys} ({names})")) == len(TABLES), "a table of the floor has no key"
        rows = self.rows()
        assert rows == self.dumped, (rows, self.dumped)
        return rows

    # ---------------------------------------------------------------- event to visible row

    def visible(self, rate: int) -> dict[float, float]:
        """Of the events after the warm-up: from handing over to a row that another session sees, in ms."""
        seen: list[tuple[float, dict[tuple[int, int], int]]] = []
        done = threading.Event()

        def look() -> None:
            query = "SELECT topic, kafka_partition, next_offset FROM ops.sink_offsets WHERE next_offset > 0"
            with Session(self.server) as session:
                while not done.is_set():
                    rows = session.query(query)
                    offsets = {(TOPICS.index(t), int(p)): int(n) for t, p, n in rows if t in TOPICS}
                    seen.append((time.monotonic() * 1e6, offsets))
                    time.sleep(LOOK_S)

        self.empty()
        events = rate * (WARM_UP_S + RATE_S)
        with self.sinks(1) as services:
            services[0].wait_ready()
            pid = services[0].identity.pid if services[0].identity else 0
            looking = threading.Thread(target=look)
            looking.start()
            try:
                cpu, start = cpu_seconds(pid), time.monotonic()
                command = self.load_command(events, rate)
                sent = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                share = (cpu_seconds(pid) - cpu) / (time.monotonic() - start)
                wait_for(lambda: sum(seen[-1][1].values()) >= events, 60, "all rows", 0.05)
            finally:
                done.set()
                looking.join()
        say(f"at {rate} events/s the sink takes {share:.2f} of a core; {len(seen)} looks")
        return self.latencies(sent, seen)

    @staticmethod
    def latencies(sent: str, seen: list[tuple[float, dict[tuple[int, int], int]]]) -> dict[float, float]:
        lines = [[int(value) for value in line.split()] for line in sent.splitlines()]
        first_us = min(handed for *_, handed in lines) + WARM_UP_S * 1e6
        looks: dict[tuple[int, int], list[int]] = {}
        for key in {key for _, offsets in seen for key in offsets}:
            looks[key] = [offsets.get(key, 0) for _, offsets in seen]
        values = [
            (seen[bisect.bisect_right(looks[topic, partition], offset)][0] - handed) / 1000
            for topic, partition, offset, handed in lines
            if handed >= first_us
        ]
        return {share: percentile(values, share) for share in (0.5, 0.99)}


def measure(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    bench.program("marketflowctl", "topics", "apply")
    bench.program("marketflow-sink", "migrate")
    visible: dict[float, float] = {}
    if not options.skip_latency:
        say(f"{options.rate} events/s for {WARM_UP_S + RATE_S} s")
        visible = bench.visible(options.rate)
        say(f"visible: {visible}")
    waiting = max(options.events, options.backlog)
    say(f"loading {waiting} events")
    loaded = bench.load(waiting)
    bench.goal = bench.loaded - waiting + options.events
    say(f"events of {loaded['bytes'] / max(1, loaded['records']):.0f} bytes on average")
    ones, twos, copies = [], [], []
    files: list[Path] = []
    for _ in range(options.rounds):
        ones.append(bench.drain(1))
        files = files or bench.copy_out()
        copies.append(bench.copy_in(files))
        if not options.skip_two:
            twos.append(bench.drain(2))
    if not options.skip_pipe:
        bench.copy_through_pipe(files)
    one, copy = max(ones, key=lambda run: run.rows_per_s), max(copies)
    result: dict[str, Any] = {
        "rows": one.rows if options.backlog else bench.loaded,
        "rows_per_s": round(one.rows_per_s),
        "cpu_s_per_million": round(one.cpu_s / one.rows * 1e6, 2),
        "server_cpu_s_per_million": round(one.server_cpu_s / one.rows * 1e6, 2),
        "peak_rss_mib": round(max(run.peak_rss_mib for run in ones + twos), 1),
        "copy_rows_per_s": round(copy),
        "ratio_to_copy": round(one.rows_per_s / copy, 3),
        "flush_p50_ms": round(one.flush_ms[0.5], 1),
        "flush_p99_ms": round(one.flush_ms[0.99], 1),
    }
    if visible:
        result |= {
            "visible_p50_ms": round(visible[0.5], 1),
            "visible_p99_ms": round(visible[0.99], 1),
        }
    if options.backlog:
        result["backlog_events"] = waiting
    if twos:
        two = max(run.rows_per_s for run in twos)
        result |= {"two_rows_per_s": round(two), "two_ratio_to_copy": round(two / copy, 3)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/sink", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="that wait (default: 1000000)")
    parser.add_argument(
        "--backlog",
        type=int,
        default=0,
        metavar="N",
        help="N events wait, the first --events of them are loaded",
    )
    parser.add_argument("--symbols", type=int, default=500, help="symbols (default: 500)")
    parser.add_argument("--rounds", type=int, default=2, help="of sink and floor (default: 2)")
    parser.add_argument("--rate", type=int, default=RATE, help=f"events/s for latency (default: {RATE})")
    parser.add_argument("--skip-latency", action="store_true", help="without the steady rate")
    parser.add_argument("--skip-two", action="store_true", help="without two sinks")
    parser.add_argument("--skip-pipe", action="store_true", help="without COPY through psql")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the sink")
    parser.add_argument("--build", type=Path, help="another build than build/release, as it is")
    options = parser.parse_args()
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    folder = Path(tempfile.mkdtemp(prefix="marketflow-bench-"))
    folder.chmod(0o755)  # the server runs as another user
    layout = Layout(folder, cache)
    broker, server = Broker(layout, die_with_parent=True), Server(layout, die_with_parent=True)
    extra = dict(text.split("=", 1) for text in options.set)
    build = (options.build or ROOT / "build" / "release").resolve()
    try:
        for part in (broker, server):
            part.start()
        for part in (broker, server):
            part.wait_ready()
        bench = Bench(layout, broker, server, build, options.symbols, extra)
        print(json.dumps(measure(bench, options)))
    finally:
        server.stop()
        broker.stop()
        server.reset()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
