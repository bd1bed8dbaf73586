# SPDX-License-Identifier: Apache-2.0
"""Bytes and how they travel: error answers, and the faults of the connection itself."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from .faults import Fault

LIMIT_TEXT = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription"
GATEWAY_HTML = (
    "<html>\r\n<head><title>{0} {1}</title></head>\r\n<body>\r\n<center><h1>{0} {1}</h1></center>\r\n"
    "<hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
)
_REASONS = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
_MAX_HANG_S = 3_600.0


def error(
    status: int, request_id: str, text: str, *, member: str = "error", word: str = "ERROR"
) -> web.Response:
    """The provider's error object; its text stands in `error` or in `message`."""
    body = {"status": word, "request_id": request_id, member: text}
    return web.json_response(body, status=status)


def rate_limited(request_id: str, with_body: bool, retry_after: object) -> web.Response:
    answer = error(429, request_id, LIMIT_TEXT) if with_body else web.Response(status=429)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _gateway_error(fault: Fault, request_id: str) -> web.Response:
    status = int(fault.parameters.get("status", 502))
    style = fault.parameters.get("body", "html")
    if style == "empty":
        return web.Response(status=status)
    if style == "legacy":
        old = {"errorcode": "001", "status": "ERROR", "success": False}
        return web.json_response(old, status=status)
    if style == "json":
        return error(status, request_id, "something went wrong on our side")
    text = GATEWAY_HTML.format(status, _REASONS.get(status, "Error"))
    return web.Response(status=status, text=text, content_type="text/html")


def _plan_limit(fault: Fault, request_id: str) -> web.Response:
    text = "You are not entitled to this data. Please upgrade your plan."
    if fault.parameters.get("style") == "error":
        return error(403, request_id, text)
    return error(403, request_id, text, member="message", word="NOT_AUTHORIZED")


async def answer_instead(fault: Fault, request: web.Request, request_id: str) -> web.StreamResponse:
    """Carries out a `before` fault."""
    parameters = fault.parameters
    match fault.kind:
        case "rate_limited":
            return rate_limited(request_id, bool(parameters.get("body", True)), parameters.get("retry_after"))
        case "unauthorized" if parameters.get("html"):
            return web.Response(
                status=401, text=GATEWAY_HTML.format(401, "Unauthorized"), content_type="text/html"
            )
        case "unauthorized":
            return error(401, request_id, "Unknown API Key")
        case "forbidden":
            return _plan_limit(fault, request_id)
        case "not_found":
            return error(404, request_id, "Data not found.", member="message", word="NOT_FOUND")
        case "bad_request":
            return error(400, request_id, "Bad request")
        case "key_echo":
            key = request.headers.get("Authorization", "").partition(" ")[2]
            text = f"Your key {key} is not entitled to this; see ?apiKey={key}"
            return error(int(parameters.get("status", 403)), request_id, text)
        case "redirect":
            location = str(parameters.get("location", "http://127.0.0.1:9/elsewhere"))
            return web.Response(status=int(parameters.get("status", 302)), headers={"Location": location})
        case "hang":
            return await _hang(fault, request)
        case "disconnect":
            return _cut(request)
    return _gateway_error(fault, request_id)


def _cut(request: web.Request) -> web.Response:
    """Closes the connection under the client's feet; what is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=444)


async def _hang(fault: Fault, request: web.Request) -> web.StreamResponse:
    """Says nothing, or a beginning and then nothing, until the client leaves or the time is over."""
    seconds = min(float(fault.parameters.get("seconds", _MAX_HANG_S)), _MAX_HANG_S)
    if fault.parameters.get("after_headers"):
        headers = {"Content-Length": "1000000", "Content-Type": "application/json"}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        await answer.write(b'{"status":')
    await asyncio.sleep(seconds)
    return _cut(request)


async def send(
    body: bytes, headers: dict[str, str], faults: list[Fault], request: web.Request
) -> web.StreamResponse:
    """A right answer's bytes, through whatever `wire` faults hit it."""
    declared: int | None = None
    slow: Fault | None = None
    padding = 0
    for fault in faults:
        match fault.kind:
            case "not_json":
                text = fault.parameters.get("body") or GATEWAY_HTML.format(200, "We will be right back")
                body = str(text).encode()
                headers = headers | {"Content-Type": "text/html"}
            case "truncated":
                keep = float(fault.parameters.get("keep", 0.5))
                if fault.parameters.get("length") == "full":
                    declared = len(body)
                body = body[: max(0, min(len(body) - 1, int(len(body) * keep)))]
            case "bad_gzip":
                headers = headers | {"Content-Encoding": "gzip"}
                if fault.parameters.get("mode") != "plain":
                    body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + body[:64]
            case "large_body":
                padding = max(0, int(fault.parameters.get("bytes", 64 << 20)) - len(body))
            case "slow":
                slow = fault
    if declared is None and slow is None and not padding:
        return web.Response(body=body, headers=headers)
    return await _stream(
        body,
        headers | {"Content-Length": str(declared or len(body) + padding)},
        slow,
        padding,
        request,
    )


async def _stream(
    body: bytes, headers: dict[str, str], slow: Fault | None, padding: int, request: web.Request
) -> web.StreamResponse:
    parameters = slow.parameters if slow is not None else {}
    await asyncio.sleep(float(parameters.get("delay_ms", 0)) / 1000)
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    size = max(1, int(parameters.get("chunk_bytes", 65_536)))
    pause = float(parameters.get("chunk_delay_ms", 0)) / 1000
    for start in range(0, len(body), size):
        await answer.write(body[start : start + size])
        await asyncio.sleep(pause)
    for start in range(0, padding, 65_536):  # trailing blanks are valid JSON, and cost no memory
        await answer.write(b" " * min(65_536, padding - start))
    if int(headers["Content-Length"]) > len(body) + padding and request.transport is not None:
        request.transport.close()  # after what was written has been sent
    return answer


def json_body(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def data_headers(label: str, request_id: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Marketflow-Data": label,
        "X-Request-Id": json.loads(request_id),
    }
