# SPDX-License-Identifier: Apache-2.0
"""What is known about symbols beside their bars: instruments that are gone, identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from .noise import bits, key_of

_FIGI_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ0123456789"
_FIGI, _DIGITS = 201, 9


@dataclass(frozen=True, slots=True)
class Gone:
    """An invented instrument that is not traded any more; `day` is its last."""

    name: str
    day: date


DELISTED = {
    "ZZGONE": Gone("Gone Holdings (invented)", date(2016, 5, 31)),
    "ZZLOST": Gone("Lost & Found Corp (invented)", date(2019, 11, 1)),
    "ZZOLD": Gone("Old Things plc (invented)", date(2008, 2, 29)),
}


def figi_of(seed: int, symbol: str) -> str:
    """Twelve characters that look like a composite FIGI and belong to nothing."""
    key = key_of(seed, "figi|" + symbol)
    drawn = (bits(key, _FIGI, at) % len(_FIGI_LETTERS) for at in range(_DIGITS))
    return "BBG" + "".join(_FIGI_LETTERS[at] for at in drawn)
