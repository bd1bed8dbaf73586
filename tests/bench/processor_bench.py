# SPDX-License-Identifier: Apache-2.0
"""What the processor costs: one-minute bars preloaded into four partitions, every indicator and rule on, exactly once.

In the same run the floor, librdkafka alone moving the same bytes in transactions of the same size, and the wrapper, our
Kafka layer doing that without a fold. Then, at a steady rate, the time from an input's acknowledgement to its output
being readable, and what an idle processor costs. Prints one JSON object; figures of time are for reading, those of CPU
time are the lowest of the rounds. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from mflocal import Broker, Layout, ServiceProcess, wait_for

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
PARTITIONS = 4
TXN_RECORDS = 10_000
RAW, METRICS = "market.raw", "market.metrics"
GROUP = "marketflow-processor"
FILTERED, CHANGELOG, DLQ = "market.bars.filtered", "market.processor.changelog", "market.dlq"
FLOOR_TOPICS = ("bench.floor.payload", "bench.floor.metric")
RATE, RATE_S = 5_000, 20
WARM_UP_S = 20  # of a steady rate: until then the broker's JVM is still compiling what small requests need
COMMIT_MS = 10
IDLE_S = 10.0
COORDINATOR_MOVES = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 1_200.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_rss_mib(pid: int) -> float:
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    return 0.0


def pid_of(service: ServiceProcess) -> int:
    assert service.identity is not None
    return service.identity.pid


@dataclass
class Bench:
    broker: Broker
    layout: Layout
    events: int
    symbols: int
    rollups: str = "on"

    def __post_init__(self) -> None:
        servers = {"bootstrap.servers": self.broker.bootstrap}
        self.admin = AdminClient(servers)
        # It never joins. The admin client's call for the same ended the process twice while it was in use here.
        self.watcher = Consumer({**servers, "group.id": GROUP})
        self.settings = {
            **self.broker.env,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_INSTANCE_ID": "bench",
            "PROCESSOR_COMMIT_RECORDS": str(TXN_RECORDS),
            "PROCESSOR_COMMIT_MS": str(COMMIT_MS),
            "PROCESSOR_ROLLUPS": self.rollups,
        }
        self.environment = {"PATH": os.environ.get("PATH", ""), **self.settings}

    def program(self, *command: str) -> Any:
        """A program of ours to its end; the JSON object that it printed, if any."""
        result = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(result.stdout) if result.stdout.startswith("{") else None

    def load(self) -> dict[str, int]:
        tool = BUILD / "tests" / "bench" / "processor_load"
        numbers = [str(PARTITIONS), str(self.events), str(self.symbols)]
        return dict(self.program(str(tool), self.broker.bootstrap, RAW, *numbers))

    def committed(self) -> int:
        """The sum of the group's offsets of market.raw; -1 while the group has no coordinator yet."""
        wanted = [TopicPartition(RAW, p) for p in range(PARTITIONS)]
        try:
            return sum(max(0, p.offset) for p in self.watcher.committed(wanted, timeout=60))
        except KafkaException as error:
            if error.args[0].code() not in COORDINATOR_MOVES:
                raise
            return -1

    def drain(self, service: ServiceProcess, records: int) -> dict[str, float]:
        """The processor from its start to the last commit."""
        service.start()
        pid = pid_of(service)
        begin, before = 0.0, cpu_seconds(pid)
        end = time.monotonic() + PATIENCE_S
        while (done := self.committed()) < records:
            if begin == 0.0 and done > 0:
                begin, before, first = time.monotonic(), cpu_seconds(pid), done
            assert service.running(), service.log_tail()
            assert time.monotonic() < end, f"{done} of {records} records"
            time.sleep(0.02)  # how often it looks is the measurement's resolution
        seconds, cpu = time.monotonic() - begin, cpu_seconds(pid) - before
        return {
            "seconds": seconds,
            "cpu_s": cpu,
            "records": records - first,
            "peak_rss_mib": peak_rss_mib(pid),
        }

    def service(self) -> ServiceProcess:
        return ServiceProcess.create(
            self.layout, "processor", BUILD / "bin", self.settings, die_with_parent=True
        )

    def restart_s(self, service: ServiceProcess) -> float:
        """From exec after SIGKILL to the commit of a record that had been waiting."""
        service.kill()
        before = self.committed()
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(RAW, b"not an event", b"SYM00001", 0)
        assert producer.flush(60) == 0
        start = time.monotonic()
        service.start()
        wait_for(lambda: self.committed() > before, 120, "the waiting record", 0.01)
        return time.monotonic() - start

    def idle_share(self, service: ServiceProcess) -> float:
        """Of a core, while nothing comes in."""
        pid = pid_of(service)
        wait_for(lambda: self.committed() >= 0, 10, "the broker")
        before, start = cpu_seconds(pid), time.monotonic()
        wait_for(lambda: time.monotonic() - start >= IDLE_S, IDLE_S + 5, "the measured time", 0.5)
        return (cpu_seconds(pid) - before) / (time.monotonic() - start)

    def latency(self, pid: int, output: str) -> dict[str, float]:
        """At an even rate: input acknowledged until output readable, and the share of a core of `pid` meanwhile."""
        tool = BUILD / "tests" / "bench" / "processor_latency"
        numbers = [PARTITIONS, self.symbols, self.events, RATE, RATE_S, WARM_UP_S]
        before = cpu_seconds(pid)
        result = dict(self.program(str(tool), self.broker.bootstrap, RAW, output, *map(str, numbers)))
        result["core_share"] = (cpu_seconds(pid) - before) / result["seconds"]
        assert result["unseen"] == 0, result
        return result

    def produced(self, service: ServiceProcess) -> dict[str, tuple[float, float]]:
        """By topic the records and bytes that the processor has written."""
        names = [f"marketflow_kafka_produced_{what}_total" for what in ("messages", "bytes")]
        found: dict[str, list[float]] = {}
        for sample in service.metrics():
            if sample.name in names and sample.labels["result"] == "ok":
                found.setdefault(sample.labels["topic"], [0.0, 0.0])[names.index(sample.name)] += sample.value
        return {topic: (values[0], values[1]) for topic, values in found.items()}

    def move_command(self, name: str, txn_records: int, metric_bytes: int) -> list[str]:
        """The same bytes through processor_floor or processor_move."""
        tool = BUILD / "tests" / "bench" / f"processor_{name}"
        numbers = [str(PARTITIONS), str(txn_records), str(metric_bytes)]
        return [str(tool), self.broker.bootstrap, RAW, *FLOOR_TOPICS, *numbers]

    def wrapper_latency(self, txn_records: int, metric_bytes: int) -> dict[str, float]:
        """The figures of latency() for the wrapper without a fold, committing as often as the processor."""
        command = [*self.move_command("move", txn_records, metric_bytes), str(COMMIT_MS)]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as wrapper:
            try:
                assert wrapper.stdout is not None and wrapper.stdout.readline()  # it has caught up
                return self.latency(wrapper.pid, FLOOR_TOPICS[0])
            finally:
                wrapper.kill()

    def floors(self, rounds: int, txn_records: int, metric_bytes: int) -> dict[str, dict[str, float]]:
        """The cheapest round of each, taken in turns."""
        made = self.admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in FLOOR_TOPICS])
        for future in made.values():
            future.result()
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name in ("floor", "move"):
                result = dict(self.program(*self.move_command(name, txn_records, metric_bytes)))
                if name not in best or result["cpu_s"] < best[name]["cpu_s"]:
                    best[name] = result
        return best


