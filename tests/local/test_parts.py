# SPDX-License-Identifier: Apache-2.0
"""Pieces of the local stack that need no server: probes, caches, reports, the package list, the command line."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from mflocal import NAMES, BackgroundProcess, Layout, LocalError, Stack, last_json_object, wait_for
from mflocal.broker import cluster_id
from mflocal.cli import main
from mflocal.demo import backfill_arguments
from mflocal.explain import explain_alert
from mflocal.install import _made_once, locked
from mflocal.kafka_probe import broker_answers
from mflocal.latency import percentile
from mflocal.layout import write_private
from mflocal.prometheus import parse
from mflocal.stack import passed_settings, real_provider
from mflocal.universe import LIVE_SYMBOLS, REPLAYED

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "deploy" / "local"


# --- the broker ---------------------------------------------------------------------------------------


def test_no_cluster_id_looks_like_an_option() -> None:
    ids = {cluster_id() for _ in range(2_000)}  # one in 64 random ones begins with a dash
    assert len(ids) == 2_000
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", text) for text in ids)


# --- the broker's probe ------------------------------------------------------------------------------


def metadata(brokers: int, controller: int, correlation: int = 7) -> bytes:
    """A Metadata response of version 1, as the protocol's page lays it out."""
    body = struct.pack(">ii", correlation, brokers)
    for node in range(brokers):
        body += struct.pack(">ih", node, 9) + b"127.0.0.1" + struct.pack(">ih", 9092, -1)
    body += struct.pack(">ii", controller, 0)
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (metadata(1, 1), True),
        (metadata(3, 2), True),
        (metadata(0, 1), False),  # started, not registered yet
        (metadata(1, -1), False),  # no controller
        (metadata(1, 1, correlation=8), False),
        (metadata(1, 1)[:20], False),
        (struct.pack(">i", 1 << 30), False),
        (b"", False),
    ],
)
def test_broker_answers(answer: bytes, expected: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert broker_answers(server.getsockname()[1]) is expected
        thread.join()


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not broker_answers(port, 0.5)


# --- caches ------------------------------------------------------------------------------------------


def test_a_cache_directory_counts_only_when_complete(layout: Layout) -> None:
    layout.cache.mkdir(parents=True)
    target = layout.cache / "thing"
    with pytest.raises(RuntimeError), _made_once(target) as missing:
        assert missing
        (target / "half").touch()
        raise RuntimeError("interrupted")
    with _made_once(target) as missing:
        assert missing and list(target.iterdir()) == [], "what was half made is gone"
        (target / "whole").touch()
    with _made_once(target) as missing:
        assert not missing and (target / "whole").exists()


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with locked(path):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_cache_names_follow_the_content(tmp_path: Path, layout: Layout) -> None:
    lock = tmp_path / "lock"
    lock.write_text("a==1\n")
    first = layout.cached("venv", lock)
    lock.write_text("a==2\n")
    assert layout.cached("venv", lock) != first


def test_private_files(tmp_path: Path) -> None:
    path = write_private(tmp_path / "secret", "one")
    path.chmod(0o644)
    write_private(path, "two")
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o600


# --- settings ----------------------------------------------------------------------------------------


def test_the_key_travels_by_a_private_file(layout: Layout, tmp_path: Path) -> None:
    assert real_provider(layout, {}) is None
    provider = real_provider(layout, {"POLYGON_API_KEY": "k1"})
    assert provider is not None and not provider.simulated
    path = Path(provider.settings["POLYGON_API_KEY_FILE"])
    assert path.read_text() == "k1\n" and path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").write_text("k2\n")
    provider = real_provider(layout, {"POLYGON_API_KEY_FILE": str(tmp_path / "key")})
    assert provider is not None and path.read_text() == "k2\n"
    with pytest.raises(LocalError, match="both"):
        real_provider(layout, {"POLYGON_API_KEY": "a", "POLYGON_API_KEY_FILE": "b"})


def test_the_callers_settings_are_passed_on_but_not_secrets() -> None:
    env = {
        "ALERT_GAP_INFO": "2",
        "INGEST_SYMBOLS": "KO",
        "POLYGON_API_KEY": "s",
        "PATH": "/bin",
        "KAFKA_PARTITIONS": "3",
    }
    assert passed_settings(env) == {"ALERT_GAP_INFO": "2", "INGEST_SYMBOLS": "KO"}


def test_live_and_replayed_symbols_are_disjoint() -> None:
    assert not set(LIVE_SYMBOLS) & set(REPLAYED)
    assert sum(name.startswith("X:") for name in LIVE_SYMBOLS) >= 5


def test_what_the_demo_backfills() -> None:
    days = "--from 2000-03-01 --to 2013-03-01 --timespan day --adjusted none"
    assert backfill_arguments(True) == f"backfill bars --symbols AAPL,IBM,MSFT,GOOG,FB {days}".split()
    assert "AAPL,MSFT" in backfill_arguments(False)


# --- reports -----------------------------------------------------------------------------------------


def test_percentile() -> None:
    assert percentile([5.0], 0.99) == 5.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert percentile([float(n) for n in range(101)], 0.99) == 99.0


def test_prometheus_text() -> None:
    text = '# HELP a b\n# TYPE a counter\na 1\na{x="1",y="q\\"\\\\\\n"} 2.5e3\nb{le="+Inf"} NaN\nnot a sample line\n'
    samples = list(parse(text.replace("not a sample line\n", "")))
    assert [(s.name, s.labels) for s in samples] == [
        ("a", {}),
        ("a", {"x": "1", "y": 'q"\\\n'}),
        ("b", {"le": "+Inf"}),
    ]
    assert [s.value for s in samples[:2]] == [1, 2500]


def test_last_json_object() -> None:
    assert last_json_object('{"a": 1}\nprogress\n{"b": 2}\n[3]\n') == {"b": 2}
    with pytest.raises(LocalError):
        last_json_object("nothing\n")


ALERT = {
    "event_time": "2024-01-02T14:30:00.000Z", "symbol": "AAPL", "rule_id": "volume_spike",
    "rule_version": "1.5f2a90c1", "interval": "1m", "severity": "warning", "value": 4.2, "threshold": 3,
    "baseline": {"mean": 11000.5, "sd": 7190.1, "n": 20}, "state": "firing",
    "message": "1m volume 41203.5 is 4.2 sd above its 20-bar mean 11000.5",
}  # fmt: skip


def test_an_alert_in_words() -> None:
    assert explain_alert(ALERT) == (
        "In the minute from 14:30 UTC on 2024-01-02, for AAPL, the volume was 4.2 standard deviations above the "
        "mean of the 20 bars before it. Rule volume_spike, version 1.5f2a90c1, rates it warning from 3 on. It was "
        "held against mean 11000.5, n 20, sd 7190.1. It is firing."
    )
    fall = {**ALERT, "rule_id": "price_move", "interval": "1d", "value": -51.8701, "baseline": {}}
    assert explain_alert(fall).startswith(
        "On 2024-01-02, for AAPL, the close was 51.87 % below the one before."
    )
    news = {
        **ALERT,
        "rule_id": "news_keyword",
        "interval": "news",
        "value": 1,
        "baseline": {"keyword": "merger"},
    }
    assert "watched for" in explain_alert(news) and "keyword merger" in explain_alert(news)
    assert "reached 4.2" in explain_alert({**ALERT, "rule_id": "a_rule_to_come"})
    assert explain_alert({"rule_id": "gap"})  # even of a bare one


# --- scripts and packages ----------------------------------------------------------------------------


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euo", "pipefail", "-c", f". {LOCAL}/bootstrap.sh; {script}"]
    return subprocess.run(
        command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment}
    )


