# SPDX-License-Identifier: Apache-2.0
"""The provider's endpoints: a request's path and query in, a page out.

Nothing here knows of HTTP connections, keys, limits or faults. Wrong input raises BadRequest, whose
text is what the provider's documentation shows for that case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from . import actions, cursor, days, option_pages, options
from .aggregates import DEFAULT_LIMIT, MAX_LIMIT, Query, read_page
from .announced import DAYS, announce
from .bars import REPLAY, SYNTHETIC, Source
from .clock import Clock, format_instant, parse_instant
from .news import NewsQuery, articles
from .page import Page, Row, row_of_bar, row_of_object
from .reference import DELISTED, Action, figi_of, names_of, split
from .replay import Replay
from .sessions import NEW_YORK, asset_class, early_closes, holidays, market_state, session
from .synthetic import Synthetic
from .universe import KNOWN, REPLAY_NAMES, profile
from .windows import SPANS, Windows, range_bound

_FAR_MS = 7_258_118_400_000  # 2200-01-01
_SORTS = ("asc", "desc")
_Place = tuple[int, str]  # an article's place in the order: published_ms, id


@dataclass(frozen=True, slots=True)
class Announcements:
    """What was announced by way of the control endpoint."""

    splits: tuple[Action, ...] = ()

    @staticmethod
    def of(body: Mapping[str, Any]) -> Announcements:
        """From {"splits": [{ticker, execution_date, split_from, split_to}]}."""
        splits = [
            split(
                str(row["ticker"]),
                date.fromisoformat(row["execution_date"]),
                row["split_from"],
                row["split_to"],
            )
            for row in body.get("splits", [])
        ]
        return Announcements(tuple(splits))


class BadRequest(ValueError):
    """The request's own fault: answered with 400 and this text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A page, its number (from 1), and a URL that asks for this same page again."""

    page: Page
    number: int
    same_page_url: str


def _number(query: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise BadRequest(f"the parameter '{name}' must be a whole number above 0")
    return min(int(text), maximum)


def _choice(query: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, default)
    if value not in allowed:
        raise BadRequest(f"the parameter '{name}' must be one of {', '.join(allowed)}")
    return value


def _whole(fields: Mapping[str, str], name: str, default: int) -> int:
    """A whole number out of a cursor."""
    text = fields.get(name, str(default))
    if not text.isdigit():
        raise BadRequest("cursor is malformed")
    return int(text)


def _news_place(text: str) -> _Place:
    moment, _, identity = text.partition(".")
    return _whole({"at": moment}, "at", 0), identity


def _instant(text: str, name: str) -> int:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError) as problem:
        raise BadRequest(f"the parameter '{name}' is not a date or time") from problem


