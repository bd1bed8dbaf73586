# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping, settings, logs, metrics: what an operator meets."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from line import Line
from mflocal import ServiceProcess, base_environment, free_port, run_program, wait_for

SERVICES = ("ingestor", "processor", "sink")


@pytest.mark.parametrize("name", SERVICES)
def test_every_wrong_setting_is_named(line: Line, name: str) -> None:
    wrong = {
        "KAFKA_PARTITIONS": "many",
        "KAFKA_SECURITY_PROTOCOL": "telegraph",
        "SHUTDOWN_GRACE_MS": "-5",
        "LOG_LEVEL": "loud",
        "METRICS_LISTEN": "nowhere",
    }
    for arguments in ([], ["--check-config"]):
        program = line.parts.binaries / f"marketflow-{name}"
        result = run_program(program, arguments, {**line.settings, **wrong}, 30)
        assert result.returncode == 78
        for setting in wrong:
            assert setting in result.stderr + result.stdout, setting


ONE_DAY = ["--from", "2012-03-01", "--to", "2012-03-01", "--timespan", "day"]
RESULTS = [
    ["marketflow-ingestor", "backfill", "bars", "--symbols", "IBM", *ONE_DAY, "--run-id", "said"],
    ["marketflow-ingestor", "backfill", "--abandon", "said"],  # complete by now
    ["marketflow-sink", "migrate", "--dry-run"],
    ["marketflow-sink", "migrate"],
    ["marketflowctl", "calendar", "2024-01-02", "2024-01-05"],
    ["marketflowctl", "topics", "check"],
    ["marketflow-processor", "--print-config"],
]


@pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
def test_a_result_that_cannot_be_written_is_no_success(line: Line, closed: bool) -> None:
    for binary, *arguments in RESULTS:
        shell = ["sh", "-c", 'exec "$@" >&-' if closed else 'exec "$@" >/dev/full', "sh"]
        command = [*shell, str(line.parts.binaries / binary), *arguments]
        environment = {**base_environment(), **line.settings, "METRICS_LISTEN": "127.0.0.1:0"}
        result = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=60)
        assert result.returncode == 75, (arguments, result.stderr)
        assert f"{binary}: cannot write the result: " in result.stderr, arguments


@pytest.mark.parametrize("name", SERVICES)
def test_configuration_can_be_looked_at(line: Line, name: str) -> None:
    program = line.parts.binaries / f"marketflow-{name}"
    checked = run_program(program, ["--check-config"], line.settings, 30)
    assert checked.returncode == 0, checked.stderr
    printed = run_program(program, ["--print-config"], line.settings, 30)
    assert printed.returncode == 0
    assert line.settings["KAFKA_BOOTSTRAP_SERVERS"] in printed.stdout
    assert line.parts.simulator.key not in printed.stdout + printed.stderr
    for arguments in (["--help"], ["--version"]):
        assert run_program(program, arguments, {}, 30).returncode == 0
    unknown = run_program(program, ["--no-such-option"], line.settings, 30)
    assert unknown.returncode == 78
    assert "--no-such-option" in unknown.stderr


def test_help_of_a_command_names_those_that_its_name_begins(line: Line) -> None:
    printed = run_program(line.parts.binaries / "marketflow-ingestor", ["backfill", "--help"], {}, 30)
    assert printed.returncode == 0
    for command in ("backfill --abandon", "backfill bars", "backfill news"):
        assert f"Usage: marketflow-ingestor {command}" in printed.stdout


def test_wrong_arguments_of_a_backfill(line: Line) -> None:
    days = ["--from", "2024-01-02", "--to", "2024-01-31", "--timespan", "minute"]
    cases = {
        "--symbols": ["bars", *days],
        "--from": ["bars", "--symbols", "FB", "--to", "2024-01-31", "--timespan", "day"],
        "2024-13-02": ["bars", "--symbols", "FB", "--from", "2024-13-02", "--to", "2024-01-31"],
        "fortnight": ["bars", "--symbols", "FB", *days[:4], "--timespan", "fortnight"],
        "--frobnicate": ["bars", "--symbols", "FB", *days, "--frobnicate"],
        "A B": ["bars", "--symbols", "A B", *days],
    }
    for named, arguments in cases.items():
        result = line.run("marketflow-ingestor", "backfill", *arguments, INGEST_SYMBOLS="")
        assert result.returncode == 78, (named, result.returncode)
        assert named in result.stderr, (named, result.stderr)
    backwards = line.run(
        "marketflow-ingestor",
        "backfill",
        "bars",
        "--symbols",
        "FB",
        "--from",
        "2024-02-01",
        "--to",
        "2024-01-01",
    )
    assert backwards.returncode == 78