def per_million(side: dict[str, float]) -> float:
    return side["cpu_s"] / side["records"] * 1e6


def rate(side: dict[str, float]) -> int:
    return round(side["records"] / side["seconds"])


def describe_floors(best: dict[str, dict[str, float]]) -> dict[str, Any]:
    floor, move = best["floor"], best["move"]
    return {
        "floor_events_per_s": rate(floor),
        "floor_cpu_s_per_million": round(per_million(floor), 2),
        "floor_peak_rss_mib": floor["peak_rss_mib"],
        "wrapper_events_per_s": rate(move),
        "wrapper_cpu_s_per_million": round(per_million(move), 2),
        "wrapper_peak_rss_mib": move["peak_rss_mib"],
        "wrapper_ratio_to_floor": round(per_million(move) / per_million(floor), 2),
    }


def measure_processor(bench: Bench, loaded: dict[str, int], latency: bool) -> dict[str, Any]:
    service = bench.service()
    say(f"the processor drains {loaded['records']} records")
    ours = bench.drain(service, loaded["records"])
    wait_for(lambda: DLQ in bench.produced(service), 10, "the counts")
    produced = bench.produced(service)
    # It did the work: every malformed record is a dead letter, every bar that came twice went out once, and
    # each bar, rolled up or not, has its metric.
    derived = service.metric("marketflow_derived_bars_total") or 0
    assert produced[DLQ][0] == loaded["malformed"], (produced, loaded)
    assert produced[FILTERED][0] == bench.events + derived, (produced, loaded, derived)
    assert produced[METRICS][0] == produced[FILTERED][0], (produced, loaded)
    txn_size = service.metric("marketflow_transaction_records_sum") or 0
    transactions = service.metric("marketflow_transaction_records_count") or 0
    outputs = sum(bytes_ for topic, (_, bytes_) in produced.items() if topic != CHANGELOG)
    floor_bytes = loaded["bytes"] + loaded["records"] * produced[METRICS][1] / produced[METRICS][0]
    result = {
        "outputs_per_event": round(sum(n for n, _ in produced.values()) / bench.events, 2),
        # What the processor writes beyond what the floor moves: rolled-up bars, their metrics, alerts, state.
        "bytes_ratio_to_floor": round(sum(b for _, b in produced.values()) / floor_bytes, 2),
        "events_per_s": rate(ours),
        "cpu_s_per_million": round(per_million(ours), 2),
        "peak_rss_mib": round(ours["peak_rss_mib"], 1),
        "txn_records": round(txn_size / transactions) if transactions > 1 else TXN_RECORDS,
        "metric_bytes": round(produced[METRICS][1] / max(1, produced[METRICS][0])),
        "changelog_bytes_ratio": round(produced.get(CHANGELOG, (0, 0))[1] / outputs, 3),
    }
    say("killed and started again")
    result["restart_ready_s"] = round(bench.restart_s(service), 2)
    if latency:
        say(f"{RATE} events/s for {RATE_S} s, then nothing for {IDLE_S:.0f} s")
        found = bench.latency(pid_of(service), FILTERED)
        result |= {key: found[key] for key in ("p50_ms", "p99_ms")}
        result["core_share"] = round(found["core_share"], 3)
        result["idle_core_share"] = round(bench.idle_share(service), 4)
    service.stop()
    return result


