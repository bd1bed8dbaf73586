# SPDX-License-Identifier: Apache-2.0
"""The two warehouses of the suite, one interface: made by the project's own migrations, loaded with rows of RAW,
transformed by dbt, asked for marts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from history import Row
from marketmodel.times import format_ms
from mflocal import REPOSITORY, Layout, Postgres, base_environment, python_environment, run_program

PROJECT = REPOSITORY / "dbt"
HERE = Path(__file__).resolve().parent
COLUMNS = (
    "event_id", "revision", "event_type", "symbol", "event_time", "ingest_time", "loaded_at", "payload",
    "schema_version", "source", "lane", "flags", "dedupe_key", "kafka_topic", "kafka_partition", "kafka_offset",
    "load_id",
)  # fmt: skip


def values_of(row: Row) -> tuple[Any, ...]:
    event = row.event
    load_id = f"00000000-0000-4000-8000-{row.loaded_ms // 3_600_000:012d}"
    return (
        event["event_id"], row.revision, event["event_type"], event["symbol"], event["event_time"],
        event["ingest_time"], format_ms(row.loaded_ms), row.payload, event["schema_version"], event["source"],
        event["lane"], row.flags, row.dedupe_key, f"market.{row.table}", 0, row.offset, load_id,
    )  # fmt: skip


@dataclass
class DbtResult:
    code: int
    output: str
    nodes: dict[str, dict[str, Any]]  # by name of the node

    def failed(self) -> list[str]:
        bad = ("error", "fail", "runtime error", "partial success")
        return [f"{n}: {r['status']}: {r['message']}" for n, r in self.nodes.items() if r["status"] in bad]


@dataclass
class Warehouse:
    """One database. `environment` is what dbt is told of it."""

    layout: Layout
    target: str
    directory: Path  # dbt's target and logs
    environment: dict[str, str] = field(default_factory=dict)

    def dbt(
        self, *arguments: str, variables: dict[str, Any] | None = None, timeout: float = 1200
    ) -> DbtResult:
        python = python_environment(self.layout, "dbt", PROJECT / "requirements.lock")
        command = [
            str(python.with_name("dbt")),
            "--no-version-check",
            *arguments,
            "--project-dir",
            str(PROJECT),
        ]
        command += [
            "--profiles-dir",
            str(PROJECT),
            "--target",
            self.target,
            "--target-path",
            str(self.directory),
        ]
        command += ["--log-path", str(self.directory / "logs")]
        if variables:
            command += ["--vars", json.dumps(variables)]
        environment = (
            base_environment() | self.environment | {"DO_NOT_TRACK": "1", "HOME": str(self.directory)}
        )
        results = self.directory / "run_results.json"
        results.unlink(missing_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
        nodes = {}
        if results.exists():
            for result in json.loads(results.read_text())["results"]:
                nodes[result["unique_id"].split(".", 2)[2]] = result
        return DbtResult(done.returncode, done.stdout + done.stderr, nodes)

    def build(self, *arguments: str, **options: Any) -> DbtResult:
        """`dbt build`, which must succeed."""
        result = self.dbt("build", *arguments, **options)
        assert result.code == 0, "\n".join(result.failed()) or result.output[-4000:]
        return result

    def load(self, rows: Sequence[Row]) -> None:
        raise NotImplementedError

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def all_rows(self, texts: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """The rows of several queries."""
        return [self.rows(text) for text in texts]


class PostgresWarehouse(Warehouse):
    server: Postgres

    @classmethod
    def create(cls, postgres: Postgres, binaries: Path, directory: Path) -> PostgresWarehouse:
        """By the sink's migrations."""
        password = postgres.password_file.read_text().strip()
        environment = {
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(postgres.port),
            "WAREHOUSE_DATABASE": postgres.env["WAREHOUSE_DATABASE"],
            "WAREHOUSE_USER": postgres.env["WAREHOUSE_USER"],
            "WAREHOUSE_SSLMODE": "disable",
            "DBT_ENV_SECRET_WAREHOUSE_PASSWORD": password,
        }
        settings = postgres.env | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        result = run_program(binaries / "marketflow-sink", ["migrate"], settings, timeout=60)
        assert result.returncode == 0, result.stderr
        made = cls(postgres.layout, "postgresql", directory, environment)
        made.server = postgres
        return made

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        e = self.environment
        return psycopg.connect(
            host=e["WAREHOUSE_HOST"], port=int(e["WAREHOUSE_PORT"]), dbname=e["WAREHOUSE_DATABASE"],
            user=e["WAREHOUSE_USER"], password=e["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"], options="-c timezone=UTC",
            autocommit=True,
        )  # fmt: skip

    def load(self, rows: Sequence[Row]) -> None:
        with self._connect() as connection, connection.transaction(), connection.cursor() as cursor:
            for table in sorted({row.table for row in rows}):
                with cursor.copy(f"COPY raw.{table} ({', '.join(COLUMNS)}) FROM STDIN") as copy:
                    for row in rows:
                        if row.table == table:
                            copy.write_row(values_of(row))

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            cursor = connection.execute(text)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


class SnowflakeWarehouse(Warehouse):
    """A fakesnow server; everything is in its memory. A client in dbt's environment does the asking."""

    def ask(self, requests: list[dict[str, Any]]) -> list[list[list[Any]]]:
        python = python_environment(self.layout, "dbt", PROJECT / "requirements.lock")
        command = [str(python), "-B", str(HERE / "snowflake_client.py"), self.environment["FAKESNOW_PORT"]]
        command.append(self.environment["WAREHOUSE_DATABASE"])
        done = subprocess.run(
            command, input=json.dumps(requests), capture_output=True, text=True, timeout=600,
            env=base_environment() | {"HOME": str(self.directory)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return list(json.loads(done.stdout))

    @classmethod
    def create(cls, layout: Layout, port: int, directory: Path, database: str) -> SnowflakeWarehouse:
        """By the sink's migrations, statement by statement: the programs' driver is not needed for that."""
        environment = {"FAKESNOW_PORT": str(port), "WAREHOUSE_DATABASE": database, "DBT_THREADS": "1"}
        warehouse = cls(layout, "fakesnow", directory, environment)
        statements: list[str] = []
        for path in sorted((REPOSITORY / "sql" / "snowflake").glob("0*.sql")):
            lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("--")]
            statements += [part.strip(" ;\n") for part in "\n".join(lines).split(";\n") if part.strip(" ;\n")]
        warehouse.ask([{"sql": statement} for statement in statements])
        return warehouse

    def load(self, rows: Sequence[Row]) -> None:
        tables = sorted({row.table for row in rows})
        requests = []
        for table in tables:
            values = [values_of(row) for row in rows if row.table == table]
            for start in range(0, len(values), 2000):
                requests.append({"load": table, "columns": COLUMNS, "rows": values[start : start + 2000]})
        self.ask(requests)

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        return self.all_rows([text])[0]

    def all_rows(self, texts: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        answers = self.ask([{"sql": text} for text in texts])
        return [[tuple(row) for row in answer] for answer in answers]
