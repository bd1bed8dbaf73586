# SPDX-License-Identifier: Apache-2.0
"""dbt under the role that the grants are made for: it builds, tests and keeps failing rows, and reporting can read."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
import pytest
from builds import Builds
from history import Row
from mflocal import Postgres, run_program
from warehouses import PostgresWarehouse, Warehouse

pytestmark = pytest.mark.deep
ADMINISTRATOR, USER = "warehouse_admin", "dbt_user"


@pytest.fixture
def database(postgresql: Builds, binaries: Path) -> tuple[Postgres, str, str]:
    """A database with the sink's tables, the roles and a user who may be marketflow_dbt and nothing else."""
    assert isinstance(postgresql.warehouse, PostgresWarehouse)
    server, name, password = postgresql.warehouse.server, "with_roles", secrets.token_urlsafe(16)
    for user, rights in ((ADMINISTRATOR, "SUPERUSER"), (USER, "NOINHERIT")):
        server.sql(
            f"CREATE ROLE {user} LOGIN {rights} PASSWORD '{password}'", user="postgres", database="postgres"
        )
    server.sql(f"CREATE DATABASE {name} OWNER {ADMINISTRATOR}", user="postgres", database="postgres")
    secret = server.layout.secrets / "administrator"
    secret.write_text(password)
    secret.chmod(0o600)
    settings = server.env | {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "WAREHOUSE_DATABASE": name,
        "WAREHOUSE_USER": ADMINISTRATOR,
        "WAREHOUSE_PASSWORD_FILE": str(secret),
    }
    result = run_program(binaries / "marketflow-sink", ["migrate", "--grants"], settings, timeout=60)
    assert result.returncode == 0, result.stderr
    server.sql(f"GRANT marketflow_dbt TO {USER}", user="postgres", database=name)
    return server, name, password


def test_dbt_builds_as_its_role(
    database: tuple[Postgres, str, str], postgresql: Builds, loads: list[list[Row]], tmp_path: Path
) -> None:
    server, name, password = database
    environment = dict(postgresql.warehouse.environment)
    environment |= {"WAREHOUSE_DATABASE": name, "WAREHOUSE_USER": USER}
    environment["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"] = password
    loader = PostgresWarehouse(
        server.layout, "postgresql", tmp_path, environment | {"WAREHOUSE_USER": ADMINISTRATOR}
    )
    loader.load([row for row in loads[0] if row.table == "raw_bars"][:2000])

    without = Warehouse(server.layout, "postgresql", tmp_path, environment)
    refused = without.dbt("run", "--select", "base_bars")
    assert refused.code != 0 and "permission denied" in refused.output

    warehouse = Warehouse(server.layout, "postgresql", tmp_path, environment | {"DBT_ROLE": "marketflow_dbt"})
    chosen = ["--select", "+fact_stock_daily", "snap_stock_bars", "--exclude-resource-type", "unit_test"]
    for _ in range(2):
        warehouse.build(*chosen, "--indirect-selection", "cautious")
    with psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        dbname=name,
        user=ADMINISTRATOR,
        password=password,
        autocommit=True,
    ) as connection:
        owners = connection.execute(
            "select distinct tableowner from pg_tables where schemaname in ('staging', 'marts_market', 'snapshots')"
        ).fetchall()
        assert owners == [("marketflow_dbt",)]
        connection.execute("SET ROLE marketflow_report")
        count = connection.execute("select count(*) from marts_market.fact_stock_daily").fetchone()
        assert count and count[0] > 0
