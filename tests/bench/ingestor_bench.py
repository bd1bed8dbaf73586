# SPDX-License-Identifier: Apache-2.0
"""What the ingestor costs: a backfill of minute bars in pages of 50 000 rows, then thousands of symbols polled live.

The provider is the simulator in a process of its own, which gives pages that it was asked for before from memory, and
plain: nobody unpacks. In the same run the floor, libcurl, yajl and librdkafka alone on the same pages and bytes, and a
peer, the same work in Python the way of the vendor's client. Prints one JSON object; CPU times are the lowest of the
rounds. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from mflocal import Broker, Layout, ServiceProcess, Simulator, wait_for

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PARTITIONS = 8
TOPIC = "market.raw.backfill"
LATENESS = "marketflow_ingest_schedule_lateness_seconds"
FIRST_DAY = date(2025, 1, 1)
MINUTES_KEPT = 0.985  # of a day: the provider leaves some out
SAMPLE = 20_000  # events that the floor produces again and again
CACHE_MIB = 512
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 1_800.0
LOOK_S = 0.05


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, name: str) -> float:
    """VmRSS, or VmHWM: the most there was. The kernel's ru_maxrss would count the parent before exec."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(text.split()[1]) / 1024 for text in lines if text.startswith(f"{name}:")), 0.0)


def buckets(service: ServiceProcess, name: str) -> dict[float, float]:
    """Of a histogram over all its labels: observations up to each bound."""
    found: dict[float, float] = {}
    for sample in service.metrics():
        if sample.name == f"{name}_bucket":
            bound = float(sample.labels["le"].replace("+Inf", "inf"))
            found[bound] = found.get(bound, 0) + sample.value
    return found


def quantile(counts: dict[float, float], share: float) -> float:
    """Interpolated between the bounds."""
    low = below = 0.0
    for bound, count in sorted(counts.items()):
        if count >= share * counts[float("inf")] > 0:
            high = low if bound == float("inf") else bound
            return low + (high - low) * (share * counts[float("inf")] - below) / max(1.0, count - below)
        low, below = bound, count
    return 0.0


@dataclass
class Run:
    """One pass over all pages."""

    records: int
    seconds: float
    cpu_s: float
    peak_rss_mib: float = 0.0

    @property
    def per_million(self) -> float:
        return self.cpu_s / self.records * 1e6


