# SPDX-License-Identifier: Apache-2.0
"""News rules of one cell, from docs/processor.md and docs/rules.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .rules import Said, found
from .series import sign

if TYPE_CHECKING:
    from .rules import Settings

HOUR = 3_600_000
WEEK = 7 * 24 * HOUR
REMEMBERED = 256
LABELS = {
    "bearish": -1.0, "negative": -1.0, "somewhat-bearish": -0.5, "neutral": 0.0, "somewhat-bullish": 0.5,
    "bullish": 1.0, "positive": 1.0,
}  # fmt: skip
Judged = tuple[int, float, float]  # severity, value, threshold


@dataclass
class Article:
    id: str
    time: int
    url: str
    title: str
    score: float | None


def score_of(event: dict[str, Any]) -> float | None:
    sentiment = event.get("sentiment")
    if not sentiment or float(sentiment.get("relevance", "1")) < 0.3:
        return None
    if "score" in sentiment:
        return float(sentiment["score"])
    return LABELS.get(sentiment["label"].lower())


def words_of(event: dict[str, Any], keywords: tuple[str, ...]) -> int:
    texts = [event["title"], event.get("description", "")]
    return sum(any(contains(text, word) for text in texts) for word in keywords)


def contains(text: str, word: str) -> bool:
    """A whole word: what is next to it is no ASCII letter or digit and no other character beyond ASCII."""
    inside = r"[A-Za-z0-9\u0080-\U0010ffff]"
    return (
        re.search(rf"(?<!{inside}){re.escape(word)}(?!{inside})", text, re.IGNORECASE | re.ASCII) is not None
    )


@dataclass
class Newsroom:
    articles: list[Article] = field(default_factory=list)
    said: dict[tuple[str, str], tuple[Said, int, str]] = field(default_factory=dict)  # and what it rested on
    cluster_quiet_until: int | None = None
    cluster_severity: int = -1
    link_time: int | None = None
    link_price: dict[int, float] = field(default_factory=dict)

    def take(self, event: dict[str, Any], time: int) -> None:
        article = Article(
            event["article_id"], time, event["url_hash"], event["title"].lower(), score_of(event)
        )
        for index, have in enumerate(self.articles):
            if (have.id, have.time) == (article.id, article.time):
                self.articles[index] = article
                return
        self.articles = [*self.articles, article][-REMEMBERED:]

    def judge(self, event: dict[str, Any], time: int, settings: Settings) -> list[tuple[Said, int, bool]]:
        """What each rule says now and did not say before, its alert's revision, whether it begins to stand."""
        said = []
        for rule, judged in (
            ("news_keyword", self._keyword(event, settings)),
            ("news_sentiment", self._sentiment(event, time, settings)),
            ("news_cluster", self._cluster(time, settings)),
        ):
            said += self._difference(rule, event, time, judged, settings)
        return said

    def _keyword(self, event: dict[str, Any], settings: Settings) -> Judged | None:
        count = words_of(event, settings.keywords)
        severity, threshold = found(settings.levels("news_keyword"), count)
        return (severity, float(count), threshold) if severity >= 0 else None

    def _sentiment(self, event: dict[str, Any], time: int, settings: Settings) -> Judged | None:
        score = score_of(event)
        if score is None:
            return None
        levels = settings.levels("news_sentiment")
        scores = [a.score for a in self.articles if a.score is not None and time - HOUR < a.time <= time]
        if len(scores) >= 3 and levels[2] > 0:
            total = 0.0
            for one in scores:
                total += one
            if abs(total / len(scores)) >= levels[2]:
                return 2, total / len(scores), levels[2]
        severity, threshold = found((levels[0], levels[1], 0.0), abs(score))
        return (severity, score, threshold) if severity >= 0 else None

    def _distinct(self, since: int, until: int) -> int:
        urls: set[str] = set()
        titles: set[str] = set()
        count = 0
        for article in self.articles:
            if since < article.time <= until and article.url not in urls and article.title not in titles:
                count += 1
            if since < article.time <= until:
                urls.add(article.url)
                titles.add(article.title)
        return count

    def _cluster(self, time: int, settings: Settings) -> Judged | None:
        hour, week = self._distinct(time - HOUR, time), self._distinct(time - WEEK, time)
        severity, threshold = found(settings.levels("news_cluster"), hour)
        if severity < 0 or hour < settings.cluster_ratio * (week / 168):
            return None
        return severity, float(hour), threshold

    def _difference(
        self, rule: str, event: dict[str, Any], time: int, judged: Judged | None, settings: Settings
    ) -> list[tuple[Said, int, bool]]:
        key = (rule, f"{event['article_id']} {time}")
        before = self.said.get(key)
        stands = before is not None and before[0].state == "firing"
        if judged is None:
            if not stands or before is None:
                return []
            old = before[0]
            gone = Said(
                rule, time, "resolved", old.severity, old.direction, old.value, old.threshold, "corrected"
            )
            self.said[key] = (gone, before[1] + 1, "")
            return [(gone, before[1] + 1, False)]
        severity, value, threshold = judged
        direction = {1: "up", -1: "down", 0: "none"}[sign(value)] if rule == "news_sentiment" else "none"
        words = [w for w in settings.keywords if words_of(event, (w,))] if rule == "news_keyword" else []
        basis = f"{severity} {value} {words}"
        if stands and before is not None and before[2] == basis:
            return []
        if rule == "news_cluster" and not stands and not self._cluster_may_fire(time, severity, settings):
            return []
        firing = Said(rule, time, "firing", severity, direction, value, threshold)
        if rule == "news_cluster" and not stands and settings.cooldown_ms > 0:
            firing.cooldown_until = self.cluster_quiet_until
        revision = before[1] + 1 if before else 0
        self.said[key] = (firing, revision, basis)
        return [(firing, revision, not stands)]

    def _cluster_may_fire(self, time: int, severity: int, settings: Settings) -> bool:
        quiet = self.cluster_quiet_until is not None and time < self.cluster_quiet_until
        if quiet and severity <= self.cluster_severity:
            return False
        self.cluster_quiet_until, self.cluster_severity = time + settings.cooldown_ms, severity
        return True
