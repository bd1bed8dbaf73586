# SPDX-License-Identifier: Apache-2.0
"""A live ingestor whose symbols are in a file, so that they can change while it runs."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from line import Line
from mflocal import ServiceProcess, wait_for

SETTINGS = {
    "INGEST_SYMBOLS": "",
    "INGEST_WARMUP": "false",
    "INGEST_NEWS_OVERLAP_MS": "86400000",
    "INGEST_RECONCILE": "false",
}


class Served:
    """A live ingestor with a file of symbols."""

    def __init__(self, line: Line, path: Path, *symbols: str, **settings: str) -> None:
        self.line, self.path = line, path
        self.write(*symbols)
        chosen = SETTINGS | settings | {"INGEST_SYMBOLS_FILE": str(path)}
        self.service: ServiceProcess = line.start("ingestor", **chosen)

    def write(self, *symbols: str) -> None:
        self.path.write_text("symbol\n" + "".join(f"{symbol}\n" for symbol in symbols))

    def reloads(self, result: str) -> float:
        return self.service.metric("marketflow_config_reloads_total", result=result) or 0

    def hang_up(self, result: str = "success") -> None:
        """SIGHUP, and its end."""
        before = self.reloads(result)
        assert self.service.identity is not None
        self.service.identity.send(signal.SIGHUP)
        wait_for(lambda: self.reloads(result) > before, 60, f"a reload with {result}", 0.05)

    def asked(self) -> Counter[str]:
        """Requests by symbol, those about the whole market aside."""
        return Counter(entry["symbol"] for entry in self.line.asked() if entry["symbol"])

    def marks(self) -> dict[str, int]:
        """How often each live watermark was written."""
        records = self.line.messages("INGESTOR_WATERMARKS")
        return dict(Counter(m.key or "" for m in records if (m.key or "").count("|") == 4))

    def wait_asked(self, **counts: int) -> None:
        wanted = {name.replace("_", ":"): count for name, count in counts.items()}
        wait_for(lambda: all(self.asked()[s] >= n for s, n in wanted.items()), 60, f"requests {wanted}", 0.05)
