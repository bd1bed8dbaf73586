# SPDX-License-Identifier: Apache-2.0
"""Questions that the marts answer, and the answers as one paragraph: every figure in it is read from a mart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .warehouse import Session

# The newest day that the most stocks have: of the days to come or of one straggler there is little to say.
_DAY = """
SELECT trade_date, symbol_count, advancer_count, decliner_count, round(mean_return_pct::numeric, 2),
       top_gainer, round(top_gainer_pct::numeric, 2), top_loser, round(top_loser_pct::numeric, 2),
       (SELECT count(*) FROM marts_market.mart_stock_performance AS p
         WHERE p.trade_date = s.trade_date AND p.close_price > p.sma_200)
  FROM marts_market.mart_daily_summary AS s
 ORDER BY symbol_count DESC, trade_date DESC LIMIT 1
"""
_STRATEGIES = """
SELECT symbol, trade_date, round((100 * momentum_return_63)::numeric, 1),
       round((100 * mean_reversion_return_63)::numeric, 1), round((100 * macd_return_63)::numeric, 1)
  FROM marts_market.fct_polygon__stock_bars_performance
 WHERE momentum_return_63 IS NOT NULL AND mean_reversion_return_63 IS NOT NULL AND macd_return_63 IS NOT NULL
 ORDER BY trade_date DESC, symbol LIMIT 1
"""
_ALERTS = """
SELECT rule_id, count(*), sum(count(*)) OVER (), sum(count(*) FILTER (WHERE is_firing)) OVER ()
  FROM marts_market.fact_alerts GROUP BY rule_id ORDER BY count(*) DESC, rule_id LIMIT 1
"""
_SIGNAL = """
SELECT signal_summary, (SELECT count(*) FROM marts_market.mart_realtime_signals WHERE is_multi_signal)
  FROM marts_market.mart_realtime_signals ORDER BY window_start DESC, symbol LIMIT 1
"""
_QUALITY = (
    "SELECT sum(event_count), sum(reject_count), sum(late_count) FROM marts_quality.mart_data_quality_daily"
)


@dataclass
class Answers:
    """What was asked and found; "" or 0 where a mart has no row."""

    day: str = ""
    stocks: int = 0
    advancers: int = 0
    decliners: int = 0
    mean_return_pct: float = 0.0
    top_gainer: str = ""
    top_gainer_pct: float = 0.0
    top_loser: str = ""
    top_loser_pct: float = 0.0
    above_sma_200: int = 0
    strategy_symbol: str = ""
    strategy_day: str = ""
    momentum_pct: float = 0.0
    mean_reversion_pct: float = 0.0
    macd_pct: float = 0.0
    alerts: int = 0
    firing: int = 0
    top_rule: str = ""
    top_rule_alerts: int = 0
    signal: str = ""
    multi_signals: int = 0
    events: int = 0
    rejects: int = 0
    late: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_answers(session: Session) -> Answers:
    """Asks the marts, which dbt must have built."""
    answers = Answers()
    for row in session.query(_DAY):
        answers.day, answers.top_gainer, answers.top_loser = row[0], row[5], row[7]
        answers.stocks, answers.advancers, answers.decliners = map(int, row[1:4])
        found = (float(row[place] or 0) for place in (4, 6, 8))
        answers.mean_return_pct, answers.top_gainer_pct, answers.top_loser_pct = found
        answers.above_sma_200 = int(row[9])
    for symbol, day, *returns in session.query(_STRATEGIES):
        answers.strategy_symbol, answers.strategy_day = symbol, day
        answers.momentum_pct, answers.mean_reversion_pct, answers.macd_pct = map(float, returns)
    for rule, *counts in session.query(_ALERTS):
        answers.top_rule = rule
        answers.top_rule_alerts, answers.alerts, answers.firing = map(int, counts)
    for summary, count in session.query(_SIGNAL):
        answers.signal, answers.multi_signals = summary, int(count)
    for row in session.query(_QUALITY):
        answers.events, answers.rejects, answers.late = (int(float(value or 0)) for value in row)
    return answers


def paragraph(answers: Answers) -> str:
    """The answers as people read them; a mart without rows is said to have none."""
    parts = []
    if answers.day:
        parts.append(
            f"On {answers.day}, the newest day that most stocks have, {answers.advancers} of {answers.stocks} rose and "
            f"{answers.decliners} fell, {answers.mean_return_pct:+.2f} % on average; "
            f"{answers.above_sma_200} stood above their mean of 200 days."
        )
        if answers.top_gainer and answers.top_loser:
            parts.append(
                f"{answers.top_gainer} led with {answers.top_gainer_pct:+.2f} %, {answers.top_loser} came last with "
                f"{answers.top_loser_pct:+.2f} %."
            )
    else:
        parts.append("There is no day of stocks yet.")
    if answers.strategy_symbol:
        parts.append(
            f"In the 63 days to {answers.strategy_day}, after costs, momentum would have made "
            f"{answers.momentum_pct:+.1f} % of {answers.strategy_symbol}, mean reversion "
            f"{answers.mean_reversion_pct:+.1f} %, MACD {answers.macd_pct:+.1f} %."
        )
    if answers.alerts:
        parts.append(
            f"Of {answers.alerts} alerts, most of them of {answers.top_rule} ({answers.top_rule_alerts}), "
            f"{answers.firing} still stand."
        )
    else:
        parts.append("There was no alert.")
    if answers.signal:
        parts.append(
            f"{answers.signal.rstrip('.')}; {answers.multi_signals} quarter hours had three signals at once."
        )
    parts.append(
        f"Of {answers.events} events {answers.rejects} could not be typed, {answers.late} came late."
    )
    return " ".join(parts)
