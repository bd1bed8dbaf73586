# SPDX-License-Identifier: Apache-2.0
"""Runs statements on a fakesnow server: snowflake_client.py PORT DATABASE, a JSON list of requests on standard input.

A request is {"sql": …} or {"load": table, "columns": […], "rows": […]}; the answer has the rows of each, as JSON."""

from __future__ import annotations

import datetime
import decimal
import json
import re
import sys
from typing import Any

import snowflake.connector

snowflake.connector.paramstyle = "qmark"
# Declared keys are not enforced there; DuckDB would enforce them.
_KEY = re.compile(r",\s*CONSTRAINT \w+ PRIMARY KEY \([^)]*\) NOT ENFORCED", re.IGNORECASE)
TYPES = {
    "revision": "number(10, 0)",
    "event_time": "timestamp_ntz(6)",
    "ingest_time": "timestamp_ntz(6)",
    "loaded_at": "timestamp_ntz(6)",
    "kafka_partition": "number(10, 0)",
    "kafka_offset": "number(20, 0)",
}


def plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return {"timestamp": value.isoformat(timespec="microseconds")}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    return value


def load(cursor: Any, request: dict[str, Any]) -> None:
    """As the sink does it: one bound array that the warehouse explodes."""
    columns = request["columns"]
    place = columns.index("payload")
    chosen = []
    for number, name in enumerate(columns):
        chosen.append(f"f.value[{number}]" + ("" if number == place else f"::{TYPES.get(name, 'varchar')}"))
    rows = []
    for row in request["rows"]:
        parts = [value if n == place else json.dumps(value) for n, value in enumerate(row)]
        rows.append("[" + ",".join(parts) + "]")
    cursor.execute(
        f"INSERT INTO raw.{request['load']} ({', '.join(columns)}) SELECT {', '.join(chosen)} "
        "FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f",
        ("[" + ",".join(rows) + "]",),
    )


def main() -> None:
    port, database = int(sys.argv[1]), sys.argv[2]
    connection = snowflake.connector.connect(
        account="fakesnow", user="fake", password="snow", host="127.0.0.1", port=port, protocol="http",
        database=database, schema="RAW", network_timeout=30, insecure_mode=True,
        session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    )  # fmt: skip
    cursor = connection.cursor()
    answers: list[Any] = []
    for request in json.load(sys.stdin):
        if "load" in request:
            load(cursor, request)
            answers.append([])
        else:
            cursor.execute(_KEY.sub("", request["sql"]))
            answers.append([[plain(value) for value in row] for row in cursor.fetchall()])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
