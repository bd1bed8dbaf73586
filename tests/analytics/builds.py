# SPDX-License-Identifier: Apache-2.0
"""The same loads and builds on a warehouse: everything new, then twice with new, late and corrected rows, then anew.

In short (as part of tests/run all) the later loads are built at once, tests of data run on PostgreSQL alone, and only
it is built anew: fakesnow must say what PostgreSQL says after each load, and so is proven with it.
"""

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
    # Of every table, by name: after each load, built on what was there.
    stages: list[dict[str, Table]] = field(default_factory=list)
    anew: dict[str, Table] = field(default_factory=dict)  # after the last load, everything built anew

    def tables(self, kind: str = "") -> list[dict[str, Any]]:
        """Models that are tables, or only those of one materialization."""
        models = [n for n in self.manifest["nodes"].values() if n["resource_type"] == "model"]
        wanted = (kind,) if kind else ("table", "incremental")
        return [n for n in models if n["config"]["materialized"] in wanted]

    def read(self) -> dict[str, Table]:
        return read(self.warehouse, [(n["schema"], n["name"]) for n in self.tables()])


def results_of_tests(warehouse: Warehouse) -> None:
    """Three runs of one test, as the loader of results writes them."""
    tags = "cast('[]' as jsonb)" if warehouse.target == "postgresql" else "parse_json('[]')"
    runs = [
        f"select 'i{number}', cast('2024-03-2{number} 06:00:00' as timestamp), '1.11.16', 'test', 'x', "
        f"'test.marketflow.t', 'test', 't', '{status}', {number}, 'error', {tags}"
        for number, status in enumerate(("pass", "fail", "fail"))
    ]
    warehouse.rows(
        "insert into ops.dbt_run_results (invocation_id, generated_at, dbt_version, command, target, unique_id, "
        f"resource_type, name, status, failures, severity, tags) {' union all '.join(runs)}"
    )


def run_builds(warehouse: Warehouse, loads: list[list[Row]], thorough: bool) -> Builds:
    builds = Builds(warehouse)
    tested = thorough or warehouse.target == "postgresql"
    last = len(loads) - 1
    for number, rows in enumerate(loads):
        warehouse.load(rows)
        # Seeds and unit tests do not depend on what was loaded: once is enough. Data tests look at the last state.
        left_out = ["seed"] if number > 0 else []
        left_out += ["unit_test"] if number > 0 or not tested else []
        left_out += ["test"] if number < last or not tested else []
        if number == last:
            results_of_tests(warehouse)
        options = ["--exclude-resource-type", *left_out] if left_out else []
        builds.results.append(warehouse.build(*options))
        if not builds.manifest:
            builds.manifest = json.loads((warehouse.directory / "manifest.json").read_text())
        builds.stages.append(builds.read())
    if tested:
        result = warehouse.dbt("run", "--full-refresh")
        assert result.code == 0, "\n".join(result.failed()) or result.output[-4000:]
        builds.anew = builds.read()
    return builds
