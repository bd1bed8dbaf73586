# SPDX-License-Identifier: Apache-2.0
"""What the processor costs: one-minute bars preloaded into four partitions, every indicator and rule on, exactly once.

In the same run the floor: librdkafka alone moves the same bytes in transactions of the same size. Prints one JSON
object; figures of time are for reading. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from mflocal import Broker, Layout, ServiceProcess, wait_for

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
PARTITIONS = 4
TXN_RECORDS = 10_000
RAW, METRICS = "market.raw", "market.metrics"
GROUP = "marketflow-processor"
FLOOR_TOPICS = ("bench.floor.payload", "bench.floor.metric")
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


@dataclass
class Bench:
    broker: Broker
    layout: Layout
    events: int
    symbols: int

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        self.settings = {
            **self.broker.env,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_INSTANCE_ID": "bench",
            "PROCESSOR_COMMIT_RECORDS": str(TXN_RECORDS),
        }

    def program(self, *command: str) -> Any:
        """A program of ours to its end; the JSON object that it printed, if any."""
        environment = {"PATH": os.environ.get("PATH", ""), **self.settings}
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(result.stdout) if result.stdout.startswith("{") else None

    def load(self) -> dict[str, int]:
        tool = BUILD / "tests" / "bench" / "processor_load"
        numbers = [str(PARTITIONS), str(self.events), str(self.symbols)]
        return dict(self.program(str(tool), self.broker.bootstrap, RAW, *numbers))

    def committed(self) -> int:
        """The sum of the group's offsets of market.raw."""
        wanted = [TopicPartition(RAW, p) for p in range(PARTITIONS)]
        request = [ConsumerGroupTopicPartitions(GROUP, wanted)]
        answer = self.admin.list_consumer_group_offsets(request)[GROUP].result()
        return sum(max(0, p.offset) for p in answer.topic_partitions)

    def drain(self, records: int) -> dict[str, float]:
        """The processor from its start to the last commit."""
        service = self.service()
        service.start()
        assert service.identity is not None
        pid = service.identity.pid
        begin, before = 0.0, cpu_seconds(pid)
        end = time.monotonic() + PATIENCE_S
        while (done := self.committed()) < records:
            if begin == 0.0 and done > 0:
                begin, before, first = time.monotonic(), cpu_seconds(pid), done
            assert service.running(), service.log_tail()
            assert time.monotonic() < end, f"{done} of {records} records"
            time.sleep(0.02)  # how often it looks is the measurement's resolution
        seconds, cpu = time.monotonic() - begin, cpu_seconds(pid) - before
        result = {
            "seconds": seconds,
            "cpu_s": cpu,
            "records": records - first,
            "peak_rss_mib": peak_rss_mib(pid),
        }
        service.kill()
        return result

    def service(self) -> ServiceProcess:
        return ServiceProcess.create(
            self.layout, "processor", BUILD / "bin", self.settings, die_with_parent=True
        )

    def restart_s(self) -> float:
        """From exec after SIGKILL to the commit of a record that had been waiting."""
        before = self.committed()
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(RAW, b"not an event", b"SYM00001", 0)
        assert producer.flush(60) == 0
        service = self.service()
        start = time.monotonic()
        service.start()
        wait_for(lambda: self.committed() > before, 120, "the waiting record", 0.01)
        seconds = time.monotonic() - start
        service.stop()
        return seconds

    def mean_bytes(self, topic: str) -> int:
        """Of the first records of a topic."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "bench-sizes"})
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        messages = consumer.consume(2_000, 30)
        consumer.close()
        return round(statistics.mean(len(m.value() or b"") for m in messages if m.error() is None))

    def floor(self, metric_bytes: int) -> dict[str, float]:
        made = self.admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in FLOOR_TOPICS])
        for future in made.values():
            future.result()
        tool = BUILD / "tests" / "bench" / "processor_floor"
        arguments = [RAW, *FLOOR_TOPICS, str(PARTITIONS), str(TXN_RECORDS), str(metric_bytes)]
        return dict(self.program(str(tool), self.broker.bootstrap, *arguments))


def measure(bench: Bench) -> dict[str, Any]:
    bench.program(str(BUILD / "bin" / "marketflowctl"), "topics", "apply")
    say(f"loading {bench.events} events of {bench.symbols} symbols")
    loaded = bench.load()
    say(f"the processor drains {loaded['records']} records")
    ours = bench.drain(loaded["records"])
    restart_s = bench.restart_s()
    metric_bytes = bench.mean_bytes(METRICS)
    say(f"the floor moves them, with metrics of {metric_bytes} bytes")
    floor = bench.floor(metric_bytes)

    def per_million(side: dict[str, float]) -> float:
        return side["cpu_s"] / side["records"] * 1e6

    return {
        "events": bench.events,
        "symbols": bench.symbols,
        "records": loaded["records"],
        "txn_records": TXN_RECORDS,
        "events_per_s": round(ours["records"] / ours["seconds"]),
        "cpu_s_per_million": round(per_million(ours), 2),
        "peak_rss_mib": round(ours["peak_rss_mib"], 1),
        "floor_events_per_s": round(floor["records"] / floor["seconds"]),
        "floor_cpu_s_per_million": round(per_million(floor), 2),
        "floor_peak_rss_mib": floor["peak_rss_mib"],
        "cpu_ratio_to_floor": round(per_million(ours) / per_million(floor), 2),
        "restart_s": round(restart_s, 2),
        "metric_bytes": metric_bytes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/processor", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="bars (default: 1000000)")
    parser.add_argument("--symbols", type=int, default=500, help="symbols (default: 500)")
    arguments = parser.parse_args()
    cache = Path(os.environ.get("MARKETFLOW_CACHE_DIR") or ROOT / ".local")
    folder = Path(tempfile.mkdtemp(prefix="marketflow-bench-"))
    layout = Layout(folder, cache)
    broker = Broker(layout, die_with_parent=True)
    try:
        broker.start()
        broker.wait_ready()
        print(json.dumps(measure(Bench(broker, layout, arguments.events, arguments.symbols))))
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
