# SPDX-License-Identifier: Apache-2.0
"""Variables that would make a build wrong or endless are refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from mflocal import Layout
from warehouses import Warehouse

pytestmark = pytest.mark.deep


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("watermark_grace", "-10 minutes", "from 1 minute to 7 days"),
        ("watermark_grace", "59 seconds", "from 1 minute to 7 days"),
        ("watermark_grace", "8 days", "from 1 minute to 7 days"),
        ("watermark_grace", "infinity", "from 1 minute to 7 days"),
        ("late_grace_hours", "-1", "whole number from 0 to 9999"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    layout: Layout, tmp_path: Path, name: str, value: str, says: str
) -> None:
    result = Warehouse(layout, "postgresql", tmp_path).dbt("parse", variables={name: value})
    assert result.code == 2
    assert f"{name} is '{value}'" in result.output and says in result.output


def test_other_values_are_taken(layout: Layout, tmp_path: Path) -> None:
    variables = {"watermark_grace": "2 hours", "late_grace_hours": 24}
    result = Warehouse(layout, "postgresql", tmp_path).dbt("parse", variables=variables)
    assert result.code == 0, result.output
