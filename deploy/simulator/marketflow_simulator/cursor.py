# SPDX-License-Identifier: Apache-2.0
"""Opaque cursors: what is left of a query, as URL-safe text that holds no key."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, urlencode


class CursorError(ValueError):
    """The cursor was not made here."""


def encode(fields: dict[str, object]) -> str:
    text = urlencode({name: str(value) for name, value in fields.items()})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> dict[str, str]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        fields = dict(parse_qsl(raw, keep_blank_values=True, strict_parsing=True))
    except (binascii.Error, ValueError) as problem:
        raise CursorError("cursor is malformed") from problem
    return fields
