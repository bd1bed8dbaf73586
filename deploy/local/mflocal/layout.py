# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the tree, one stack's state, and what stacks share.

A stack's state (data, logs, secrets, pid files) is under MARKETFLOW_LOCAL_DIR, by default `.local` in the
tree. Jars, Python environments and builds are under MARKETFLOW_CACHE_DIR, by default the tree's `.local` too,
so that several stacks, each with its own state, share them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Layout:
    """The directories of one stack. Nothing is created before it is needed."""

    state: Path
    cache: Path
    repository: Path = REPOSITORY

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Layout:
        default = REPOSITORY / ".local"
        state = Path(env.get("MARKETFLOW_LOCAL_DIR") or default).resolve()
        return cls(state, Path(env.get("MARKETFLOW_CACHE_DIR") or default).resolve())

    @property
    def run(self) -> Path:
        """Pid files, ports, what the supervisor knows."""
        return _private(self.state / "run")

    @property
    def log(self) -> Path:
        return _made(self.state / "log")

    @property
    def secrets(self) -> Path:
        """Files of mode 0600 in a directory of mode 0700."""
        return _private(self.state / "secrets")

    def cached(self, name: str, *inputs: Path) -> Path:
        """A cache directory named after the content of what it is made from."""
        digest = hashlib.sha256()
        for path in inputs:
            digest.update(path.read_bytes())
        return self.cache / f"{name}-{digest.hexdigest()[:16]}"


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _private(path: Path) -> Path:
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> Path:
    """A whole file of mode 0600, never readable by others, never seen half written."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    part.replace(path)
    return path
