# SPDX-License-Identifier: Apache-2.0
"""Answers that were given before, for load: inventing a page of 50 000 bars takes seconds, sending it milliseconds.

Kept are whole answers of aggregates whose range was over when they were made, so that they cannot change. One that
comes again is the same to the byte, its request id included.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .page import Page


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer's bytes and what the journal and the headers say of it."""

    body: bytes
    rows: int
    label: str
    request_id: str
    end_ms: int


class PageCache:
    """The answers used last, `limit` bytes of them; 0 keeps none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def find(self, url: str, now_ms: int) -> Kept | None:
        """What was answered to this URL, if it would be answered again now."""
        kept = self._kept.get(url)
        if kept is None or kept.end_ms > now_ms:
            return None
        self._kept.move_to_end(url)
        return kept

    def put(self, url: str, page: Page, body: bytes, now_ms: int) -> None:
        if page.kind != "aggs" or page.range_ms[1] > now_ms or len(body) > self._limit or url in self._kept:
            return
        made = Kept(body, len(page.rows), page.label, page.tail["request_id"], page.range_ms[1])
        self._kept[url] = made
        self._size += len(body)
        while self._size > self._limit:
            self._size -= len(self._kept.popitem(last=False)[1].body)

    def forget(self) -> None:
        self._kept.clear()
        self._size = 0
