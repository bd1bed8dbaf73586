# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: key, limit, faults, endpoints, in that order, every request journalled.

The control endpoints answer on loopback only. They have no key of their own: whoever can open a
loopback connection here already runs on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import actions, cursor, options, wire
from .access import KeyFile, MinuteLimit
from .announced import describe
from .clock import Clock, parse_instant
from .faults import BEFORE, PAGE, WIRE, Fault, FaultError, FaultTable, Subject
from .journal import Entry, Journal
from .page_cache import PageCache
from .page_faults import change_page
from .provider import Announcements, Answer, Provider

_SMALL_PAGE = 500  # larger pages are built off the loop
EVENTS_PATH = "/vX/reference/tickers/{ticker}/events"
AGGS_PATH = "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}"
GROUPED_PATH = "/v2/aggs/grouped/locale/us/market/stocks/{date}"
Build = Callable[[web.Request], Awaitable[Answer]]


class Server:
    """One simulator: its provider, faults, journal and limits."""

    def __init__(
        self, provider: Provider, keys: KeyFile, limit: MinuteLimit, cache: PageCache | None = None
    ) -> None:
        self.provider = provider
        self.clock: Clock = provider.clock
        self.keys = keys
        self.limit = limit
        self.faults = FaultTable()
        self.journal = Journal()
        self.cache = cache or PageCache(0)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get(AGGS_PATH, self._data("aggs", self._aggregates))
        app.router.add_get(GROUPED_PATH, self._data("grouped", self._grouped))
        app.router.add_get("/v2/aggs/ticker/{ticker}/prev", self._data("previous", self._previous))
        app.router.add_get("/v1/open-close/{ticker}/{date}", self._data("open_close", self._open_close))
        app.router.add_get("/v2/reference/news", self._data("news", self._news))
        app.router.add_get("/v3/reference/tickers", self._data("tickers", self._tickers))
        app.router.add_get(
            "/v3/reference/tickers/{ticker}", self._data("ticker_details", self._ticker_details)
        )
        app.router.add_get(EVENTS_PATH, self._data("ticker_events", self._ticker_events))
        app.router.add_get(options.CONTRACTS_PATH, self._data("contracts", self._contracts))
        app.router.add_get(options.CONTRACTS_PATH + "/{ticker}", self._data("contracts", self._contract))
        app.router.add_get(options.CHAIN_PATH + "/{ticker}", self._data("chain", self._chain))
        for endpoint in (actions.SPLITS, actions.DIVIDENDS):
            app.router.add_get(endpoint.path, self._data(endpoint.kind, self._actions(endpoint)))
        app.router.add_get("/v1/marketstatus/now", self._plain("status", self.provider.market_now))
        app.router.add_get("/v1/marketstatus/upcoming", self._plain("status", self.provider.market_upcoming))
        app.router.add_route("*", "/control/{what}", self._control)
        app.router.add_route("*", "/{rest:.*}", self._data("other", self._nothing))
        return app

    # --- a request -------------------------------------------------------------------------------

    def _data(self, endpoint: str, build: Build) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            entry = self.journal.begin(request.path, list(request.query.items()))
            entry.endpoint = endpoint
            started = time.monotonic()
            try:
                answer = await self._answer(request, entry, build)
                entry.status = answer.status
                return answer
            finally:
                self.journal.end(entry, started)

        return handle

    def _plain(
        self, endpoint: str, value: Callable[[], object]
    ) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Endpoints without rows: the same checks and `before` and `wire` faults, no page."""

        async def handle(request: web.Request) -> web.StreamResponse:
            entry = self.journal.begin(request.path, list(request.query.items()))
            entry.endpoint = endpoint
            started = time.monotonic()
            try:
                taken, refused = await self._gate(request, entry)
                if refused is None:
                    entry.data = "synthetic"
                    headers = wire.data_headers(entry.data, json.dumps(self.provider.request_id()))
                    body = json.dumps(value()).encode()
                    faults = [fault for fault in taken if fault.kind in WIRE]
                    refused = await wire.send(body, headers, faults, request)
                entry.status = refused.status
                return refused
            finally:
                self.journal.end(entry, started)

        return handle

    async def _gate(
        self, request: web.Request, entry: Entry
    ) -> tuple[list[Fault], web.StreamResponse | None]:
        """Key, limit and `before` faults: the faults taken, and the answer when there is one already."""
        request_id = self.provider.request_id()
        entry.auth = self.keys.check(request.headers.get("Authorization"))
        if entry.auth != "ok":
            text = "API Key was not provided" if entry.auth == "missing" else "Unknown API Key"
            return [], wire.error(401, request_id, text)
        if not self.limit.admit():
            return [], wire.rate_limited(request_id, True, None)
        names = (request.query.get(name, "") for name in ("ticker", "underlying_ticker"))
        entry.symbol = request.match_info.get("ticker") or next(filter(None, names), "")
        entry.page, cursor_symbol = self._from_cursor(request)
        entry.symbol = entry.symbol or cursor_symbol
        span = request.match_info.get("timespan", "")
        subject = Subject(request.path, entry.endpoint, entry.symbol, entry.page, span)
        taken = self.faults.take(subject)
        entry.faults = [fault.kind for fault in taken]
        before = next((fault for fault in taken if fault.kind in BEFORE), None)
        if before is None:
            return taken, None
        return taken, await wire.answer_instead(before, request, request_id)

    @staticmethod
    def _from_cursor(request: web.Request) -> tuple[int, str]:
        """Page number and symbol that a cursor carries, for faults and journal; (1, "") without."""
        with contextlib.suppress(ValueError):
            fields = cursor.decode(request.query.get("cursor", ""))
            symbol = fields.get("ticker", "") or fields.get("underlying_ticker", "")
            return int(fields.get("page", "1")), symbol
        return 1, ""

    async def _answer(self, request: web.Request, entry: Entry, build: Build) -> web.StreamResponse:
        taken, refused = await self._gate(request, entry)
        if refused is not None:
            return refused
        url, changed = f"{self._base(request)}{request.path_qs}", any(fault.kind in PAGE for fault in taken)
        kept = None if changed else self.cache.find(url, self.clock.now_ms())
        if kept is not None:
            entry.rows, entry.data = kept.rows, kept.label
            headers = wire.data_headers(kept.label, kept.request_id)
            return await wire.send(kept.body, headers, [f for f in taken if f.kind in WIRE], request)
        try:
            answer = await build(request)
        except web.HTTPNotFound:
            return wire.error(
                404, self.provider.request_id(), "Not found.", member="message", word="NOT_FOUND"
            )
        except ValueError as problem:
            return wire.error(400, self.provider.request_id(), str(problem))
        try:
            for fault in (fault for fault in taken if fault.kind in PAGE):
                fault.notes["same_page_url"] = answer.same_page_url
                change_page(answer.page, fault)
        except FaultError as problem:
            print(f"simulator: {problem}", file=sys.stderr, flush=True)
            return wire.error(500, self.provider.request_id(), f"simulator: {problem}")
        entry.rows, entry.data = len(answer.page.rows), answer.page.label
        headers = wire.data_headers(answer.page.label, answer.page.tail["request_id"])
        body = wire.json_body(answer.page.render())
        if not changed and not self.provider.forming:
            self.cache.put(url, answer.page, body, self.clock.now_ms())
        return await wire.send(body, headers, [f for f in taken if f.kind in WIRE], request)

    # --- endpoints -------------------------------------------------------------------------------

    @staticmethod
    def _base(request: web.Request) -> str:
        """Scheme, host and port as the client named them; next_url continues there."""
        return f"{request.scheme}://{request.host}"

    async def _aggregates(self, request: web.Request) -> Answer:
        path, query = dict(request.match_info), dict(request.query)
        limit = query.get("limit", "")
        if limit.isdigit() and int(limit) <= _SMALL_PAGE and "cursor" not in query:
            return self.provider.aggregates(self._base(request), path, query)
        return await asyncio.to_thread(self.provider.aggregates, self._base(request), path, query)

    async def _grouped(self, request: web.Request) -> Answer:
        day, query = request.match_info["date"], dict(request.query)
        return await asyncio.to_thread(self.provider.grouped, self._base(request), day, query)

    async def _previous(self, request: web.Request) -> Answer:
        return self.provider.previous(self._base(request), request.match_info["ticker"], dict(request.query))

    async def _open_close(self, request: web.Request) -> Answer:
        path = request.match_info
        base, query = self._base(request), dict(request.query)
        found = self.provider.open_close(base, path["ticker"], path["date"], query)
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _news(self, request: web.Request) -> Answer:
        return self.provider.news(self._base(request), dict(request.query))

    async def _tickers(self, request: web.Request) -> Answer:
        return self.provider.tickers(self._base(request), dict(request.query))

    async def _ticker_details(self, request: web.Request) -> Answer:
        found = self.provider.ticker_details(self._base(request), request.match_info["ticker"])
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _ticker_events(self, request: web.Request) -> Answer:
        ticker = request.match_info["ticker"]
        found = self.provider.ticker_events(self._base(request), ticker, dict(request.query))
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _contracts(self, request: web.Request) -> Answer:
        return self.provider.option_contracts(self._base(request), dict(request.query))

    async def _chain(self, request: web.Request) -> Answer:
        underlying = request.match_info["ticker"]
        return self.provider.option_chain(self._base(request), underlying, dict(request.query))

    async def _contract(self, request: web.Request) -> Answer:
        found = self.provider.option_contract(self._base(request), request.match_info["ticker"])
        if found is None:
            raise web.HTTPNotFound
        return found

    def _actions(self, endpoint: actions.Endpoint) -> Build:
        async def build(request: web.Request) -> Answer:
            return self.provider.actions(endpoint, self._base(request), dict(request.query))

        return build

    async def _nothing(self, request: web.Request) -> Answer:
        raise web.HTTPNotFound

    # --- control ---------------------------------------------------------------------------------

    async def _control(self, request: web.Request) -> web.StreamResponse:
        if not _is_loopback(request.remote):
            return web.Response(status=404)
        handlers: dict[tuple[str, str], Callable[[web.Request], Awaitable[Any]]] = {
            ("GET", "faults"): self._get_faults,
            ("POST", "faults"): self._post_faults,
            ("DELETE", "faults"): self._delete_faults,
            ("GET", "requests"): self._get_requests,
            ("DELETE", "requests"): self._delete_requests,
            ("GET", "clock"): self._get_clock,
            ("POST", "clock"): self._post_clock,
            ("POST", "announcements"): self._post_announcements,
            ("GET", "options"): self._get_options,
            ("POST", "options"): self._post_options,
            ("GET", "days"): self._get_days,
            ("POST", "days"): self._post_days,
            ("DELETE", "days"): self._delete_days,
        }
        handler = handlers.get((request.method, request.match_info["what"]))
        if handler is None:
            return web.json_response({"error": "no such control"}, status=404)
        try:
            return web.json_response(await handler(request))
        except (ValueError, TypeError, OverflowError) as problem:
            return web.json_response({"error": str(problem)}, status=400)

    async def _get_faults(self, request: web.Request) -> Any:
        return {"faults": self.faults.describe()}

    async def _post_faults(self, request: web.Request) -> Any:
        added = self.faults.add(await request.json())
        return {"faults": [fault.describe() for fault in added]}

    async def _delete_faults(self, request: web.Request) -> Any:
        number = request.query.get("id")
        return {"removed": self.faults.remove(int(number) if number is not None else None)}

    async def _get_requests(self, request: web.Request) -> Any:
        query = request.query
        since, limit = int(query.get("since", "0")), int(query.get("limit", "1000"))
        return self.journal.report(since, query.get("path", ""), limit)

    async def _delete_requests(self, request: web.Request) -> Any:
        self.journal.reset()
        return {"reset": True}

    async def _get_clock(self, request: web.Request) -> Any:
        return self.clock.describe()

    async def _post_clock(self, request: web.Request) -> Any:
        body = await _object(request, {"now", "advance_ms", "frozen", "rate", "real"})
        if body.get("real"):
            self.clock.follow_machine()
        if "now" in body:
            self.clock.set(parse_instant(str(body["now"])))
        if "advance_ms" in body:
            self.clock.advance(int(body["advance_ms"]))
        if "rate" in body:
            self.clock.set_rate(float(body["rate"]))
        if "frozen" in body:
            self.clock.freeze(bool(body["frozen"]))
        return self.clock.describe()

    async def _post_announcements(self, request: web.Request) -> Any:
        body = await _object(request, {"splits"})
        try:
            self.provider.announcements = Announcements.of(body)
        except KeyError as problem:
            raise ValueError(f"{problem} is missing") from problem
        return {"splits": len(self.provider.announcements.splits)}

    async def _get_days(self, request: web.Request) -> Any:
        return {"days": describe()}

    async def _post_days(self, request: web.Request) -> Any:
        self.provider.announce_days(await request.json())
        self.cache.forget()
        return await self._get_days(request)

    async def _delete_days(self, request: web.Request) -> Any:
        self.provider.announce_days(None)
        self.cache.forget()
        return await self._get_days(request)

    async def _get_options(self, request: web.Request) -> Any:
        return {"forming": self.provider.forming, "rate_per_minute": self.limit.per_minute}

    async def _post_options(self, request: web.Request) -> Any:
        body = await _object(request, {"forming", "rate_per_minute"})
        if "forming" in body:
            self.provider.forming = bool(body["forming"])
        if "rate_per_minute" in body:
            self.limit.set(int(body["rate_per_minute"]))
        return await self._get_options(request)


async def _object(request: web.Request, names: set[str]) -> dict[str, Any]:
    body = await request.json()
    if not isinstance(body, dict) or set(body) - names:
        raise ValueError(f"an object with some of {', '.join(sorted(names))}")
    return body


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
