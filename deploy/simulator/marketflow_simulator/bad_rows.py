# SPDX-License-Identifier: Apache-2.0
"""What the fault `bad_row` can do to one row: the variants, and the endpoints whose rows have what each one changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

from .bars import plain
from .page import Row

Changes = dict[str, Callable[[Row], dict[str, str]]]
_FAR_FUTURE_MS = 4_102_444_800_000  # 2100-01-01

# To a bar; numbers as strings and exponents are odd but still right values.
_BARS: Changes = {
    "high_below_low": lambda row: {"h": plain(Decimal(row["l"]) / 2)},
    "close_above_high": lambda row: {"c": plain(Decimal(row["h"]) * 2)},
    "negative_price": lambda row: {"l": "-" + row["l"]},
    "zero_price": lambda row: {"o": "0", "l": "0"},
    "nan": lambda row: {"c": "NaN"},
    "infinity": lambda row: {"h": "Infinity"},
    "negative_volume": lambda row: {"v": "-1"},
    "string_numbers": lambda row: {name: f'"{row[name]}"' for name in "ohlcv"},
    "exponent": lambda row: {name: _exponent(row[name]) for name in "ohlcv"},
    "integer_decimal": lambda row: {"n": row.get("n", "12") + ".0"},
    "null_close": lambda row: {"c": "null"},
    "text_close": lambda row: {"c": '"n/a"'},
    "too_precise": lambda row: {"c": row["c"].split(".")[0] + ".1234567890123"},
    "too_large": lambda row: {"h": "1" + "0" * 16},
    "future": lambda row: {"t": str(_FAR_FUTURE_MS)},
    "seconds": lambda row: {"t": row["t"][:-3]},
    "missing_close": lambda row: {},
}
# To a bar of the whole market on a day.
_GROUPED: Changes = {name: _BARS[name] for name in ("high_below_low", "missing_close", "text_close")} | {
    "missing_symbol": lambda row: {},
    "bad_symbol": lambda row: {"T": '"NOT A TICKER"'},
}
# To the answer that is one day of one ticker.
_OPEN_CLOSE: Changes = {
    "high_below_low": lambda row: {"high": plain(Decimal(row["low"]) / 2)},
    "zero_price": lambda row: {"open": "0", "low": "0"},
    "negative_volume": lambda row: {"volume": "-1"},
    "text_close": lambda row: {"close": '"n/a"'},
    "string_numbers": lambda row: {
        name: f'"{row[name]}"' for name in ("open", "high", "low", "close", "volume")
    },
    "missing_close": lambda row: {},
    "other_day": lambda row: {"from": '"1999-01-04"'},
    "other_symbol": lambda row: {"symbol": '"WRONG"'},
}
# To an article.
_NEWS: Changes = {
    "missing_title": lambda row: {},
    "missing_id": lambda row: {},
    "future": lambda row: {"published_utc": '"2099-12-31T00:00:00Z"'},
    "bad_time": lambda row: {"published_utc": '"yesterday"'},
    "no_tickers": lambda row: {"tickers": "[]"},
    "embedded_nul": lambda row: {"title": '"before\\u0000after"'},
    "lone_surrogate": lambda row: {"title": '"before\\ud800after"'},
    "emoji": lambda row: {"title": '"up \\ud83d\\ude80 \U0001f4c8 übrig"'},
    "long_description": lambda row: {"description": '"' + "long " * 20_480 + '"'},
}
# To a row of tickers.
_TICKERS: Changes = {
    "missing_name": lambda row: {},
    "missing_ticker": lambda row: {},
    "bad_ticker": lambda row: {"ticker": '"NOT A TICKER"'},
    "bad_updated": lambda row: {"last_updated_utc": '"lately"'},
    "bad_delisted": lambda row: {"delisted_utc": '"2019-02-30T00:00:00Z"'},
}
# To a ticker's event.
_TICKER_EVENTS: Changes = {
    "missing_date": lambda row: {},
    "bad_date": lambda row: {"date": '"2012-02-30"'},
    "bad_ticker": lambda row: {"ticker_change": '{"ticker":"NOT A TICKER"}'},
    "other_ticker": lambda row: {"ticker_change": '{"ticker":"ZZELSE"}'},
    "other_type": lambda row: {"type": '"something_else"'},
}
# To a split, to a dividend.
_SPLITS: Changes = {
    "missing_ratio": lambda row: {},
    "zero_ratio": lambda row: {"split_to": "0"},
    "other_ratio": lambda row: {"split_to": plain(Decimal(row["split_to"]) + 1)},
    "ratio_as_text": lambda row: {"split_from": f'"{row["split_from"]}.0"'},
    "bad_date": lambda row: {"execution_date": '"2005-02-30"'},
}
_DIVIDENDS: Changes = {
    "missing_cash": lambda row: {},
    "negative_cash": lambda row: {"cash_amount": "-" + row["cash_amount"]},
    "other_cash": lambda row: {"cash_amount": plain(Decimal(row["cash_amount"]) * 2)},
    "too_precise": lambda row: {"cash_amount": "0.1234567890123"},
    "bad_date": lambda row: {"ex_dividend_date": '"soon"'},
}
# To an option contract.
_CONTRACTS: Changes = {
    "missing_shares": lambda row: {},
    "long_strike": lambda row: {"ticker": row["ticker"][:-1] + '0"'},
    "bad_contract": lambda row: {"ticker": '"O:NOTACONTRACT"'},
    "other_expiration": lambda row: {"expiration_date": '"2031-01-17"'},
    "other_strike": lambda row: {"strike_price": plain(Decimal(row["strike_price"]) + 1)},
    "other_style": lambda row: {"exercise_style": '"sometimes"'},
    "other_underlying": lambda row: {"underlying_ticker": '"ZZELSE"'},
    "no_shares": lambda row: {"shares_per_contract": "0"},
    "strike_as_text": lambda row: {"strike_price": f'"{row["strike_price"]}"'},
}
# To a row of a chain.
_CHAIN: Changes = {
    "missing_details": lambda row: {},
    "long_strike": lambda row: {"details": row["details"].replace("C0", "C00", 1).replace("P0", "P00", 1)},
    "high_below_low": lambda row: {"day": _day_with(row, "high", "0.001")},
    "zero_price": lambda row: {"day": _day_with(row, "open", "0")},
    "missing_updated": lambda row: {"day": _day_with(row, "last_updated", "null")},
    "future": lambda row: {"day": _day_with(row, "last_updated", str(_FAR_FUTURE_MS * 1_000_000))},
    "text_volatility": lambda row: {"implied_volatility": '"high"'},
    "no_greeks": lambda row: {"greeks": "{}", "implied_volatility": "null"},
    "exponent": lambda row: {"greeks": '{"delta":-5.1e-1,"gamma":1.23456789012e-05,"theta":-4E-2,"vega":0}'},
    "no_day": lambda row: {"day": "{}"},
}
_DROPPED = {
    "missing_symbol": "T",
    "missing_close": "c", "missing_title": "title", "missing_id": "id", "missing_name": "name",
    "missing_ticker": "ticker", "missing_ratio": "split_to", "missing_cash": "cash_amount",
    "missing_date": "date", "missing_shares": "shares_per_contract",
    "missing_details": "details",
}  # fmt: skip
_VARIANTS = {
    "aggs": _BARS, "grouped": _GROUPED, "open_close": _OPEN_CLOSE,
    "news": _NEWS, "tickers": _TICKERS, "splits": _SPLITS, "dividends": _DIVIDENDS,
    "ticker_events": _TICKER_EVENTS, "contracts": _CONTRACTS, "chain": _CHAIN,
}  # fmt: skip


def _day_with(row: Row, name: str, text: str) -> str:
    """The row's day with another number in it."""
    members = {key: json.dumps(value) for key, value in json.loads(row["day"]).items()}
    return "{" + ",".join(f'"{key}":{value}' for key, value in (members | {name: text}).items()) + "}"


def _exponent(text: str) -> str:
    """The same value as digits and a power of ten: 118.56 as 1.1856e+02."""
    sign, digits, exponent = Decimal(text).as_tuple()
    shift = len(digits) - 1 + int(exponent)
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{shift:+03d}"


def endpoints_of(variant: object) -> frozenset[str]:
    """The endpoints that have this variant, none when it is unknown."""
    return frozenset(endpoint for endpoint, changes in _VARIANTS.items() if variant in list(changes))


def variants() -> str:
    """All names, for an error's text."""
    return "; ".join(f"for {endpoint}: {', '.join(changes)}" for endpoint, changes in _VARIANTS.items())


def spoil(row: Row, endpoint: str, variant: str) -> None:
    """Changes a row of `endpoint`, which must be one of the variant's."""
    row.update(_VARIANTS[endpoint][variant](row))
    dropped = _DROPPED.get(variant, "")
    row.pop("close" if endpoint == "open_close" and dropped == "c" else dropped, None)
