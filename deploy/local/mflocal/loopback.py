# SPDX-License-Identifier: Apache-2.0
"""Requests to servers of this machine, which no proxy of the environment has a part in."""

from __future__ import annotations

import http.client
import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(question: str | urllib.request.Request, timeout: float) -> http.client.HTTPResponse:
    """The answer, for a `with`. Raises what urlopen raises: HTTPError from status 400 on, OSError without an answer."""
    answer: http.client.HTTPResponse = _OPENER.open(question, timeout=timeout)
    return answer