def test_the_package_list_is_well_formed() -> None:
    names = []
    for line in (LOCAL / "packages.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9][a-z0-9+.-]+) +(run|test)", line)
            assert match, line
            names.append(match[1])
    assert len(names) == len(set(names)) and "postgresql-15" in names


def test_missing_packages_are_named(tmp_path: Path) -> None:
    """A dpkg-query that knows of everything but two packages."""
    tool = tmp_path / "dpkg-query"
    tool.write_text('#!/bin/sh\ncase "$*" in *shellcheck|*maven) exit 1;; esac\necho installed\n')
    tool.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert bash("mf_missing_packages run", PATH=path).stdout.split() == ["maven"]
    assert bash("mf_missing_packages test", PATH=path).stdout.split() == ["maven", "shellcheck"]


def test_without_rights_the_missing_packages_are_explained(tmp_path: Path) -> None:
    script = "mf_missing_packages() { echo maven; }; mf_as_root() { return 1; }; mf_install_packages run"
    result = bash(script)
    assert result.returncode == 1 and "apt-get install maven" in result.stderr


@pytest.mark.parametrize("program", ["stack", "demo"])
def test_help_needs_nothing(program: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "MARKETFLOW_LOCAL_DIR": str(tmp_path / "state")}
    result = subprocess.run([str(LOCAL / program), "--help"], capture_output=True, text=True, env=environment)
    assert result.returncode == 0 and "usage:" in result.stdout and not (tmp_path / "state").exists()


