# SPDX-License-Identifier: Apache-2.0
"""The request budget as it is used: five requests a minute, over ten minutes, by the provider's own count."""

from __future__ import annotations

from budget_users import GRANT_MS, PER_WINDOW, assert_no_window_exceeded, spend_windows
from scene import Scene

MINUTE_MS = 60_000
MINUTES = 10


def test_ten_minutes_of_a_shared_budget(scene: Scene) -> None:
    """Two processes, then three, then one is killed: the provider refuses the sixth request of a minute, and refuses
    none."""
    simulator = scene.parts.simulator
    simulator.set_options(rate_per_minute=PER_WINDOW)
    scene.at_end.append(lambda: simulator.set_options(rate_per_minute=0))
    seen = spend_windows(scene, MINUTE_MS, MINUTES)
    assert seen[-1]["at_ms"] - seen[0]["at_ms"] >= MINUTES * MINUTE_MS
    assert {request["status"] for request in seen} == {200}
    assert_no_window_exceeded(scene, MINUTE_MS)
    # Little is wasted: a window of the log is longer by a grant's second, and the kill costs what was claimed.
    assert len(seen) >= MINUTES * PER_WINDOW * MINUTE_MS / (MINUTE_MS + GRANT_MS) - 2 * PER_WINDOW
    print(f"{len(seen)} requests in {(seen[-1]['at_ms'] - seen[0]['at_ms']) / 1000:.0f} s")
