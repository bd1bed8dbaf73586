# SPDX-License-Identifier: Apache-2.0
"""What the fixtures give: a process in Airflow's environment, and programs that note what they are started with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from mflocal import REPOSITORY, base_environment

HERE = Path(__file__).resolve().parent
DAGS = REPOSITORY / "dags"


class InAirflow:
    """in_airflow.py as a process; `ask` is one question and its answer."""

    def __init__(self, python: Path, home: Path) -> None:
        home.mkdir()
        environment = base_environment() | {
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.log = home / "in_airflow.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [str(python), "-B", str(HERE / "in_airflow.py"), str(DAGS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **question}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the helper ended: {self.log.read_text()[-4000:]}"
        answer = dict(json.loads(line))
        assert "crashed" not in answer, answer["crashed"]
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


PROGRAMS = ("marketflow-ingestor", "marketflow-sink", "marketflowctl", "dbt")
# A program that does as its script file says: notes its arguments and environment, prints, and exits.
FAKE = """\
#!{python}
import json, os, pathlib, sys
place = pathlib.Path({place!r})
name = pathlib.Path(sys.argv[0]).name
with (place / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"program": name, "arguments": sys.argv[1:], "env": dict(os.environ)}}) + "\\n")
plans = place / (name + ".plan.json")
plan = json.loads(plans.read_text()) if plans.exists() else [{{}}]
now = plan[0] if len(plan) == 1 else plan.pop(0)
plans.write_text(json.dumps(plan))
for path, text in now.get("files", {{}}).items():
    for at, argument in enumerate(sys.argv):
        path = path.replace(f"<{{at}}>", argument)
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
print(now.get("stderr", ""), file=sys.stderr)
print(now.get("stdout", ""))
sys.exit(now.get("code", 0))
"""


class Programs:
    """The fakes: what each does at its next starts, and what they were started with."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in PROGRAMS:
            path = place / name
            path.write_text(FAKE.format(python=sys.executable, place=str(place)))
            path.chmod(0o755)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "MARKETFLOW_BIN_DIR": str(place),
            "MARKETFLOW_DBT": str(place / "dbt"),
            "MARKETFLOW_WORK_DIR": str(place / "work"),
            "MARKETFLOW_STOCKS": "KO,JPM,XOM",
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        }

    def will(self, name: str, *starts: dict[str, Any]) -> None:
        (self.place / f"{name}.plan.json").write_text(json.dumps(list(starts) or [{}]))

    def calls(self) -> list[dict[str, Any]]:
        path = self.place / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Server:
    """Answers GET with what is in `pages`, and remembers what was posted."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str]] = {}
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.answer = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.pages.get(self.path, (404, ""))
                self._say(status, body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posted.append((self.path, json.loads(body)))
                self._say(outer.answer, "")

            def _say(self, status: int, body: str) -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
