# SPDX-License-Identifier: Apache-2.0
"""`python -m marketflow_simulator`: arguments, listening, a clean stop on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from .access import KeyFile, MinuteLimit
from .clock import Clock, parse_instant
from .page_cache import PageCache
from .provider import Provider
from .replay import ReplayError
from .server import Server

EXIT_CONFIGURATION = 78


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="marketflow_simulator", description=__doc__)
    parser.add_argument(
        "--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 takes a free one"
    )
    parser.add_argument("--key-file", type=Path, required=True, help="accepted keys, one per line")
    parser.add_argument("--rate-per-minute", type=int, default=0, metavar="N", help="0: no limit")
    parser.add_argument("--seed", type=int, default=1, help="of everything invented")
    parser.add_argument("--start-now", metavar="ISO", help="where the clock starts instead of now")
    parser.add_argument("--clock-rate", type=float, metavar="X", help="virtual seconds per second")
    parser.add_argument("--forming", action="store_true", help="also answer the bar in progress")
    parser.add_argument(
        "--cache-mib", type=int, default=0, metavar="N", help="keep answers of past bars, so many MiB of them"
    )
    parser.add_argument("--ready-file", type=Path, help="written as JSON once the port is open")
    return parser.parse_args()


def _clock(arguments: argparse.Namespace) -> Clock:
    clock = Clock(parse_instant(arguments.start_now) if arguments.start_now else None)
    if arguments.clock_rate is not None:
        clock.set_rate(arguments.clock_rate)
    return clock


def _write_ready(path: Path, text: str) -> None:
    """All at once, so that a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n")
    part.replace(path)


async def _serve(server: Server, host: str, port: int, ready_file: Path | None) -> None:
    # A client that hangs up ends its request's fault too, and a hanging one cannot delay the end.
    runner = web.AppRunner(
        server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0]
    ready = json.dumps({"url": f"http://{bound[0]}:{bound[1]}", "port": bound[1], "pid": os.getpid()})
    print(ready, flush=True)
    if ready_file is not None:
        _write_ready(ready_file, ready)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


def main() -> int:
    arguments = _arguments()
    host, _, port = arguments.listen.rpartition(":")
    try:
        provider = Provider(_clock(arguments), arguments.seed)
        provider.forming = arguments.forming
        limit = MinuteLimit(arguments.rate_per_minute)
        server = Server(provider, KeyFile(arguments.key_file), limit, PageCache(arguments.cache_mib << 20))
        asyncio.run(_serve(server, host or "127.0.0.1", int(port), arguments.ready_file))
    except (OSError, ValueError, ReplayError) as problem:
        print(f"marketflow_simulator: {problem}", file=sys.stderr)
        return EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
