# SPDX-License-Identifier: Apache-2.0
"""Background processes: started once, known by more than a pid, and gone when stop() returns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mflocal import BackgroundProcess, Layout, LocalError, Ports, WaitTimeout, free_port, wait_for
from mflocal.identity import Identity
from mflocal.ports import is_free


class Sleeper(BackgroundProcess):
    """Waits for ever; with `deaf` it ignores SIGTERM."""

    name = "sleeper"

    def __init__(self, layout: Layout, code: str = "", *, die_with_parent: bool = True) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._code = code

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-c",
            f"import signal, sys\n{self._code}\nprint('up', flush=True)\nsignal.pause()",
        ]

    def ready(self) -> bool:
        return self.running() and self.log_path.read_text().endswith("up\n")


DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def test_start_stop_and_again(layout: Layout) -> None:
    process = Sleeper(layout)
    assert not process.running() and not process.stop()
    assert process.start() and process.running()
    process.wait_ready(20)
    first = process.identity
    assert not process.start() and process.identity == first
    assert process.stop() and not process.running()
    assert not process.pid_path.exists() and process.wait_exit(1) == -signal.SIGTERM
    assert process.start() and process.identity != first
    assert process.kill() and process.wait_exit(1) == -signal.SIGKILL
    assert not process.running() and not process.kill()


def test_another_object_finds_and_stops_the_process(layout: Layout) -> None:
    process, other = Sleeper(layout), Sleeper(layout)
    process.start()
    process.wait_ready(20)
    assert other.running() and other.ready() and not other.start()
    with pytest.raises(LocalError, match="not started here"):
        other.wait_exit(1)
    assert other.stop() and not process.running()


def test_a_process_that_ignores_sigterm_is_killed(layout: Layout) -> None:
    process = Sleeper(layout, DEAF)
    process.start()
    process.wait_ready(20)
    assert process.stop(timeout=0.2) and process.wait_exit(1) == -signal.SIGKILL


def test_a_frozen_process_is_alive_and_can_be_stopped(layout: Layout) -> None:
    process = Sleeper(layout)
    process.start()
    process.wait_ready(20)
    pid = process.identity.pid if process.identity else 0

    def state() -> str:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]

    assert process.freeze()
    wait_for(lambda: state() == "T", 10, "a stopped process")
    assert process.running()
    assert process.thaw()
    wait_for(lambda: state() != "T", 10, "a running process")
    process.freeze()
    assert process.stop(timeout=20) and process.wait_exit(1) == -signal.SIGTERM


def test_an_early_end_is_told_with_the_end_of_the_log(layout: Layout) -> None:
    process = Sleeper(layout, "print('no such thing as luck'); sys.exit(3)")
    process.start()
    with pytest.raises(LocalError, match=r"(?s)sleeper ended before it was ready.*no such thing as luck"):
        process.wait_ready(20)
    assert process.wait_exit(1) == 3


def test_waiting_is_bounded(layout: Layout) -> None:
    process = Sleeper(layout, "print('not yet', flush=True); signal.pause()")
    process.start()
    with pytest.raises(WaitTimeout, match=r"sleeper is not ready within 0\.2 s"):
        process.wait_ready(0.2)
    process.kill()


def test_a_recycled_pid_is_never_signalled(layout: Layout) -> None:
    """The pid file names this test's own process, as one that started at another time, or in another boot."""
    process = Sleeper(layout)
    own = Identity.of(os.getpid())
    assert own is not None and own.alive()
    for other in (
        Identity(own.pid, own.start_ticks - 1, own.boot),
        Identity(own.pid, own.start_ticks, "other"),
    ):
        other.write(process.pid_path)
        assert not other.alive() and not other.send(signal.SIGKILL) and other.wait_end(0)
        assert not process.running() and not process.kill() and not process.stop()
    process.pid_path.write_text("{not json")
    assert process.identity is None


# Ends the first thread alone (the system call exit, by machine), as a kill may for a moment.
WITHOUT_FIRST_THREAD = """import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print('up', flush=True)
ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[platform.machine()], 0)
"""


def test_a_process_lives_as_long_as_its_last_thread(layout: Layout) -> None:
    process = Sleeper(layout, WITHOUT_FIRST_THREAD)
    process.start()
    identity = process.identity
    assert identity is not None
    state = Path(f"/proc/{identity.pid}/stat")
    wait_for(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", 20, "the first thread's end")
    assert identity.alive() and not identity.wait_end(0.05)
    assert process.kill() and not identity.alive()


def test_a_child_waiting_to_be_reaped_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        identity = Identity.of(child.pid)
        assert identity is not None and identity.wait_end(20)
        assert not identity.alive() and identity.cpu_seconds() == 0 and identity.resident_mib() == 0


def test_numbers_of_a_process() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert 0 < own.cpu_seconds() < 3_600 and 5 < own.resident_mib() < 4_096
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        assert child.pid in [found.pid for found in own.children()]
        child.kill()


def test_it_dies_with_its_parent(layout: Layout) -> None:
    """The parent here is a program that starts a Sleeper and is then killed."""
    script = (
        "import sys; from pathlib import Path; from mflocal import Layout; from test_process import Sleeper\n"
        f"process = Sleeper(Layout(Path({str(layout.state)!r}), Path({str(layout.cache)!r})))\n"
        "process.start(); process.wait_ready(20); print('started', flush=True); sys.stdin.read()"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"started\n"
        process = Sleeper(layout)
        identity = process.identity
        assert identity is not None
        parent.kill()
    assert identity.wait_end(20)


def test_the_environment_is_only_what_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", "secret")
    process = Sleeper(layout)
    process.start()
    process.wait_ready(20)
    assert process.identity is not None
    environment = Path(f"/proc/{process.identity.pid}/environ").read_text()
    assert "TZ=UTC" in environment and "secret" not in environment
    process.kill()


def test_ports_are_kept_and_outside_the_range_for_outgoing_connections(layout: Layout) -> None:
    ports = Ports(layout)
    first, second = ports.take("one"), ports.take("two")
    assert first != second and Ports(layout).known("one") == first == Ports(layout).take("one")
    assert ports.known("three") is None
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not low <= first <= high and is_free(first)
    with socket.create_server(("127.0.0.1", first)):
        assert not is_free(first)
        assert Ports(layout).take("one") != first, "somebody else has it now"
    assert is_free(free_port())
