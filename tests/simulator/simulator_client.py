# SPDX-License-Identifier: Apache-2.0
"""A simulator process for tests, and a small HTTP client that hides nothing."""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mflocal import Layout, Simulator

ROOT = Path(__file__).resolve().parents[2]
KEY = "canary-key-for-tests"
# A Wednesday, 11:30 in New York; every test that needs "now" stands here.
NOW = "2026-03-18T15:30:20.000Z"


@dataclass
class Reply:
    """An HTTP answer; `truncated` when the connection ended before the declared length."""

    status: int
    headers: dict[str, str]
    body: bytes
    truncated: bool = False

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one simulator. `get` takes a path or one of its own next_urls."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.address = urlsplit(simulator.url).netloc

    def get(self, url: str, *, key: str | None = KEY, timeout: float = 20.0) -> Reply:
        path = url.removeprefix(self.simulator.url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            head = {name.lower(): value for name, value in answer.getheaders()}
            try:
                return Reply(answer.status, head, answer.read())
            except http.client.IncompleteRead as short:
                return Reply(answer.status, head, short.partial, truncated=True)
        finally:
            connection.close()

    def rows(self, url: str) -> list[dict[str, Any]]:
        """All rows of a query over all its pages; fails on any answer that is not data."""
        rows, pages = [], 0
        next_url: str | None = url
        while next_url:
            reply = self.get(next_url)
            assert reply.status == 200, reply.text
            rows += reply.json.get("results", [])
            next_url = reply.json.get("next_url")
            pages += 1
            assert pages < 2_000
        return rows


def start(directory: Path, *options: str) -> Simulator:
    simulator = Simulator(
        Layout(directory, directory),
        die_with_parent=True,
        key=KEY,
        options=options,
        python=Path(sys.executable),
    )
    simulator.start()
    simulator.wait_ready(20)
    return simulator
