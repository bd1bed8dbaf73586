# SPDX-License-Identifier: Apache-2.0
"""Option contracts: which ones an underlying has, as of a day; rows of the contract and chain endpoints.

All invented, in the documented shape. Every stock with a profile has weekly contracts on five strikes that
are listed eight weeks ahead, and three oddities of real chains: WMT has an adjusted root (WMT1, which also
delivers cash), NVDA a mini contract (NVDA7, ten shares), and the index SPX two roots (SPX monthly, SPXW
weekly) of European style.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from .bars import Bar, plain
from .noise import bits, key_of, uniform
from .sessions import NEW_YORK, asset_class, local_date, session
from .universe import profile

CONTRACTS_PATH = "/v3/reference/options/contracts"
CHAIN_PATH = "/v3/snapshot/options"
LISTED_DAYS = 56
_FIRST = date(2004, 1, 2)  # a Friday
_STRIKES = range(-2, 3)
_INDICES = {"SPX": 5_000.0}
_ADJUSTED = {"WMT": ("WMT1", 100), "NVDA": ("NVDA7", 10)}
_CASH = [{"amount": 6.53, "type": "currency", "underlying": "USD"}]
_QUIET = 301


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract; its last day is `expiration`, its first `listed`."""

    ticker: str
    underlying: str
    kind: str
    expiration: date
    listed: date
    strike: Decimal
    shares: int
    style: str
    price: float  # of one share of it, about

    def row(self) -> dict[str, object]:
        root = self.ticker[2:-15]
        row: dict[str, object] = {
            "cfi": ("OC" if self.kind == "call" else "OP")
            + ("ES" if self.style == "european" else "AS")
            + "PS",
            "contract_type": self.kind,
            "exercise_style": self.style,
            "expiration_date": self.expiration.isoformat(),
            "primary_exchange": "BATO",
            "shares_per_contract": self.shares,
            "strike_price": _number(self.strike),
            "ticker": self.ticker,
            "underlying_ticker": self.underlying,
        }
        return row | ({"additional_underlyings": _CASH} if root.endswith("1") else {})

    def trades(self, seed: int) -> bool:
        """Most contracts of a real chain do not trade all day; here every third one never does."""
        return bits(key_of(seed, "quiet|" + self.ticker), _QUIET, 0) % 3 != 0


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def ticker_of(root: str, expiration: date, kind: str, strike: Decimal) -> str:
    return f"O:{root}{expiration:%y%m%d}{kind[0].upper()}{int(strike * 1000):08d}"


def _last_day(friday: date) -> date:
    """The Friday, or the last session before it when that is a holiday."""
    day = friday
    while session("stock", day) is None:
        day -= timedelta(days=1)
    return day


def _step(price: float) -> Decimal:
    """Distance of strikes: what about two percent of the price is called where options trade."""
    for step in ("0.5", "1", "2.5", "5", "10", "25", "50", "100"):
        if float(step) >= price * 0.02:
            return Decimal(step)
    return Decimal("250")


def _is_monthly(friday: date) -> bool:
    return 15 <= friday.day <= 21


def _roots(underlying: str, friday: date) -> Iterator[tuple[str, int]]:
    if underlying in _INDICES:
        yield ("SPX" if _is_monthly(friday) else "SPXW"), 100
        return
    yield underlying, 100
    if underlying in _ADJUSTED and _is_monthly(friday):
        yield _ADJUSTED[underlying]


def has_options(underlying: str) -> bool:
    return underlying in _INDICES or asset_class(underlying) == "stock"


def _of_week(seed: int, underlying: str, friday: date) -> Iterator[Contract]:
    price = _INDICES.get(underlying) or profile(seed, underlying).price
    step = _step(price)
    middle = step * round(Decimal(price) / step)
    expiration = _last_day(friday)
    for root, shares in _roots(underlying, friday):
        for kind in ("call", "put"):
            for at in _STRIKES:
                strike = middle + step * at
                if strike <= 0:
                    continue
                style = "european" if underlying in _INDICES else "american"
                ticker = ticker_of(root, expiration, kind, strike)
                inner = max(0.0, (price - float(strike)) * (1 if kind == "call" else -1))
                listed = friday - timedelta(days=LISTED_DAYS)
                worth = inner + price * 0.03
                yield Contract(ticker, underlying, kind, expiration, listed, strike, shares, style, worth)


