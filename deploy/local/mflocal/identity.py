# SPDX-License-Identifier: Apache-2.0
"""Which process a pid file means: the pid together with when it started and in which boot.

A pid alone is not enough, because the kernel gives it to another process sooner or later; a signal goes out
only through a descriptor of the very process that was written down.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def _stat_fields(pid: int) -> list[str] | None:
    """/proc/PID/stat from the state on (field 3), or None; the name before it may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Identity:
    """One process, for as long as the machine runs."""

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        fields = _stat_fields(pid)
        return cls(pid, int(fields[19]), boot_id()) if fields else None

    @classmethod
    def read(cls, path: Path) -> Identity | None:
        """From a pid file; None when there is none or it makes no sense."""
        try:
            value = json.loads(path.read_text())
            return cls(int(value["pid"]), int(value["start_ticks"]), str(value["boot"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(asdict(self)) + "\n")
        part.replace(path)

    def alive(self) -> bool:
        """Still that process, and not merely waiting to be reaped.

        The first thread of a killed process may be gone before the others, which still hold its sockets."""
        fields = _stat_fields(self.pid)
        if fields is None or int(fields[19]) != self.start_ticks or boot_id() != self.boot:
            return False
        others = int(fields[17]) > 1
        return fields[0] not in "ZX" or others

    @contextlib.contextmanager
    def _descriptor(self) -> Iterator[int | None]:
        """A pidfd of exactly this process, or None when it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            # Checked after opening: from here on the descriptor cannot come to mean another process.
            yield descriptor if self.alive() else None
        finally:
            os.close(descriptor)

    def send(self, number: signal.Signals) -> bool:
        """Signals the process; False when it is gone."""
        with self._descriptor() as descriptor:
            if descriptor is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            return True

    def wait_end(self, timeout: float) -> bool:
        """True once the process has ended, False after `timeout` seconds."""
        with self._descriptor() as descriptor:
            if descriptor is None:
                return True
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            return bool(poller.poll(max(0, timeout) * 1000))

    def cpu_seconds(self) -> float:
        """User and system time so far; 0 when it is gone."""
        fields = _stat_fields(self.pid) if self.alive() else None
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS if fields else 0.0

    def resident_mib(self) -> float:
        """Memory in RAM; 0 when it is gone."""
        if not self.alive():
            return 0.0
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def descendants(self) -> list[Identity]:
        """Its children, theirs, and so on, as of one look."""
        by_parent: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            fields = _stat_fields(int(entry.name)) if entry.name.isdigit() else None
            if fields:
                by_parent.setdefault(int(fields[1]), []).append(int(entry.name))
        pids, todo = [], [self.pid]
        while todo:
            children = by_parent.get(todo.pop(), [])
            pids += children
            todo += children
        return [found for pid in pids if (found := Identity.of(pid)) is not None]

    def children(self) -> list[Identity]:
        """The processes whose parent this is."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = _stat_fields(int(entry.name))
                if fields and int(fields[1]) == self.pid:
                    child = Identity.of(int(entry.name))
                    if child is not None:
                        found.append(child)
        return found
