# SPDX-License-Identifier: Apache-2.0
"""Programs that stand in for the services: ready on /readyz, and ending as they are told to."""

from __future__ import annotations

import sys

from mflocal import Layout, ServiceProcess, Supervisor
from mflocal.services import NAMES

# Serves /readyz with 200; exits with the code found in $ORDERS/<name> as soon as that file is there (and removes
# it), and 0 on SIGTERM, after noting it in $ORDERS/stopped.
_PROGRAM = """\
#!{python}
import http.server, os, pathlib, signal, sys, threading
orders = pathlib.Path(os.environ["ORDERS"])
name = pathlib.Path(sys.argv[0]).name.removeprefix("marketflow-")
host, _, port = os.environ["METRICS_LISTEN"].rpartition(":")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"status": "ok"}}' if self.path == "/readyz" else b'up{{a="b"}} 1\\nlag 2\\nlag{{p="1"}} 3\\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass

def stop(*arguments):
    with (orders / "stopped").open("a") as note:
        note.write(name + "\\n")
    os._exit(0)

signal.signal(signal.SIGTERM, stop)
server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(name, "up", flush=True)
order = orders / name
while not signal.sigtimedwait([], 0.02):
    if order.exists():
        code = int(order.read_text())
        order.unlink()
        os._exit(code)
"""


class FakeServices:
    """Three of them with a supervisor."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.binaries = layout.state.parent / "bin"
        self.orders = layout.state.parent / "orders"
        self.binaries.mkdir()
        self.orders.mkdir()
        for name in NAMES:
            program = self.binaries / f"marketflow-{name}"
            program.write_text(_PROGRAM.format(python=sys.executable))
            program.chmod(0o755)
        settings = {"ORDERS": str(self.orders)}
        self.services = {
            name: ServiceProcess.create(layout, name, self.binaries, settings, die_with_parent=True)
            for name in NAMES
        }
        self.supervisor = Supervisor(layout, list(self.services.values()), die_with_parent=True)

    def order_exit(self, name: str, code: int) -> None:
        part = self.orders / f".{name}"
        part.write_text(str(code))
        part.replace(self.orders / name)

    def stopped(self) -> list[str]:
        """Who was stopped by SIGTERM, in that order."""
        note = self.orders / "stopped"
        return note.read_text().split() if note.exists() else []

    def end(self) -> None:
        self.supervisor.kill()
        for service in self.services.values():
            service.kill()
