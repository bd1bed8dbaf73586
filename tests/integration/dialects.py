# SPDX-License-Identifier: Apache-2.0
"""Cases of the sink that run on both warehouses: `both`, or `played` where the driver plays Snowflake's part of it.

Fault ids are those of the list of faults that the project is tested against: S17 to S26 are the sink's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import _line
from line import Line, Parts
from postgresql import PostgresLine
from sink_line import SinkLine
from snowflake import SnowflakeLine

_NAMES = ["postgresql", "snowflake"]
both = pytest.mark.parametrize("sink_line", _NAMES, indirect=True)
played = pytest.mark.parametrize("sink_line", _NAMES, ids=["postgresql", "snowflake-played"], indirect=True)


@pytest.fixture
def sink_line(parts: Parts, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SinkLine]:
    kind: type[SinkLine] = PostgresLine
    if request.param == "snowflake":
        kind = SnowflakeLine
        SnowflakeLine.helper = request.getfixturevalue("helper")
    lines: Iterator[Line] = _line(parts, tmp_path, request, kind)
    yield from lines  # type: ignore[misc]
