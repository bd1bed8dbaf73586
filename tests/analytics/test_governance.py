# SPDX-License-Identifier: Apache-2.0
"""Rules of the dbt project, over its manifest: what may depend on what, names, descriptions, keys, contracts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from builds import Builds
from mflocal import REPOSITORY, Layout
from warehouses import Warehouse

# By folder: beginnings of names.
NAMES = {
    "models/base": ("base_",),
    "models/raw_names": ("raw_",),
    "models/staging": ("stg_",),
    "models/intermediate": ("int_",),
    "models/marts/market": ("fact_", "fct_", "dim_", "mart_"),
    "models/marts/quality": ("mart_",),
}
# What each folder may refer to.
MAY_SEE = {
    "models/base": {"sources"},
    "models/raw_names": {"models/staging"},
    "models/staging": {"sources", "models/base", "models/raw_names", "models/staging", "seeds"},
    "models/intermediate": {"models/staging", "models/intermediate", "seeds"},
    "models/marts/market": {"models/staging", "models/intermediate", "models/marts/market", "seeds"},
    "models/marts/quality": {"models/base", "models/staging"},
}
KEY_TESTS = {"primary_key", "unique_combination", "unique"}
# Read by people only.
WITHOUT_FRESHNESS = {"raw_dead_letters"}
MEANT_BOUNDS = {"views in a chain": 4, "tests per model": 1.5}

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a parse, which needs no warehouse."""
    directory = tmp_path_factory.mktemp("dbt-parse")
    result = Warehouse(layout, "postgresql", directory).dbt("parse", "--no-partial-parse")
    assert result.code == 0, result.output
    assert "deprecat" not in result.output.lower(), result.output
    return dict(json.loads((directory / "manifest.json").read_text()))


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> list[Node]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def folder(node: Node) -> str:
    if node["resource_type"] in ("source", "seed", "snapshot"):
        return node["resource_type"] + "s"
    return str(Path(node["original_file_path"]).parent)


def parents(manifest: dict[str, Any], node: Node) -> list[Node]:
    return [manifest["nodes"].get(name) or manifest["sources"][name] for name in node["depends_on"]["nodes"]]


def test_names_say_the_layer(models: list[Node]) -> None:
    assert not [n["name"] for n in models if not n["name"].startswith(NAMES[folder(n)])]
    assert not [n["name"] for n in models if n["resource_type"] == "model" and not n["patch_path"]]


def test_layers_look_downwards(manifest: dict[str, Any], models: list[Node]) -> None:
    wrong = [
        f"{n['name']} -> {p['name']}"
        for n in models
        for p in parents(manifest, n)
        if folder(p) not in MAY_SEE[folder(n)]
    ]
    assert not wrong


def test_sources_are_read_in_one_place_and_never_joined(manifest: dict[str, Any], models: list[Node]) -> None:
    readers: dict[str, list[str]] = {name: [] for name in manifest["sources"]}
    for node in models:
        above = [p["unique_id"] for p in parents(manifest, node)]
        of_sources = [name for name in above if name.startswith("source.")]
        if of_sources:
            assert len(above) == 1, f"{node['name']} joins a source"
            readers[of_sources[0]].append(node["name"])
    assert not {name: found for name, found in readers.items() if len(found) != 1}


def test_everything_has_parents(models: list[Node]) -> None:
    assert not [n["name"] for n in models if not n["depends_on"]["nodes"]]


def test_no_relation_is_written_by_hand(models: list[Node]) -> None:
    pattern = re.compile(
        r"\b(?:from|join)\s+(?:raw|ops|staging|intermediate|marts_\w+|snapshots)\.\w+", re.IGNORECASE
    )
    assert not [n["name"] for n in models if pattern.search(n["raw_code"])]


def test_everything_is_described(manifest: dict[str, Any], models: list[Node]) -> None:
    wrong = []
    others = [n for n in manifest["nodes"].values() if n["resource_type"] in ("seed", "snapshot")]
    for node in [*models, *others, *manifest["sources"].values(), *manifest["exposures"].values()]:
        if not node["description"].strip():
            wrong.append(node["name"])
        wrong += [
            f"{node['name']}.{c['name']}"
            for c in node.get("columns", {}).values()
            if not c["description"].strip()
        ]
    assert not wrong


def test_every_model_has_a_key(manifest: dict[str, Any], models: list[Node]) -> None:
    keyed = set()
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") in KEY_TESTS:
            keyed.add(node["attached_node"])
    assert not [n["name"] for n in models if n["unique_id"] not in keyed]
    tests = [n for n in manifest["nodes"].values() if n["resource_type"] == "test"]
    assert len(tests) >= MEANT_BOUNDS["tests per model"] * len(models)


def test_incremental_models_say_how(models: list[Node]) -> None:
    for node in models:
        if node["config"]["materialized"] == "incremental":
            assert node["config"]["incremental_strategy"] == "delete+insert", node["name"]
            assert node["config"]["unique_key"], node["name"]
            assert node["config"]["on_schema_change"] == "fail", node["name"]


def test_marts_have_contracts(models: list[Node]) -> None:
    public = [n for n in models if n["access"] == "public"]
    assert {folder(n) for n in public} == {"models/marts/market", "models/marts/quality"}
    for node in models:
        assert node["contract"]["enforced"] == (node["access"] == "public"), node["name"]
        if node["contract"]["enforced"]:
            assert not [c["name"] for c in node["columns"].values() if not c["data_type"]], node["name"]


def test_exposures_stand_on_public_models(manifest: dict[str, Any], models: list[Node]) -> None:
    public = {n["unique_id"] for n in models if n["access"] == "public"}
    used = {name for e in manifest["exposures"].values() for name in e["depends_on"]["nodes"]}
    assert used <= public
    assert not {name.split(".")[-1] for name in public - used}


def test_sources_have_freshness(manifest: dict[str, Any]) -> None:
    for source in manifest["sources"].values():
        limits = source["freshness"] or {}
        fresh = bool((limits.get("warn_after") or {}).get("count")) and bool(
            (limits.get("error_after") or {}).get("count")
        )
        assert fresh != (source["name"] in WITHOUT_FRESHNESS), source["name"]


def test_views_are_not_stacked_high(manifest: dict[str, Any], models: list[Node]) -> None:
    by_id = {n["unique_id"]: n for n in models}

    def height(node: Node) -> int:
        if node["config"]["materialized"] != "view":
            return 0
        return 1 + max([height(by_id[p]) for p in node["depends_on"]["nodes"] if p in by_id], default=0)

    assert max(height(n) for n in models) <= MEANT_BOUNDS["views in a chain"]


def test_no_packages_and_no_telemetry() -> None:
    project = (REPOSITORY / "dbt" / "dbt_project.yml").read_text()
    assert "send_anonymous_usage_stats: false" in project
    for name in ("packages.yml", "dependencies.yml", "package-lock.yml"):
        assert not (REPOSITORY / "dbt" / name).exists()


def test_every_column_is_in_the_project(postgresql: Builds) -> None:
    """Of what was built: the warehouse's columns and the described ones are the same, in the same order."""
    wrong = []
    found: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in postgresql.warehouse.rows(
        "select table_schema, table_name, column_name from information_schema.columns order by 1, 2, ordinal_position"
    ):
        found.setdefault((schema, table), []).append(column)
    for node in postgresql.manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed", "snapshot"):
            described = [name.lower() for name in node["columns"]]
            if found[node["schema"], node["name"]] != described:
                wrong.append(node["name"])
    assert not wrong
