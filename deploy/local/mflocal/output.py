# SPDX-License-Identifier: Apache-2.0
"""Standard output that may be full, closed, or without a reader: said in one line, and by the exit code.

`run_command` is what the commands' modules end in. Below it, whatever is printed and cannot be written raises
OutputError, a LocalError like any other; nothing needs to know that it prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator

from .install import say
from .waiting import LocalError

EXIT_FAILED = 1


class OutputError(LocalError):
    """What was printed could not be written."""


class ReaderLeftError(OutputError):
    """The other end of the pipe is closed, as `head` leaves it."""


class _Output(io.TextIOWrapper):
    """Standard output whose failures are OutputError, each told once."""

    def write(self, text: str) -> int:
        with self._failures():
            return super().write(text)

    def flush(self) -> None:
        with self._failures():
            super().flush()

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            # What is still buffered is lost too; with nowhere to go it would fail again at the interpreter's end.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            kind = ReaderLeftError if isinstance(problem, BrokenPipeError) else OutputError
            raise kind(f"standard output: {problem.strerror}") from None


def _open_closed_streams() -> None:
    """Gives the closed ones among the standard streams their descriptors back, which the next file to be opened would
    get otherwise. Output refuses what is written to it; messages are dropped."""
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest free number is this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def run_command(program: str, main: Callable[[], int]) -> int:
    """The exit code of `main`, or EXIT_FAILED after a line on standard error when its output was not written."""
    _open_closed_streams()
    stream = sys.stdout
    encoding, errors, by_line = stream.encoding, stream.errors, stream.isatty()
    sys.stdout = _Output(stream.detach(), encoding, errors, line_buffering=by_line)  # type: ignore[attr-defined]
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except OutputError as problem:
        say(f"{program}: {problem}")
        return EXIT_FAILED
