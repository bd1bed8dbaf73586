# SPDX-License-Identifier: Apache-2.0
"""The two pools, sized after the settings: `python -m _lib.pools > pools.json && airflow pools import pools.json`.

All processes with a key share its budget, whatever their number (docs/kafka.md): a pool does not protect it, but keeps
from starting what would only wait. A backfill of pages of 50 000 rows uses some ten requests a minute, so there is a
slot for each ten, between 1 and 8; without a limit 8. MARKETFLOW_POOL_SLOTS says another number.
"""

from __future__ import annotations

import json
import sys

from .settings import Settings

REQUESTS_PER_SLOT = 10
SLOTS_MAX = 8


def provider_slots(settings: Settings) -> int:
    if settings.values.get("MARKETFLOW_POOL_SLOTS"):
        return settings.number("MARKETFLOW_POOL_SLOTS", SLOTS_MAX, low=1, high=128)
    per_minute = settings.number("POLYGON_REQUESTS_PER_MINUTE", 5)  # the ingestor's own default
    return SLOTS_MAX if per_minute == 0 else min(SLOTS_MAX, max(1, per_minute // REQUESTS_PER_SLOT))


def pools(settings: Settings) -> dict[str, dict[str, object]]:
    # Not from defaults.py, which needs Airflow's classes: this runs wherever Python does.
    return {
        "marketflow_provider": {
            "slots": provider_slots(settings),
            "description": "Backfills at a time, after the provider's request budget",
            "include_deferred": False,
        },
        "marketflow_warehouse": {
            "slots": 1,
            "description": "One dbt at a time",
            "include_deferred": False,
        },
    }


if __name__ == "__main__":
    json.dump(pools(Settings.load()), sys.stdout, indent=2)
    print()
