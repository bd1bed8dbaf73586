# SPDX-License-Identifier: Apache-2.0
"""What a partition remembers (cells, groups, series, contracts), and the payloads of what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .news import Newsroom
from .numbers import statistic
from .rules import SEVERITIES, Rules, Said, Settings
from .series import INTERVAL_MINUTES, Bar, Indicators, LastClose, Values
from .times import format_ms

RING = 64
ORDER = ("1s", "5s", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo", "3mo", "1y")
INHERITED = ("is_mock", "warmup", "delayed")
FLAGS = ("is_mock", "warmup", "delayed", "forming", "proxy_vwap", "partial")
Json = dict[str, Any]


@dataclass
class Output:
    role: str
    key: str
    payload: Json | None  # None: the record's own bytes
    value: bytes | None = None
    revision: int = 0
    flags: tuple[str, ...] = ()
    cause: int = -1  # input offset


@dataclass
class Fired:
    firing: Said
    last: Said
    revision: int = 0


class Series:
    contract: str | None = None

    def __init__(self, group: Group, source: str, interval: str, asset_class: str) -> None:
        self.group, self.source, self.interval, self.asset_class = group, source, interval, asset_class
        self.bars: list[Bar] = []
        self._begin()
        self.fired: dict[tuple[str, int], Fired] = {}
        self.largest_end = -(10**18)
        self.last = Values()
        self.parent: Series | None = None
        self.stale: tuple[int, int, int, float, float] | None = (
            None  # time, severity, revision, value, threshold
        )

    def _begin(self) -> None:
        self.indicators: Indicators | LastClose = Indicators(self.interval, self.asset_class)
        self.rules = Rules(self.interval, self.asset_class)

    @property
    def derived(self) -> bool:
        return self.source == "processor"

    def root(self) -> Series:
        return self.parent.root() if self.parent else self

    def place(self, time: int, content: Any) -> tuple[str, int]:
        ring = self.bars[-RING:]
        for bar in ring:
            if bar.time == time:
                same = bar.content == content
                return ("duplicate" if same else "corrected", bar.revision + (not same))
        return ("late" if len(self.bars) > RING and time < ring[0].time else "new", 0)

    def apply(self, bar: Bar, settings: Settings, say: Sayer) -> Values:
        self.largest_end = max(self.largest_end, bar.end)
        first = max(0, len(self.bars) - RING)
        at = next((i for i in range(first, len(self.bars)) if self.bars[i].time == bar.time), None)
        if at is None and (not self.bars or bar.time > self.bars[-1].time):
            self.bars.append(bar)
            return self._append(bar, settings, say)
        if at is not None:
            old = self.bars[at]
            bar.frozen, bar.emitted, bar.metric_revision = old.frozen, old.emitted, old.metric_revision
            self.bars[at] = bar
        else:
            self.bars.append(bar)
            self.bars.sort(key=lambda b: b.time)
        return self._recompute(bar, settings, say)

    def _append(self, bar: Bar, settings: Settings, say: Sayer) -> Values:
        values = self.last = self.indicators.step(bar)
        self._metric(bar, values, say)
        for said in self.rules.step(settings, bar, values):
            key = (said.rule, said.key_time)
            if key in self.fired:
                entry = self.fired[key]
                entry.last, entry.revision = said, entry.revision + 1
            else:
                entry = self.fired[key] = Fired(said, said)
            say.alert(self, said, bar, entry.revision)
        return values

    def _metric(self, bar: Bar, values: Values, say: Sayer) -> None:
        if bar.emitted == values.identity() or bar.frozen["no_rules"]:
            return
        bar.emitted = values.identity()
        bar.metric_revision += 1
        say.metric(self, bar, values)

    def _recompute(self, cause: Bar, settings: Settings, say: Sayer) -> Values:
        """Everything from the first bar on; only what the ring can change differs."""
        self._begin()
        wanted: dict[tuple[str, int], Fired] = {}
        of_cause = Values()
        by_time = {bar.time: bar for bar in self.bars}
        for bar in self.bars:
            values = self.last = self.indicators.step(bar)
            if bar is cause:
                of_cause = values
            if bar.time >= cause.time:
                self._metric(bar, values, say)
            for said in self.rules.step(settings, bar, values):
                key = (said.rule, said.key_time)
                if key in wanted:
                    wanted[key].last = said
                else:
                    wanted[key] = Fired(said, said)
        for key in sorted(self.fired, key=lambda k: k[1]):
            entry = self.fired[key]
            if key not in wanted and entry.last.reason != "corrected":
                gone = entry.firing
                entry.last = Said(
                    gone.rule, gone.key_time, "resolved", gone.severity, gone.direction, gone.value, gone.threshold,
                    "corrected", cause.end,
                )  # fmt: skip
                entry.revision += 1
                say.alert(self, entry.last, cause, entry.revision)
        oldest = self.bars[-RING:][0]
        for key, entry in wanted.items():
            self._publish_wanted(key, entry, max(by_time[key[1]], oldest, key=lambda b: b.time), say)
        return of_cause

    def _publish_wanted(self, key: tuple[str, int], wanted: Fired, bar: Bar, say: Sayer) -> None:
        have = self.fired.get(key)
        if have is None:
            self.fired[key] = wanted
            say.alert(self, wanted.firing, bar, 0)
            if wanted.last is not wanted.firing:
                wanted.revision = 1
                say.alert(self, wanted.last, bar, 1)
        elif have.last != wanted.last or have.firing != wanted.firing:
            have.firing, have.last, have.revision = wanted.firing, wanted.last, have.revision + 1
            say.alert(self, have.last, bar, have.revision)


class Contract(Series):
    """Bars of one option: no metrics, one rule."""

    def __init__(self, group: Group, interval: str, asset_class: str, ticker: str, expiration: str) -> None:
        self.contract, self.expiration = ticker, expiration
        super().__init__(group, group.provider, interval, asset_class)

    def _begin(self) -> None:
        self.indicators = LastClose()
        self.rules = Rules(self.interval, self.asset_class, ("price_integrity",))

    def _metric(self, bar: Bar, values: Values, say: Sayer) -> None:
        pass


@dataclass
class Group:
    provider: str
    adjusted: str
    vendor: dict[str, Series] = field(default_factory=dict)
    derived: dict[str, Series] = field(default_factory=dict)

    def rule_series(self, interval: str) -> Series | None:
        return self.vendor.get(interval) or self.derived.get(interval)


@dataclass
class Cell:
    lane: str
    symbol: str
    groups: list[Group] = field(default_factory=list)
    seen: dict[str, list[Any]] = field(default_factory=dict)  # key -> [content, revision], the newest 256
    metadata: dict[str, str] = field(default_factory=dict)
    splits: set[str] = field(default_factory=set)
    newsroom: Newsroom = field(default_factory=Newsroom)
    contracts: dict[tuple[str, ...], Contract] = field(default_factory=dict)
    option_day: str = ""

    def group(self, provider: str, adjusted: str) -> Group:
        for group in self.groups:
            if (group.provider, group.adjusted) == (provider, adjusted):
                return group
        self.groups.append(Group(provider, adjusted))
        return self.groups[-1]

    def newest_close(self, group: Group) -> float | None:
        finest_first = sorted((*group.vendor.values(), *group.derived.values()),
                              key=lambda s: ORDER.index(s.interval))  # fmt: skip
        bars = [s.bars[-1] for s in finest_first
                if s.bars and s.interval in INTERVAL_MINUTES and s.interval != "1d"]  # fmt: skip
        return max(bars, key=lambda b: b.end).close if bars else None


@dataclass
class Sayer:
    """Turns what a series says into outputs of the record at hand."""

    cell: Cell
    record: Json
    emit: Callable[[Output, tuple[Any, ...]], None]

    def made(
        self, event_type: str, asset_class: str, time: int, flags: set[str], mode: str, group: Group
    ) -> Json:
        return {
            "event_type": event_type,
            "symbol": self.cell.symbol,
            "asset_class": asset_class,
            "source": "processor",
            "lane": self.cell.lane,
            "event_time": format_ms(time),
            "ingest_time": self.record["ingest_time"],
            "flags": [f for f in FLAGS if f in flags],
            "mode": mode,
            "adjusted": group.adjusted,
            "parent_source": group.provider,
            "cause": self.record["event_id"],
        }

    def metric(self, series: Series, bar: Bar, values: Values) -> None:
        flags = set(bar.flags & set(INHERITED)) | ({"proxy_vwap"} if values.proxy_vwap else set())
        payload = self.made("metric", series.asset_class, bar.time, flags, bar.mode, series.group)
        payload |= {name: statistic(value) for name, value in values.fields.items()}
        payload |= {
            "interval": series.interval,
            "bar_time": format_ms(bar.time),
            "revision": str(bar.metric_revision),
        }
        payload |= {"n_obs": str(values.n_obs), "warmup": not values.warm}
        if values.vol_regime:
            payload["vol_regime"] = values.vol_regime
        if values.market_regime:
            payload["market_regime"] = values.market_regime
        payload |= self.cell.metadata
        self.emit(Output("METRICS", self.cell.symbol, payload), (bar.end, series.interval, series.source, 1))

    def alert(self, series: Series, said: Said, bar: Bar, revision: int) -> None:
        flags = set(bar.flags & set(INHERITED))
        payload = self.made("alert", series.asset_class, said.key_time, flags, bar.mode, series.group)
        payload |= alert_fields(said, series.interval, revision) | self.cell.metadata
        if series.contract:
            payload["contract"] = series.contract
        self.emit(Output("ALERTS", self.cell.symbol, payload), (bar.end, series.interval, series.source, 2))


def alert_fields(said: Said, interval: str, revision: int) -> Json:
    fields = {
        "rule_id": said.rule, "interval": interval, "severity": SEVERITIES[said.severity], "direction": said.direction,
        "value": statistic(said.value), "threshold": statistic(said.threshold), "state": said.state,
        "revision": str(revision),
    }  # fmt: skip
    if said.reason:
        fields["reason"] = said.reason
    if said.resolved_time:
        fields["resolved_time"] = format_ms(said.resolved_time)
    if said.cooldown_until:
        fields["cooldown_until"] = format_ms(said.cooldown_until)
    return fields


def canonical(text: str | None) -> Any:
    return None if text is None else Decimal(text).normalize()
