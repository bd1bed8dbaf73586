# SPDX-License-Identifier: Apache-2.0
"""Questions to the warehouse through one running psql: quick enough to be asked every 50 ms."""

from __future__ import annotations

import csv
import io
import subprocess
import threading
from types import TracebackType

from .postgres import DATABASE, USER, Postgres
from .waiting import LocalError

_END = "--end-of-answer--"
RAW_TABLES = (
    "raw_bars",
    "raw_news",
    "raw_option_bars",
    "raw_alerts",
    "raw_metrics",
    "raw_symbols",
    "raw_corporate_actions",
    "raw_feed_status",
    "raw_dead_letters",
)


class Session:
    """One connection, as the sink's user unless another is named. Not for several threads at once."""

    def __init__(self, postgres: Postgres, database: str = DATABASE, *, user: str = USER) -> None:
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            postgres.psql_command("--csv", "-t", user=user, database=database),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=postgres.psql_environment(user),
            cwd="/",
        )
        # Read on its own so that a full pipe of notices can never stop psql.
        self._watcher = threading.Thread(target=self._collect_errors, daemon=True)
        self._watcher.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _collect_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line.rstrip())

    def query(self, text: str) -> list[list[str]]:
        """The rows of one statement, each a list of texts. Raises LocalError when the session is over."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{text.rstrip().rstrip(';')};\n\\echo {_END}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._over() from None
        lines: list[str] = []
        for line in self._process.stdout:
            if line.rstrip("\n") == _END:
                return list(csv.reader(io.StringIO("".join(lines))))
            lines.append(line)
        raise self._over()

    def value(self, text: str) -> str:
        """The only column of the only row, "" when there is no row."""
        rows = self.query(text)
        return rows[0][0] if rows else ""

    def number(self, text: str) -> int:
        return int(self.value(text) or 0)

    def _over(self) -> LocalError:
        self._process.wait(10)
        self._watcher.join(1)
        return LocalError("psql: " + ("; ".join(self._errors[-3:]) or "the connection is gone"))

    def close(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watcher.join(1)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
