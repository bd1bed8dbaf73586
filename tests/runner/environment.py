# SPDX-License-Identifier: Apache-2.0
"""What the tests need beside Debian packages, which tests/run has installed: Python environments from lock files.

The caches are those of deploy/local: tests and stacks share jars and environments.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mflocal import install
from mflocal.layout import Layout
from mflocal.waiting import LocalError


class SetupError(Exception):
    """Something needed cannot be installed; the text says what and how."""


@cache
def python_of(lock: Path) -> Path:
    """The interpreter of the environment made from a lock file, made now if it is not there yet."""
    try:
        return install.python_environment(Layout.from_environment(), lock.parent.name, lock)
    except (LocalError, OSError) as error:
        raise SetupError(str(error)) from error
