# SPDX-License-Identifier: Apache-2.0
"""Airflow on one machine, with the DAGs of dags/, on the stack's parts.

deploy/local/airflow up              starts API server, scheduler, DAG processor; prints where, and the password's file
deploy/local/airflow status          exit 0 when all three run and are healthy, else 3
deploy/local/airflow down            stops them
deploy/local/airflow run ARGUMENTS…  Airflow's own command in that place: dags list, dags trigger dbt_build, …

Every DAG is paused until you unpause it. All is below airflow/ of the stack's state; ports are free ones on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .analytics import PROJECT, dbt_program
from .identity import Identity
from .install import build, python_environment, run_tool, say
from .layout import REPOSITORY, Layout, write_private
from .loopback import ask
from .output import run_command
from .ports import Ports
from .process import BackgroundProcess, base_environment
from .stack import Stack
from .universe import LIVE_STOCKS, REAL_SYMBOLS
from .waiting import LocalError, wait_for

DAGS = REPOSITORY / "dags"
LOCK = DAGS / "requirements.lock"
USER = "admin"


class _BusyError(LocalError):
    """The database could not be written in time."""


def _with_descendants(known: set[Identity]) -> set[Identity]:
    return known | {one for process in known if process.alive() for one in process.descendants()}


def _end_all(processes: set[Identity], patience: float = 5.0) -> None:
    """A program that is asked to end leaves its work so that it can be taken up again; who does not is killed."""
    for process in processes:
        process.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    for process in processes:
        if not process.wait_end(deadline - time.monotonic()):
            process.send(signal.SIGKILL)
    for process in processes:
        process.wait_end(patience)


class AirflowProcess(BackgroundProcess):
    """One of the three: its name is its command."""

    stop_timeout = 60.0

    def __init__(self, airflow: Airflow, *command: str) -> None:
        super().__init__(airflow.layout, die_with_parent=airflow.die_with_parent)
        self.name = f"airflow-{command[0]}"
        self._airflow = airflow
        self._command = command

    def command(self) -> list[str]:
        return self._airflow.command(*self._command)

    def stop(self, timeout: float | None = None) -> bool:
        """With whatever it started and did not end, though a task's process leads a group of its own and a hook a
        session. Who started whom is known only as long as both are there: it is looked at until it has ended."""
        identity = self.identity
        if identity is None:
            return super().stop(timeout)
        started = set(identity.descendants())
        identity.send(self.stop_signal)
        deadline = time.monotonic() + (self.stop_timeout if timeout is None else timeout)
        while not identity.wait_end(0.5) and time.monotonic() < deadline:
            started |= _with_descendants({identity, *started})
        super().stop(max(0.0, deadline - time.monotonic()))
        _end_all(_with_descendants(started))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(identity.pid, signal.SIGKILL)
        return True

    def environment(self) -> dict[str, str]:
        return self._airflow.environment()

    def directory(self) -> Path:
        return self._airflow.home


class Airflow:
    """Airflow over one state directory. `settings` is what the tasks are told: the programs' settings, MARKETFLOW_*."""

    def __init__(self, layout: Layout, settings: Mapping[str, str], *, die_with_parent: bool = False) -> None:
        self.layout = layout
        self.settings = dict(settings)
        self.die_with_parent = die_with_parent
        self.home = layout.state / "airflow"
        self._ports = Ports(layout)
        # The scheduler's own server of log files would listen on all interfaces; the API server reads the files.
        self.processes = [
            AirflowProcess(self, "api-server"),
            AirflowProcess(self, "scheduler", "--skip-serve-logs"),
            AirflowProcess(self, "dag-processor"),
        ]

    # --- where and how ---------------------------------------------------------------------------

    @property
    def url(self) -> str:
        port = self._ports.known("airflow-api")
        if port is None:
            raise LocalError("Airflow was never started: deploy/local/airflow up")
        return f"http://127.0.0.1:{port}"

    @property
    def password_file(self) -> Path:
        return self.layout.secrets / "airflow_passwords"

    @property
    def env_file(self) -> Path:
        return self.layout.run / "airflow.env"

    def command(self, *arguments: str) -> list[str]:
        python = python_environment(self.layout, "airflow", LOCK)
        return [str(python), "-m", "airflow", *arguments]

    def environment(self) -> dict[str, str]:
        """Nothing of Airflow's is left to a file that somebody may have at home; secrets are files of mode 0600."""
        own = {
            "CORE__DAGS_FOLDER": str(DAGS),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "CORE__FERNET_KEY": "",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "API__HOST": "127.0.0.1",
            "API__PORT": self.url.rsplit(":", 1)[1],
            "API__WORKERS": "1",
            "API__SECRET_KEY_CMD": f"cat {self._secret('airflow_api_key')}",
            "API_AUTH__JWT_SECRET_CMD": f"cat {self._secret('airflow_jwt_secret')}",
            "LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        }
        environment = base_environment() | {f"AIRFLOW__{name}": value for name, value in own.items()}
        return environment | {
            "AIRFLOW_HOME": str(self.home),
            "MARKETFLOW_ENV_FILE": str(self.env_file),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _secret(self, name: str) -> Path:
        path = self.layout.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(64) + "\n")
        return path

    # --- up and down -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Database, password, settings of the tasks, pools. All of it may be there already."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._ports.take("airflow-api")
        if not self.password_file.exists():
            write_private(self.password_file, json.dumps({USER: secrets.token_urlsafe(18)}))
        self.write_settings()
        environment = self.environment()
        run_tool(self.command("db", "migrate"), "making Airflow's database", cwd=self.home, env=environment)
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")  # kept in the file: readers and a writer do not wait
        pools = self.home / "pools.json"
        python = self.command()[0]
        made = subprocess.run(
            [python, "-m", "_lib.pools"], cwd=DAGS, env=environment, stdout=subprocess.PIPE, text=True
        )
        if made.returncode != 0:
            raise LocalError("the pools cannot be made of these settings")
        pools.write_text(made.stdout)
        run_tool(
            self.command("pools", "import", str(pools)), "making the pools", cwd=self.home, env=environment
        )

    def write_settings(self) -> None:
        own = {
            "MARKETFLOW_DBT": str(dbt_program(self.layout)),
            "MARKETFLOW_DBT_PROJECT": str(PROJECT),
            "MARKETFLOW_WORK_DIR": str(self.home / "marketflow"),
        }
        values = own | self.settings
        write_private(self.env_file, "".join(f"{name}={value}\n" for name, value in sorted(values.items())))

    def start(self) -> bool:
        if all(process.running() for process in self.processes):
            return False
        self.prepare()
        for process in self.processes:
            process.start()
        return True

    def wait_ready(self, timeout: float = 180.0) -> None:
        def healthy() -> bool:
            for process in self.processes:
                if not process.running():
                    raise LocalError(f"{process.name} ended; {process.log_tail()}")
            return self.healthy()

        wait_for(healthy, timeout, "Airflow healthy", interval=0.5)

    def healthy(self) -> bool:
        try:
            answer = self.call("GET", "/api/v2/monitor/health", authorized=False)
        except (LocalError, OSError):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all((answer.get(part) or {}).get("status") == "healthy" for part in parts)

    def stop(self) -> bool:
        stopped = [process.stop() for process in reversed(self.processes)]
        return any(stopped)

    # --- REST ------------------------------------------------------------------------------------

    def _token(self) -> str:
        password = json.loads(self.password_file.read_text())[USER]
        answer = self.call("POST", "/auth/token", {"username": USER, "password": password}, authorized=False)
        return str(answer["access_token"])

    def call(self, method: str, path: str, body: object = None, *, authorized: bool = True) -> Any:
        """One call of the REST interface; LocalError with the server's words when it refuses.

        It is asked again when the database was busy (500: the transaction was given up after five seconds). To wait
        longer there would not help: the API server waits for itself then."""
        for attempt in range(4):
            with contextlib.suppress(_BusyError):
                return self._call(method, path, body, authorized)
            time.sleep(1 + attempt)
        return self._call(method, path, body, authorized)

    def _call(self, method: str, path: str, body: object, authorized: bool) -> Any:
        headers = {"Content-Type": "application/json"}
        if authorized:
            headers["Authorization"] = f"Bearer {self._token()}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with ask(request, 30.0) as answer:
                text = answer.read()
                return json.loads(text) if text else {}
        except urllib.error.HTTPError as problem:
            said = problem.read().decode("utf-8", "replace")[:500]
            kind = _BusyError if problem.code == 500 and "Database error" in said else LocalError
            raise kind(f"Airflow: {method} {path}: {problem.code}: {said}") from None


def of_stack(layout: Layout) -> Airflow:
    """For the running stack: its settings, its programs, its services."""
    stack = Stack(layout)
    if not stack.is_up():
        raise LocalError("the stack is not up: deploy/local/stack up")
    services = stack.running_services()
    settings = stack.settings() | {
        "MARKETFLOW_BIN_DIR": str(build(layout)),
        "MARKETFLOW_STOCKS": ",".join(LIVE_STOCKS if stack.runs_simulator() else REAL_SYMBOLS),
        **{f"MARKETFLOW_{name.upper()}_URL": service.url for name, service in services.items()},
    }
    settings |= {name: value for name, value in os.environ.items() if name.startswith("MARKETFLOW_")}
    return Airflow(layout, settings)


def up(layout: Layout) -> int:
    airflow = of_stack(layout)
    began = time.monotonic()
    if airflow.start():
        say("starting Airflow")
    airflow.wait_ready()
    print(f"{airflow.url}  user {USER}, password in {airflow.password_file}")
    say(f"ready after {time.monotonic() - began:.0f} s")
    return 0


def status(layout: Layout) -> int:
    airflow = Airflow(layout, {})
    for process in airflow.processes:
        print(f"{process.name:<22} {'running' if process.running() else 'stopped'}")
    running = all(process.running() for process in airflow.processes)
    return 0 if running and airflow.healthy() else 3


def main() -> int:
    arguments = sys.argv[1:]
    if (
        not arguments
        or arguments[0] in ("-h", "--help")
        or arguments[0] not in ("up", "status", "down", "run")
    ):
        print(__doc__)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    layout = Layout.from_environment()
    try:
        if arguments[0] == "up":
            return up(layout)
        if arguments[0] == "status":
            return status(layout)
        airflow = Airflow(layout, {})
        if arguments[0] == "down":
            airflow.stop()
            return 0
        return subprocess.run(airflow.command(*arguments[1:]), env=airflow.environment()).returncode
    except LocalError as problem:
        say(f"airflow: {problem}")
        return 1


if __name__ == "__main__":
    raise SystemExit(run_command("airflow", main))
