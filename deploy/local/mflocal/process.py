# SPDX-License-Identifier: Apache-2.0
"""A background process with a pid file and a log: what every part of a stack is.

The same object serves the one who started the process and anybody who comes later with the same state
directory: start() on a running one does nothing, stop() works from another program.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .identity import Identity
from .layout import Layout
from .waiting import LocalError, WaitTimeout

_PR_SET_PDEATHSIG = 1
_LOG_LIMIT = 64 << 20


@dataclass(frozen=True)
class Account:
    """Who a process runs as when the caller is root."""

    name: str
    uid: int
    gid: int


def _die_with_parent(parent: int) -> Callable[[], None]:
    """For preexec_fn: SIGKILL when the starting process goes, also when it went in between."""
    library = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(127)

    return arrange


class BackgroundProcess:
    """Base of all parts. A subclass gives `name`, `command()`, and as needed the rest.

    start, stop, kill, freeze and thaw are idempotent; stop waits for the end. `die_with_parent` is for tests:
    the process cannot outlive the one that started it.
    """

    name = "process"
    stop_signal = signal.SIGTERM
    stop_timeout = 30.0

    def __init__(self, layout: Layout, *, die_with_parent: bool = False) -> None:
        self.layout = layout
        self.die_with_parent = die_with_parent
        self._child: subprocess.Popen[bytes] | None = None

    # What a subclass says about itself.

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The whole environment: nothing is inherited that is not named."""
        return base_environment()

    def account(self) -> Account | None:
        return None

    def directory(self) -> Path:
        return self.layout.state

    def prepare(self) -> None:
        """Whatever must exist before the process starts."""

    def ready(self) -> bool:
        """One look at whether it can be used; must not block for long."""
        return self.running()

    @property
    def env(self) -> dict[str, str]:
        """Settings by which the services find this part."""
        return {}

    # What can be done with it.

    @property
    def log_path(self) -> Path:
        return self.layout.log / f"{self.name}.log"

    @property
    def pid_path(self) -> Path:
        return self.layout.run / f"{self.name}.pid"

    @property
    def identity(self) -> Identity | None:
        """The running process, ours or an earlier caller's."""
        found = Identity.read(self.pid_path)
        return found if found is not None and found.alive() else None

    def running(self) -> bool:
        self._reap()
        return self.identity is not None

    def start(self) -> bool:
        """Starts the process unless it runs; False when it already did."""
        if self.running():
            return False
        self.prepare()
        self.layout.state.mkdir(parents=True, exist_ok=True)
        account = self.account()
        self._rotate_log()
        with self.log_path.open("ab") as log:
            self._child = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=self.directory(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_die_with_parent(os.getpid()) if self.die_with_parent else None,
            )
        identity = Identity.of(self._child.pid)
        if identity is None:
            raise LocalError(f"{self.name} ended as soon as it started; see {self.log_path}")
        identity.write(self.pid_path)
        return True

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Returns once ready(); raises LocalError when the process ends first or time runs out."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            if not self.running():
                raise LocalError(f"{self.name} ended before it was ready; {self.log_tail()}")
            if time.monotonic() >= deadline:
                raise WaitTimeout(f"{self.name} is not ready within {timeout:g} s; {self.log_tail()}")
            time.sleep(0.05)

    def stop(self, timeout: float | None = None) -> bool:
        """Asks the process to end and waits; after `timeout` it is killed. False when it did not run."""
        identity = self.identity
        if identity is None:
            self._forget()
            return False
        limit = self.stop_timeout if timeout is None else timeout
        identity.send(self.stop_signal)
        identity.send(signal.SIGCONT)  # a frozen one would not hear it
        if not identity.wait_end(limit):
            self.kill()
        self._forget()
        return True

    def kill(self) -> bool:
        """SIGKILL, and waits until the process is gone."""
        identity = self.identity
        if identity is None:
            return False
        identity.send(signal.SIGKILL)
        if not identity.wait_end(30):
            raise LocalError(f"{self.name} (pid {identity.pid}) does not end after SIGKILL")
        self._reap()
        return True

    def freeze(self) -> bool:
        """SIGSTOP: alive, silent, holding its connections."""
        identity = self.identity
        return identity is not None and identity.send(signal.SIGSTOP)

    def thaw(self) -> bool:
        identity = self.identity
        return identity is not None and identity.send(signal.SIGCONT)

    def wait_exit(self, timeout: float) -> int:
        """The exit code of a process that this object started (negative: the signal that ended it)."""
        if self._child is None:
            raise LocalError(f"{self.name} was not started here, its exit code is not ours to read")
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"{self.name} does not end within {timeout:g} s") from None

    def log_tail(self, lines: int = 5) -> str:
        """The end of the log, for error texts."""
        with contextlib.suppress(OSError):
            with self.log_path.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 8_192))
                text = log.read().decode("utf-8", "replace").strip().splitlines()
            return f"the end of {self.log_path}:\n  " + "\n  ".join(text[-lines:])
        return f"no log at {self.log_path}"

    def _rotate_log(self) -> None:
        """At most two files of about this size per part, as long as it is started now and then."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > _LOG_LIMIT:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _reap(self) -> None:
        if self._child is not None:
            self._child.poll()

    def _forget(self) -> None:
        self._reap()
        self.pid_path.unlink(missing_ok=True)


def base_environment() -> dict[str, str]:
    """What any program needs: where commands are, UTF-8, and UTC in whatever it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