def contracts(seed: int, underlying: str, first: date, last: date) -> Iterator[Contract]:
    """Those whose last day lies between `first` and `last`, both included."""
    weeks = max(0, (first - _FIRST).days // 7 - 1)
    friday = _FIRST + timedelta(days=7 * weeks)
    while friday <= last + timedelta(days=7):
        for contract in _of_week(seed, underlying, friday):
            if first <= contract.expiration <= last:
                yield contract
        friday += timedelta(days=7)


def find(seed: int, ticker: str) -> Contract | None:
    """The contract of that name, None when there is none."""
    body = ticker.removeprefix("O:")
    try:
        expiration = date.fromisoformat(f"20{body[-15:-13]}-{body[-13:-11]}-{body[-11:-9]}")
    except ValueError:
        return None
    root = body[:-15]
    underlying = root.removesuffix("W") if root in ("SPX", "SPXW") else root.rstrip("0123456789")
    if not underlying or not has_options(underlying):
        return None
    found = contracts(seed, underlying, expiration, expiration)
    return next((contract for contract in found if contract.ticker == ticker), None)


# --- the endpoints' filters --------------------------------------------------------------------------


def _day(asked: Mapping[str, str], name: str) -> date | None:
    return date.fromisoformat(asked[name]) if name in asked else None


def _price(asked: Mapping[str, str], name: str) -> Decimal | None:
    try:
        return Decimal(asked[name]) if name in asked else None
    except InvalidOperation as problem:
        raise ValueError(name) from problem


def _by_day(asked: Mapping[str, str], earliest: date, latest: date) -> tuple[date, date]:
    """[first, last] of the parameters about expiration_date, within [earliest, latest]."""
    on, least, above = (_day(asked, "expiration_date" + edge) for edge in ("", ".gte", ".gt"))
    most, below = (_day(asked, "expiration_date" + edge) for edge in (".lte", ".lt"))
    one = timedelta(days=1)
    lower = [day for day in (on, least, above + one if above else None) if day]
    upper = [day for day in (on, most, below - one if below else None) if day]
    return max([earliest, *lower]), min([latest, *upper])


def _is_wanted(contract: Contract, asked: Mapping[str, str]) -> bool:
    on, least, above, most, below = (
        _price(asked, "strike_price" + edge) for edge in ("", ".gte", ".gt", ".lte", ".lt")
    )
    return (
        asked.get("contract_type", contract.kind) == contract.kind
        and (on is None or contract.strike == on)
        and (least is None or contract.strike >= least)
        and (above is None or contract.strike > above)
        and (most is None or contract.strike <= most)
        and (below is None or contract.strike < below)
    )


def wanted(seed: int, now_ms: int, asked: Mapping[str, str]) -> list[Contract]:
    """The contracts that the parameters of the contracts endpoint leave, by ticker.

    `as_of` shows the list as it was on that day; `expired` chooses what had expired by then instead of what
    had not. ValueError for a parameter that says nothing.
    """
    underlying = asked.get("underlying_ticker", "")
    as_of = _day(asked, "as_of") or local_date(now_ms, NEW_YORK)
    expired = asked.get("expired", "false") == "true"
    edges = (_FIRST, as_of - timedelta(days=1)) if expired else (as_of, as_of + timedelta(days=400))
    if not underlying or not has_options(underlying):
        return []
    found = contracts(seed, underlying, *_by_day(asked, *edges))
    kept = [one for one in found if one.listed <= as_of and _is_wanted(one, asked)]
    return sorted(kept, key=lambda one: one.ticker)


# --- the chain ---------------------------------------------------------------------------------------


def _rounded(value: float, digits: int = 6) -> float:
    return round(value, digits)


def _greeks(contract: Contract, price: float, sigma: float, days: int) -> dict[str, float]:
    """About what Black and Scholes (1973) say, without rates and dividends."""
    years = max(days, 0.5) / 365
    spread = sigma * math.sqrt(years)
    place = (math.log(price / float(contract.strike)) + spread * spread / 2) / spread
    density = math.exp(-place * place / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + math.erf(place / math.sqrt(2)))
    return {
        "delta": _rounded(below if contract.kind == "call" else below - 1),
        "gamma": _rounded(density / (price * spread)),
        "theta": _rounded(-price * density * sigma / (2 * math.sqrt(years)) / 365),
        "vega": _rounded(price * density * math.sqrt(years) / 100),
    }


def snapshot(contract: Contract, seed: int, today: date, newest: Bar | None) -> dict[str, str]:
    """One row of the chain, members as raw JSON. What is known of KO and its options is delayed."""
    price = _INDICES.get(contract.underlying) or profile(seed, contract.underlying).price
    draw = uniform(bits(key_of(seed, "iv|" + contract.ticker), _QUIET, 1))
    sigma = 0.15 + 0.35 * draw
    frame = "DELAYED" if contract.underlying == "KO" else "REAL-TIME"
    symbol = ("I:" if contract.underlying in _INDICES else "") + contract.underlying
    details = {
        name: contract.row()[name]
        for name in ("contract_type", "exercise_style", "expiration_date", "shares_per_contract",
                     "strike_price", "ticker")
    }  # fmt: skip
    row: dict[str, object] = {
        "break_even_price": _rounded(float(contract.strike) + contract.price, 2),
        "details": details,
        "greeks": _greeks(contract, price, sigma, (contract.expiration - today).days),
        "implied_volatility": _rounded(sigma),
        "open_interest": int(5000 * draw) if contract.trades(seed) else 0,
        "underlying_asset": {
            "change_to_break_even": _rounded(contract.price, 2),
            "price": _rounded(price, 2),
            "ticker": symbol,
            "timeframe": frame,
        },
    }
    row["last_quote"] = {
        "ask": _rounded(contract.price * 1.01 + 0.01, 2),
        "ask_size": 10,
        "bid": _rounded(contract.price * 0.99, 2),
        "bid_size": 12,
        "timeframe": frame,
    }
    return {"day": _day_text(newest), **{name: json.dumps(value) for name, value in row.items()}}


def _day_text(bar: Bar | None) -> str:
    """The day's numbers with the bar's own digits; an empty object for a contract that has never traded."""
    if bar is None:
        return "{}"
    numbers = {
        "change": plain(Decimal(bar.close) - Decimal(bar.open)),
        "close": bar.close,
        "high": bar.high,
        "last_updated": str(bar.start_ms * 1_000_000),
        "low": bar.low,
        "open": bar.open,
        "volume": bar.volume,
        "vwap": bar.vwap or "0",
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in numbers.items()) + "}"
