# SPDX-License-Identifier: Apache-2.0
"""Waiting for a state, never for a time: every wait has a bound and says what it waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class LocalError(Exception):
    """Something on this machine is not as it must be; the text is for the person at the terminal."""


class WaitTimeout(LocalError):
    """A state was not reached within its bound."""


def wait_for(probe: Callable[[], T], timeout: float, what: str, interval: float = 0.05) -> T:
    """The first true value of `probe`, asked every `interval` seconds.

    Raises WaitTimeout after `timeout` seconds. Whatever `probe` raises passes through.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise WaitTimeout(f"{what}: not within {timeout:g} s")
        time.sleep(interval)
