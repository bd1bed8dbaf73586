# SPDX-License-Identifier: Apache-2.0
"""One input partition folded from docs/processor.md: an implementation of its own, whole histories instead of
running state. What it says of a record is compared with what the processor published (compare.py)."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .cells import (
    INHERITED,
    ORDER,
    RING,
    Cell,
    Contract,
    Group,
    Json,
    Output,
    Sayer,
    Series,
    alert_fields,
    canonical,
)
from .numbers import statistic
from .rules import Said, Settings
from .series import INTERVAL_MINUTES, LONG, WEIGHTS, Bar, Values
from .times import NEW_YORK, format_ms, new_york_midnight, parse_ms

# (open, close) of a session in ms, None on a day without one.
Calendar = Callable[[str], tuple[int, int] | None]


class Partition:
    """Feed it the records of one input partition in order; `outputs` is what it published."""

    def __init__(self, role: str, settings: Settings, calendar: Calendar) -> None:
        self.role, self.settings, self.calendar = role, settings, calendar
        self.cells: dict[tuple[str, str], Cell] = {}
        self.clocks: dict[tuple[str, str], int] = {}
        self.lane_clock: dict[str, int] = {}
        self.outputs: list[Output] = []
        self._offset = -1
        self._collected: list[tuple[tuple[Any, ...], int, Output]] | None = None

    # --- records ----------------------------------------------------------------------------------

    def record(self, offset: int, value: bytes, *, bad: bool | None = None, replayed: bool = False) -> None:
        """bad: the record is known to be (True) or not to be malformed; None = only its JSON is tried."""
        self._offset = offset
        try:
            event = json.loads(value.decode("utf-8"), parse_float=str, parse_int=str)
            bad = bool(bad) or not isinstance(event, dict) or "event_type" not in event
        except ValueError:
            bad, event = True, {}
        fits = not bad and (event["lane"] == "live") == (self.role == "RAW")
        if bad or not fits:
            self._dead_letter()
        elif event["event_type"] == "heartbeat" and event["lane"] == "live" and event.get("lane_end"):
            self._dead_letter()  # only backfill lanes end
        elif event["event_type"] == "heartbeat":
            self._heartbeat(event)
        elif self._is_future(event):
            self._dead_letter()
        elif replayed and event["lane"] != "live" and all(lane != event["lane"] for lane, _ in self.cells):
            self._pass(event, value, 0, ("late",))
        else:
            handlers = {"bar": self._bar, "news": self._news, "symbol": self._symbol}
            handlers |= {"corporate_action": self._action, "option_bar": self._option_bar}
            handlers.get(event["event_type"], self._reference)(event, value)

    def _is_future(self, event: Json) -> bool:
        ahead = parse_ms(event["event_time"]) - parse_ms(event["ingest_time"])
        if event["event_type"] in ("bar", "option_bar"):
            days = {"1w": 7, "1mo": 31, "3mo": 92, "1y": 366}.get(event["interval"])
            minutes = days * 1440 if days else INTERVAL_MINUTES[event["interval"]]
            return ahead > 2 * minutes * 60_000
        return ahead > 15 * 60_000

    def _emit(self, output: Output, order: tuple[Any, ...] = ()) -> None:
        output.cause = self._offset
        if self._collected is None:
            self.outputs.append(output)
        else:
            end, interval, source, topic = order
            key = (end, output.key, ORDER.index(interval), source, topic)
            self._collected.append((key, len(self._collected), output))

    def _dead_letter(self) -> None:
        self._emit(Output("DLQ", "", None))

    def _pass(self, event: Json, value: bytes, revision: int = 0, flags: tuple[str, ...] = ()) -> None:
        role = {
            "bar": "BARS_FILTERED", "news": "NEWS_FILTERED", "option_bar": "OPTION_BARS_FILTERED",
            "symbol": "SYMBOLS_FILTERED", "corporate_action": "CORPORATE_ACTIONS_FILTERED",
            "feed_status": "FEED_STATUS_FILTERED",
        }[event["event_type"]]  # fmt: skip
        key = event["feed"] if event["event_type"] == "feed_status" else event["symbol"]
        self._emit(Output(role, key, None, value, revision, flags))

    def _cell(self, event: Json) -> Cell:
        key = (event["lane"], event["symbol"])
        if key not in self.cells:
            self.cells[key] = Cell(*key)
        return self.cells[key]

    # --- reference events and news ----------------------------------------------------------------

    def _remember(self, cell: Cell, event: Json) -> tuple[str, int]:
        ignored = {
            "event_id", "ingest_time", "lane", "provenance", "flags", "schema_version", "event_type", "symbol",
            "asset_class", "source", "event_time",
        }  # fmt: skip
        content = json.dumps({k: v for k, v in event.items() if k not in ignored}, sort_keys=True)
        kind = [event["event_type"], event.get("article_id"), event.get("kind")]
        key = json.dumps([event["event_time"], *kind])
        if key not in cell.seen:
            if len(cell.seen) == 256:
                del cell.seen[next(iter(cell.seen))]
            cell.seen[key] = [content, 0]
            return "new", 0
        entry = cell.seen[key]
        if entry[0] == content:
            return "duplicate", entry[1]
        entry[0], entry[1] = content, entry[1] + 1
        return "corrected", entry[1]

    def _reference(self, event: Json, value: bytes) -> bool:
        result, revision = self._remember(self._cell(event), event)
        if result == "duplicate":
            return False
        self._pass(event, value, revision, ("corrected",) if result == "corrected" else ())
        return True

    def _symbol(self, event: Json, value: bytes) -> None:
        if self._reference(event, value):
            names = {"symbol_name": "name", "exchange": "exchange", "symbol_type": "type"}
            self._cell(event).metadata = {
                ours: event[theirs] for ours, theirs in names.items() if theirs in event
            }

    def _action(self, event: Json, value: bytes) -> None:
        if self._reference(event, value) and event["kind"] == "split":
            self._cell(event).splits.add(event["ex_date"])

    def _news(self, event: Json, value: bytes) -> None:
        cell = self._cell(event)
        warm = "warmup" in event["flags"]
        old = parse_ms(event["ingest_time"]) - parse_ms(event["event_time"]) >= 7 * 86_400_000
        if old and event["lane"] == "live" and not warm:
            return  # leaves no trace
        result, revision = self._remember(cell, event)
        if result == "duplicate":
            return
        self._pass(event, value, revision, ("corrected",) if result == "corrected" else ())
        cell.newsroom.take(event, parse_ms(event["event_time"]))
        if warm:
            return
        for said, alert_revision, begins in cell.newsroom.judge(
            event, parse_ms(event["event_time"]), self.settings
        ):
            payload = Sayer(cell, event, self._emit).made(
                "alert", event["asset_class"], said.key_time, set(event["flags"]) & set(INHERITED),
                event["provenance"]["mode"], Group(event["source"], ""),
            )  # fmt: skip
            del payload["adjusted"]
            if said.state == "resolved":
                said.resolved_time = parse_ms(event["ingest_time"])
            payload |= (
                alert_fields(said, "news", alert_revision)
                | {"article_id": event["article_id"]}
                | cell.metadata
            )
            self._emit(Output("ALERTS", cell.symbol, payload))
            room = cell.newsroom
            if (
                said.state == "firing"
                and begins
                and (room.link_time is None or said.key_time > room.link_time)
            ):
                cell.newsroom.link_time = said.key_time
                cell.newsroom.link_price = {
                    id(group): price
                    for group in cell.groups
                    if (price := cell.newest_close(group)) is not None
                }

    # --- bars -------------------------------------------------------------------------------------

    def _bar(self, event: Json, value: bytes) -> None:
        if event["source"] == "processor":
            self._dead_letter()
            return
        if "forming" in event["flags"]:
            self._pass(event, value)
            return
        cell = self._cell(event)
        group = cell.group(event["source"], event["adjusted"])
        interval = event["interval"]
        if interval not in group.vendor:
            group.vendor[interval] = Series(group, event["source"], interval, event["asset_class"])
        series = group.vendor[interval]
        bar = self._parse(event)
        placed, bar.revision = series.place(bar.time, bar.content)
        if placed == "duplicate":
            return
        if placed == "late":
            self._pass(event, value, 0, ("late",))
            return
        at = len(self.outputs)
        self._freeze(cell, group, series, bar, event)
        say = Sayer(cell, event, self._emit)
        before = self._clock(series)
        ring = sorted({b.time: b for b in (*series.bars, bar)}.values(), key=lambda b: b.time)[-RING:]
        first = not any((b.date, b.session) == (bar.date, bar.session) for b in ring if b.time < bar.time)
        values = series.apply(bar, self.settings, say)
        self._clear_stale(cell, series, bar, event)
        caused = sum(output.role == "ALERTS" for output in self.outputs[at:])
        if self._keeps(event, bar, values, caused, first):
            passed = Output("BARS_FILTERED", cell.symbol, None, value, bar.revision)
            passed.flags = ("corrected",) if placed == "corrected" else ()
            passed.cause = self._offset
            self.outputs.insert(at, passed)
        self._roll(cell, event, [(series, bar.time)], [(series, before, self._clock(series))])

    def _option_bar(self, event: Json, value: bytes) -> None:
        if "forming" in event["flags"]:
            self._pass(event, value)
            return
        cell, option = self._cell(event), event["contract"]
        day = event["event_time"][:10]
        if day > cell.option_day:
            cell.option_day = day
            gone = (date.fromisoformat(day) - timedelta(7)).isoformat()
            cell.contracts = {k: c for k, c in cell.contracts.items() if c.expiration >= gone}
        key = (event["source"], event["adjusted"], event["interval"], option["ticker"])
        if key not in cell.contracts:
            if len(cell.contracts) == 32_768:
                self._dead_letter()
                return
            group = Group(event["source"], event["adjusted"])
            cell.contracts[key] = Contract(
                group, event["interval"], event["asset_class"], option["ticker"], option["expiration"]
            )
        series, bar = cell.contracts[key], self._parse(event)
        placed, bar.revision = series.place(bar.time, bar.content)
        if placed == "duplicate":
            return
        self._pass(event, value, bar.revision, () if placed == "new" else (placed,))
        if placed != "late":
            bar.frozen = {"split": bar.date in cell.splits}
            series.apply(bar, self.settings, Sayer(cell, event, self._emit))

    def _parse(self, event: Json) -> Bar:
        texts = {
            name: event[name] for name in ("open", "high", "low", "close", "volume", "vwap") if name in event
        }
        numbers = {name: float(text) for name, text in texts.items()}
        return Bar(
            parse_ms(event["event_time"]), parse_ms(event["window_end"]), numbers["open"], numbers["high"],
            numbers["low"], numbers["close"], numbers["volume"], numbers.get("vwap"), event["session_date"],
            event["session"], frozenset(event["flags"]), event["provenance"]["mode"], texts,
            int(event["trade_count"]) if "trade_count" in event else None,
            (*(canonical(texts.get(n)) for n in ("open", "high", "low", "close", "volume", "vwap")),
             event.get("trade_count"), event.get("otc")),
        )  # fmt: skip

    def _freeze(self, cell: Cell, group: Group, series: Series, bar: Bar, event: Json | None) -> None:
        """What the bar reads elsewhere, once."""
        signed = warm = count = 0
        finer = False
        for interval, weight in WEIGHTS.items():
            other = group.rule_series(interval)
            if interval == series.interval or other is None or "mtf_sign" not in other.last.extra:
                continue
            signed += weight * other.last.extra["mtf_sign"]
            warm, count = warm + weight, count + 1
            finer = finer or ORDER.index(interval) < ORDER.index(series.interval)
        bar.frozen = {"mtf": (signed, warm, count), "finer_warm": finer}
        bar.frozen["no_rules"] = series.derived and series.interval in group.vendor
        bar.frozen["split"] = bar.date in cell.splits
        room = cell.newsroom
        if room.link_time is not None and room.link_time < bar.end <= room.link_time + 30 * 60_000:
            bar.frozen["news_price"] = room.link_price.get(id(group))
        for other_group in cell.groups:
            if other_group is group or other_group.adjusted != group.adjusted:
                continue
            candidates = other_group.rule_series(series.interval)
            match = [b for b in candidates.bars[-RING:] if b.time == bar.time] if candidates else []
            if match:
                bar.frozen["other_close"] = match[0].close
                break
        if event is not None and cell.lane == "live" and not {"warmup", "delayed"} & bar.flags:
            bar.frozen["late_ms"] = parse_ms(event["ingest_time"]) - bar.end

    def _keeps(self, event: Json, bar: Bar, values: Values, alerts: int, first: bool) -> bool:
        if (
            not self.settings.keep_interesting or event["lane"] != "live" or event["interval"] in LONG
            or bar.revision > 0 or alerts or (first and bar.session == "regular")
        ):  # fmt: skip
            return True
        session = self.calendar(bar.date) if event["asset_class"] in ("stock", "option", "index") else None
        start = session[0] if session else bar.time - bar.time % 86_400_000
        return (
            (session is not None and bar.end == session[1]) or (bar.time - start) // 60_000 % 5 == 0
            or abs(values.fields.get("ret_1", 0.0)) >= 0.002 or values.fields.get("rel_volume_20", 0.0) >= 1.2
        )  # fmt: skip

    # --- roll-ups ---------------------------------------------------------------------------------

    def _clock(self, series: Series) -> int:
        root = series.root()
        feed = f"{root.source}.bars.{root.interval}"
        heartbeat = self.clocks.get((self._lane_of(root), feed), -(10**18))
        return max(root.largest_end, heartbeat)

    def _lane_of(self, series: Series) -> str:
        return next(c.lane for c in self.cells.values() if series.group in c.groups)

    @staticmethod
    def _targets(series: Series) -> list[str]:
        chain = {"1s": ["5s"], "1m": ["5m"], "5m": ["15m"], "15m": ["1h"], "1h": ["4h"]}.get(
            series.interval, []
        )
        day_from = "15m" if series.asset_class == "stock" else "1h"
        return chain + (["1d"] if series.interval == day_from else [])

    def _window(self, series: Series, target: str, bar: Bar) -> tuple[int, int] | None:
        """Start and end of the target's window that the bar lies in; None when it takes no part."""
        american = series.asset_class in ("stock", "option")
        midnight = new_york_midnight(bar.date) if american else bar.time - bar.time % 86_400_000
        if target == "1d":
            if series.asset_class == "stock" and bar.session != "regular":
                return None
            session = self.calendar(bar.date) if series.asset_class == "stock" else None
            return midnight, session[1] if session else midnight + 86_400_000
        length = round(INTERVAL_MINUTES[target] * 60_000)
        start = midnight + (bar.time - midnight) // length * length
        return start, start + length

    def _roll(
        self, cell: Cell, event: Json, changed: list[tuple[Series, int]], moved: list[tuple[Series, int, int]]
    ) -> None:
        """Makes windows in order of (window_end, interval): those changed after they were closed, those closed now."""
        if not self.settings.rollups:
            return
        late = self.settings.lateness_ms
        due: list[tuple[int, int, int, int]] = []
        parents: dict[tuple[int, int, int, int], tuple[Series, str]] = {}

        def want(series: Series, target: str, bar: Bar, old: int, new: int) -> None:
            window = self._window(series, target, bar)
            if window is None or window[1] + late > new:
                return
            item = (window[1], ORDER.index(target), window[0], id(series))
            if item not in parents:
                parents[item] = (series, target)
                heapq.heappush(due, item)

        clocks = {id(series.root()): (old, new) for series, old, new in moved}
        for series, time in changed:
            old, new = clocks[id(series.root())]
            for target in self._targets(series):
                want(series, target, next(b for b in reversed(series.bars) if b.time == time), old, new)
        for series, old, new in moved:
            if new == old:
                continue
            for member in [series, *(d for d in series.group.derived.values() if d.root() is series)]:
                for target in self._targets(member):
                    for bar in reversed(member.bars[-RING:]):
                        window = self._window(member, target, bar)
                        if window and window[1] + late <= old and target not in ("4h", "1d"):
                            break  # and so are those of all earlier bars, unless they go by date
                        if window and old < window[1] + late <= new:
                            want(member, target, bar, old, new)
        while due:
            item = heapq.heappop(due)
            series, target = parents.pop(item)
            made = self._make(cell, event, series, target, item[2], item[0])
            if made is not None:
                derived, bar = made
                old, new = clocks[id(derived.root())]
                for further in self._targets(derived):
                    want(derived, further, bar, old, new)

    def _make(
        self, cell: Cell, event: Json, series: Series, target: str, start: int, end: int
    ) -> tuple[Series, Bar] | None:
        group = series.group
        derived = group.derived.get(target)
        if derived is not None and derived.parent is not series:
            return None
        if len(series.bars) > RING and series.bars[-RING].time > start:
            return None  # the window is not wholly in the ring: counted only
        inside = [b for b in series.bars[-RING:] if (w := self._window(series, target, b)) and w[0] == start]
        if derived is None:
            derived = group.derived[target] = Series(group, "processor", target, series.asset_class)
            derived.parent = series
        bar = self._combine(inside, start, end, target)
        placed, bar.revision = derived.place(bar.time, bar.content)
        if placed in ("duplicate", "late"):
            return None
        self._freeze(cell, group, derived, bar, None)
        say = Sayer(cell, event, self._emit)
        flags = set().union(*(b.flags for b in inside)) & set(INHERITED)
        payload = say.made("bar", event["asset_class"], start, flags, bar.mode, group)
        payload |= bar.texts
        payload |= {
            "interval": target,
            "window_end": format_ms(end),
            "session_date": bar.date,
            "session": bar.session,
        }
        payload["revision"] = str(bar.revision)
        if bar.trade_count is not None:
            payload["trade_count"] = str(bar.trade_count)
        self._emit(Output("BARS_FILTERED", cell.symbol, payload), (end, target, "processor", 0))
        derived.apply(bar, self.settings, say)
        return derived, bar

    @staticmethod
    def _combine(inside: list[Bar], start: int, end: int, target: str) -> Bar:
        first, last = inside[0], inside[-1]
        top, bottom = max(inside, key=lambda b: b.high), min(inside, key=lambda b: b.low)
        volume = sum((Decimal(b.texts["volume"]) for b in inside), Decimal(0))
        text = format(volume, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        texts = {"open": first.texts["open"], "high": top.texts["high"], "low": bottom.texts["low"],
                 "close": last.texts["close"], "volume": text}  # fmt: skip
        traded = [b for b in inside if b.volume > 0]
        vwap = None
        if traded and all(b.vwap is not None for b in traded):
            weighted = amount = 0.0
            for b in traded:
                weighted += (b.vwap or 0.0) * b.volume
                amount += b.volume
            texts["vwap"] = statistic(weighted / amount)
            vwap = float(texts["vwap"])
        counts = [b.trade_count for b in inside]
        count = None if None in counts else sum(c or 0 for c in counts)
        sessions = {b.session for b in inside}
        session = "full" if target == "1d" or len(sessions) > 1 else sessions.pop()
        flags = frozenset().union(*(b.flags for b in inside)) & set(INHERITED)
        content = (
            *(canonical(texts.get(n)) for n in ("open", "high", "low", "close", "volume", "vwap")),
            count,
        )
        return Bar(start, end, first.open, top.high, bottom.low, last.close, float(text), vwap, first.date, session,
                   flags, last.mode, texts, count, content)  # fmt: skip

    # --- heartbeats -------------------------------------------------------------------------------

    def _heartbeat(self, event: Json) -> None:
        lane = event["lane"]
        cells = sorted((c for c in self.cells.values() if c.lane == lane), key=lambda c: c.symbol)
        roots = [(c, g.vendor[i]) for c in cells for g in c.groups for i in sorted(g.vendor, key=ORDER.index)]
        old = {id(series): self._clock(series) for _, series in roots}
        for feed, text in event["feeds"].items():
            self.clocks[(lane, feed)] = max(self.clocks.get((lane, feed), -(10**18)), parse_ms(text))
        self.lane_clock[lane] = max(self.lane_clock.get(lane, 0), parse_ms(event["clock"]))
        ends = bool(event.get("lane_end"))
        self._collected = []
        for cell, series in roots:
            made = dict(event, asset_class=series.asset_class)
            new = 10**18 if ends else self._clock(series)
            if new > old[id(series)]:
                self._roll(cell, made, [], [(series, old[id(series)], new)])
            if not ends and f"{series.source}.bars.{series.interval}" in event["feeds"]:
                self._stale(cell, series, event)
        collected, self._collected = sorted(self._collected, key=lambda item: item[:2]), None
        self.outputs += [output for _, _, output in collected]
        if ends:
            self.cells = {key: cell for key, cell in self.cells.items() if cell.lane != lane}
            self.clocks = {key: value for key, value in self.clocks.items() if key[0] != lane}

    def _open_since(self, asset_class: str, clock: int) -> int | None:
        """Start of what the market has been open for at the clock; None while it is closed."""
        if asset_class == "crypto":
            return -(10**18)
        local = datetime.fromtimestamp(clock / 1000, NEW_YORK)
        if asset_class == "fx":
            week = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
                days=(local.weekday() + 1) % 7
            )
            opens, closes = week.replace(hour=17), week.replace(hour=17) + timedelta(days=5)
            return round(opens.timestamp() * 1000) if opens <= local < closes else None
        session = self.calendar(local.date().isoformat())
        return session[0] if session and session[0] <= clock < session[1] else None

    def _stale(self, cell: Cell, series: Series, event: Json) -> None:
        if cell.lane != "live" or series.interval not in ("1s", "5s", "1m", "5m", "15m", "30m", "1h"):
            return
        clock, length = self.lane_clock[cell.lane], round(INTERVAL_MINUTES[series.interval] * 60_000)
        since = self._open_since(series.asset_class, clock)
        if since is None or not series.bars:
            return
        last = series.bars[-1]
        recent = [b for b in series.bars[-RING:][-30:] if b.time >= last.time - 30 * length]
        if len(recent) < 20:
            return
        age = (clock - max(last.time, since)) / length
        levels = self.settings.levels("stale_feed", series.interval)
        severity = max((i for i, level in enumerate(levels) if level > 0 and age > level), default=-1)
        if severity < 0 or (series.stale and series.stale[1] >= severity):
            return
        revision = series.stale[2] + 1 if series.stale else 0
        series.stale = (last.time, severity, revision, age, levels[severity])
        said = Said("stale_feed", last.time, "firing", severity, "none", age, levels[severity])
        self._say_stale(
            cell, series, said, revision, last, dict(event, asset_class=series.asset_class), clock
        )

    def _clear_stale(self, cell: Cell, series: Series, bar: Bar, event: Json) -> None:
        if not series.stale or bar.time <= series.stale[0]:
            return
        time, severity, revision, age, level = series.stale
        series.stale = None
        said = Said("stale_feed", time, "resolved", severity, "none", age, level, "cleared", bar.end)
        self._say_stale(cell, series, said, revision + 1, bar, event, bar.end)

    def _say_stale(
        self, cell: Cell, series: Series, said: Said, revision: int, bar: Bar, event: Json, end: int
    ) -> None:
        say = Sayer(cell, event, self._emit)
        payload = say.made("alert", event["asset_class"], said.key_time, set(bar.flags & set(INHERITED)), bar.mode,
                           series.group)  # fmt: skip
        payload |= alert_fields(said, series.interval, revision) | cell.metadata
        self._emit(Output("ALERTS", cell.symbol, payload), (end, series.interval, series.source, 2))
