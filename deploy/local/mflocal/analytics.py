# SPDX-License-Identifier: Apache-2.0
"""dbt from its own environment, on the stack's warehouse or on one that the environment names.

deploy/local/dbt ARGUMENTS…          what dbt does, on the running stack: build, test, source freshness
deploy/local/dbt site [--port N]     makes the documentation of the models and serves it on 127.0.0.1

With WAREHOUSE_HOST or DBT_TARGET in the environment nothing is taken from the stack.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .install import python_environment
from .layout import REPOSITORY, Layout
from .ports import free_port
from .postgres import Postgres
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
