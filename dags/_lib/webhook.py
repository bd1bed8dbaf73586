# SPDX-License-Identifier: Apache-2.0
"""Tells a webhook that something failed. The address may hold a token and is a secret like any other: it is in no log
and no message, and redirects are not followed. No Airflow."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from .health import _NoRedirect
from .settings import Settings

TEXT_MAX = 2000
TIMEOUT = 10.0
_OPENER = urllib.request.build_opener(_NoRedirect)
# user:password in an address that somebody's message quotes; a user may be missing, and a password may hold anything
# but space and quotes: up to the last @ of the word.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s:@]*:[^\s\"'<>]+(?=@)")


class WebhookError(Exception):
    """It was not delivered; the text does not say where to."""


def clean(settings: Settings, text: str) -> str:
    return settings.redacted(_CREDENTIALS.sub("***", text))[:TEXT_MAX]


def clean_all(settings: Settings, value: Any) -> Any:
    """Every text of a message, however deep."""
    if isinstance(value, str):
        return clean(settings, value)
    if isinstance(value, Mapping):
        return {name: clean_all(settings, part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean_all(settings, part) for part in value[:100]]
    return value


def send(settings: Settings, message: Mapping[str, Any]) -> bool:
    """Posts the message as JSON; False when no webhook is set."""
    url = settings.secret("MARKETFLOW_WEBHOOK")
    if url is None:
        return False
    if not url.startswith(("http://", "https://")):
        raise WebhookError("MARKETFLOW_WEBHOOK is no http or https address")
    body = json.dumps(clean_all(settings, message), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "marketflow"}
    try:
        request = urllib.request.Request(url, body, headers, method="POST")
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            answer.read(4096)
    except urllib.error.HTTPError as problem:
        raise WebhookError(f"the webhook answers {problem.code}") from None
    except (OSError, ValueError, http.client.HTTPException) as problem:
        raise WebhookError(f"the webhook cannot be reached ({type(problem).__name__})") from None
    return True
