# SPDX-License-Identifier: Apache-2.0
"""The same loads and builds on a warehouse: everything new, then twice with new, late and corrected rows, then anew."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from contents import Table, read
from history import Row
from warehouses import DbtResult, Warehouse


@dataclass
class Builds:
    warehouse: Warehouse
    manifest: dict[str, Any] = field(default_factory=dict)
    results: list[DbtResult] = field(default_factory=list)
    # Of every table, by name: after the first, the second and the third load, each built on what was there.
    stages: list[dict[str, Table]] = field(default_factory=list)
    anew: dict[str, Table] = field(default_factory=dict)  # after the third load, everything built anew

    def tables(self, kind: str = "") -> list[dict[str, Any]]:
        """Models that are tables, or only those of one materialization."""
        models = [n for n in self.manifest["nodes"].values() if n["resource_type"] == "model"]
        wanted = (kind,) if kind else ("table", "incremental")
        return [n for n in models if n["config"]["materialized"] in wanted]

    def read(self) -> dict[str, Table]:
        return read(self.warehouse, [(n["schema"], n["name"]) for n in self.tables()])


def run_builds(warehouse: Warehouse, loads: list[list[Row]]) -> Builds:
    builds = Builds(warehouse)
    for number, rows in enumerate(loads):
        warehouse.load(rows)
        # Seeds and unit tests do not depend on what was loaded: once is enough. Data tests look at the last state.
        left_out = ["seed", "unit_test"] if number > 0 else []
        left_out += ["test"] if number < len(loads) - 1 else []
        options = ["--exclude-resource-type", *left_out] if left_out else []
        builds.results.append(warehouse.build(*options))
        if not builds.manifest:
            builds.manifest = json.loads((warehouse.directory / "manifest.json").read_text())
        builds.stages.append(builds.read())
    result = warehouse.dbt("run", "--full-refresh")
    assert result.code == 0, "\n".join(result.failed()) or result.output[-4000:]
    builds.anew = builds.read()
    return builds
