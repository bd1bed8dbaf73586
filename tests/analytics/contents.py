# SPDX-License-Identifier: Apache-2.0
"""Contents of tables, comparable between builds and between warehouses."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from warehouses import Warehouse

# What depends on the clock of the run.
VOLATILE = {"age_s", "last_check_status", "last_check_time"}


@dataclass
class Table:
    name: str
    columns: list[str]
    rows: list[list[Any]]

    def __post_init__(self) -> None:
        self.rows = sorted(([plain(value) for value in row] for row in self.rows), key=_exact_part)

    def checksum(self) -> str:
        """Of every row, statistics at six decimals: two warehouses add in different orders."""
        texts = sorted(json.dumps([_text(value) for value in row]) for row in self.rows)
        return hashlib.sha256("\n".join([",".join(self.columns), *texts]).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Texts, whole numbers, doubles, truth values; decimals and times as texts of one form."""
    if isinstance(value, dict) and len(value) == 1:
        kind, text = next(iter(value.items()))
        if kind == "decimal":
            value = Decimal(text)
        elif kind in ("timestamp", "date"):
            return text
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _text(value: Any) -> Any:
    if isinstance(value, float):
        text = f"{value:.6f}"
        return "0.000000" if text == "-0.000000" else text
    return value


def _exact_part(row: list[Any]) -> list[str]:
    return [repr(value) for value in row if not isinstance(value, float)]


def read(warehouse: Warehouse, names: list[tuple[str, str]]) -> dict[str, Table]:
    """Tables by name, each with its columns in the order of their names."""
    listing = warehouse.rows(
        "select lower(table_schema), lower(table_name), lower(column_name), lower(data_type) "
        "from information_schema.columns"
    )
    columns: dict[tuple[str, str], list[str]] = {}
    times: set[tuple[str, str, str]] = set()
    for schema, table, column, kind in listing:
        if column not in VOLATILE:
            columns.setdefault((schema, table), []).append(column)
        if kind.startswith("timestamp"):
            times.add((schema, table, column))
    missing = [name for name in names if name not in columns]
    assert not missing, f"not there: {missing}"
    texts = []
    for schema, table in names:
        # As text: fakesnow hands out the beginning of 1970 for a time that is null.
        chosen = [
            f"cast({name} as varchar) as {name}" if (schema, table, name) in times else name
            for name in sorted(columns[schema, table])
        ]
        texts.append(f"select {', '.join(chosen)} from {schema}.{table}")
    found = {}
    for name, rows in zip(names, warehouse.all_rows(texts), strict=True):
        wanted = sorted(columns[name])
        marks = [(*name, column) in times for column in wanted]
        found[name[1]] = Table(name[1], wanted, [_with_times(row, marks) for row in rows])
    return found


def _with_times(row: tuple[Any, ...], marks: list[bool]) -> list[Any]:
    return [
        datetime.datetime.fromisoformat(value) if mark and value is not None else value
        for value, mark in zip(row, marks, strict=True)
    ]


def differences(expected: Table, actual: Table, limit: int = 5) -> list[str]:
    """What differs, doubles by 1e-8 or 1e-9 of themselves; empty when nothing does."""
    if expected.columns != actual.columns:
        return [f"{expected.name}: columns {expected.columns} and {actual.columns}"]
    if len(expected.rows) != len(actual.rows):
        missing = _only(expected, actual, limit)
        surplus = _only(actual, expected, limit)
        return [
            f"{expected.name}: {len(expected.rows)} and {len(actual.rows)} rows; "
            f"only in the first {missing}, only in the second {surplus}"
        ]
    found = []
    for one, other in zip(expected.rows, actual.rows, strict=True):
        for column, a, b in zip(expected.columns, one, other, strict=True):
            if not _same(a, b):
                found.append(
                    f"{expected.name}.{column}: {a!r} and {b!r} in {dict(zip(expected.columns, one, strict=True))}"
                )
                break
        if len(found) >= limit:
            break
    return found


def _only(one: Table, other: Table, limit: int) -> list[list[Any]]:
    known = {tuple(_exact_part(row)) for row in other.rows}
    return [row for row in one.rows if tuple(_exact_part(row)) not in known][:limit]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        if a is None or b is None:
            return a is b
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-8)
    return bool(a == b)
