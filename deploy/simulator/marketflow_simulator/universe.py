# SPDX-License-Identifier: Apache-2.0
"""The symbols that have a profile: what they cost, how they move, who writes about them.

Any other symbol works too; its profile then comes from its hash. Live symbols never include the
replayed five, so invented and real bars of one symbol cannot meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .noise import bits, key_of, uniform
from .sessions import asset_class


@dataclass(frozen=True, slots=True)
class Profile:
    """How a symbol's invented bars look. Volumes are per minute; sigma is daily and of the log."""

    name: str
    price: float
    sigma: float
    minute_volume: float
    price_decimals: int
    volume_decimals: int
    trade_size: float
    peers: tuple[str, ...] = ()


# symbol: name, price, daily sigma, volume per minute, size of one trade
_CRYPTO = {
    "X:BTCUSD": ("Bitcoin - United States Dollar", 64_000.0, 0.026, 38.0, 0.11),
    "X:ETHUSD": ("Ethereum - United States Dollar", 3_100.0, 0.032, 1_450.0, 1.9),
    "X:SOLUSD": ("Solana - United States Dollar", 148.0, 0.041, 9_800.0, 14.0),
    "X:LTCUSD": ("Litecoin - United States Dollar", 84.0, 0.035, 3_900.0, 11.0),
    "X:XRPUSD": ("XRP - United States Dollar", 2.1, 0.039, 240_000.0, 900.0),
    "X:LINKUSD": ("Chainlink - United States Dollar", 14.6, 0.042, 21_000.0, 60.0),
    "X:AVAXUSD": ("Avalanche - United States Dollar", 27.5, 0.044, 12_500.0, 35.0),
    "X:DOGEUSD": ("Dogecoin - United States Dollar", 0.16, 0.045, 2_400_000.0, 9_000.0),
    "X:BCHUSD": ("Bitcoin Cash - United States Dollar", 425.0, 0.034, 1_300.0, 3.0),
    "X:DOTUSD": ("Polkadot - United States Dollar", 6.2, 0.043, 44_000.0, 150.0),
    "X:UNIUSD": ("Uniswap - United States Dollar", 8.9, 0.046, 31_000.0, 110.0),
    "X:ATOMUSD": ("Cosmos - United States Dollar", 7.8, 0.042, 36_000.0, 120.0),
}
_STOCKS = {
    "AMZN": ("Amazon.Com Inc", 182.0, 0.018, 62_000.0, 105.0),
    "NVDA": ("Nvidia Corp", 127.0, 0.027, 410_000.0, 130.0),
    "TSLA": ("Tesla, Inc. Common Stock", 245.0, 0.033, 130_000.0, 90.0),
    "JPM": ("JPMorgan Chase & Co.", 205.0, 0.012, 14_000.0, 85.0),
    "XOM": ("Exxon Mobil Corporation", 114.0, 0.014, 24_000.0, 95.0),
    "KO": ("Coca-Cola Company", 63.0, 0.009, 21_000.0, 110.0),
    "WMT": ("Walmart Inc.", 68.0, 0.011, 26_000.0, 100.0),
    "DIS": ("The Walt Disney Company", 97.0, 0.016, 17_000.0, 90.0),
}
_FX = {
    "C:EURUSD": ("Euro - United States Dollar", 1.085, 0.0045, 60.0, 1.0),
    "C:USDJPY": ("United States Dollar - Japanese Yen", 151.0, 0.005, 70.0, 1.0),
}
LIVE_CRYPTO = tuple(_CRYPTO)
LIVE_STOCKS = tuple(_STOCKS)
REPLAY_NAMES = {
    "AAPL": "Apple Inc.",
    "FB": "Facebook, Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines Corporation",
    "MSFT": "Microsoft Corp",
}
KNOWN = tuple(sorted((*_CRYPTO, *_STOCKS, *_FX)))


def _price_decimals(symbol: str, price: float) -> int:
    """Cents for stocks; otherwise enough for five or six significant digits, at most eight."""
    if asset_class(symbol) == "stock":
        return 2 if price >= 1 else 4
    return max(2, min(8, 4 - math.floor(math.log10(price))))


def profile(seed: int, symbol: str) -> Profile:
    """The profile of any symbol; peers are the up to three others news articles name with it."""
    for group in (_CRYPTO, _STOCKS, _FX):
        if symbol in group:
            name, price, sigma, volume, size = group[symbol]
            place = list(group).index(symbol) // 4 * 4
            peers = tuple(other for other in list(group)[place : place + 4] if other != symbol)
            return _profile(symbol, name, price, sigma, volume, size, peers)
    key = key_of(seed, "profile|" + symbol)
    price = math.exp(math.log(4.0) + 4.6 * uniform(bits(key, 1, 0)))  # 4 to about 400
    sigma = 0.010 + 0.030 * uniform(bits(key, 2, 0))
    volume = math.exp(8.0 + 3.5 * uniform(bits(key, 3, 0)))
    return _profile(symbol, f"{symbol} (invented)", price, sigma, volume, 75.0, ())


def _profile(
    symbol: str,
    name: str,
    price: float,
    sigma: float,
    volume: float,
    size: float,
    peers: tuple[str, ...],
) -> Profile:
    volume_decimals = 8 if asset_class(symbol) == "crypto" else 0
    decimals = _price_decimals(symbol, price)
    return Profile(name, price, sigma, volume, decimals, volume_decimals, size, peers)
