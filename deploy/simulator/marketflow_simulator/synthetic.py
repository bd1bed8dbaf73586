# SPDX-License-Identifier: Apache-2.0
"""Invented bars: a pure function of (seed, symbol, time).

A day has an opening and a closing value from slow noise over days, and a high and a low around them.
Inside the day the price is a Brownian bridge from the one to the other, with now and then a jump that
fades within the hour, reflected between the day's low and high. So the parts agree: minute bars join
without gaps, no minute leaves the day's range, one minute touches each end of it, and a second never
leaves its minute. Volumes follow the time of day with a spike about every half hour; a day's volume
is drawn for the day and not the exact sum of its minutes (no feed's are).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from . import options
from .bars import SYNTHETIC, Bar
from .noise import bits, bridge, fold_between, gauss, key_of, lattice, uniform
from .sessions import MINUTE_MS, Session, asset_class, local_date, midnight_ms, session, zone_of
from .universe import Profile, profile

# Streams of randomness; each use has its own so that none repeats another.
(
    _SLOW,
    _GAP,
    _RANGE,
    _TOUCH,
    _PATH,
    _JUMP,
    _QUIET,
    _WICK,
    _VOLUME,
    _SPIKE,
    _DAY_VOLUME,
    _SECOND,
) = range(1, 13)
_OCTAVES = 9  # slow noise has periods of 1 to 512 days
_JUMP_SLOT, _JUMP_FADE = 120, 45  # minutes
_SPIKE_SLOT = 30
_EARLIEST = date(1990, 1, 2)


@dataclass(frozen=True, slots=True)
class _Minute:
    """Numbers of one minute before they become text."""

    index: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class _Day:
    """What holds for a whole session: its ends in log price, its range, and two special minutes."""

    hours: Session
    minutes: int
    ordinal: int
    first: float
    last: float
    low: float
    high: float
    low_minute: int
    high_minute: int


class Synthetic:
    """Invented bars of any symbol for one seed."""

    label = SYNTHETIC

    def __init__(self, seed: int) -> None:
        self.seed = seed
        # Caches hold a few hundred small objects; all of them could be computed again.
        self._model = lru_cache(maxsize=512)(self._make_model)

    def _make_model(self, symbol: str) -> SymbolModel:
        shape = profile(self.seed, symbol)
        contract = options.find(self.seed, symbol) if symbol.startswith("O:") else None
        if contract is not None:
            shape = replace(shape, price=contract.price, sigma=0.05, minute_volume=40.0, price_decimals=2)
        return SymbolModel(symbol, key_of(self.seed, symbol), shape)

    def base_bars(
        self, symbol: str, unit: str, start_ms: int, end_ms: int, backwards: bool, adjusted: bool
    ) -> Iterator[Bar]:
        """Invented shares never split, so `adjusted` changes nothing."""
        model = self._model(symbol)
        if model.kind not in ("stock", "crypto", "fx", "option"):
            return
        zone = zone_of(symbol)
        first, last = max(local_date(start_ms, zone), _EARLIEST), local_date(end_ms - 1, zone)
        if model.kind == "option":
            contract = options.find(self.seed, symbol)
            if contract is None or not contract.trades(self.seed):
                return
            first, last = max(first, contract.listed), min(last, contract.expiration)
        count = (last - first).days + 1
        for offset in range(count):
            day = last - timedelta(days=offset) if backwards else first + timedelta(days=offset)
            yield from model.day_bars(day, unit, start_ms, end_ms, backwards)


class SymbolModel:
    """The bars of one symbol."""

    def __init__(self, symbol: str, key: int, shape: Profile) -> None:
        self.kind = asset_class(symbol)
        self._zone = zone_of(symbol)
        self._key = key
        self._shape = shape
        self._day = lru_cache(maxsize=8)(self._make_day)

    # --- the day ---------------------------------------------------------------------------------

    def _slow(self, ordinal: int) -> float:
        """Log price at a date's start: noise whose longer periods swing wider, as a walk does."""
        total = math.log(self._shape.price)
        for octave in range(_OCTAVES):
            swing = self._shape.sigma * 0.55 * 2 ** (octave / 2)
            total += swing * lattice(self._key, _SLOW + (octave << 8), ordinal, 1 << octave)
        return total

    def _make_day(self, day: date) -> _Day | None:
        hours = session(self.kind, day)
        if hours is None:
            return None
        ordinal = day.toordinal()
        first, last = self._slow(ordinal), self._slow(ordinal + 1)
        if self.kind == "stock":  # nights move prices too
            first += 0.4 * self._shape.sigma * gauss(bits(self._key, _GAP, ordinal))
        minutes = (hours.end_ms - hours.start_ms) // MINUTE_MS
        regular_first, regular_last = _regular(hours)
        draw = bits(self._key, _RANGE, ordinal)
        touch = bits(self._key, _TOUCH, ordinal)
        low_minute = regular_first + (touch & 0xFFFF) % (regular_last - regular_first)
        high_minute = regular_first + (touch >> 16 & 0xFFFF) % (regular_last - regular_first)
        up = (0.2 + 0.6 * uniform(draw)) * self._shape.sigma
        down = (0.2 + 0.6 * uniform(draw << 7 & (1 << 64) - 1)) * self._shape.sigma
        low, high = min(first, last) - down, max(first, last) + up
        return _Day(hours, minutes, ordinal, first, last, low, high, low_minute, high_minute)

    def day_bars(self, day: date, unit: str, start_ms: int, end_ms: int, backwards: bool) -> Iterator[Bar]:
        """The bars of one date that start in [start_ms, end_ms)."""
        shape = self._day(day)
        if shape is None:
            return
        if unit == "day":
            bar = self._whole_day(day, shape)
            if start_ms <= bar.start_ms < end_ms:
                yield bar
            return
        step = 1000 if unit == "second" else MINUTE_MS
        first = max(0, -(-(start_ms - shape.hours.start_ms) // step))
        last = min(shape.minutes * MINUTE_MS // step, -(-(end_ms - shape.hours.start_ms) // step))
        if first >= last:
            return
        if unit == "minute":
            yield from self._minute_bars(shape, first, last, backwards)
        else:
            yield from self._second_bars(shape, first, last, backwards)

    def _whole_day(self, day: date, shape: _Day) -> Bar:
        """Open and close of the regular session, as exchanges report a day."""
        regular_first, regular_last = _regular(shape.hours)
        open_ = self._points(shape, regular_first, regular_first)[0]
        close = self._points(shape, regular_last, regular_last)[0]
        weight = math.exp(0.3 * gauss(bits(self._key, _DAY_VOLUME, shape.ordinal)))
        volume = self._shape.minute_volume * shape.minutes * weight * 0.8
        prices = (open_, math.exp(shape.high), math.exp(shape.low), close)
        start = midnight_ms(day, self._zone)
        return self._bar(start, shape.hours.regular_end_ms, prices, volume)

    # --- the minute ------------------------------------------------------------------------------

    def _jump(self, ordinal: int, point: int) -> float:
        """What is left at `point` of the jumps of this slot and of the one before it."""
        total = 0.0
        for slot in (point // _JUMP_SLOT, point // _JUMP_SLOT - 1):
            if slot < 0:
                continue
            draw = bits(self._key, _JUMP, ordinal << 8 | slot)
            age = point - slot * _JUMP_SLOT - (draw & 0xFFFF) % _JUMP_SLOT
            if draw >> 60 < 12 and 0 < age <= _JUMP_FADE:  # three slots in four have one
                size = (0.25 + 0.9 * uniform(draw << 9 & (1 << 64) - 1)) * self._shape.sigma
                sign = 1 if draw & 0x10000 else -1
                total += sign * size * (1 - (age - 1) / _JUMP_FADE)
        return total

    def _points(self, shape: _Day, first: int, last: int) -> list[float]:
        """Prices at the minute boundaries first..last of the session."""
        ends = (shape.first, shape.last)
        sigma = self._shape.sigma * 0.8
        walk = bridge(self._key, _PATH + (shape.ordinal << 8), ends, shape.minutes, sigma, first, last)
        return [
            math.exp(fold_between(value + self._jump(shape.ordinal, first + at), shape.low, shape.high))
            for at, value in enumerate(walk)
        ]

    def _is_quiet(self, shape: _Day, index: int) -> bool:
        """Minutes without a trade: rare in regular hours, common before and after."""
        if index in (shape.low_minute, shape.high_minute):
            return False
        regular_first, regular_last = _regular(shape.hours)
        edge = index in (regular_first, regular_last - 1)
        regular = regular_first <= index < regular_last
        if self.kind == "option":  # a few trades a day
            return uniform(bits(self._key, _QUIET, shape.ordinal << 12 | index)) < 0.95
        chance = 0.0 if edge else 0.012 if regular else 0.2
        return uniform(bits(self._key, _QUIET, shape.ordinal << 12 | index)) < chance

    def _volume(self, shape: _Day, index: int) -> float:
        regular_first, regular_last = _regular(shape.hours)
        curve = 0.06
        if regular_first <= index < regular_last:
            place = (index - regular_first) / (regular_last - regular_first)
            curve = 1.0 if self.kind != "stock" else 0.7 + 1.8 * (2 * place - 1) ** 4
        draw = gauss(bits(self._key, _VOLUME, shape.ordinal << 12 | index))
        volume = self._shape.minute_volume * curve * math.exp(0.28 * draw)
        spike = bits(self._key, _SPIKE, shape.ordinal << 8 | index // _SPIKE_SLOT)
        if (spike & 0xFFFF) % _SPIKE_SLOT == index % _SPIKE_SLOT:
            volume *= 4.0 + 8.0 * uniform(spike)
        return volume

    def _minutes(self, shape: _Day, first: int, last: int) -> Iterator[_Minute]:
        points = self._points(shape, first, last)
        low_end, high_end = math.exp(shape.low), math.exp(shape.high)
        wick = self._shape.sigma / math.sqrt(shape.minutes)
        for index in range(first, last):
            if self._is_quiet(shape, index):
                continue
            open_, close = points[index - first], points[index - first + 1]
            draw = bits(self._key, _WICK, shape.ordinal << 12 | index)
            high = max(open_, close) * (1 + wick * uniform(draw))
            low = min(open_, close) * (1 - wick * uniform(draw << 13 & (1 << 64) - 1))
            high = high_end if index == shape.high_minute else min(high, high_end)
            low = low_end if index == shape.low_minute else max(low, low_end)
            yield _Minute(index, open_, high, low, close, self._volume(shape, index))

    def _minute_bars(self, shape: _Day, first: int, last: int, backwards: bool) -> Iterator[Bar]:
        block = 240
        starts = range(first, last, block)
        for start in reversed(starts) if backwards else starts:
            minutes = list(self._minutes(shape, start, min(start + block, last)))
            for minute in reversed(minutes) if backwards else minutes:
                begin = shape.hours.start_ms + minute.index * MINUTE_MS
                prices = (minute.open, minute.high, minute.low, minute.close)
                yield self._bar(begin, begin + MINUTE_MS, prices, minute.volume)

    # --- the second ------------------------------------------------------------------------------

    def _second_bars(self, shape: _Day, first: int, last: int, backwards: bool) -> Iterator[Bar]:
        minutes = range(first // 60, (last - 1) // 60 + 1)
        for index in reversed(minutes) if backwards else minutes:
            for minute in self._minutes(shape, index, index + 1):
                seconds = range(max(first, index * 60), min(last, index * 60 + 60))
                yield from self._seconds_of(shape, minute, seconds, backwards)

    def _seconds_of(self, shape: _Day, minute: _Minute, seconds: range, backwards: bool) -> Iterator[Bar]:
        ends = (minute.open, minute.close)
        spread = max(minute.high - minute.low, minute.open * 1e-6)
        stream = _SECOND + (shape.ordinal << 24 | minute.index << 8)
        points = bridge(self._key, stream, ends, 60, spread, 0, 60)
        points = [min(max(point, minute.low), minute.high) for point in points]
        for second in reversed(seconds) if backwards else seconds:
            at = second % 60
            open_, close = points[at], points[at + 1]
            share = 0.4 + 1.2 * uniform(bits(self._key, stream, 4096 + at))
            begin = shape.hours.start_ms + second * 1000
            prices = (open_, max(open_, close), min(open_, close), close)
            yield self._bar(begin, begin + 1000, prices, minute.volume / 60 * share)

    # --- text ------------------------------------------------------------------------------------

    def _bar(
        self, start_ms: int, known_ms: int, prices: tuple[float, float, float, float], volume: float
    ) -> Bar:
        decimals = self._shape.price_decimals
        open_, high, low, close = (f"{price:.{decimals}f}" for price in prices)
        smallest = 10.0**-self._shape.volume_decimals
        traded = max(volume, smallest)
        middle = sum(prices) / 4
        return Bar(
            start_ms,
            known_ms,
            open_,
            high,
            low,
            close,
            f"{traded:.{self._shape.volume_decimals}f}",
            f"{min(max(middle, float(low)), float(high)):.{min(decimals + 2, 8)}f}",
            max(1, int(traded / self._shape.trade_size)),
        )


def _regular(hours: Session) -> tuple[int, int]:
    """First and last boundary of the regular session, in minutes of the whole one."""
    first = (hours.regular_start_ms - hours.start_ms) // MINUTE_MS
    return first, (hours.regular_end_ms - hours.start_ms) // MINUTE_MS
