# SPDX-License-Identifier: Apache-2.0
"""Reading a service's own HTTP endpoint: readiness, and metrics in the text format."""

from __future__ import annotations

import json
import re
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .loopback import ask

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


def fetch(url: str, timeout: float = 2.0) -> tuple[int, str]:
    """Status and body of a loopback URL; status 0 when nobody answers."""
    try:
        with ask(url, timeout) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return 0, ""


def parse(text: str) -> Iterator[Sample]:
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match:
            labels = {name: _unescape(value) for name, value in _LABEL.findall(match[2] or "")}
            yield Sample(match[1], labels, float(match[3]))


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def checks(body: str) -> dict[str, Any]:
    """The JSON of /readyz, empty when it is none."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
