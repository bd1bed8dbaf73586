# SPDX-License-Identifier: Apache-2.0
"""The demo's account: what it counts as its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from mflocal import Layout, Postgres, Session
from mflocal.answers import Answers, paragraph
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


def test_the_paragraph_has_the_figures() -> None:
    answers = Answers(
        day="2018-12-31", stocks=5, advancers=3, decliners=2, mean_return_pct=-0.25, top_gainer="IBM",
        top_gainer_pct=1.5, top_loser="GE", top_loser_pct=-7.25, above_sma_200=1, strategy_symbol="KO",
        strategy_day="2018-12-28", momentum_pct=-1.5, mean_reversion_pct=2.5, macd_pct=0.5, alerts=17, firing=3,
        top_rule="gap", top_rule_alerts=11, signal="X:BTCUSD at 1.00: momentum is bullish.", multi_signals=4,
        events=901, rejects=6, late=8,
    )  # fmt: skip
    text = paragraph(answers)
    for value in answers.to_json().values():
        assert (f"{value:+g}" if isinstance(value, float) else str(value)).rstrip(".") in text
    assert "\n" not in text


def test_empty_marts_are_said_to_be_empty() -> None:
    text = paragraph(Answers())
    assert text.startswith("There is no day of stocks yet.") and "There was no alert." in text