def measure(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    bench.program(str(BUILD / "bin" / "marketflowctl"), "topics", "apply")
    say(f"loading {bench.events} events of {bench.symbols} symbols")
    loaded = bench.load()
    result: dict[str, Any] = {
        "events": bench.events,
        "symbols": bench.symbols,
        "rollups": bench.rollups,
        **loaded,
    }
    txn_records, metric_bytes = TXN_RECORDS, options.metric_bytes
    if not options.floor_only:
        result |= measure_processor(bench, loaded, not options.skip_latency)
        txn_records, metric_bytes = result["txn_records"], result["metric_bytes"]
    say(f"the floor and the wrapper move them, {txn_records} a transaction, metrics of {metric_bytes} bytes")
    result |= describe_floors(bench.floors(options.rounds, txn_records, metric_bytes))
    if not options.floor_only and not options.skip_latency:
        say(f"the wrapper at {RATE} events/s")
        found = bench.wrapper_latency(txn_records, metric_bytes)
        result |= {f"wrapper_{key}": found[key] for key in ("p50_ms", "p99_ms")}
        result["wrapper_core_share"] = round(found["core_share"], 3)
        result["p99_ratio_to_wrapper"] = round(result["p99_ms"] / found["p99_ms"], 2)
    if not options.floor_only:
        ratio = result["cpu_s_per_million"] / result["floor_cpu_s_per_million"]
        result["cpu_ratio_to_floor"] = round(ratio, 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/processor", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="bars (default: 1000000)")
    parser.add_argument("--symbols", type=int, default=500, help="symbols (default: 500)")
    parser.add_argument("--rollups", choices=("on", "off"), default="on", help="coarser bars (default: on)")
    parser.add_argument("--rounds", type=int, default=2, help="of floor and wrapper (default: 2)")
    parser.add_argument("--floor-only", action="store_true", help="floor and wrapper, without the processor")
    parser.add_argument("--metric-bytes", type=int, default=700, help="with --floor-only (default: 700)")
    parser.add_argument("--skip-latency", action="store_true", help="neither the steady rate nor idling")
    options = parser.parse_args()
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    folder = Path(tempfile.mkdtemp(prefix="marketflow-bench-"))
    layout = Layout(folder, cache)
    broker = Broker(layout, die_with_parent=True)
    try:
        broker.start()
        broker.wait_ready()
        print(
            json.dumps(
                measure(Bench(broker, layout, options.events, options.symbols, options.rollups), options)
            )
        )
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
