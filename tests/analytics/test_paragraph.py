# SPDX-License-Identifier: Apache-2.0
"""What the demo says at its end, against the history that the marts were built of."""

from __future__ import annotations

import itertools

from builds import Builds
from history import STOCKS, Row
from mflocal import Session
from mflocal.answers import paragraph, read_answers
from test_answers import newest
from warehouses import PostgresWarehouse


def test_the_figures_are_those_of_the_history(postgresql: Builds, loads: list[list[Row]]) -> None:
    assert isinstance(postgresql.warehouse, PostgresWarehouse)
    with Session(postgresql.warehouse.server) as session:
        answers = read_answers(session)
    closes: dict[str, dict[str, float]] = {}
    for row in newest(loads, "bar").values():
        event = row.event
        if event["interval"] == "1d" and event["source"] == "polygon":
            closes.setdefault(event["symbol"], {})[event["session_date"]] = float(event["close"])
    last = max(max(days) for days in closes.values())
    moves = {}
    for symbol, days in closes.items():
        before, now = [days[day] for day in sorted(days)][-2:]
        moves[symbol] = round(100 * (now / before - 1), 2)
    ordered = sorted(moves, key=lambda symbol: (moves[symbol], symbol))
    assert (answers.day, answers.stocks) == (last, len(STOCKS))
    assert answers.advancers == sum(move > 0 for move in moves.values())
    assert answers.decliners == sum(move < 0 for move in moves.values())
    assert (answers.top_loser, answers.top_gainer) == (ordered[0], ordered[-1])
    assert (answers.top_loser_pct, answers.top_gainer_pct) == (moves[ordered[0]], moves[ordered[-1]])
    above = [s for s, d in closes.items() if d[last] > sum(d[day] for day in sorted(d)[-200:]) / 200]
    assert answers.above_sma_200 == len(above)

    alerts = [row.event for row in newest(loads, "alert").values() if "is_mock" not in row.flags]
    rules = sorted(event["rule_id"] for event in alerts)
    counts = {rule: len(list(group)) for rule, group in itertools.groupby(rules)}
    assert answers.firing == sum(event["state"] == "firing" for event in alerts)
    assert answers.alerts == len(rules) and answers.top_rule_alerts == max(counts.values())
    assert counts[answers.top_rule] == answers.top_rule_alerts
    assert answers.events > answers.rejects and answers.strategy_symbol in STOCKS
    assert str(answers.alerts) in paragraph(answers)
