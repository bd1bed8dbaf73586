# SPDX-License-Identifier: Apache-2.0
"""A skeleton service under test: its log, its notifications, its endpoint. Standard library only."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

BINARY = os.environ.get("SKELETON_SERVICE", "")
PATIENCE = 60.0  # only reached when something is broken
CANARY = "canary-5e1f-skeleton"


def sanitized() -> bool:
    return b"__asan_" in Path(BINARY).read_bytes() or b"__tsan_" in Path(BINARY).read_bytes()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not come: {what}")
        time.sleep(0.01)


class Skeleton:
    """The running process. Every thread of the reader ends with the process."""

    def __init__(self, arguments: list[str], folder: Path, settings: dict[str, str], **options: Any) -> None:
        self.folder = folder
        self.lines: list[dict[str, Any]] = []
        self.messages: list[tuple[float, str]] = []
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "METRICS_LISTEN": "127.0.0.1:0",
            "LOG_FORMAT": "json",
            "NOTIFY_SOCKET": str(folder / "notify"),
            "SKELETON_CONTROL": str(folder),
            **{k: v for k, v in os.environ.items() if k.endswith("_OPTIONS")},  # of sanitizers
            **settings,
        }
        read_log = options.setdefault("stderr", subprocess.PIPE) == subprocess.PIPE
        options.setdefault("stdout", subprocess.PIPE)
        through = options.pop("through", None)  # a line of shell that ends by running its arguments
        command = [BINARY, *arguments] if through is None else ["/bin/sh", "-c", through, BINARY, *arguments]
        self.process = subprocess.Popen(command, env=environment, **options)
        self.listener = threading.Thread(target=self._read_messages, daemon=True)
        self.listener.start()
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        if read_log:
            self.reader.start()

    def _read_messages(self) -> None:
        while text := self.notify.recv(65536).decode():
            self.messages.append((time.monotonic(), text))

    def _read_log(self) -> None:
        for raw in self.process.stderr:
            try:
                self.lines.append(json.loads(raw))
            except ValueError:
                self.lines.append({"raw": raw.decode(errors="replace")})

    # --- what it said

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event]

    def wait_event(self, event: str, count: int = 1) -> dict[str, Any]:
        return wait_for(lambda: len(self.events(event)) >= count and self.events(event)[-1], event)

    def states(self) -> list[str]:
        return [line["state"] for line in self.events("state_changed")]

    def wait_state(self, state: str) -> None:
        wait_for(lambda: state in self.states() or self.process.poll() is not None, state)
        assert state in self.states(), (state, self.lines)

    def told(self, start: str) -> list[str]:
        """The notifications that begin so; of an ended process, all of them."""
        if self.process.poll() is not None:
            wait_for(lambda: not select.select([self.notify], [], [], 0.01)[0], "the last notification")
        return [text for _, text in self.messages if text.startswith(start)]

    def wait_told(self, start: str, count: int = 1) -> str:
        return wait_for(lambda: len(self.told(start)) >= count and self.told(start)[-1], start)

    def everything(self) -> str:
        return json.dumps(self.lines) + json.dumps(self.messages)

    # --- its endpoint

    def address(self) -> str:
        return self.wait_event("process_up")["listen"]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address()}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, sample: str) -> float:
        return self.metrics(sample)[0]

    def metrics(self, *samples: str) -> list[float]:
        """Samples of one scrape."""
        text = self.get("/metrics")[1]
        found = [re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE) for sample in samples]
        assert all(found), (samples, text)
        return [float(match[1]) for match in found if match]

    # --- its life

    def tell(self, what: str, on: bool = True) -> None:
        if on:
            (self.folder / what).touch()
        else:
            (self.folder / what).unlink()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        if self.reader.is_alive():
            self.reader.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        if self.reader.is_alive():
            self.reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        # Its descriptor's number goes to the next skeleton's: nobody may be about to read from it.
        self.notify.shutdown(socket.SHUT_RDWR)
        self.listener.join(PATIENCE)
        self.notify.close()


class SkeletonCase(unittest.TestCase):
    """Starts skeletons, each in a folder of its own, and ends them."""

    def start(self, *arguments: str, settings: dict[str, str] | None = None, **options: Any) -> Skeleton:
        folder = Path(tempfile.mkdtemp(prefix="mf-skeleton-"))
        self.addCleanup(shutil.rmtree, folder)
        skeleton = Skeleton(list(arguments), folder, settings or {}, **options)
        self.addCleanup(skeleton.close)
        return skeleton

    def started(self, *arguments: str, **settings: str) -> Skeleton:
        """One that has said READY=1."""
        skeleton = self.start(*arguments, settings=settings)
        skeleton.wait_told("READY=1")
        skeleton.wait_state("running")
        return skeleton

    def ends(self, skeleton: Skeleton, code: int) -> None:
        found = skeleton.wait()
        self.assertEqual(found, code, skeleton.lines)
        self.assertFalse([line for line in skeleton.lines if "raw" in line], "every line is JSON")
        self.assertNotIn(CANARY, skeleton.everything())

    def run_once(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """A program that ends by itself."""
        environment = {**{k: v for k, v in os.environ.items() if k.endswith("_OPTIONS")}, **settings}
        return subprocess.run(
            [BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE
        )


def main() -> None:
    if not os.access(BINARY, os.X_OK):
        raise SystemExit("SKELETON_SERVICE must name the program under test")
    unittest.main(verbosity=2)
