# SPDX-License-Identifier: Apache-2.0
"""dbt from its own environment, on the stack's warehouse or on one that the environment names.

deploy/local/dbt ARGUMENTS…          what dbt does, on the running stack: build, test, source freshness
deploy/local/dbt site [--port N]     makes the documentation of the models and serves it on 127.0.0.1

With WAREHOUSE_HOST or DBT_TARGET in the environment nothing is taken from the stack.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .install import python_environment
from .layout import REPOSITORY, Layout
from .ports import free_port
from .postgres import Postgres
from .process import base_environment
from .waiting import LocalError

PROJECT = REPOSITORY / "dbt"


def dbt_program(layout: Layout) -> Path:
    """The program of the locked environment, which is made when it is not there."""
    return python_environment(layout, "dbt", PROJECT / "requirements.lock").with_name("dbt")


def warehouse_environment(postgres: Postgres) -> dict[str, str]:
    """What profiles.yml wants to know of the stack's warehouse. dbt masks the password in what it writes."""
    names = ("WAREHOUSE_HOST", "WAREHOUSE_PORT", "WAREHOUSE_DATABASE", "WAREHOUSE_USER", "WAREHOUSE_SSLMODE")
    found = {name: postgres.env[name] for name in names}
    return found | {"DBT_ENV_SECRET_WAREHOUSE_PASSWORD": postgres.password_file.read_text().strip()}


def dbt_command(layout: Layout, arguments: list[str], target_path: Path | None = None) -> list[str]:
    target_path = target_path or layout.state / "dbt"
    places = [
        "--project-dir",
        str(PROJECT),
        "--profiles-dir",
        str(PROJECT),
        "--target-path",
        str(target_path),
    ]
    # Options that stand before the command are dbt's own; places belong to the command.
    return [
        str(dbt_program(layout)),
        "--no-version-check",
        *arguments,
        *places,
        "--log-path",
        str(target_path / "logs"),
    ]


def dbt_environment(layout: Layout, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    environment = {**env, "DO_NOT_TRACK": "1"}
    if "WAREHOUSE_HOST" not in env and "DBT_TARGET" not in env:
        postgres = Postgres(layout)
        if not postgres.ready():
            raise LocalError("the stack is not up: deploy/local/stack up")
        environment |= warehouse_environment(postgres)
    password_file = env.get("WAREHOUSE_PASSWORD_FILE")
    if password_file and "DBT_ENV_SECRET_WAREHOUSE_PASSWORD" not in environment:
        environment["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"] = Path(password_file).read_text().strip()
    return environment


@dataclass
class Outcome:
    """What one `dbt build` did, by dbt's own account."""

    models: int = 0
    snapshots: int = 0
    seeds: int = 0
    tests: dict[str, int] = field(default_factory=dict)  # by status
    failed: list[str] = field(default_factory=list)  # nodes that must not be as they are
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def outcome(results: dict[str, Any]) -> Outcome:
    """Of the contents of run_results.json."""
    found = Outcome(seconds=round(results["elapsed_time"], 1))
    for result in results["results"]:
        kind, _, name = result["unique_id"].partition(".")
        status = result["status"]
        if kind == "test":
            found.tests[status] = found.tests.get(status, 0) + 1
        elif status == "success":
            found.models += kind == "model"
            found.snapshots += kind == "snapshot"
            found.seeds += kind == "seed"
        if status in ("error", "fail", "skipped", "runtime error", "partial success"):
            found.failed.append(f"{name.removeprefix('marketflow.')}: {status}")
    return found


def build_marts(layout: Layout, timeout: float = 1800.0) -> Outcome:
    """Builds and tests everything on the running stack. Its output goes to the log; a failed test is in the outcome,
    what kept dbt from building raises LocalError. Unit tests look at no data and are left to tests/run."""
    directory = layout.state / "dbt"
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    written = directory / "run_results.json"
    written.unlink(missing_ok=True)
    command = dbt_command(layout, ["build", "--exclude-resource-type", "unit_test"])
    log = directory / "logs" / "build.log"
    with log.open("w") as stream:
        environment = dbt_environment(layout, base_environment())
        code = subprocess.run(
            command, env=environment, stdout=stream, stderr=subprocess.STDOUT, timeout=timeout
        ).returncode
    if not written.exists():
        last = "\n".join(log.read_text().splitlines()[-10:])
        raise LocalError(f"dbt build exited {code} (see {log}):\n{last}")
    return outcome(json.loads(written.read_text()))


def site(layout: Layout, environment: dict[str, str], arguments: list[str]) -> int:
    made = subprocess.run(dbt_command(layout, ["docs", "generate"]), env=environment)
    if made.returncode != 0:
        return made.returncode
    if "--port" not in arguments:
        arguments = [*arguments, "--port", str(free_port())]
    command = dbt_command(layout, ["docs", "serve", "--host", "127.0.0.1", "--no-browser", *arguments])
    print(f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}", flush=True)
    try:
        return subprocess.run(command, env=environment).returncode
    except KeyboardInterrupt:
        return 0


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    layout = Layout.from_environment()
    try:
        environment = dbt_environment(layout)
        if arguments[0] == "site":
            return site(layout, environment, arguments[1:])
        return subprocess.run(dbt_command(layout, arguments), env=environment).returncode
    except LocalError as error:
        print(f"dbt: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