class Provider:
    """All endpoints over one replay, one seed and one clock."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.forming = False
        self.announcements = Announcements()
        self.seed = seed
        self.replay = Replay()
        self.synthetic = Synthetic(seed)
        self._requests = 0

    def source_of(self, symbol: str) -> Source:
        return self.replay if self.replay.covers(symbol) else self.synthetic

    def request_id(self) -> str:
        """Unique within a run and made of nothing secret."""
        self._requests += 1
        return f"{self.seed & 0xFFFF:04x}{self._requests:012x}{self.clock.now_ms() & 0xFFFFFFFF:08x}"

    # --- range aggregates ------------------------------------------------------------------------

    def aggregates(self, base: str, path: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        """GET /v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}"""
        asked = dict(query)
        if "cursor" in query:
            asked |= cursor.decode(query["cursor"])
        windows = self._windows(path)
        limit = _number(asked, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        sort = _choice(asked, "sort", "asc", _SORTS)
        adjusted = _choice(asked, "adjusted", "true", ("true", "false"))
        start, end = self._range(windows, path["from"], path["to"])
        number = _whole(asked, "page", 1)
        resume = _whole(asked, "resume", 0) if "resume" in asked else None
        if resume is not None:
            start, end = (start, resume) if sort == "desc" else (resume, end)
        limits = Query(windows, start, end, limit, sort == "desc", adjusted == "true")
        source = self.source_of(windows.symbol)
        found = read_page(source, limits, self.clock.now_ms(), self.forming)

        def url(page: int, position: int | None) -> str:
            fields: dict[str, object] = {"limit": limit, "sort": sort, "adjusted": adjusted}
            fields |= {"page": page} | ({"resume": position} if position is not None else {})
            ticker = quote(windows.symbol, safe=":.")
            tail = f"range/{path['multiplier']}/{windows.span}/{path['from']}/{path['to']}"
            return f"{base}/v2/aggs/ticker/{ticker}/{tail}?cursor={cursor.encode(fields)}"

        page = Page(
            kind="aggs",
            label=source.label,
            head={
                "ticker": json.dumps(windows.symbol),
                "queryCount": str(found.base_count),
                "resultsCount": str(len(found.bars)),
                "adjusted": adjusted,
            },
            rows=[row_of_bar(bar) for bar in found.bars],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            next_url=None if found.resume_ms is None else url(number + 1, found.resume_ms),
            symbol=windows.symbol,
            range_ms=(start, end),
        )
        return Answer(page, number, url(number, resume))

    @staticmethod
    def _windows(path: Mapping[str, str]) -> Windows:
        multiplier, span = path["multiplier"], path["timespan"]
        if not multiplier.isdigit() or not 1 <= int(multiplier) <= 10_000:
            raise BadRequest("the parameter 'multiplier' must be a whole number above 0")
        if span not in SPANS:
            raise BadRequest(f"the parameter 'timespan' must be one of {', '.join(SPANS)}")
        if not 1 <= len(path["ticker"]) <= 40:
            raise BadRequest("the parameter 'stocksTicker' is not a ticker")
        return Windows(path["ticker"], int(multiplier), span)

    def _range(self, windows: Windows, first: str, last: str) -> tuple[int, int]:
        """The range snapped outward, and not beyond the window of now."""
        try:
            start = range_bound(first, windows.symbol, is_end=False)
            end = range_bound(last, windows.symbol, is_end=True)
            if end < start:
                raise BadRequest("the parameter 'to' cannot be a time that occurs before 'from'")
            latest = windows.end(windows.start(self.clock.now_ms()))
            return windows.start(start), min(windows.end(windows.start(end)), latest)
        except BadRequest:
            raise
        except (ValueError, OverflowError, OSError) as problem:
            text = "could not parse 'from' or 'to'; use YYYY-MM-DD or Unix milliseconds"
            raise BadRequest(text) from problem

    # --- news ------------------------------------------------------------------------------------

    def news(self, base: str, query: Mapping[str, str]) -> Answer:
        """GET /v2/reference/news"""
        asked = cursor.decode(query["cursor"]) if "cursor" in query else dict(query)
        limit = _number(asked, "limit", 10, 1_000)
        order = _choice(asked, "order", "desc", _SORTS)
        _choice(asked, "sort", "published_utc", ("published_utc",))
        start, end = self._published(asked)
        symbol, number = asked.get("ticker"), _whole(asked, "page", 1)
        after = _news_place(asked["resume"]) if "resume" in asked else None
        rows, last, more = self._articles(symbol, start, end, order == "desc", after, limit)

        def url(page: int, place: tuple[int, str] | None) -> str:
            fields: dict[str, object] = {"limit": limit, "order": order, "page": page}
            fields |= {"published_utc.gte": start, "published_utc.lt": end}
            fields |= {"ticker": symbol} if symbol is not None else {}
            fields |= {"resume": f"{place[0]}.{place[1]}"} if place is not None else {}
            return f"{base}/v2/reference/news?cursor={cursor.encode(fields)}"

        page = Page(
            kind="news",
            label=REPLAY if symbol in REPLAY_NAMES else SYNTHETIC,
            head={},
            rows=rows,
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            next_url=url(number + 1, last) if more else None,
            results="list",
            symbol=symbol or "",
            range_ms=(start, end),
        )
        return Answer(page, number, url(number, after))

    def _articles(
        self,
        symbol: str | None,
        start: int,
        end: int,
        backwards: bool,
        after: _Place | None,
        limit: int,
    ) -> tuple[list[Row], _Place | None, bool]:
        """Up to `limit` rows behind the place `after`, the last one's place, and whether more follow."""
        end = min(end, self.clock.now_ms() + 1)
        if after is not None:
            start, end = (start, min(end, after[0] + 1)) if backwards else (max(start, after[0]), end)
        rows: list[Row] = []
        last: _Place | None = None
        for article in articles(self.seed, NewsQuery(symbol, start, end, backwards)):
            here = (article.published_ms, str(article.row["id"]))
            if after is not None and (here >= after if backwards else here <= after):
                continue
            if len(rows) == limit:
                return rows, last, True
            rows.append(row_of_object(article.row))
            last = here
        return rows, last, False

    @staticmethod
    def _published(asked: Mapping[str, str]) -> tuple[int, int]:
        """[start, end) of the published_utc parameters; a bare one means that whole day."""
        start, end = 0, _FAR_MS
        for name, text in asked.items():
            if not name.startswith("published_utc"):
                continue
            moment = _instant(text, name)
            match name.removeprefix("published_utc"):
                case ".gte":
                    start = max(start, moment)
                case ".gt":
                    start = max(start, moment + 1)
                case ".lte":
                    end = min(end, moment + 1)
                case ".lt":
                    end = min(end, moment)
                case "":
                    start, end = moment, moment + 86_400_000
        return start, end

    # --- reference tickers -----------------------------------------------------------------------

    def tickers(self, base: str, query: Mapping[str, str]) -> Answer:
        """GET /v3/reference/tickers"""
        asked = cursor.decode(query["cursor"]) if "cursor" in query else dict(query)
        limit = _number(asked, "limit", 100, 1_000)
        order = _choice(asked, "order", "asc", _SORTS)
        number, after = _whole(asked, "page", 1), asked.get("resume", "")
        _choice(asked, "active", "true", ("true", "false"))
        known = {*KNOWN, *REPLAY_NAMES, *DELISTED, *self._asked_ticker(asked)}
        names = sorted(known, reverse=order == "desc")
        rows = [row for name in names if self._wanted(row := self.ticker_row(name), asked)]
        if after:
            position = next((at for at, row in enumerate(rows) if row["ticker"] == after), -1)
            rows = rows[position + 1 :]

        def url(page: int, position: str) -> str:
            kept = {k: v for k, v in asked.items() if k not in ("page", "resume", "cursor")}
            fields: dict[str, object] = {**kept, "page": page}
            if position:
                fields["resume"] = position
            return f"{base}/v3/reference/tickers?cursor={cursor.encode(fields)}"

        shown = rows[:limit]
        real = all(row["ticker"] in REPLAY_NAMES for row in shown) and bool(shown)
        page = Page(
            kind="tickers",
            label=REPLAY if real else SYNTHETIC,
            head={},
            rows=[row_of_object(row) for row in shown],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            next_url=url(number + 1, str(shown[-1]["ticker"])) if len(rows) > limit else None,
            results="list",
            symbol=asked.get("ticker", ""),
        )
        return Answer(page, number, url(number, after))

    def ticker_details(self, base: str, symbol: str) -> Answer | None:
        """GET /v3/reference/tickers/{ticker}; None for one that has gone. Only here stocks have a list date."""
        names = names_of(symbol)
        if names is None:
            return None
        row = {name: value for name, value in self.ticker_row(symbol).items() if name != "last_updated_utc"}
        if asset_class(symbol) == "stock":
            row["list_date"] = names[0][0].isoformat()
        page = Page(
            kind="ticker_details",
            label=SYNTHETIC,
            head={},
            rows=[row_of_object(row)],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            results="object",
            symbol=symbol,
        )
        return Answer(page, 1, f"{base}/v3/reference/tickers/{quote(symbol, safe=':.')}")

    def ticker_events(self, base: str, symbol: str, query: Mapping[str, str]) -> Answer | None:
        """GET /vX/reference/tickers/{id}/events; None for what no instrument is called now. The newest first."""
        _choice(query, "types", "ticker_change", ("ticker_change",))
        names = names_of(symbol)
        if names is None or asset_class(symbol) != "stock":
            return None
        rows = [
            {"ticker_change": {"ticker": name}, "type": "ticker_change", "date": day.isoformat()}
            for day, name in reversed(names)
        ]
        known = self.ticker_row(symbol)
        page = Page(
            kind="ticker_events",
            label=SYNTHETIC,
            head={},
            rows=[row_of_object(row) for row in rows],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            results="list",
            symbol=symbol,
            inside={name: json.dumps(known[name]) for name in ("name", "composite_figi")},
        )
        return Answer(page, 1, f"{base}/vX/reference/tickers/{quote(symbol, safe=':.')}/events")

    # --- days ------------------------------------------------------------------------------------

    def grouped(self, base: str, day_text: str, query: Mapping[str, str]) -> Answer:
        """GET /v2/aggs/grouped/locale/us/market/stocks/{date}"""
        day, adjusted = self._day(day_text), self._adjusted(query)
        with_otc = _choice(query, "include_otc", "false", ("true", "false")) == "true"
        rows, now = [], self.clock.now_ms()
        for symbol in days.market_symbols(day, with_otc):
            bar = days.day_bar(self.source_of(symbol), symbol, day, adjusted, now)
            if bar is not None:
                rows.append(days.row_of_day(symbol, bar))
        page = days.page_of_days("grouped", SYNTHETIC, "", rows, adjusted, self.request_id())
        return Answer(page, 1, f"{base}/v2/aggs/grouped/locale/us/market/stocks/{day_text}")

    def previous(self, base: str, symbol: str, query: Mapping[str, str]) -> Answer:
        """GET /v2/aggs/ticker/{ticker}/prev"""
        adjusted, source = self._adjusted(query), self.source_of(symbol)
        bar = days.last_bar(source, symbol, adjusted, self.clock.now_ms())
        rows = [days.row_of_day(symbol, bar)] if bar is not None else []
        page = days.page_of_days("previous", source.label, symbol, rows, adjusted, self.request_id())
        return Answer(page, 1, f"{base}/v2/aggs/ticker/{quote(symbol, safe=':.')}/prev")

    def open_close(self, base: str, symbol: str, day_text: str, query: Mapping[str, str]) -> Answer | None:
        """GET /v1/open-close/{ticker}/{date}; None for a day without a bar."""
        day, adjusted, source = self._day(day_text), self._adjusted(query), self.source_of(symbol)
        bar = days.day_bar(source, symbol, day, adjusted, self.clock.now_ms())
        if bar is None or asset_class(symbol) != "stock":
            return None
        page = Page(
            kind="open_close",
            label=source.label,
            head={},
            rows=[days.row_of_open_close(source, symbol, day, bar)],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            symbol=symbol,
            flat=True,
        )
        return Answer(page, 1, f"{base}/v1/open-close/{quote(symbol, safe=':.')}/{day_text}")

    @staticmethod
    def _day(text: str) -> date:
        try:
            return days.parse_day(text)
        except ValueError as problem:
            raise BadRequest("the parameter 'date' is not a date like 2024-01-31") from problem

    @staticmethod
    def _adjusted(query: Mapping[str, str]) -> bool:
        return _choice(query, "adjusted", "true", ("true", "false")) == "true"

    # --- corporate actions -----------------------------------------------------------------------

    def actions(self, endpoint: actions.Endpoint, base: str, query: Mapping[str, str]) -> Answer:
        """GET /v3/reference/splits, /v3/reference/dividends"""
        asked = cursor.decode(query["cursor"]) if "cursor" in query else dict(query)
        limit = _number(asked, "limit", 10, 1_000)
        order = _choice(asked, "order", "desc", _SORTS)
        _choice(asked, "sort", endpoint.day, (endpoint.day,))
        number, shown = _whole(asked, "page", 1), _whole(asked, "resume", 0)
        today = datetime.fromtimestamp(self.clock.now_ms() / 1000, NEW_YORK).date()
        try:
            added = self.announcements.splits if endpoint is actions.SPLITS else ()
            found = actions.wanted(endpoint, self.seed, today, asked, order, added)
        except ValueError as problem:
            raise BadRequest(f"the parameter '{endpoint.day}' is not a date") from problem

        def url(page: int, position: int) -> str:
            kept = {k: v for k, v in asked.items() if k not in ("page", "resume", "cursor")}
            fields: dict[str, object] = {**kept, "page": page, "resume": position}
            return f"{base}{endpoint.path}?cursor={cursor.encode(fields)}"

        rows = [action.row for action in found[shown : shown + limit]]
        real = (
            bool(rows) and all(row["ticker"] in REPLAY_NAMES for row in rows) and endpoint is actions.SPLITS
        )
        page = Page(
            kind=endpoint.kind,
            label=REPLAY if real else SYNTHETIC,
            head={},
            rows=[row_of_object(row) for row in rows],
            tail={"status": '"OK"', "request_id": json.dumps(self.request_id())},
            next_url=url(number + 1, shown + limit) if len(found) > shown + limit else None,
            results="list",
            symbol=asked.get("ticker", ""),
        )
        return Answer(page, number, url(number, shown))

    @staticmethod
    def _asked_ticker(asked: Mapping[str, str]) -> tuple[str, ...]:
        """Any stock or pair can be asked for by name; options and indices have no rows here."""
        name = asked.get("ticker", "")
        return (name,) if name and asset_class(name) in ("stock", "crypto", "fx") else ()

    def ticker_row(self, symbol: str) -> dict[str, object]:
        kind = asset_class(symbol)
        market = {"crypto": "crypto", "fx": "fx"}.get(kind, "stocks")
        gone = DELISTED.get(symbol)
        row: dict[str, object] = {
            "ticker": symbol,
            "name": gone.name if gone else REPLAY_NAMES.get(symbol) or profile(self.seed, symbol).name,
            "market": market,
            "locale": "us" if market == "stocks" else "global",
        }
        if market == "stocks":
            row |= {"primary_exchange": "XNAS", "type": "CS", "currency_name": "usd"}
        else:
            row |= {"currency_symbol": symbol[-3:], "base_currency_symbol": symbol[2:-3]}
        if market == "stocks":
            row["composite_figi"] = figi_of(self.seed, symbol)
        if gone:
            delisted = gone.day.isoformat() + "T00:00:00Z"
            return row | {"active": False, "last_updated_utc": delisted, "delisted_utc": delisted}
        now = format_instant(self.clock.now_ms())[:10]
        return row | {"active": True, "last_updated_utc": now + "T00:00:00Z"}

    @staticmethod
    def _wanted(row: dict[str, object], asked: Mapping[str, str]) -> bool:
        ticker, name = str(row["ticker"]), str(row["name"])
        search = asked.get("search", "").lower()
        checks = (
            asked.get("ticker", ticker) == ticker,
            ticker > asked.get("ticker.gt", ""),
            ticker >= asked.get("ticker.gte", ""),
            "ticker.lt" not in asked or ticker < asked["ticker.lt"],
            "ticker.lte" not in asked or ticker <= asked["ticker.lte"],
            asked.get("market", row["market"]) == row["market"],
            "type" not in asked or asked["type"] == row.get("type"),
            asked.get("active", "true") == ("true" if row["active"] else "false"),
            not search or search in ticker.lower() or search in name.lower(),
        )
        return all(checks)

    # --- options ---------------------------------------------------------------------------------

    def option_contracts(self, base: str, query: Mapping[str, str]) -> Answer:
        """GET /v3/reference/options/contracts"""
        asked = cursor.decode(query["cursor"]) if "cursor" in query else dict(query)
        bounds = (_number(asked, "limit", 10, 1_000), _whole(asked, "page", 1), _whole(asked, "resume", 0))
        order = _choice(asked, "order", "asc", _SORTS)
        _choice(asked, "sort", "ticker", ("ticker",))
        _choice(asked, "expired", "false", ("true", "false"))
        try:
            found = options.wanted(self.seed, self.clock.now_ms(), asked)
        except ValueError as problem:
            raise BadRequest(f"a parameter is not a date or number: {problem}") from problem
        page, same = option_pages.page_of(
            "contracts",
            (base, options.CONTRACTS_PATH),
            asked,
            found if order == "asc" else found[::-1],
            bounds,
            lambda contract: row_of_object(contract.row()),
            self.request_id(),
        )
        return Answer(page, bounds[1], same)

    def option_contract(self, base: str, ticker: str) -> Answer | None:
        """GET /v3/reference/options/contracts/{ticker}; None for one that there is not."""
        contract = options.find(self.seed, ticker)
        if contract is None:
            return None
        page, same = option_pages.page_of_one(base, contract, self.request_id())
        return Answer(page, 1, same)

    def option_chain(self, base: str, underlying: str, query: Mapping[str, str]) -> Answer:
        """GET /v3/snapshot/options/{underlying}: contracts as they are now, each on its newest day with a trade."""
        asked = cursor.decode(query["cursor"]) if "cursor" in query else dict(query)
        asked["underlying_ticker"] = underlying.removeprefix("I:")
        bounds = (_number(asked, "limit", 10, 250), _whole(asked, "page", 1), _whole(asked, "resume", 0))
        order = _choice(asked, "order", "asc", _SORTS)
        _choice(asked, "sort", "ticker", ("ticker",))
        now = self.clock.now_ms()
        try:
            found = options.wanted(self.seed, now, asked)
        except ValueError as problem:
            raise BadRequest(f"a parameter is not a date or number: {problem}") from problem
        today = datetime.fromtimestamp(now / 1000, NEW_YORK).date()
        page, same = option_pages.page_of(
            "chain",
            (base, f"{options.CHAIN_PATH}/{quote(underlying, safe=':')}"),
            asked,
            found if order == "asc" else found[::-1],
            bounds,
            lambda contract: options.snapshot(
                contract, self.seed, today, option_pages.newest_day(self.synthetic, contract.ticker, now)
            ),
            self.request_id(),
        )
        return Answer(page, bounds[1], same)

    # --- market status ---------------------------------------------------------------------------

    def market_now(self) -> dict[str, object]:
        """GET /v1/marketstatus/now"""
        now = self.clock.now_ms()
        state = market_state(now)
        local = datetime.fromtimestamp(now / 1000, NEW_YORK)
        hour = local.hour + local.minute / 60
        return {
            "market": state,
            "serverTime": local.isoformat(timespec="seconds"),
            "exchanges": {"nyse": state, "nasdaq": state, "otc": state},
            "currencies": {"fx": "open" if local.weekday() < 5 else "closed", "crypto": "open"},
            "earlyHours": state == "extended-hours" and hour < 9.5,
            "afterHours": state == "extended-hours" and hour >= 9.5,
        }

    def market_upcoming(self) -> list[dict[str, object]]:
        """GET /v1/marketstatus/upcoming: a bare array, as the provider sends it."""
        today = datetime.fromtimestamp(self.clock.now_ms() / 1000, NEW_YORK).date()
        rows: list[dict[str, object]] = []
        for year in (today.year, today.year + 1):
            days = [(day, name, "closed") for day, name in holidays(year).items()]
            days += [(day, name, "early-close") for day, name in early_closes(year).items()]
            for day, name, status in sorted(days):
                if today <= day < today + timedelta(days=366) and day.weekday() < 5 and day not in DAYS:
                    rows.extend(self._upcoming_rows(day, name, status))
        for day, special in sorted(DAYS.items()):
            rows += special.rows() if special.listed and day >= today else []
        return sorted(rows, key=lambda row: str(row["date"]))

    def announce_days(self, days: object) -> None:
        """Closures and early closes beside the rules; None forgets them all."""
        if days is None:
            DAYS.clear()
        else:
            announce(days)
        session.cache_clear()
        self.synthetic = Synthetic(self.seed)  # days that were invented before are others now

    @staticmethod
    def _upcoming_rows(day: date, name: str, status: str) -> list[dict[str, object]]:
        times: dict[str, object] = {}
        if status == "early-close":
            opens = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK)
            closes = opens.replace(hour=13, minute=0)
            times = {
                "open": opens.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "close": closes.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            }
        head = {"date": day.isoformat(), "name": name, "status": status}
        return [{"exchange": exchange, **head, **times} for exchange in ("NYSE", "NASDAQ")]
