# SPDX-License-Identifier: Apache-2.0
"""Which symbols a stack follows, and which history the demo replays."""

# The history of the simulator's replay: symbols, first day, last day, rows of them all.
REPLAYED = ("AAPL", "IBM", "MSFT", "GOOG", "FB")
REPLAY_FROM, REPLAY_TO = "2000-03-01", "2013-03-01"
REPLAY_ROWS = 12_154

# Followed live: crypto so that data flow on a Sunday too, and stocks; none of the replayed ones, so that
# invented and real bars of one symbol never meet.
LIVE_CRYPTO = (
    "X:BTCUSD", "X:ETHUSD", "X:SOLUSD", "X:LTCUSD", "X:XRPUSD", "X:LINKUSD", "X:AVAXUSD", "X:DOGEUSD",
    "X:BCHUSD", "X:DOTUSD", "X:UNIUSD", "X:ATOMUSD",
)  # fmt: skip
LIVE_STOCKS = ("AMZN", "NVDA", "TSLA", "JPM", "XOM", "KO")
LIVE_SYMBOLS = (*LIVE_CRYPTO, *LIVE_STOCKS)

# Followed live with a key for the real provider; few enough for a free plan's five requests a minute.
REAL_SYMBOLS = ("AAPL", "MSFT", "NVDA")
