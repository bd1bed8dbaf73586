# SPDX-License-Identifier: Apache-2.0
"""The demo's account: what it counts as its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from mflocal import Layout, Postgres, Session
from mflocal.demo import count_replayed, duration, main


@pytest.fixture
def postgres(layout: Layout) -> Iterator[Postgres]:
    """A server of this test alone, with an empty table of bars as far as the demo asks about it."""
    server = Postgres(layout, die_with_parent=True, durable=False)
    try:
        server.start()
        server.wait_ready()
        server.sql("CREATE SCHEMA raw; CREATE TABLE raw.raw_bars (payload jsonb)")
        yield server
    finally:
        server.stop()
        server.reset()


def bar(interval: str, adjusted: str, mode: str) -> str:
    return json.dumps({"interval": interval, "adjusted": adjusted, "provenance": {"mode": mode}})


def test_a_backfill_of_ones_own_is_not_counted(postgres: Postgres) -> None:
    own = [bar("1d", "none", "replay")] * 2
    others = [bar("1d", "split", "replay"), bar("1w", "none", "replay"), bar("1d", "none", "rest")]
    values = ", ".join(f"('{text}')" for text in own + others)
    postgres.sql(f"INSERT INTO raw.raw_bars VALUES {values}")
    with Session(postgres) as session:
        assert count_replayed(session) == len(own)


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "-inf", "soon", ""])
def test_a_time_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main([f"--seconds={text}"])
    assert refused.value.code == 2
    assert f"{text} is not a positive number of seconds" in capsys.readouterr().err


def test_times() -> None:
    assert [duration(text) for text in ("0.5", "60", "1e3")] == [0.5, 60, 1_000]
