# SPDX-License-Identifier: Apache-2.0
"""One alert in words: what happened, against what, and why that is an alert."""

from __future__ import annotations

from typing import Any

_WINDOWS = {
    "1s": "second", "1m": "minute", "5m": "five minutes", "15m": "quarter of an hour", "30m": "half hour",
    "1h": "hour", "4h": "four hours", "1d": "day", "1w": "week", "1mo": "month",
}  # fmt: skip
# What a rule compares; {value}, {threshold} and {window} are filled in, baseline members by their names.
_RULES = {
    "price_move": "the close moved {value} % against the one before",
    "volume_spike": "volume was {value} standard deviations above the mean of the {n} bars before it",
    "gap": "the first price was {value} % away from the last close of the session before",
    "rsi_extreme": "RSI14 crossed into {value}, an extreme of its scale from 0 to 100",
    "vwap_dev": "the close stood {value} % away from the session's volume-weighted average price",
    "news_keyword": "an article carried a word that is watched for",
}


def explain_alert(alert: dict[str, Any]) -> str:
    """A paragraph made of the alert's own fields; the same alert always reads the same."""
    baseline = alert.get("baseline") or {}
    window = _WINDOWS.get(str(alert.get("interval")), str(alert.get("interval")))
    facts: dict[str, Any] = {
        name: value for name, value in baseline.items() if isinstance(value, str | int | float)
    }
    facts |= {"value": alert.get("value"), "threshold": alert.get("threshold"), "window": window}
    facts.setdefault("n", 20)
    what = _RULES.get(str(alert.get("rule_id")), "the rule's value reached {value}").format(**facts)
    news = alert.get("interval") == "news"
    when = (
        f"at {alert.get('event_time')}" if news else f"In the {window} that began {alert.get('event_time')}"
    )
    text = f"{when} UTC, for {alert.get('symbol')}, {what}."
    if alert.get("threshold") is not None:
        text += f" The rule {alert.get('rule_id')} (version {alert.get('rule_version')}) calls {alert.get('threshold')}"
        text += f" or beyond {alert.get('severity')}."
    if baseline:
        members = ", ".join(f"{name} {value}" for name, value in sorted(baseline.items()))
        text += f" It was judged against: {members}."
    text += f" State: {alert.get('state')}. In the system's words: “{alert.get('message')}”."
    return text[0].upper() + text[1:]
