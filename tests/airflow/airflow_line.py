# SPDX-License-Identifier: Apache-2.0
"""What the tests do with Airflow: unpause, trigger, wait for states, by its REST interface."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from line import Line
from mflocal import ServiceProcess, wait_for
from mflocal.airflow import Airflow

# Two with real history, whose days reach the marts, and an invented one, which has minutes and stays out of them.
SYMBOLS = "AAPL,IBM,KO"
TOKEN = "canary-hook-5b1e-token"
ENDED = ("success", "failed")


class Webhook:
    """Receives what the failure callback sends."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == f"/{TOKEN}":
                    outer.received.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{TOKEN}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Restarts:
    """A restart hook that asks for a start and goes on once there was one: the services are the test's to start."""

    HOOK = "import pathlib, sys, time\nasked, done = map(pathlib.Path, sys.argv[1:])\nasked.touch()\n"
    HOOK += "while not done.exists(): time.sleep(0.05)\n"

    def __init__(self, place: Path) -> None:
        self.asked, self.done = place / "restart.asked", place / "restart.done"
        self.command = [sys.executable, "-c", self.HOOK, str(self.asked), str(self.done)]

    def serve(self, service: ServiceProcess) -> None:
        wait_for(self.asked.exists, 900, "the restart hook", 0.2)
        service.start()
        service.wait_ready()
        self.done.touch()


