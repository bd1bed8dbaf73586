# SPDX-License-Identifier: Apache-2.0
"""One alert in words: what happened, against what, and why that is an alert."""

from __future__ import annotations

from typing import Any

_WINDOWS = {
    "1s": "second", "1m": "minute", "5m": "five minutes", "15m": "quarter of an hour", "30m": "half hour",
    "1h": "hour", "4h": "four hours",
}  # fmt: skip
_DATED = {"1w": "week", "1mo": "month"}
# What a rule compares. {size} is the value without its sign, {side} where it lies; baseline members by their names.
_RULES = {
    "price_move": "the close was {size} % {side} the one before",
    "volume_spike": "the volume was {size} standard deviations {side} the mean of the {n} bars before it",
    "gap": "the first price was {size} % {side} the close of the session before",
    "rsi_extreme": "the relative strength index (RSI14, from 0 to 100) crossed into an extreme, at {size}",
    "vwap_dev": "the close was {size} % {side} the session's volume-weighted average price",
    "news_keyword": "an article carried a word that is watched for",
}


def _number(value: object) -> str:
    """Four digits that count, or one decimal: enough for a sentence, the exact value is in the row."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}".removesuffix(".0")


def _when(alert: dict[str, Any]) -> str:
    moment, interval = str(alert.get("event_time")), str(alert.get("interval"))
    day, clock = moment[:10], moment[11:16]
    if interval == "1d":
        return f"On {day}"
    if interval in _DATED:
        return f"In the {_DATED[interval]} from {day}"
    if interval == "news":
        return f"At {clock} UTC on {day}"
    return f"In the {_WINDOWS.get(interval, interval)} from {clock} UTC on {day}"


def explain_alert(alert: dict[str, Any]) -> str:
    """A few sentences made of the alert's own fields; the same alert always reads the same."""
    baseline = alert.get("baseline") or {}
    value = alert.get("value")
    facts: dict[str, Any] = {"n": 20, **baseline}
    facts["size"] = _number(abs(value)) if isinstance(value, int | float) else str(value)
    facts["side"] = "below" if isinstance(value, int | float) and value < 0 else "above"
    rule = str(alert.get("rule_id"))
    text = f"{_when(alert)}, for {alert.get('symbol')}, "
    text += _RULES.get(rule, "the rule's value reached {size}").format(**facts) + "."
    if alert.get("threshold") is not None:
        text += f" Rule {rule}, version {alert.get('rule_version')}, rates it {alert.get('severity')}"
        text += f" from {_number(alert.get('threshold'))} on."
    if baseline:
        members = ", ".join(f"{name} {_number(member)}" for name, member in sorted(baseline.items()))
        text += f" It was held against {members}."
    return text + f" It is {alert.get('state')}."
