# SPDX-License-Identifier: Apache-2.0
"""Runs a program to its end: arguments as a list, no shell, its messages passed on line by line, and ended when the
task is. What an exit code means is the same for all programs of the project (docs/operating.md)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

OUTPUT_MAX = 64 << 20
# Above SHUTDOWN_GRACE_MS, within which a program ends by itself.
STOP_SECONDS = 40.0
# A task that is to end has five seconds: then its process group, of which the program is, gets SIGKILL.
KILL_SECONDS = 4.0
# Of what a program in a session of its own has said: the end.
APART_TAIL = 64 << 10
EXIT_TEMPORARY = 75
EXIT_CONFIGURATION = 78


class ProgramError(Exception):
    """A program failed. `final`: another try would fail in the same way."""

    def __init__(self, message: str, code: int, *, final: bool) -> None:
        super().__init__(message)
        self.code = code
        self.final = final


@dataclass
class Run:
    """A program under way, or at its end."""

    command: Sequence[str]
    environment: Mapping[str, str]
    on_line: Callable[[str], None]  # of what it says about itself
    merge: bool = False  # standard output is such talk as well (dbt)
    # In a session of its own, talking to a file: what it leaves behind outlives the task, and is not waited for.
    apart: bool = False
    code: int | None = None
    output: str = ""
    tail: list[str] = field(default_factory=list)  # the last lines of its talk
    _process: subprocess.Popen[str] | None = None

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    def wait(self) -> Run:
        """Starts it and returns when it has ended; whatever interrupts the waiting ends the program."""
        with tempfile.TemporaryFile() if self.apart else contextlib.nullcontext() as file:
            try:
                self._process = self._start(file)
            except OSError as problem:
                raise ProgramError(f"{self.name}: {problem.strerror}", 127, final=True) from None
            try:
                if file is None:
                    self._read(self._process)
                self.code = self._end(self._process)
            finally:
                self.stop(STOP_SECONDS)
                if file is not None:
                    self._tell(file)
        return self

    def _start(self, file: IO[bytes] | None) -> subprocess.Popen[str]:
        """In the task's process group unless it is to be apart: whoever kills the task kills the program with it."""
        together = self.merge or file is not None
        return subprocess.Popen(
            list(self.command),
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if file is None else file,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=self.apart,
        )

    def _end(self, process: subprocess.Popen[str]) -> int:
        """Waits in pieces: a signal's handler may call stop() in between, and could not wait for the process while this
        holds its lock."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(60.0)

    def _tell(self, file: IO[bytes]) -> None:
        file.seek(max(0, file.seek(0, 2) - APART_TAIL))
        for line in file.read().decode("utf-8", "replace").splitlines():
            self._say(line)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        talk = None
        if process.stderr is not None:
            talk = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
            talk.start()
        parts, size = [], 0
        for line in process.stdout:
            size += len(line)
            if size > OUTPUT_MAX:
                raise ProgramError(f"{self.name} prints more than {OUTPUT_MAX} bytes", 1, final=True)
            parts.append(line)
            if self.merge:
                self._say(line)
        self.output = "".join(parts)
        if talk is not None:
            talk.join(STOP_SECONDS)

    def _listen(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError):  # closed while it was read
            for line in stream:
                self._say(line)

    def _say(self, line: str) -> None:
        text = line.rstrip()
        if text:
            self.tail = [*self.tail[-19:], text[:2000]]
            self.on_line(text)

    def stop(self, patience: float = KILL_SECONDS) -> None:
        """Asks it to end, waits for so many seconds, and kills it when it does not."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)

    def failure(self) -> ProgramError:
        """What to raise about an exit code that is no success."""
        assert self.code is not None
        said = self.tail[-1] if self.tail else "it said nothing"
        if self.code == EXIT_TEMPORARY:
            meaning = "not done, but may be later"
        elif self.code == EXIT_CONFIGURATION:
            meaning = "settings or arguments are wrong"
        elif self.code < 0:
            meaning = f"ended by signal {-self.code}"
        else:
            meaning = f"exit code {self.code}"
        text = f"{self.name}: {meaning}: {said}"
        return ProgramError(text, self.code, final=self.code in (EXIT_CONFIGURATION, 127))

    def json(self) -> dict[str, Any]:
        """The last line of its output that is a JSON object."""
        for line in reversed(self.output.splitlines()):
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    value = json.loads(line)
                    if isinstance(value, dict):
                        return value
        raise ProgramError(f"{self.name} printed no JSON object", self.code or 0, final=True)