def test_sigterm_under_load_drains(line: Line) -> None:
    """All three are stopped in the middle of work: exit 0, and what they left is taken up again."""
    line.backfill_replay()
    sink, processor = line.start("sink"), line.start("processor")
    wait_for(lambda: line.count("raw_bars") > 0, 60, "the first rows", 0.02)
    pids = {}
    for service in (processor, sink):
        assert service.identity is not None
        pids[service.name] = service.identity.pid
        service.identity.send(signal.SIGTERM)
    for service in (processor, sink):
        assert service.wait_exit(40) == 0, service.name
    assert not list(Path("/tmp").glob(f"psqlodbc_*{pids['sink']}.log"))  # the driver writes none
    for service in (sink, processor):
        service.start()
        service.wait_ready()
    line.wait_count("raw_bars", 12_154, timeout=300)
    assert line.count("raw_bars") == 12_154
    filtered = [m.value for m in line.messages("BARS_FILTERED")]
    assert len(filtered) == len(set(filtered)) == 12_154


def test_the_search_for_stored_secrets_finds_them(line: Line) -> None:
    key = line.parts.simulator.key
    line.produce("ALERTS", [b"{}"], key=key.encode())
    line.produce("RAW", [f"x{key}x".encode()])
    line.produce("DLQ", [b"{}"], headers=[("mf-flags", key.encode())])
    line.parts.postgres.sql(
        f'CREATE TABLE raw.kept AS SELECT 1 AS id, \'{{"a": "{key}"}}\'::jsonb AS payload',
        user="postgres",
        database=line.database,
    )
    line.parts.postgres.sql("GRANT SELECT ON raw.kept TO PUBLIC", user="postgres", database=line.database)
    found = " ".join(line.stored_secrets())
    assert all(place in found for place in ("market.alerts", "market.raw[", "market.dlq", "raw.kept"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_full_disk_under_the_log(line: Line, name: str) -> None:
    """Lines that cannot be written are counted; the service goes on."""
    service = line.service(name)
    environment = base_environment() | service.spec.settings
    with open("/dev/full", "wb", buffering=0) as full:
        process = subprocess.Popen(service.command(), env=environment, stdin=subprocess.DEVNULL, stderr=full)
    try:
        wait_for(lambda: (service.metric("marketflow_log_dropped_total") or 0) > 0, 60, "dropped lines")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def small_file_system(tmp_path: Path) -> Iterator[Path]:
    """Room for a few lines, and a file that takes the rest of it."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(OSError, match="No space"), (path / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def start_with_log(service: ServiceProcess, log: Path, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    with log.open("ab") as stderr:
        return subprocess.Popen(
            [*prefix, *service.command()],
            env=base_environment() | service.spec.settings,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )


def assert_work_goes_on(line: Line, services: Sequence[ServiceProcess]) -> None:
    """Rows arrive although no service can say anything, and each counts what it could not say."""
    line.backfill_replay(["FB"])
    line.wait_count("raw_bars", 196)
    for service in services:
        wait_for(
            lambda s=service: (s.metric("marketflow_log_dropped_total") or 0) > 0,
            60,
            f"dropped lines of {service.name}",
        )


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    try:
        assert [process.wait(40) for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_log_file_at_its_size_limit(line: Line, tmp_path: Path) -> None:
    """The write fails with EFBIG, and its signal ends nothing."""
    services = [line.service(name) for name in ("sink", "processor")]
    logs = [tmp_path / f"{service.name}.stderr" for service in services]
    limit = 1000
    processes = [
        start_with_log(service, log, ["prlimit", f"--fsize={limit}"])
        for service, log in zip(services, logs, strict=True)
    ]
    try:
        assert_work_goes_on(line, services)
        assert [log.stat().st_size for log in logs] == [limit, limit]
    finally:
        end(processes)


def test_a_log_on_a_full_file_system(line: Line, small_file_system: Path) -> None:
    """The write fails with ENOSPC; with room again, lines are whole and say how many are missing."""
    services = [line.service(name) for name in ("sink", "processor")]
    logs = [small_file_system / service.name for service in services]
    processes = [start_with_log(service, log) for service, log in zip(services, logs, strict=True)]
    try:
        assert_work_goes_on(line, services)
        (small_file_system / "filler").unlink()
        for log in logs:
            wait_for(
                lambda path=log: '"log_dropped"' in path.read_text(), 60, f"{log.name} says what it lost"
            )
    finally:
        end(processes)
    for log in logs:
        entries = [json.loads(text) for text in log.read_text().splitlines()]
        assert sum(entry.get("dropped", 0) for entry in entries) > 0


def test_metrics_are_well_formed(line: Line) -> None:
    for name in ("sink", "processor", "ingestor"):
        line.start(name)
    for service in line.services:
        samples = service.metrics()
        names = {sample.name for sample in samples}
        assert {"marketflow_build_info", "process_resident_memory_bytes", "marketflow_ready"} <= names
        assert service.metric("marketflow_ready") == 1
        assert not any("symbol" in sample.labels for sample in samples)
        histograms = {s.name.removesuffix("_bucket") for s in samples if s.name.endswith("_bucket")}
        for base in histograms:
            infinite = service.metric(f"{base}_bucket", le="+Inf")
            assert infinite is None or infinite <= (service.metric(f"{base}_count") or 0)


def test_a_partition_count_that_changed_is_refused(line: Line) -> None:
    line.expected_errors.append("partition")
    for name in ("processor", "ingestor"):
        service = line.service(name, KAFKA_PARTITIONS="7")
        service.start()
        assert service.wait_exit(60) == 78
        text = service.log_path.read_text()
        assert "7" in text and "4" in text and "KAFKA_PARTITIONS" in text
        line.services.remove(service)


def test_a_missing_topic_is_named(line: Line) -> None:
    """Readiness says which and what to do, not that a broker is away; once it is there all goes on."""
    absent = f"{line.name}.absent"
    processor = line.service("processor", KAFKA_TOPIC_METRICS=absent)
    processor.start()
    words = f"topic {absent} does not exist: marketflowctl topics apply makes it"

    def named() -> bool:
        return processor.readiness().get("checks", {}).get("transactions", {}).get("detail") == words

    wait_for(named, 60, "the topic's name in /readyz", 0.05)
    assert processor.readiness()["checks"]["broker"] == {"ok": True, "detail": "connected"}
    assert line.run("marketflowctl", "topics", "apply", KAFKA_TOPIC_METRICS=absent).returncode == 0
    processor.wait_ready()


def test_input_that_retention_removed_needs_a_person(line: Line) -> None:
    """Unread records are gone: the processor ends with 78, which no supervisor restarts, until it is told to go on."""
    line.expected_errors.append("offset_out_of_range")
    line.backfill_replay(["FB"])
    processor = line.start("processor")
    wait_for(lambda: processor.lag() == 0, 60, "all of it folded")
    processor.stop()
    line.backfill_replay(["IBM"])
    admin = AdminClient({"bootstrap.servers": line.parts.broker.bootstrap})
    topic = line.topic("RAW_BACKFILL")
    ends = [TopicPartition(topic, p, OFFSET_END) for p in range(4)]
    for removed in admin.delete_records(ends).values():
        removed.result()
    processor.start()
    assert processor.wait_exit(60) == 78
    said = [entry["error"] for _, entry in line.log_lines() if entry.get("level") == "critical"]
    assert len(said) == 1 and topic in said[0] and "PROCESSOR_OFFSET_RESET=earliest" in said[0], said
    line.services.remove(processor)
    again = line.start("processor", PROCESSOR_OFFSET_RESET="earliest")
    line.backfill_replay(["GOOG"])
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 196 + 2148, 60, "what came later")
    assert again.running()


def test_topics_check_names_differences(line: Line) -> None:
    assert line.run("marketflowctl", "topics", "check").returncode == 0
    result = line.run("marketflowctl", "topics", "check", KAFKA_PARTITIONS="7")
    assert result.returncode == 78
    assert "market.raw" in result.stdout + result.stderr
    missing = line.run("marketflowctl", "topics", "check", KAFKA_TOPIC_ALERTS=f"{line.name}.nowhere")
    assert missing.returncode == 78
    assert "nowhere" in missing.stdout + missing.stderr


def test_migrations_can_run_again_and_refuse_edits(line: Line) -> None:
    line.expected_errors.append("migration_edited")
    assert line.run("marketflow-sink", "migrate").returncode == 0
    line.parts.postgres.sql(
        "UPDATE ops.schema_migrations SET checksum = repeat('0', length(checksum))",
        user="postgres",
        database=line.database,
    )
    result = line.run("marketflow-sink", "migrate")
    assert result.returncode == 78
    assert "migration_edited" in result.stderr and "0001_" in result.stderr


def test_events_of_the_line_pass_their_own_contracts(line: Line) -> None:
    line.start("processor")
    line.backfill_replay(["FB"])
    wait_for(lambda: len(line.messages("METRICS")) == 196, 60, "metrics", 0.3)
    path = line.layout.state / "events.ndjson"
    roles = ("RAW_BACKFILL", "BARS_FILTERED", "METRICS", "ALERTS")
    lines = [m.value for role in roles for m in line.messages(role) if m.value]
    path.write_bytes(b"\n".join(lines) + b"\n")
    result = line.run("marketflowctl", "events", "validate", str(path))
    assert result.returncode == 0, result.stdout[:2000]
    broken = json.loads(lines[3])
    broken["high"] = -1
    path.write_bytes(b"\n".join([*lines[:3], json.dumps(broken).encode()]) + b"\n")
    result = line.run("marketflowctl", "events", "validate", str(path))
    assert result.returncode == 78
    assert ":4:" in result.stdout and "high" in result.stdout


def test_two_processors_share_the_partitions(line: Line) -> None:
    first = line.start("processor")
    second = line.service("processor", KAFKA_INSTANCE_ID=f"{line.name}-processor-2")
    second.name = "processor-2"
    second.spec.settings["METRICS_LISTEN"] = f"127.0.0.1:{free_port()}"
    second.start()
    second.wait_ready()

    def assigned() -> list[float]:
        return [s.metric("marketflow_kafka_assigned_partitions") or 0 for s in (first, second)]

    wait_for(lambda: sum(assigned()) == 8 and min(assigned()) > 0, 60, "both hold partitions", 0.3)
    line.backfill_replay(["AAPL", "FB"])
    wait_for(lambda: len(line.messages("BARS_FILTERED")) == 3270 + 196, 90, "all bars", 0.5)
