# SPDX-License-Identifier: Apache-2.0
"""Invented news: at most one article per symbol and twenty-minute slot, a pure function of both.

An article belongs to one symbol and may name others of its group; asking for any of them finds it.
Some carry words that alert rules look for, some lack what the documentation calls optional, and some
are not in English letters only, because real ones are like that too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .clock import format_instant
from .noise import bits, key_of, uniform
from .sessions import asset_class
from .universe import KNOWN, REPLAY_NAMES, profile

SLOT_MS = 20 * 60_000
_EXISTS, _MOMENT, _TEXT, _SHAPE = 101, 102, 103, 104
_EARLIEST_MS = 946_684_800_000  # 2000-01-01

_PUBLISHERS = (
    ("Invented Wire", "https://wire.invalid/"),
    ("Simulated Post", "https://post.invalid/"),
    ("The Made-Up Ledger", "https://ledger.invalid/"),
)
_AUTHORS = ("A. Nobody", "Zoë Example", "Łukasz Przykład", "R. Placeholder")
# headline, sentiment, keywords; {0} is the company, {1} its symbol
_HEADLINES = (
    ("{0} trades in a narrow range as volume thins", "neutral", ("trading",)),
    ("Analysts lift targets for {0} after quarterly earnings", "positive", ("earnings", "targets")),
    ("{0} cuts full-year guidance, citing weak demand", "negative", ("guidance",)),
    ("SEC opens inquiry into disclosures around {0}", "negative", ("SEC", "regulation")),
    ("What to watch in {1} this week", "neutral", ("outlook",)),
    ("{0} said to be in early merger talks", "positive", ("merger", "deals")),
    ("Broker issues downgrade of {1} on valuation", "negative", ("downgrade",)),
    ("{0} names new head of operations", "neutral", ("management",)),
    ("Why {1} moved today — and why it may not matter", "neutral", ("markets", "analyse – été")),
    ("{0} expands its buyback programme", "positive", ("buyback",)),
)


@dataclass(frozen=True, slots=True)
class Article:
    """One article; `published_ms` is when it can first be seen."""

    published_ms: int
    row: dict[str, object]


@dataclass(frozen=True, slots=True)
class NewsQuery:
    """Articles of one symbol (None: all known ones) published in [start_ms, end_ms)."""

    symbol: str | None
    start_ms: int
    end_ms: int
    backwards: bool


def _article(seed: int, symbol: str, slot: int) -> Article | None:
    key = key_of(seed, "news|" + symbol)
    if uniform(bits(key, _EXISTS, slot)) > 0.55:
        return None
    moment = slot * SLOT_MS + bits(key, _MOMENT, slot) % (SLOT_MS // 1000) * 1000
    draw = bits(key, _TEXT, slot)
    shape = bits(key, _SHAPE, slot)
    about = profile(seed, symbol)
    company = about.name.split(" - ")[0]
    headline, mood, keywords = _HEADLINES[draw % len(_HEADLINES)]
    title = headline.format(company, symbol)
    publisher, home = _PUBLISHERS[(draw >> 8) % len(_PUBLISHERS)]
    others = about.peers[: shape % (len(about.peers) + 1)] if shape & 0x300 == 0 else ()
    identity = f"{bits(key, _TEXT, slot):016x}{shape:016x}"
    row: dict[str, object] = {
        "id": identity,
        "publisher": {"name": publisher, "homepage_url": home, "logo_url": home + "logo.png"},
        "title": title,
        "author": _AUTHORS[shape >> 12 & 3],
        "published_utc": format_instant(moment)[:19] + "Z",
        "article_url": f"{home}articles/{identity[:12]}",
        "tickers": [symbol, *others],
    }
    if shape >> 16 & 7:  # one in eight has no description
        row["description"] = f"{title}. This article is invented; no such event took place."
    row["keywords"] = list(keywords)
    if shape >> 20 & 3:  # one in four has no insights
        reason = "The simulator drew this mood at random."
        row["insights"] = [{"ticker": symbol, "sentiment": mood, "sentiment_reasoning": reason}]
    return Article(moment, row)


def _writers(seed: int, symbol: str | None) -> tuple[str, ...]:
    """Symbols whose articles can name `symbol`: itself and its group."""
    if symbol is None:
        return KNOWN
    if symbol in REPLAY_NAMES or asset_class(symbol) in ("option", "index"):
        return ()
    return (symbol, *profile(seed, symbol).peers)


def articles(seed: int, query: NewsQuery) -> Iterator[Article]:
    """Matching articles in publication order (newest first when backwards); ties by id."""
    writers = _writers(seed, query.symbol)
    start_ms, end_ms = max(query.start_ms, _EARLIEST_MS), query.end_ms
    if not writers or start_ms >= end_ms:
        return
    slots = range(start_ms // SLOT_MS, (end_ms - 1) // SLOT_MS + 1)
    for slot in reversed(slots) if query.backwards else slots:
        found = [article for name in writers if (article := _article(seed, name, slot))]
        found.sort(key=lambda item: (item.published_ms, str(item.row["id"])), reverse=query.backwards)
        for article in found:
            tickers = article.row["tickers"]
            named = query.symbol is None or query.symbol in tickers  # type: ignore[operator]
            if named and start_ms <= article.published_ms < end_ms:
                yield article
