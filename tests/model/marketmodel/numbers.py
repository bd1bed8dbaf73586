# SPDX-License-Identifier: Apache-2.0
"""Numbers as events carry them: text in, exact; statistics out, rounded once from the exact binary value."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

DECIMALS = 8
SIGNIFICANT = 15
END = 1e15  # of what events carry


def statistic(value: float) -> str:
    """At most 8 decimals and 15 significant digits, trailing zeros trimmed, no exponent, no -0 (events.md)."""
    with localcontext() as context:
        context.prec = 400
        exact = Decimal(min(max(value, 1 - END), END - 1))
        places = min(DECIMALS, SIGNIFICANT - 1 - exact.adjusted()) if exact else DECIMALS
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
        text = format(rounded, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def same_number(text: str, value: float) -> bool:
    """Is `text` how `value` is written?"""
    return text == statistic(value)
