# SPDX-License-Identifier: Apache-2.0
"""Bar rules and their hygiene, from docs/processor.md and docs/rules.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .series import LONG, WEIGHTS, Bar, Values, sign

SEVERITIES = ("info", "warning", "critical")
INTRADAY_COOLDOWN_MS = 900_000
CLEAR_BARS = 3
UNRULED = {"3mo", "1y"}
MINUTE_UP = {"5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"}
DEFAULTS: dict[str, tuple[float, float, float]] = {
    "price_move": (0.5, 1, 2), "price_move_z": (3, 4, 6), "velocity": (3, 5, 10), "volume_spike": (2, 3, 5),
    "rel_volume": (2, 3, 5), "gap": (1, 2, 4), "vwap_dev": (1, 2, 3), "vol_regime": (1.5, 2, 0),
    "vol_regime_atr": (2.5, 0, 0), "market_regime": (1, 0, 0), "rsi_extreme": (70, 80, 0), "ma_cross": (1, 1, 1),
    "momentum": (1, 0, 0), "bollinger_break": (2, 3, 0), "new_52w": (1, 0, 0), "mtf_confluence": (60, 0, 0),
    "multi_signal": (0, 0, 1), "news_price_link": (0, 0, 2), "price_integrity": (0, 0, 2),
    "feed_disagree": (0.5, 1, 0), "late_data": (15, 2880, 0),
    "news_keyword": (1, 2, 4), "news_sentiment": (0, 0.35, 0.35), "news_cluster": (0, 5, 0), "stale_feed": (3, 5, 10),
}  # fmt: skip
BAR_RULES = tuple(DEFAULTS)[:21]
ILLIQUID_TOO = {"price_integrity", "late_data"}
DAILY_PRICE_MOVE = (2.0, 3.0, 5.0)


@dataclass
class Settings:
    thresholds: dict[str, tuple[float, float, float]] = field(default_factory=lambda: dict(DEFAULTS))
    min_volume: float = 1000.0
    min_price: float = 1.0
    cooldown_ms: int = INTRADAY_COOLDOWN_MS
    keywords: tuple[str, ...] = (
        "earnings", "guidance", "SEC", "recall", "merger", "halt", "bankruptcy", "downgrade", "breach",
    )  # fmt: skip
    cluster_ratio: float = 3.0
    lateness_ms: int = 10_000
    rollups: bool = True
    keep_interesting: bool = False

    def levels(self, rule: str, interval: str = "") -> tuple[float, float, float]:
        if rule == "price_move" and interval == "1d":
            return self.thresholds.get("price_move_1d", DAILY_PRICE_MOVE)
        return self.thresholds.get(f"{rule}_{interval}", self.thresholds[rule])


@dataclass
class Verdict:
    severity: int = -1
    threshold: float = 0.0
    value: float = 0.0
    direction: str = "none"
    holding: bool = False
    triggered: bool = False


def found(levels: tuple[float, float, float], size: float, strict: bool = False) -> tuple[int, float]:
    best, threshold = -1, 0.0
    for index, level in enumerate(levels):
        if level > 0 and (size > level if strict else size >= level):
            best, threshold = index, level
    return best, threshold


def lowest(levels: tuple[float, float, float]) -> float | None:
    return min((level for level in levels if level > 0), default=None)


def way(value: float) -> str:
    return {1: "up", -1: "down", 0: "none"}[sign(value)]


def level(
    value: float, levels: tuple[float, float, float], absolute: bool = True, strict: bool = False
) -> Verdict:
    severity, threshold = found(levels, abs(value) if absolute else value, strict)
    if severity < 0:
        return Verdict(value=value)
    return Verdict(severity, threshold, value, way(value) if absolute else "up", True, True)


@dataclass
class Judgement:
    """What a rule may look at."""

    settings: Settings
    interval: str
    bar: Bar
    values: Values

    def levels(self, rule: str) -> tuple[float, float, float]:
        return self.settings.levels(rule, self.interval)

    @property
    def fields(self) -> dict[str, float]:
        return self.values.fields

    @property
    def extra(self) -> dict[str, Any]:
        return self.values.extra

    @property
    def previous(self) -> Values:
        return self.values.extra["previous"]


def price_move(j: Judgement) -> Verdict | None:
    if "ret_1" not in j.fields or not j.extra["same_session"]:
        return None
    return level(j.fields["ret_1"] * 100, j.levels("price_move"))


def price_move_z(j: Judgement) -> Verdict | None:
    if "move_z" not in j.extra or not j.extra["same_session"]:
        return None
    return level(j.extra["move_z"], j.levels("price_move_z"))


def of_extra(
    rule: str, name: str, intervals: set[str] | None = None
) -> Callable[[Judgement], Verdict | None]:
    def judge(j: Judgement) -> Verdict | None:
        if name not in j.extra or (intervals is not None and j.interval not in intervals):
            return None
        return level(j.extra[name], j.levels(rule))

    return judge


def of_field(rule: str, name: str, absolute: bool) -> Callable[[Judgement], Verdict | None]:
    def judge(j: Judgement) -> Verdict | None:
        return level(j.fields[name], j.levels(rule), absolute) if name in j.fields else None

    return judge


def vol_regime(j: Judgement) -> Verdict | None:
    regime = j.values.vol_regime
    if regime is None:
        return None
    levels, ratio, before = j.levels("vol_regime"), j.extra["vol_ratio"], j.previous.vol_regime
    changed = before is not None and before != regime
    verdict = Verdict(value=ratio)
    if regime == "LOW" and levels[0] > 0:
        verdict = Verdict(0, 0.5, ratio, "down", True, changed)
    elif regime in ("ELEVATED", "HIGH"):
        severity, threshold = found(levels, ratio)
        if severity >= 0:
            verdict = Verdict(severity, threshold, ratio, "up", True, changed)
    return verdict


def vol_regime_atr(j: Judgement) -> Verdict | None:
    if j.interval not in MINUTE_UP or "atr_pct" not in j.extra:
        return None
    verdict = level(j.extra["atr_pct"], j.levels("vol_regime_atr"), absolute=False)
    before = j.previous.extra.get("atr_pct")
    verdict.triggered = verdict.holding and before is not None and before < verdict.threshold
    return verdict


def market_regime(j: Judgement) -> Verdict | None:
    regime, before = j.values.market_regime, j.previous.market_regime
    if j.interval not in MINUTE_UP or regime is None:
        return None
    value, threshold = j.fields["adx_14"], 25.0
    if regime == "volatile":
        value, threshold = j.extra["atr_pct"], 2.5
    elif regime == "range":
        threshold = 20.0
    switches = [i for i, on in enumerate(j.levels("market_regime")) if on > 0]
    changed = before is not None and before != regime and bool(switches)
    if not changed:
        return Verdict(value=value)
    direction = {"trend_up": "up", "trend_down": "down"}.get(regime, "none")
    return Verdict(switches[-1], threshold, value, direction, True, True)


def rsi_extreme(j: Judgement) -> Verdict | None:
    rsi = j.fields.get("rsi_14")
    if rsi is None:
        return None
    high = rsi >= 50
    severity, threshold = found(j.levels("rsi_extreme"), rsi if high else 100 - rsi)
    if severity < 0:
        return Verdict(value=rsi)
    before = j.previous.fields.get("rsi_14")
    crossed = before is not None and (before if high else 100 - before) < threshold
    return Verdict(
        severity, threshold if high else 100 - threshold, rsi, "up" if high else "down", True, crossed
    )


def ma_cross(j: Judgement) -> Verdict | None:
    if j.interval not in MINUTE_UP or "sma_20" not in j.fields:
        return None
    verdict = Verdict()
    for severity, pair in enumerate(("5/20", "10/50", "50/200")):
        cross = j.extra.get("crosses", {}).get(pair)
        if cross and j.levels("ma_cross")[severity] > 0:
            now, fast, slow = cross
            verdict = Verdict(severity, slow, fast, way(now), True, True)
    return verdict


def momentum(j: Judgement) -> Verdict | None:
    signal = j.extra.get("momentum")
    if signal is None:
        return None
    value = j.extra["momentum_value"]
    switches = [i for i, on in enumerate(j.levels("momentum")) if on > 0]
    if signal == "NEUTRAL" or not switches:
        return Verdict(value=value)
    before = j.previous.extra.get("momentum")
    changed = before is not None and before != signal
    return Verdict(switches[-1], 0.0, value, "up" if signal == "BULLISH" else "down", True, changed)


def new_52w(j: Judgement) -> Verdict | None:
    if "year" not in j.extra:
        return None
    high, low = j.extra["year"]
    switches = [i for i, on in enumerate(j.levels("new_52w")) if on > 0]
    if switches and j.bar.high > high:
        return Verdict(switches[-1], high, j.bar.high, "up", True, True)
    if switches and j.bar.low < low:
        return Verdict(switches[-1], low, j.bar.low, "down", True, True)
    return Verdict(value=j.bar.high)


def mtf_confluence(j: Judgement) -> Verdict | None:
    if j.interval not in WEIGHTS or "mtf_sign" not in j.extra or j.extra["mtf_count"] < 3:
        return None
    if j.bar.frozen.get("finer_warm"):
        return None
    return level(j.fields["mtf_strength"], j.levels("mtf_confluence"), strict=True)


def multi_signal(j: Judgement) -> Verdict | None:
    signal, z = j.extra.get("momentum"), j.fields.get("volume_z_20")
    if signal is None or z is None or j.values.vol_regime is None:
        return None
    switches = [i for i, on in enumerate(j.levels("multi_signal")) if on > 0]
    spike = lowest(j.levels("volume_spike"))
    if (
        signal == "NEUTRAL" or j.values.vol_regime not in ("ELEVATED", "HIGH") or not switches
        or spike is None or z < spike
    ):  # fmt: skip
        return Verdict(value=z)
    return Verdict(switches[-1], spike, z, "up" if signal == "BULLISH" else "down", True, True)


def news_price_link(j: Judgement) -> Verdict | None:
    base = j.bar.frozen.get("news_price")
    if j.interval not in ("1m", "5m") or not base:
        return None
    return level(100 * (j.bar.close / base - 1), j.levels("news_price_link"))


def price_integrity(j: Judgement) -> Verdict | None:
    before = j.extra["prev_close"]
    if before is None or j.bar.frozen.get("split"):
        return None
    quotient = j.bar.close / before
    severity, threshold = found(j.levels("price_integrity"), max(quotient, 1 / quotient), strict=True)
    if severity < 0:
        return Verdict(value=quotient)
    return Verdict(severity, threshold, quotient, "up" if quotient > 1 else "down", True, True)


def feed_disagree(j: Judgement) -> Verdict | None:
    other = j.bar.frozen.get("other_close")
    return level(100 * (j.bar.close / other - 1), j.levels("feed_disagree")) if other else None


def late_data(j: Judgement) -> Verdict | None:
    late = j.bar.frozen.get("late_ms")
    if late is None or j.interval in LONG:
        return None
    minutes = late / 60_000
    severity, threshold = found(j.levels("late_data"), minutes, strict=True)
    return Verdict(severity, threshold, minutes, "none", severity >= 0, severity >= 0)


JUDGES: dict[str, Callable[[Judgement], Verdict | None]] = {
    "price_move": price_move,
    "price_move_z": price_move_z,
    "velocity": of_extra("velocity", "velocity", {"1m", "5m"}),
    "volume_spike": of_field("volume_spike", "volume_z_20", absolute=False),
    "rel_volume": of_field("rel_volume", "rel_volume_20", absolute=False),
    "gap": of_extra("gap", "gap"),
    "vwap_dev": of_field("vwap_dev", "vwap_dev_pct", absolute=True),
    "vol_regime": vol_regime,
    "vol_regime_atr": vol_regime_atr,
    "market_regime": market_regime,
    "rsi_extreme": rsi_extreme,
    "ma_cross": ma_cross,
    "momentum": momentum,
    "bollinger_break": of_extra("bollinger_break", "bb_break", MINUTE_UP),
    "new_52w": new_52w,
    "mtf_confluence": mtf_confluence,
    "multi_signal": multi_signal,
    "news_price_link": news_price_link,
    "price_integrity": price_integrity,
    "feed_disagree": feed_disagree,
    "late_data": late_data,
}


@dataclass
class Said:
    """One transition of one alert."""

    rule: str
    key_time: int
    state: str
    severity: int
    direction: str
    value: float
    threshold: float
    reason: str | None = None
    resolved_time: int | None = None
    cooldown_until: int | None = None


@dataclass
class Open:
    """Hygiene of one rule in one series."""

    firing: Said | None = None
    last_severity: int = 0
    quiet_until: int | None = None
    clear: int = 0


def resolved(firing: Said, reason: str, time: int) -> Said:
    return Said(
        firing.rule, firing.key_time, "resolved", firing.severity, firing.direction, firing.value, firing.threshold,
        reason, time,
    )  # fmt: skip


def liquid(settings: Settings, values: Values, bar: Bar, asset_class: str) -> bool:
    if asset_class in ("fx", "index"):
        return True
    average = values.fields.get("volume_mean_20")
    if average is None:
        return False
    if asset_class == "crypto":
        return average * bar.close >= settings.min_volume * settings.min_price
    return average >= settings.min_volume and bar.close >= settings.min_price


class Rules:
    """Rule states of one series."""

    def __init__(self, interval: str, asset_class: str, rules: tuple[str, ...] = BAR_RULES) -> None:
        self.interval, self.asset_class = interval, asset_class
        self.states = {rule: Open() for rule in rules if interval not in UNRULED}

    def step(self, settings: Settings, bar: Bar, values: Values) -> list[Said]:
        said: list[Said] = []
        muted = "warmup" in bar.flags or bool(bar.frozen.get("no_rules"))
        is_liquid = liquid(settings, values, bar, self.asset_class)
        for rule in self.states:
            verdict = JUDGES[rule](Judgement(settings, self.interval, bar, values)) or Verdict()
            if muted or not (is_liquid or rule in ILLIQUID_TOO):
                verdict.triggered = False
            said += self._one(rule, settings, bar, verdict)
        return said

    def _one(self, rule: str, settings: Settings, bar: Bar, verdict: Verdict) -> list[Said]:
        state, said = self.states[rule], []
        firing = state.firing
        if firing:
            opposite = (
                verdict.holding and verdict.direction != "none" and firing.direction != "none"
                and verdict.direction != firing.direction
            )  # fmt: skip
            if verdict.holding and not opposite:
                state.clear = 0
            else:
                state.clear += 1
                if opposite or state.clear >= CLEAR_BARS:
                    said.append(resolved(firing, "cleared", bar.end))
                    state.firing = firing = None
                    state.clear = 0
        if not verdict.triggered:
            return said
        rises = verdict.severity > (firing.severity if firing else state.last_severity)
        quiet = state.quiet_until is not None and bar.time < state.quiet_until
        if (firing and not rises) or (not firing and quiet and not rises):
            return said
        if firing:
            said.append(resolved(firing, "escalated", bar.end))
        until = None
        if self.interval not in LONG and settings.cooldown_ms > 0:
            until = bar.time + settings.cooldown_ms
        state.firing = Said(
            rule, bar.time, "firing", verdict.severity, verdict.direction, verdict.value, verdict.threshold,
            cooldown_until=until,
        )  # fmt: skip
        state.quiet_until, state.last_severity, state.clear = until, verdict.severity, 0
        said.append(state.firing)
        return said