class AirflowLine:
    def __init__(self, line: Line, webhook: Webhook) -> None:
        self.line = line
        self.webhook = webhook
        self.simulator = line.parts.simulator
        self.airflow = Airflow(line.layout, {}, die_with_parent=True)
        self.restarts = Restarts(line.layout.state)

    def start(self) -> None:
        services = [self.line.start(name) for name in ("processor", "sink", "ingestor")]
        self.sink = services[1]
        hook = self.line.layout.secrets / "webhook"
        hook.write_text(self.webhook.url + "\n")
        self.airflow.settings |= self.line.settings | {
            "MARKETFLOW_BIN_DIR": str(self.line.parts.binaries),
            "MARKETFLOW_STOCKS": SYMBOLS,
            "MARKETFLOW_GROUPS": "2",
            "MARKETFLOW_WEBHOOK_FILE": str(hook),
            "MARKETFLOW_MARKET": "never",
            "MARKETFLOW_RESTART": json.dumps(self.restarts.command),
            **{f"MARKETFLOW_{service.name.upper()}_URL": service.url for service in services},
        }
        self.airflow.start()
        self.airflow.wait_ready()
        wait_for(lambda: len(self.get("/dags?limit=100")["dags"]) >= 18, 180, "the DAGs parsed", 1)

    def age_last_look(self) -> None:
        """As if it had been five minutes ago."""
        place = self.airflow.home / "marketflow" / "health" / "sink.json"
        kept = json.loads(place.read_text())
        place.write_text(json.dumps(kept | {"at": kept["at"] - 300}))

    def stop(self) -> None:
        """Airflow's processes, then the services; each by its own pid."""
        self.airflow.stop()
        for service in self.line.services:
            service.stop()

    # --- REST ------------------------------------------------------------------------------------

    def get(self, path: str) -> dict[str, Any]:
        return dict(self.airflow.call("GET", f"/api/v2{path}"))

    def pause(self, dag_id: str, paused: bool = True) -> None:
        self.airflow.call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": paused})

    def unpause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self.pause(dag_id, False)

    def unpause_without_missed_run(self, dag_id: str) -> None:
        """A DAG with a time gets a run for its last missed one when it is unpaused: not wanted here, ended at once."""
        self.unpause(dag_id)

        def missed() -> list[dict[str, Any]]:
            return [run for run in self.runs(dag_id) if run["run_type"] == "scheduled"]

        for run in wait_for(missed, 120, f"the missed run of {dag_id}", 1):
            path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            self.airflow.call("PATCH", path + "?update_mask=state", {"state": "success"})
        self.settle(dag_id)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        body = {"logical_date": None, "conf": conf}
        return str(self.airflow.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found = self.get(f"/dags/{dag_id}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        return [dict(run) for run in found]

    def triggered_by_asset(self, dag_id: str) -> list[dict[str, Any]]:
        return [run for run in self.runs(dag_id) if run["run_type"] == "asset_triggered"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances?limit=200"
        return [dict(task) for task in self.get(path)["task_instances"]]

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """By task; a mapped one's instances as name[index]."""
        found = {}
        for task in self.tasks(dag_id, run_id):
            index = task.get("map_index", -1)
            found[task["task_id"] + (f"[{index}]" if index >= 0 else "")] = task["state"]
        return found

    # --- waiting ---------------------------------------------------------------------------------

    def wait_run(
        self, dag_id: str, run_id: str, wanted: str = "success", timeout: float = 900
    ) -> dict[str, str]:
        """Until the run has ended, as it must; returns the states of its tasks."""

        def ended() -> str:
            state = next((run["state"] for run in self.runs(dag_id) if run["dag_run_id"] == run_id), "")
            return state if state in ENDED else ""

        state = wait_for(ended, timeout, f"the end of {dag_id} {run_id}: {self.states(dag_id, run_id)}", 1)
        states = self.states(dag_id, run_id)
        assert state == wanted, f"{dag_id} is {state}: {states}\n{self.logs(dag_id, run_id)}"
        return states

    def run(self, dag_id: str, wanted: str = "success", **conf: Any) -> tuple[str, dict[str, str]]:
        """Triggers a DAG and waits for its end."""
        run_id = self.trigger(dag_id, **conf)
        return run_id, self.wait_run(dag_id, run_id, wanted)

    def wait_asset_run(self, dag_id: str, after: int, wanted: str = "success") -> dict[str, str]:
        """The run that an asset has started, beyond the first `after` ones: until it has ended, as it must."""
        found = wait_for(
            lambda: self.triggered_by_asset(dag_id)[after:], 300, f"{dag_id} started by an asset", 1
        )
        return self.wait_run(dag_id, found[0]["dag_run_id"], wanted)

    def settle(self, *dag_ids: str) -> None:
        """Until no run of these is under way."""

        def idle() -> bool:
            return all(run["state"] in ENDED for dag_id in dag_ids for run in self.runs(dag_id))

        wait_for(idle, 900, f"the end of all runs of {dag_ids}", 1)

    def asked(self, *prefixes: str) -> list[str]:
        """What was asked of the provider for our symbols, or below these paths; the live ingestor asks for others."""
        places = prefixes or tuple(f"/v2/aggs/ticker/{symbol}/" for symbol in SYMBOLS.split(","))
        found = [self.simulator.requests(path=place)["requests"] for place in places]
        return [request["path"] for part in found for request in part]

    # --- what is left behind ---------------------------------------------------------------------

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self.get(path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def logs(self, dag_id: str, run_id: str = "") -> str:
        """The ends of the logs of a DAG's tasks, those that failed at the end."""
        texts = []
        for path in sorted((self.airflow.home / "logs").rglob("*.log"), key=lambda p: p.stat().st_mtime):
            if f"dag_id={dag_id}" in str(path) and (not run_id or run_id in str(path)):
                texts.append(f"--- {path}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(texts[-4:])

    def secrets_left(self, *secrets: str) -> list[str]:
        """Files below Airflow's home and logs that hold one of these."""
        found = []
        for place in (self.airflow.home, self.line.layout.log):
            for path in place.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    text = path.read_bytes()
                    found += [f"{path}: {secret[:10]}…" for secret in secrets if secret.encode() in text]
        return found

    def password(self) -> str:
        return Path(self.line.settings["WAREHOUSE_PASSWORD_FILE"]).read_text().strip()