# --- the command line over an empty state ------------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    state = tmp_path / "state"
    monkeypatch.setenv("MARKETFLOW_LOCAL_DIR", str(state))
    for name in ("POLYGON_API_KEY", "POLYGON_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return state


def test_status_and_down_of_nothing(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 3
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["broker", "down"],
        ["postgres", "down"],
        ["simulator", "down"],
        ["supervisor", "down"],
    ]
    assert main(["down"]) == 0 and "was not up" in capsys.readouterr().err
    assert not Stack().is_up()


class Standing(BackgroundProcess):
    """A part whose process is there, and answers or does not."""

    def __init__(self, layout: Layout, answers: bool) -> None:
        super().__init__(layout)
        self.answers = answers

    def running(self) -> bool:
        return True

    def ready(self) -> bool:
        return self.answers


def test_a_part_that_does_not_answer_is_not_up(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.from_environment()
    part, service = Standing(layout, True), Standing(layout, True)
    monkeypatch.setattr(Stack, "parts", lambda stack: [part])
    monkeypatch.setattr(Stack, "running_services", lambda stack: dict.fromkeys(NAMES, service))
    assert main(["status"]) == 0
    part.answers = False
    assert main(["status"]) == 3 and not Stack().is_up()


def test_reset_asks_first(
    empty: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout.from_environment()
    (layout.log / "sink.log").write_text("old\n")
    write_private(layout.secrets / "x", "y")
    monkeypatch.setattr("sys.stdin", (ROOT / "LICENSE").open())
    assert main(["reset"]) == 1 and "--yes" in capsys.readouterr().err
    assert (empty / "log" / "sink.log").exists()
    assert main(["reset", "--yes"]) == 0
    assert not (empty / "log").exists() and not (empty / "secrets").exists()


def test_logs(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Layout.from_environment().log
    (log / "sink.log").write_text("".join(f"line {n}\n" for n in range(100)))
    (log / "broker.log").write_text("hello\n")
    assert main(["logs", "sink"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"line {n}" for n in range(60, 100)]
    assert main(["logs"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "broker: hello" and shown[-1] == "sink: line 99"
    assert main(["logs", "nobody"]) == 1 and "broker, sink" in capsys.readouterr().err


def test_following_a_log(empty: Path) -> None:
    log = Layout.from_environment().log
    (log / "sink.log").write_text("first\n")
    environment = {"PATH": "/usr/bin:/bin", "MARKETFLOW_LOCAL_DIR": str(empty)}
    command = [str(LOCAL / "stack"), "logs", "sink", "-f"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "first\n"
        with (log / "sink.log").open("a") as stream:
            stream.write("second\n")
        assert process.stdout.readline() == "second\n"
        process.terminate()


# --- standard output that takes nothing --------------------------------------------------------------


def shell(command: str, state: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "MARKETFLOW_LOCAL_DIR": str(state)}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=LOCAL, env=environment, timeout=60
    )


@pytest.mark.parametrize("command", ["stack status", "stack logs", "stack --help", "demo --help"])
@pytest.mark.parametrize(
    ("where", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_is_not_written_is_an_error(empty: Path, command: str, where: str, why: str) -> None:
    (Layout.from_environment().log / "sink.log").write_text("line\n")
    result = shell(f"./{command} {where}", empty)
    assert result.stderr == f"{command.split()[0]}: standard output: {why}\n"
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [("stack status", 1, "stack: standard output: Broken pipe\n"), ("stack logs", 0, "")],
)
def test_a_reader_that_leaves(empty: Path, command: str, code: int, error: str) -> None:
    """The pipe has no reader from the beginning on. Who reads logs may stop at any line."""
    (Layout.from_environment().log / "sink.log").write_text("line\n" * 100)
    script = f"exec {{pipe}}> >(exit 0); wait $!; ./{command} >&$pipe"
    result = shell(script, empty)
    assert (result.returncode, result.stderr) == (code, error)


def test_other_closed_streams_do_no_harm(empty: Path) -> None:
    result = shell("./stack reset <&-", empty)
    assert result.returncode == 1 and result.stderr.startswith("stack: reset removes all data")
    result = shell("./stack status 2>&-", empty)
    assert result.returncode == 3 and result.stdout.startswith("broker")
    assert shell("./stack down 2>&-", empty).stdout == "", "messages do not turn into output"


def test_wait_for_says_what_it_waited_for() -> None:
    with pytest.raises(LocalError, match=r"a miracle: not within 0\.01 s"):
        wait_for(lambda: False, 0.01, "a miracle", 0.001)
    assert wait_for(lambda: 7, 0.01, "seven") == 7
