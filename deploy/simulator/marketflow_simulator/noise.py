# SPDX-License-Identifier: Apache-2.0
"""Randomness without state: every number is a hash of (seed, symbol, stream, index).

Asking for one minute or for a year of minutes gives the same values, in any order, after any restart.
The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood 2014); the walk between two known values
is a Brownian bridge refined at midpoints (Lévy's construction), so a window of it can be had without
walking there from the beginning.
"""

from __future__ import annotations

import hashlib
import math

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """64 bits that depend on every bit of `value`."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def key_of(seed: int, text: str) -> int:
    digest = hashlib.blake2b(f"{seed}|{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def bits(key: int, stream: int, index: int) -> int:
    """The 64 bits of one cell: `stream` separates uses, `index` is the place within one."""
    return mix(key + stream * 0xD1B54A32D192ED03 + index * 0xA0761D6478BD642F)


def uniform(word: int) -> float:
    """[0, 1) from the upper 53 bits."""
    return (word >> 11) * (2.0**-53)


def gauss(word: int) -> float:
    """About standard normal: the sum of four 16-bit lanes, centred and scaled (|x| < 3.5)."""
    total = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
    return (total / 65536.0 - 2.0) * 1.7320508


def lattice(key: int, stream: int, position: int, period: int) -> float:
    """Normal noise on a grid of `period`, straight lines between grid points."""
    cell, rest = divmod(position, period)
    left = gauss(bits(key, stream, cell))
    if rest == 0:
        return left
    return left + (gauss(bits(key, stream, cell + 1)) - left) * rest / period


def bridge(
    key: int,
    stream: int,
    ends: tuple[float, float],
    steps: int,
    sigma: float,
    first: int,
    last: int,
) -> list[float]:
    """Values at points first..last of a Brownian bridge over points 0..steps.

    `sigma` is the standard deviation of the free walk over all steps. Only the midpoints that the
    asked window needs are computed: about (last - first) + log2(steps) hashes.
    """
    values: dict[int, float] = {0: ends[0], steps: ends[1]}
    variance = sigma * sigma / steps
    pending = [(0, steps)]
    while pending:
        low, high = pending.pop()
        if high - low < 2 or low >= last or high <= first:
            continue
        middle = (low + high) // 2
        share = (middle - low) / (high - low)
        mean = values[low] + (values[high] - values[low]) * share
        spread = math.sqrt(variance * (middle - low) * (high - middle) / (high - low))
        values[middle] = mean + spread * gauss(bits(key, stream, middle))
        pending.append((low, middle))
        pending.append((middle, high))
    return [values[point] for point in range(first, last + 1)]


def fold_between(value: float, low: float, high: float) -> float:
    """Reflects `value` into [low, high], as a ball between two walls."""
    width = high - low
    if width <= 0:
        return low
    offset = (value - low) % (2 * width)
    return low + (2 * width - offset if offset > width else offset)
