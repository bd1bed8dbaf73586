# SPDX-License-Identifier: Apache-2.0
"""Indicators of one series of bars, from docs/indicators.md: values from whole windows, oldest first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .numbers import END

WEIGHTS = {"1m": 5, "5m": 5, "15m": 10, "1h": 15, "4h": 25, "1d": 40}
INTERVAL_MINUTES = {
    "1s": 1 / 60, "5s": 1 / 12, "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440,
}  # fmt: skip
LONG = {"1d", "1w", "1mo", "3mo", "1y"}
LOOK_BACK = 76


def total(items: list[float]) -> float:
    """Left to right from 0: what sum() does today, and must go on doing."""
    result = 0.0
    for item in items:
        result += item
    return result


def mean(items: list[float]) -> float:
    return total(items) / len(items)


def sample_sd(items: list[float]) -> float:
    middle = mean(items)
    return math.sqrt(total([(x - middle) * (x - middle) for x in items]) / (len(items) - 1))


def population_sd(items: list[float]) -> float:
    middle = mean(items)
    return math.sqrt(total([(x - middle) * (x - middle) for x in items]) / len(items))


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def periods_per_year(interval: str, asset_class: str) -> float:
    days = {"crypto": 365.0, "fx": 260.0}.get(asset_class, 252.0)
    if interval == "1d":
        return days
    if interval in LONG:
        return 0.0
    minutes_a_day = 1440.0 if asset_class in ("crypto", "fx") else 390.0
    return days * minutes_a_day / INTERVAL_MINUTES[interval]


@dataclass
class Bar:
    """One bar of a series; `frozen` is what it read elsewhere when it came first."""

    time: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    date: str
    session: str
    flags: frozenset[str]
    mode: str
    texts: dict[str, str] = field(default_factory=dict)
    trade_count: int | None = None
    content: Any = None
    revision: int = 0
    frozen: dict[str, Any] = field(default_factory=dict)
    emitted: Any = None  # the computed fields last published
    metric_revision: int = -1


@dataclass
class Values:
    """What one bar computes: `fields` is published, the rest is for the rules."""

    fields: dict[str, float] = field(default_factory=dict)
    vol_regime: str | None = None
    market_regime: str | None = None
    warm: bool = False
    proxy_vwap: bool = False
    n_obs: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def identity(self) -> Any:
        return (self.fields, self.vol_regime, self.market_regime, self.warm, self.proxy_vwap, self.n_obs)


class Indicators:
    """Steps through the bars of one series in time order."""

    def __init__(self, interval: str, asset_class: str) -> None:
        self.interval, self.asset_class = interval, asset_class
        self.bars: list[Bar] = []
        self.closes: list[float] = []
        self.volumes: list[float] = []
        self.returns: list[float] = []  # returns[i] belongs to bar i + 1
        self.emas: dict[int, float] = {}
        self.signal = 0.0
        self.macds: list[float] = []
        self.gain = self.loss = self.atr = 0.0
        self.tr = self.plus = self.minus = 0.0
        self.dx: list[float] = []
        self.adx = 0.0
        self.v15: list[float | None] = []
        self.widths: list[float] = []
        self.signs: dict[str, int] = {}
        self.previous = Values()
        self.session: tuple[str, str] | None = None
        self.weighted = self.traded = 0.0
        self.proxy = False
        self.regular: tuple[str, float] | None = None

    # --- one bar ----------------------------------------------------------------------------------

    def step(self, bar: Bar) -> Values:
        before = self.bars[-1] if self.bars else None
        self.bars.append(bar)
        self.closes.append(bar.close)
        self.volumes.append(bar.volume)
        if before:
            self.returns.append(bar.close / before.close - 1)
        values = Values(n_obs=len(self.bars))
        values.extra["prev_close"] = before.close if before else None
        values.extra["same_session"] = before is not None and self._same_session(before, bar)
        self._returns(values)
        self._volume(values, bar)
        self._averages(values, bar)
        if before:
            self._wilder(values, bar, before)
        if self.interval not in LONG:
            self._vwap(values, bar)
        self._gap(values, bar)
        self._momentum(values, bar)
        if self.interval == "1m":
            self._minutes(values, bar)
        if self.interval == "1d":
            self._year(values, bar)
        self._regime(values, bar)
        self._velocity(values, bar)
        self._strength(values, bar)
        for name in [name for name, value in values.fields.items() if not abs(value) < END]:
            del values.fields[name]
        wanted = {"1d": 252, "1m": 76}.get(self.interval, 50)
        values.warm = values.n_obs >= wanted and "volume_mean_20" in values.fields
        values.extra["previous"] = self.previous
        self.previous = values
        return values

    def _same_session(self, a: Bar, b: Bar) -> bool:
        if self.interval in LONG or self.asset_class == "crypto":
            return True
        return (a.date, a.session) == (b.date, b.session)

    def _returns(self, values: Values) -> None:
        n = len(self.closes)
        if n >= 2:
            values.fields["ret_1"] = self.returns[-1]
        if n >= 21:
            sd = sample_sd(self.returns[-20:])
            values.fields["volatility_20"] = sd
            periods = periods_per_year(self.interval, self.asset_class)
            if periods > 0:
                values.fields["volatility_ann_pct"] = sd * 100 * math.sqrt(periods)
        if n >= 22:
            sd = sample_sd(self.returns[-21:-1])
            if sd > 0:
                values.extra["move_z"] = self.returns[-1] / sd

    def _volume(self, values: Values, bar: Bar) -> None:
        behind = self.volumes[:-1][-LOOK_BACK:]
        traded = [v for v in behind if v > 0][-20:]
        if len(traded) < 20:
            return
        middle, sd = mean(traded), sample_sd(traded) if len(set(traded)) > 1 else 0.0
        values.fields["volume_mean_20"] = middle
        values.fields["volume_sd_20"] = sd
        if bar.volume > 0:
            if sd > 0:
                values.fields["volume_z_20"] = (bar.volume - middle) / sd
            values.fields["rel_volume_20"] = bar.volume / middle

    def _averages(self, values: Values, bar: Bar) -> None:
        n = len(self.closes)
        for length in (5, 10, 20, 50, 200):
            if n >= length and (length < 200 or self.interval == "1d"):
                values.fields[f"sma_{length}"] = mean(self.closes[-length:])
        for length in (12, 20, 26):
            if n == length:
                self.emas[length] = mean(self.closes[-length:])
            elif n > length:
                self.emas[length] += 2.0 / (length + 1) * (bar.close - self.emas[length])
            if n >= length:
                values.fields[f"ema_{length}"] = self.emas[length]
        if n >= 26:
            macd = self.emas[12] - self.emas[26]
            self.macds.append(macd)
            values.fields["macd"] = macd
            if n == 34:
                self.signal = mean(self.macds)
            elif n > 34:
                self.signal += 0.2 * (macd - self.signal)
            if n >= 34:
                values.fields["macd_signal"] = self.signal
                values.fields["macd_hist"] = macd - self.signal
        if n >= 20:
            self._bands(values, bar)
        for pair, fast, slow in (("5/20", 5, 20), ("10/50", 10, 50), ("50/200", 50, 200)):
            self._cross(values, pair, values.fields.get(f"sma_{fast}"), values.fields.get(f"sma_{slow}"))

    def _bands(self, values: Values, bar: Bar) -> None:
        middle = values.fields["sma_20"]
        sd = population_sd(self.closes[-20:])
        up, low = middle + 2 * sd, middle - 2 * sd
        values.fields.update(bb_mid=middle, bb_up=up, bb_low=low)
        if sd > 0:
            values.extra["bb_break"] = (bar.close - middle) / sd
        if self.interval == "1d":
            self.widths.append((up - low) / middle)
            if len(self.widths) >= 120:
                values.extra["squeeze"] = self.widths[-1] <= sorted(self.widths[-120:])[5]

    def _cross(self, values: Values, pair: str, fast: float | None, slow: float | None) -> None:
        if fast is None or slow is None:
            return
        now, last = sign(fast - slow), self.signs.get(pair, 0)
        if now and last and now != last:
            values.extra.setdefault("crosses", {})[pair] = (now, fast, slow)
        if now:
            self.signs[pair] = now

    def _wilder(self, values: Values, bar: Bar, before: Bar) -> None:
        n = len(self.bars)
        change = bar.close - before.close
        span = max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close))
        up, down = bar.high - before.high, before.low - bar.low
        plus = up if up > down and up > 0 else 0.0
        minus = down if down > up and down > 0 else 0.0

        def averaged(previous: float, x: float) -> float:
            if n < 15:
                return previous + x
            return (previous + x) / 14 if n == 15 else (13 * previous + x) / 14

        def summed(previous: float, x: float) -> float:
            return previous + x if n <= 15 else previous - previous / 14 + x

        self.gain = averaged(self.gain, change if change > 0 else 0.0)
        self.loss = averaged(self.loss, -change if change < 0 else 0.0)
        self.atr = averaged(self.atr, span)
        self.tr, self.plus, self.minus = (
            summed(self.tr, span),
            summed(self.plus, plus),
            summed(self.minus, minus),
        )
        if n < 15:
            return
        if self.loss > 0:
            rsi = 100 - 100 / (1 + self.gain / self.loss)
        else:
            rsi = 100.0 if self.gain > 0 else 50.0
        values.fields["rsi_14"] = rsi
        values.fields["atr_14"] = self.atr
        values.extra["atr_pct"] = 100 * self.atr / bar.close
        plus_di = 100 * self.plus / self.tr if self.tr != 0 else 0.0
        minus_di = 100 * self.minus / self.tr if self.tr != 0 else 0.0
        values.fields["plus_di_14"], values.fields["minus_di_14"] = plus_di, minus_di
        both = plus_di + minus_di
        self.dx.append(100 * abs(plus_di - minus_di) / both if both != 0 else 0.0)
        if n == 28:
            self.adx = mean(self.dx)
        elif n > 28:
            self.adx = (13 * self.adx + self.dx[-1]) / 14
        if n >= 28:
            values.fields["adx_14"] = self.adx

    def _vwap(self, values: Values, bar: Bar) -> None:
        if self.session != (bar.date, bar.session):
            self.session = (bar.date, bar.session)
            self.weighted = self.traded = 0.0
            self.proxy = False
        if bar.volume > 0:
            price = bar.vwap if bar.vwap is not None else (bar.high + bar.low + bar.close) / 3
            self.weighted += price * bar.volume
            self.traded += bar.volume
            self.proxy = self.proxy or bar.vwap is None
        if self.traded > 0:
            vwap = self.weighted / self.traded
            values.proxy_vwap = self.proxy
            values.fields["vwap_session"] = vwap
            values.fields["vwap_dev_pct"] = (bar.close - vwap) / vwap * 100

    def _gap(self, values: Values, bar: Bar) -> None:
        if self.asset_class not in ("stock", "index"):
            return
        if self.interval not in LONG and bar.session != "regular":
            return
        if self.regular and self.regular[0] != bar.date and self.regular[1] > 0:
            values.extra["gap"] = (bar.open / self.regular[1] - 1) * 100
        self.regular = (bar.date, bar.close)

    def _momentum(self, values: Values, bar: Bar) -> None:
        if len(self.closes) >= 11:
            base = self.closes[-11]
            values.fields["momentum_10"] = bar.close - base
            values.fields["roc_10"] = 100 * (bar.close / base - 1)

    def _minutes(self, values: Values, bar: Bar) -> None:
        n = len(self.closes)
        if n >= 15:
            values.fields["ma_15m"] = mean(self.closes[-15:])
            values.fields["volume_sum_15m"] = total(self.volumes[-15:])
        if n >= 60:
            values.fields["ma_1h"] = mean(self.closes[-60:])
            spread = values.fields["ma_15m"] - values.fields["ma_1h"]
            delta = bar.close - self.closes[-16]
            signal = (
                "BULLISH"
                if spread > 0 and delta > 0
                else "BEARISH"
                if spread < 0 and delta < 0
                else "NEUTRAL"
            )
            values.extra["momentum"] = signal
            values.extra["momentum_value"] = delta * 100 / self.closes[-16]
        now = 100 * sample_sd(self.returns[-15:]) if n >= 16 else None
        self.v15.append(now)
        if now is not None:
            values.fields["volatility_15m"] = now
        if n >= 76:
            earlier = [
                v for v in (self.v15[-61], self.v15[-46], self.v15[-31], self.v15[-16]) if v is not None
            ]
            base = mean(earlier)
            if now is not None and base != 0:
                ratio = now / base
                values.extra["vol_ratio"] = ratio
                values.vol_regime = (
                    "HIGH"
                    if ratio >= 2
                    else "ELEVATED"
                    if ratio >= 1.5
                    else "LOW"
                    if ratio <= 0.5
                    else "NORMAL"
                )

    def _year(self, values: Values, bar: Bar) -> None:
        if len(self.bars) >= 252:
            high = max(b.high for b in self.bars[-252:])
            low = min(b.low for b in self.bars[-252:])
            values.fields["high_52w"], values.fields["low_52w"] = high, low
            if high != low:
                values.fields["position_52w_pct"] = 100 * (bar.close - low) / (high - low)
        if len(self.bars) >= 253:
            before = self.bars[-253:-1]
            values.extra["year"] = (max(b.high for b in before), min(b.low for b in before))

    def _regime(self, values: Values, bar: Bar) -> None:
        adx = values.fields.get("adx_14")
        if adx is None:
            return
        was_trend = self.previous.market_regime in ("trend_up", "trend_down")
        if adx > 25 or (was_trend and adx >= 20):
            up = values.fields["plus_di_14"] > values.fields["minus_di_14"]
            values.market_regime = "trend_up" if up else "trend_down"
        elif values.extra["atr_pct"] > 2.5:
            values.market_regime = "volatile"
        else:
            values.market_regime = "range"

    def _velocity(self, values: Values, bar: Bar) -> None:
        if self.interval not in ("1m", "5m"):
            return
        for earlier in reversed(self.bars[-64:-1]):
            if earlier.time <= bar.time - 5 * 60_000:
                if self._same_session(earlier, bar):
                    values.extra["velocity"] = 100 * (bar.close / earlier.close - 1)
                break

    def _strength(self, values: Values, bar: Bar) -> None:
        weight = WEIGHTS.get(self.interval)
        if weight is None:
            return
        signed, warm, count = bar.frozen.get("mtf", (0, 0, 0))
        if "sma_50" in values.fields:
            values.extra["mtf_sign"] = sign(values.fields["sma_10"] - values.fields["sma_50"])
            signed, warm, count = signed + weight * values.extra["mtf_sign"], warm + weight, count + 1
        values.extra["mtf_count"] = count
        if warm:
            values.fields["mtf_strength"] = 100 * signed / warm


class LastClose:
    """What price_integrity needs of Indicators, and no more."""

    def __init__(self) -> None:
        self.close: float | None = None

    def step(self, bar: Bar) -> Values:
        values = Values(extra={"prev_close": self.close})
        self.close = bar.close
        return values