@dataclass
class Bench:
    layout: Layout
    broker: Broker
    simulator: Simulator
    build: Path
    bars: int
    symbols: int
    extra: dict[str, str]
    kind: str = "crypto"
    pages: Path = field(init=False)
    sample: Path = field(init=False)
    runs: int = 0

    def __post_init__(self) -> None:
        self.pages, self.sample = self.layout.state / "pages", self.layout.state / "sample"

    @property
    def settings(self) -> dict[str, str]:
        return {
            **self.broker.env,
            **self.simulator.env,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_INSTANCE_ID": "bench",
            "POLYGON_REQUESTS_PER_MINUTE": "0",
            # The first time a page takes as long as it takes to invent it.
            "POLYGON_REQUEST_TIMEOUT_MS": "600000",
            "POLYGON_STALL_TIMEOUT_MS": "600000",
            "METRICS_LISTEN": "127.0.0.1:0",
            **self.extra,
        }

    @property
    def names(self) -> list[str]:
        pattern = "X:COIN{:05d}USD" if self.kind == "crypto" else "S{:05d}"
        return [pattern.format(i) for i in range(self.symbols)]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), **self.settings}

    def program(self, *command: str) -> Any:
        """A program to its end; the last line that it printed, read as JSON, if it is an object."""
        environment = self.environment()
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        last = result.stdout.splitlines()[-1:] or [""]
        return json.loads(last[0]) if last[0].startswith("{") else None

    # ---------------------------------------------------------------- (a) backfill

    def backfill(self) -> Run:
        """The product: one run of its own over all symbols."""
        self.runs += 1
        minutes = 1440 * MINUTES_KEPT if self.kind == "crypto" else 960 * 0.86 * 250 / 365
        last = FIRST_DAY + timedelta(days=max(0, -int(-self.bars // (self.symbols * minutes)) - 1))
        command = [str(self.build / "bin" / "marketflow-ingestor"), "backfill", "bars"]
        command += [f"--symbols={','.join(self.names)}", f"--from={FIRST_DAY}", f"--to={last}"]
        command += [f"--run-id=bench-{self.runs}"]
        begin = time.monotonic()
        with subprocess.Popen(
            command, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            peak = 0.0
            texts: list[bytes] = []
            readers = [
                threading.Thread(target=lambda pipe: texts.append(pipe.read()), args=(pipe,))
                for pipe in (child.stdout, child.stderr)
            ]
            for reader in readers:
                reader.start()
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid != 0:
                    break
                peak = max(peak, memory_mib(child.pid, "VmHWM"))
                assert time.monotonic() < begin + PATIENCE_S, "the backfill does not end"
                time.sleep(LOOK_S)  # how often it looks is the resolution of the time
            child.returncode = os.waitstatus_to_exitcode(status)
            for reader in readers:
                reader.join()
        seconds = time.monotonic() - begin
        output = b"\n".join(texts).decode()
        report = next((json.loads(line) for line in output.splitlines() if '"run_id"' in line[:12]), None)
        assert child.returncode == 0 and report is not None and report["complete"], output[-2000:]
        assert report["rejected"] == report["dead_lettered"] == report["retries"] == 0, report
        cpu = usage.ru_utime + usage.ru_stime
        result = Run(report["events"]["bar"], seconds, cpu, peak)
        say(f"ingestor: {result}, {result.per_million:.2f} CPU-s per million, {report['pages']} pages")
        return result

    def note_pages(self) -> None:
        """What the product has asked for, in its order, for the others."""
        entries = [e for e in self.simulator.requests()["requests"] if e["endpoint"] == "aggs"]
        assert all(entry["status"] == 200 for entry in entries)
        lines = [
            f"{e['symbol']} {self.simulator.url}{e['path']}?{e['query']}\n" for e in entries if e["rows"]
        ]
        self.pages.write_text("".join(lines))

    def note_sample(self) -> int:
        """Events as the product wrote them; returns their mean size in bytes."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "bench-sample"})
        try:
            consumer.assign([TopicPartition(TOPIC, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
            values: list[bytes] = []
            end = time.monotonic() + 60
            while len(values) < min(SAMPLE, self.bars // 2):
                assert time.monotonic() < end, f"{len(values)} events"
                found = [m.value() for m in consumer.consume(1_000, 1.0) if m.error() is None]
                values += [value for value in found if b'"event_type":"bar"' in value[:64]]
        finally:
            consumer.close()
        self.sample.write_bytes(b"\n".join(values) + b"\n")
        return sum(map(len, values)) // len(values)

    def floor(self) -> Run:
        tool = str(self.build / "tests" / "bench" / "ingestor_floor")
        arguments = [self.broker.bootstrap, TOPIC, str(PARTITIONS), str(self.simulator.key_file)]
        result = Run(**self.program(tool, *arguments, str(self.pages), str(self.sample)))
        say(f"floor: {result}, {result.per_million:.2f} CPU-s per million")
        return result

    def peer(self) -> Run:
        tool = [sys.executable, "-B", str(HERE / "ingestor_peer.py")]
        arguments = [self.broker.bootstrap, TOPIC, str(self.simulator.key_file), str(self.pages)]
        result = Run(**self.program(*tool, *arguments))
        say(f"peer: {result}, {result.per_million:.2f} CPU-s per million")
        return result

    def history(self, rounds: int, with_peer: bool) -> dict[str, Any]:
        say(f"a first run makes the provider invent the pages of {self.symbols} symbols")
        self.simulator.forget_requests()
        self.backfill()
        self.note_pages()
        event_bytes = self.note_sample()
        ours, floors, peers = [], [], []
        for _ in range(rounds):
            ours.append(self.backfill())
            floors.append(self.floor())
            assert floors[-1].records == ours[-1].records
        if with_peer:
            peers.append(self.peer())
            assert peers[-1].records == ours[-1].records
        one = min(ours, key=lambda run: run.cpu_s)
        floor = min(floors, key=lambda run: run.cpu_s)
        result = {
            "bars": one.records,
            "page_rows": round(one.records / len(self.pages.read_text().splitlines())),
            "event_bytes": event_bytes,
            "bars_per_s": round(max(run.records / run.seconds for run in ours)),
            "cpu_s_per_million": round(one.per_million, 2),
            "peak_rss_mib": round(max(run.peak_rss_mib for run in ours), 1),
            "floor_cpu_s_per_million": round(floor.per_million, 2),
            "floor_bars_per_s": round(max(run.records / run.seconds for run in floors)),
            "cpu_ratio_to_floor": round(one.per_million / floor.per_million, 2),
        }
        if peers:
            result |= {
                "python_cpu_s_per_million": round(peers[0].per_million, 2),
                "python_ratio": round(peers[0].per_million / one.per_million, 2),
            }
        return result

    # ---------------------------------------------------------------- (b) live

    def live(self, symbols: int, period_s: float, warm_up_s: float, seconds: float) -> dict[str, Any]:
        """Every symbol is polled each period; what the second and later polls cost, and how late they are."""
        file = self.layout.state / "symbols.csv"
        file.write_text("symbol\n" + "".join(f"X:LIVE{i:05d}USD\n" for i in range(symbols)))
        settings = self.settings | {
            "INGEST_SYMBOLS_FILE": str(file),
            "INGEST_POLL_MS": str(round(period_s * 1000)),
            "INGEST_NEWS": "false",
            "INGEST_DAY_BARS": "false",
            "INGEST_WARMUP": "false",
        }
        del settings["METRICS_LISTEN"]
        service = ServiceProcess.create(
            self.layout, "ingestor", self.build / "bin", settings, die_with_parent=True
        )
        self.simulator.forget_requests()
        first = self.simulator.requests()["last_sequence"]
        polls = Polls(self.simulator, first)
        service.start()
        try:
            assert service.identity is not None
            pid = service.identity.pid
            wait_for(lambda: polls.symbols() >= symbols, 600, "a poll of each symbol", 0.5)
            polls.watch(warm_up_s)
            before, begin_ms = buckets(service, LATENESS), time.time() * 1000
            cpu, begin, published = cpu_seconds(pid), time.monotonic(), self.published(service)
            polls.watch(seconds)
            elapsed = time.monotonic() - begin
            share = (cpu_seconds(pid) - cpu) / elapsed
            asked = polls.since(begin_ms)
            assert asked > 0, "no symbol was polled again"
            started = {bound: n - before.get(bound, 0) for bound, n in buckets(service, LATENESS).items()}
            result = {
                "live_symbols": symbols,
                "live_polls_per_s": round(asked / elapsed, 1),
                "live_bars_per_s": round((self.published(service) - published) / elapsed, 1),
                "live_cpu_share": round(share, 4),
                "live_rss_mib": round(memory_mib(pid, "VmHWM"), 1),
                # By the ingestor's own schedule.
                "live_late_p50_ms": round(1000 * quantile(started, 0.5)),
                "live_late_p99_ms": round(1000 * quantile(started, 0.99)),
            }
        finally:
            service.stop()
        say(f"live: {result}")
        return result

    @staticmethod
    def published(service: ServiceProcess) -> float:
        name = "marketflow_kafka_produced_messages_total"
        return service.metric(name, topic="market.raw", result="ok") or 0.0


class Polls:
    """When each symbol was asked for, by the provider's journal, which keeps the newest requests only."""

    def __init__(self, simulator: Simulator, sequence: int) -> None:
        self.simulator = simulator
        self.sequence = sequence
        self.times: dict[str, list[int]] = {}

    def look(self) -> None:
        for entry in self.simulator.requests(self.sequence)["requests"]:
            self.sequence = max(self.sequence, entry["sequence"])
            if entry["endpoint"] != "aggs":
                continue
            assert entry["status"] in (0, 200), entry
            self.times.setdefault(entry["symbol"], []).append(entry["at_ms"])

    def symbols(self) -> int:
        self.look()
        return len(self.times)

    def watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(5.0, left))  # well before the journal forgets
            self.look()

    def since(self, begin_ms: float) -> int:
        """Polls from then on."""
        return sum(at >= begin_ms for times in self.times.values() for at in times)


def measure(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    bench.program(str(bench.build / "bin" / "marketflowctl"), "topics", "apply")
    result: dict[str, Any] = {}
    if not options.skip_backfill:
        result |= bench.history(options.rounds, not options.skip_peer)
    if not options.skip_live:
        say(f"{options.live_symbols} symbols, each polled every {options.live_period:g} s")
        result |= bench.live(
            options.live_symbols, options.live_period, options.live_warm_up, options.live_seconds
        )
    return result


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/ingestor", description=__doc__)
    add = parser.add_argument
    add("--bars", type=int, default=1_000_000, help="of the backfill, about (default: 1000000)")
    add("--symbols", type=int, default=8, help="of the backfill (default: 8)")
    add("--kind", choices=("crypto", "stock"), default="crypto", help="stocks make smaller pages")
    add("--rounds", type=int, default=3, help="of ingestor and floor (default: 3)")
    add("--live-symbols", type=int, default=5_000, help="polled live (default: 5000)")
    add("--live-period", type=float, default=60.0, metavar="S", help="between two polls (default: 60)")
    add("--live-warm-up", type=float, default=70.0, metavar="S", help="after the first polls (default: 70)")
    add("--live-seconds", type=float, default=120.0, metavar="S", help="measured (default: 120)")
    add("--skip-backfill", action="store_true", help="live only")
    add("--skip-live", action="store_true", help="backfill only")
    add("--skip-peer", action="store_true", help="without the Python peer")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="of the ingestor")
    add("--build", type=Path, help="another build than build/release, as it is")
    return parser.parse_args(given)


def run(options: argparse.Namespace, folder: Path, cache: Path) -> dict[str, Any]:
    layout = Layout(folder, cache)
    broker = Broker(layout, die_with_parent=True)
    simulator = Simulator(layout, die_with_parent=True, options=("--cache-mib", str(CACHE_MIB)))
    extra = dict(text.split("=", 1) for text in options.set)
    build = (options.build or ROOT / "build" / "release").resolve()
    try:
        for part in (broker, simulator):
            part.start()
        for part in (broker, simulator):
            part.wait_ready()
        bench = Bench(layout, broker, simulator, build, options.bars, options.symbols, extra, options.kind)
        return measure(bench, options)
    finally:
        simulator.stop()
        broker.stop()


def main() -> None:
    options = arguments()
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    folder = Path(tempfile.mkdtemp(prefix="marketflow-bench-"))
    try:
        print(json.dumps(run(options, folder, cache)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
