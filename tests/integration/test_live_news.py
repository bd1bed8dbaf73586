# SPDX-License-Identifier: Apache-2.0
"""News of live mode: the watermark is the newest time of publication, and what is behind it may still change (N36)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from line import Line
from mflocal import ServiceProcess, wait_for

pytestmark = pytest.mark.feeds

NEWS = "/v2/reference/news"
OVERLAP = timedelta(hours=12)
SETTINGS = {
    "INGEST_SYMBOLS": "KO",
    "INGEST_MINUTE_BARS": "false",
    "INGEST_DAY_BARS": "false",
    "INGEST_NEWS_POLL_MS": "200",
    "INGEST_NEWS_OVERLAP_MS": str(int(OVERLAP.total_seconds()) * 1000),
}


def polls(line: Line, wanted: int) -> None:
    """Waits until so many more requests were answered."""
    seen = int(line.parts.simulator.requests(path=NEWS)["total"])
    wait_for(
        lambda: int(line.parts.simulator.requests(path=NEWS)["total"]) >= seen + wanted, 60, "polls", 0.05
    )


def articles(line: Line) -> list[dict[str, Any]]:
    return [e for m in line.messages("RAW") if (e := m.event)["event_type"] == "news"]


def mark(line: Line) -> dict[str, Any]:
    return [m.event for m in line.messages("INGESTOR_WATERMARKS") if m.key and "|news|KO|" in m.key][-1]


def first_articles(line: Line) -> tuple[ServiceProcess, list[dict[str, Any]]]:
    """All of the overlap, with the provider's clock standing still: from here on nothing is new by itself."""
    line.parts.simulator.set_clock(frozen=True)
    ingestor = line.start("ingestor", **SETTINGS)
    wait_for(lambda: len(articles(line)) > 3, 60, "the articles of the overlap", 0.1)
    polls(line, 3)  # which begin a little earlier, from the newest article on
    found = articles(line)
    assert set(Counter(article["article_id"] for article in found).values()) == {1}
    assert mark(line)["last_time"] == max(article["event_time"] for article in found)
    return ingestor, found


def test_an_article_that_appears_late_is_published_once(line: Line) -> None:
    """Its time of publication is hours behind the newest one's; the watermark does not go back for it."""
    try:
        ingestor, before = first_articles(line)
        newest = max(article["event_time"] for article in before)
        late = datetime.fromisoformat(newest) - timedelta(hours=2)
        row = {"id": json.dumps("late"), "published_utc": json.dumps(late.strftime("%Y-%m-%dT%H:%M:%SZ"))}
        # In the order of the answer, whatever its time says.
        line.parts.simulator.add_fault(
            "bad_row", match={"endpoint": "news"}, times=None, insert=True, set=row
        )
        wait_for(lambda: len(articles(line)) > len(before), 60, "the late article", 0.1)
        polls(line, 5)
        ingestor.kill()
        ingestor.start()
        polls(line, 5)
        ingestor.stop()
        assert Counter(a["article_id"] for a in articles(line)) == Counter(
            [*(a["article_id"] for a in before), "late"]
        )
        assert mark(line)["last_time"] == newest
    finally:
        line.parts.simulator.set_clock(real=True)


def test_an_article_that_is_edited_becomes_a_correction(line: Line) -> None:
    """Within the overlap: once more with what it says now, revision 1 behind the processor, and only once."""
    try:
        ingestor, before = first_articles(line)
        line.start("processor")
        wait_for(lambda: len(line.messages("NEWS_FILTERED")) == len(before), 60, "what was published first")
        match = {"endpoint": "news"}
        changed = {"title": json.dumps("Mended: what was said before")}
        line.parts.simulator.add_fault("bad_row", match=match, times=None, index=2, set=changed)
        wait_for(lambda: len(articles(line)) > len(before), 60, "the edited article", 0.1)
        polls(line, 5)
        ingestor.kill()
        ingestor.start()
        polls(line, 5)
        after = articles(line)
        assert len(after) == len(before) + 1
        first, second = (a for a in after if a["article_id"] == after[-1]["article_id"])
        assert second["title"] == "Mended: what was said before" != first["title"]
        assert second["event_time"] == first["event_time"]
        assert second["event_id"] != first["event_id"]
        wait_for(lambda: len(line.messages("NEWS_FILTERED")) == len(after), 60, "the correction")
        revisions = Counter(
            (m.event["title"], m.headers.get("mf-revision", "0"))
            for m in line.messages("NEWS_FILTERED")
            if m.event["article_id"] == first["article_id"]
        )
        assert revisions == {(first["title"], "0"): 1, (second["title"], "1"): 1}
    finally:
        line.parts.simulator.set_clock(real=True)
