#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs statements in one transaction as the user of the sink's settings; for acceptance.sh.

`sql.py [--hold SECONDS] STATEMENT…` prints the rows of each (tab-separated), or the number of rows that it changed, as
soon as it is done; then waits, then commits. Needs snowflake-connector-python. ACCEPTANCE_PROTOCOL=http means a server
that asks for no key (fakesnow).
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import snowflake.connector


def login() -> dict[str, Any]:
    host = os.environ["WAREHOUSE_HOST"]
    known: dict[str, Any] = {
        "host": host,
        "port": int(os.environ.get("WAREHOUSE_PORT", "443")),
        "account": host.split(".")[0],
        "user": os.environ["WAREHOUSE_USER"],
        "database": os.environ["WAREHOUSE_DATABASE"],
        "schema": "OPS",
        "warehouse": os.environ.get("SNOWFLAKE_WAREHOUSE"),
        "role": os.environ.get("SNOWFLAKE_ROLE"),
        "login_timeout": 60,
        "network_timeout": 120,
        "autocommit": False,
    }
    if os.environ.get("ACCEPTANCE_PROTOCOL") == "http":
        return known | {"protocol": "http", "password": "none", "network_timeout": 5}
    password = os.environ.get("SNOWFLAKE_PRIVATE_KEY_PASSWORD")
    return known | {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key_file": os.environ["SNOWFLAKE_PRIVATE_KEY_FILE"],
        "private_key_file_pwd": password.encode() if password else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hold", type=float, default=0, help="seconds to wait before the commit")
    parser.add_argument("statements", nargs="+", metavar="STATEMENT")
    arguments = parser.parse_args()
    with snowflake.connector.connect(**login()) as connection:
        for statement in arguments.statements:
            cursor = connection.cursor().execute(statement)
            if statement.lstrip()[:6].upper() in ("SELECT", "SHOW T"):
                for row in cursor:
                    print("\t".join("" if value is None else str(value) for value in row), flush=True)
            else:
                print(cursor.rowcount, flush=True)
        time.sleep(arguments.hold)  # that the transaction stays open is what was asked for
        connection.commit()


if __name__ == "__main__":
    main()
