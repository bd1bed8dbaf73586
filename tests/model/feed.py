# SPDX-License-Identifier: Apache-2.0
"""Events to fold: the simulator's real daily history, and invented minutes with everything that goes wrong."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from marketmodel.times import format_ms

Event = dict[str, Any]
Calendar = Callable[[str], tuple[int, int] | None]
MINUTE = 60_000


def complete(binaries: Path, events: list[Event]) -> list[bytes]:
    """With their event_ids, in the canonical form; numbers stay the text they were given as."""
    lines = "".join(number_text(json.dumps(event, separators=(",", ":"))) + "\n" for event in events)
    command = [str(binaries / "marketflowctl"), "events", "complete", "-"]
    result = subprocess.run(command, input=lines.encode(), capture_output=True)
    assert result.returncode == 0, result.stderr.decode()[:2000]
    return result.stdout.splitlines()


def number_text(line: str) -> str:
    """Numbers are written as "#1.50" while they are built, so that their digits stay."""
    parts = line.split('"#')
    return parts[0] + "".join(part.replace('"', "", 1) for part in parts[1:])


def number(text: str) -> str:
    return f"#{text}"


def envelope(event_type: str, symbol: str, asset_class: str, source: str, time: int, ingest: int) -> Event:
    return {
        "schema_version": "1.0", "event_type": event_type, "symbol": symbol, "asset_class": asset_class,
        "source": source, "lane": "live", "event_time": format_ms(time), "ingest_time": format_ms(ingest), "flags": [],
        "provenance": {"mode": "replay"},
    }  # fmt: skip


def bar(
    symbol: str, asset_class: str, source: str, interval: str, window: tuple[int, int], place: tuple[str, str],
    prices: tuple[str, str, str, str], volume: str, vwap: str | None = None, adjusted: str = "none",
) -> Event:  # fmt: skip
    event = envelope("bar", symbol, asset_class, source, window[0], window[1] + 2_000)
    event |= {
        "interval": interval,
        "window_end": format_ms(window[1]),
        "session_date": place[0],
        "session": place[1],
    }
    event |= dict(zip(("open", "high", "low", "close"), map(number, prices), strict=True))
    event |= {"volume": number(volume)}
    if vwap:
        event["vwap"] = number(vwap)
    return event | {"adjusted": adjusted, "vendor_ms": window[0]}


def daily_history(calendar: Calendar) -> list[Event]:
    """12 154 real bars of five symbols, in order of time; splits of the years are told as corporate actions are."""
    from marketflow_simulator.replay import SYMBOLS, Replay
    from marketmodel.times import new_york_midnight

    events = []
    history = Replay()
    for symbol in SYMBOLS:
        for item in history._bars[symbol]:
            day = date.fromtimestamp(item.start_ms / 1000 + 12 * 3600).isoformat()
            start = new_york_midnight(day)
            session = calendar(day)
            end = (
                session[1]
                if session
                else new_york_midnight((date.fromisoformat(day) + timedelta(1)).isoformat())
            )
            prices = (item.open, item.high, item.low, item.close)
            events.append(
                bar(symbol, "stock", "polygon", "1d", (start, end), (day, "full"), prices, item.volume)
            )
    events.sort(key=lambda e: (e["event_time"], e["symbol"]))
    return events


class Feed:
    """A provider that is not well: it repeats, corrects, forgets, and tells things in another order."""

    def __init__(self, rng: random.Random, calendar: Calendar, trouble: float = 1.0) -> None:
        """trouble scales how often something goes wrong."""
        self.rng, self.calendar, self.trouble = rng, calendar, trouble

    def _happens(self, share: float) -> bool:
        return self.rng.random() < share * self.trouble

    def minutes(
        self, days: int, symbols: tuple[str, ...], providers: tuple[str, ...] = ("polygon",), news: int = 0
    ) -> list[Event]:
        told: list[tuple[int, Event]] = []  # when it is told, what
        for symbol in symbols:
            for provider in providers:
                told += self._bars(symbol, provider, days)
        told += self._heartbeats(told, providers)
        told += self._news(told, symbols, news)
        told += self._actions(told, symbols)
        told.sort(key=lambda item: item[0])
        return [event for _, event in told]

    def _spans(self, symbol: str, days: int) -> list[tuple[str, str, int, int]]:
        spans = []
        day = date(2024, 3, 7)  # a weekend with a change of the clocks follows
        while len(spans) < days * 3:
            text = day.isoformat()
            session = self.calendar(text)
            if symbol.startswith("X:"):
                start = (day - date(1970, 1, 1)).days * 86_400_000
                spans += [
                    (text, "full", start + k * 28_800_000, start + (k + 1) * 28_800_000) for k in range(3)
                ]
            elif session:
                spans.append((text, "pre", session[0] - 40 * MINUTE, session[0]))
                spans.append((text, "regular", *session))
                spans.append((text, "post", session[1], session[1] + 40 * MINUTE))
            day += timedelta(1)
        return spans

    def _bars(self, symbol: str, provider: str, days: int) -> list[tuple[int, Event]]:
        rng = self.rng
        price = rng.uniform(5, 500)
        told: list[tuple[int, Event]] = []
        asset_class = "crypto" if symbol.startswith("X:") else "stock"
        for day, session, start, end in self._spans(symbol, days):
            for time in range(start, end, MINUTE):
                price *= 1 + rng.gauss(0, 0.001) * (8 if rng.random() < 0.01 else 1)
                if self._happens(0.03):
                    continue  # nothing was traded, or nobody told
                event = self._bar(symbol, asset_class, provider, (time, time + MINUTE), (day, session), price)
                told.append((self._when(time), event))
                if self._happens(0.02):  # told again
                    told.append((self._when(time) + rng.randrange(20) * MINUTE, event))
                if self._happens(0.02):  # corrected
                    other = self._bar(
                        symbol, asset_class, provider, (time, time + MINUTE), (day, session), price
                    )
                    told.append((self._when(time) + rng.randrange(90) * MINUTE, other))
        return told

    def _when(self, time: int) -> int:
        minutes = 0
        if self._happens(0.05):
            minutes = self.rng.randrange(100) if self.rng.random() < 0.2 else self.rng.randrange(6)
        return time + MINUTE + 2_000 + minutes * MINUTE

    def _bar(
        self,
        symbol: str,
        asset_class: str,
        provider: str,
        window: tuple[int, int],
        place: tuple[str, str],
        price: float,
    ) -> Event:
        rng = self.rng
        open_, close = price, price * (1 + rng.gauss(0, 0.0005))
        high, low = (
            max(open_, close) * (1 + rng.random() * 0.0005),
            min(open_, close) * (1 - rng.random() * 0.0005),
        )
        digits = rng.choice((2, 3, 4))
        prices = tuple(f"{value:.{digits}f}" for value in (open_, high, low, close))
        volume = 0 if rng.random() < 0.02 else int(rng.lognormvariate(8, 0.8))
        text = f"{volume}.{rng.randrange(10**8):08d}" if asset_class == "crypto" and volume else str(volume)
        vwap = f"{(high + low) / 2:.4f}" if volume and rng.random() < 0.9 else None
        event = bar(symbol, asset_class, provider, "1m", window, place, prices, text, vwap)  # type: ignore[arg-type]
        if rng.random() < 0.8:
            event["trade_count"] = rng.randrange(1, 500)
        if rng.random() < 0.003:
            event["flags"] = ["delayed"]
        return event

    def _heartbeats(
        self, told: list[tuple[int, Event]], providers: tuple[str, ...]
    ) -> list[tuple[int, Event]]:
        first, last = min(t for t, _ in told), max(t for t, _ in told)
        beats = []
        time = first
        while time < last + 30 * MINUTE:
            time += self.rng.choice((5_000, MINUTE, 7 * MINUTE, 60 * MINUTE))
            event = envelope("heartbeat", "", "stock", "polygon", time, time)
            del event["symbol"]
            complete_to = time - self.rng.choice((0, MINUTE, 5 * MINUTE))
            event["feeds"] = {
                f"{p}.bars.1m": format_ms(complete_to - complete_to % MINUTE) for p in providers
            }
            event["clock"] = format_ms(time)
            beats.append((time, event))
        return beats

    def _news(
        self, told: list[tuple[int, Event]], symbols: tuple[str, ...], count: int
    ) -> list[tuple[int, Event]]:
        rng = self.rng
        first, last = min(t for t, _ in told), max(t for t, _ in told)
        news = []
        for number_ in range(count):
            time = rng.randrange(first, last)
            burst = rng.randrange(1, 8) if rng.random() < 0.1 else 1
            for k in range(burst):
                event = self._article(rng.choice(symbols), f"a{number_}-{k}", time + k * 30_000)
                news.append((time + k * 30_000 + 1_000, event))
                if rng.random() < 0.1:  # edited
                    edited = self._article(event["symbol"], f"a{number_}-{k}", time + k * 30_000)
                    news.append((time + k * 30_000 + rng.randrange(600_000), edited))
        return news

    def _article(self, symbol: str, article: str, time: int) -> Event:
        rng = self.rng
        words = [
            "Earnings",
            "beat",
            "merger",
            "talks",
            "the",
            "SEC",
            "says",
            "secular",
            "guidance",
            "halted",
            "halt",
        ]
        asset_class = "crypto" if symbol.startswith("X:") else "stock"
        event = envelope("news", symbol, asset_class, "polygon", time, time + 1_000)
        event |= {"article_id": article, "url": f"https://news.example/{article}"}
        event |= {"url_hash": f"{rng.randrange(10**9):032x}", "title": " ".join(rng.choices(words, k=5))}
        if rng.random() < 0.5:
            event["description"] = " ".join(rng.choices(words, k=8))
        event |= {"publisher": "Example", "tickers": [symbol], "keywords": []}
        if rng.random() < 0.7:
            event["sentiment"] = {"label": rng.choice(("positive", "negative", "neutral", "Bullish"))}
            if rng.random() < 0.5:
                event["sentiment"]["score"] = number(f"{rng.uniform(-1, 1):z.3f}")
            if rng.random() < 0.5:
                event["sentiment"]["relevance"] = number(f"{rng.random():.2f}")
        return event

    def _actions(self, told: list[tuple[int, Event]], symbols: tuple[str, ...]) -> list[tuple[int, Event]]:
        first = min(t for t, _ in told)
        actions = []
        for symbol in symbols:
            asset_class = "crypto" if symbol.startswith("X:") else "stock"
            event = envelope("symbol", symbol, asset_class, "polygon", first, first)
            event |= {
                "name": f"{symbol} Incorporated",
                "exchange": "XNAS",
                "type": "CS",
                "aliases": [],
                "active": True,
            }
            actions.append((first + self.rng.randrange(60) * MINUTE, event))
            split = envelope("corporate_action", symbol, asset_class, "polygon", first, first)
            split |= {
                "kind": "split",
                "ex_date": "2024-03-08",
                "split_from": number("1"),
                "split_to": number("2"),
            }
            actions.append((first, split))
        return actions

    def options(self, days: int, symbol: str = "AAPL", contracts: int = 6) -> list[Event]:
        """Half hours of options on one symbol: some expire on the way, prices jump, the symbol is split once."""
        told: list[tuple[int, Event]] = []
        spans = [span for span in self._spans(symbol, days) if span[1] == "regular"]
        for number_ in range(contracts):
            expiration = (date.fromisoformat(spans[0][0]) + timedelta(number_ * 5)).isoformat()
            told += self._contract(symbol, f"O:{symbol}{number_:015d}", expiration, spans)
        told += [(t, e) for t, e in self._actions(told, (symbol,)) if e["event_type"] == "corporate_action"]
        told.sort(key=lambda item: item[0])
        return [event for _, event in told]

    def _contract(
        self, symbol: str, ticker: str, expiration: str, spans: list[tuple[str, str, int, int]]
    ) -> list[tuple[int, Event]]:
        rng, price, half_hour = self.rng, 10.0, 30 * MINUTE
        told: list[tuple[int, Event]] = []
        for day, session, start, end in spans:
            for time in range(start, end, half_hour):
                price = min(500.0, max(0.5, price * rng.choice((1, 1, 1, 1.1, 0.9, 2, 2.2, 0.5, 0.45))))
                for _ in range(1 + self._happens(0.15) + self._happens(0.1)):  # told again, or corrected
                    text = f"{price * (4 if self._happens(0.05) else 1):.2f}"
                    window, place = (time, time + half_hour), (day, session)
                    event = bar(symbol, "option", "polygon", "30m", window, place, (text,) * 4, "7")  # type: ignore[arg-type]
                    event |= {"event_type": "option_bar", "contract": {
                        "ticker": ticker, "underlying": symbol, "expiration": expiration, "strike": number("150"),
                        "type": "call", "shares_per_contract": number("100"), "exercise": "american",
                    }}  # fmt: skip
                    event["days_to_expiration"] = (
                        date.fromisoformat(expiration) - date.fromisoformat(day)
                    ).days
                    event["flags"] = [f for f in ("warmup", "delayed", "forming") if self._happens(0.03)]
                    late = rng.randrange(80) * half_hour if self._happens(0.1) else 0
                    told.append((time + half_hour + late, event))
        return told
