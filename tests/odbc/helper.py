# SPDX-License-Identifier: Apache-2.0
"""The other end of the test driver: a session of a fakesnow server per connection, and rules that interfere.

Started as `python helper.py SOCKET PORT` with the Python of requirements.lock. Each message is JSON behind a length of
four bytes. A rule (see Rule) may answer a request in the server's place, let it pass late, or let it pass and hide the
answer, so that every fault that a network or a server can have is played at a chosen call. Tests steer it over the same
socket: {"op": "rule"|"release"|"history"|"query"|"clear", …}.

What fakesnow cannot do is answered here and kept in the history: ALTER SESSION SET, roles and grants. Keys that are NOT
ENFORCED are taken out of table definitions, because DuckDB would enforce them.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import snowflake.connector
from snowflake.connector import errors

snowflake.connector.paramstyle = "qmark"

# The connector repeats a request that was answered with 500 for as long as this allows.
_NETWORK_TIMEOUT_S = 3
_KEY = re.compile(r",\s*CONSTRAINT \w+ PRIMARY KEY \([^)]*\) NOT ENFORCED", re.IGNORECASE)
_NOT_DONE = re.compile(
    r"\s*(ALTER\s+SESSION\s+SET|GRANT|CREATE\s+ROLE|USE\s+(ROLE|WAREHOUSE))\b", re.IGNORECASE
)
_CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_READS = re.compile(r"\s*(SELECT|SHOW|DESCRIBE|WITH)\b", re.IGNORECASE)


@dataclass
class Rule:
    """What happens at certain requests: those of `op` whose SQL matches, and one of whose parameters matches `param`,
    from the `after`-th on, `times` times.

    Actions: error (not executed), applied_error (executed, then the error), not_applied (success, but nothing was
    done), drop (the connection ends before), drop_after (executed, then the connection ends), hang (no answer until
    released; executed before if `applied`), slow (executed after delay_ms), crash (the driver dies), answer (`reply`).
    """

    op: str
    action: str
    match: str = ""
    param: str = ""
    after: int = 0
    times: int | None = 1
    state: str = "HY000"
    native: int = 0
    message: str = "played by a rule"
    delay_ms: int = 0
    applied: bool = False
    reply: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    played: int = 0

    def hits(self, op: str, sql: str, params: list[str | None]) -> bool:
        if op != self.op or not re.search(self.match, sql, re.IGNORECASE | re.DOTALL):
            return False
        if self.param and not any(re.search(self.param, value or "") for value in params):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.played >= self.times):
            return False
        self.played += 1
        return True


class Dropped(Exception):
    """The connection is to end without an answer."""


def failure(state: str, native: int, message: str) -> dict[str, Any]:
    return {"ok": False, "state": state[:5], "native": native, "message": message[:400]}


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return str(value)


class Session:
    """One session of the server, opened like the connection string says, with the autocommit of ODBC."""

    def __init__(self, port: int, settings: dict[str, str]) -> None:
        self._connection = snowflake.connector.connect(
            user=settings.get("uid", "tester"),
            password="unused",
            account="fakesnow",
            host="127.0.0.1",
            port=port,
            protocol="http",
            database=settings.get("database", "marketflow"),
            schema=settings.get("schema"),
            login_timeout=10,
            network_timeout=_NETWORK_TIMEOUT_S,
            session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        )

    def perform(self, op: str, sql: str, params: list[str | None]) -> dict[str, Any]:
        if op == "commit":
            self._connection.commit()
        elif op == "rollback":
            self._connection.rollback()
        elif op in ("autocommit_on", "autocommit_off"):
            self._connection.autocommit(op == "autocommit_on")
        else:
            return self._execute(sql, params)
        return {"ok": True}

    def _execute(self, sql: str, params: list[str | None]) -> dict[str, Any]:
        if _NOT_DONE.match(sql):
            return {"ok": True, "rows": -1, "query_id": ""}
        cursor = self._connection.cursor()
        try:
            cursor.execute(_KEY.sub("", sql), params or None)
            answer: dict[str, Any] = {"ok": True, "query_id": cursor.sfqid or "", "rows": -1}
            if _CHANGES.match(sql):
                answer["rows"] = cursor.rowcount or 0
            elif _READS.match(sql):
                rows = [[as_text(value) for value in row] for row in cursor.fetchall()]
                answer |= {"rows": len(rows), "columns": len(cursor.description), "data": rows}
            return answer
        finally:
            cursor.close()

    def close(self) -> None:
        """What was not committed is gone, as Snowflake does it with ABORT_DETACHED_QUERY."""
        try:
            self._connection.rollback()
            self._connection.close()
        except Exception as problem:
            print(f"closing a session: {problem}", file=sys.stderr, flush=True)


class Helper:
    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._released = threading.Event()
        self._history: list[dict[str, Any]] = []
        self._sessions = 0

    # --- steering ---------------------------------------------------------------------------------

    def steer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a test's request; None when it is one of the driver's."""
        op = request.pop("op")
        with self._lock:
            if op == "rule":
                self._rules.append(Rule(**request["rule"]))
                self._released.clear()
            elif op == "release":
                self._rules.clear()
                self._released.set()
            elif op == "history":
                played = [rule.played for rule in self._rules]
                return {"ok": True, "history": self._history, "played": played, "sessions": self._sessions}
            elif op == "clear":
                self._history.clear()
            else:
                request["op"] = op
                return None
        return {"ok": True}

    def count_session(self, change: int) -> None:
        with self._lock:
            self._sessions += change

    def query(self, sql: str) -> dict[str, Any]:
        session = Session(self._port, {})
        try:
            return session.perform("execute", sql, [])
        finally:
            session.close()

    # --- playing ----------------------------------------------------------------------------------

    def _rule_for(self, op: str, sql: str, params: list[str | None]) -> Rule | None:
        with self._lock:
            size = len(sql.encode()) + sum(len((p or "").encode()) for p in params)
            self._history.append({"op": op, "sql": sql, "bytes": size})
            return next((rule for rule in self._rules if rule.hits(op, sql, params)), None)

    def _attempt(self, session: Session, op: str, sql: str, params: list[str | None]) -> dict[str, Any]:
        try:
            return session.perform(op, sql, params)
        except errors.Error as problem:
            state = problem.sqlstate if problem.sqlstate and len(problem.sqlstate) == 5 else "HY000"
            return failure(state, problem.errno or 0, str(problem.msg or problem))
        except Exception as problem:
            return failure("HY000", 0, repr(problem))

    def answer(self, session: Session, op: str, sql: str, params: list[str | None]) -> dict[str, Any]:
        rule = self._rule_for(op, sql, params)
        if rule is None:
            return self._attempt(session, op, sql, params)
        error = failure(rule.state, rule.native, rule.message)
        if rule.action in ("error", "drop", "not_applied", "crash", "answer"):
            if rule.action == "drop":
                raise Dropped
            if rule.action == "not_applied" and op == "commit":
                self._attempt(session, "rollback", "", [])
            return {"error": error, "crash": {"ok": False, "crash": True}, "answer": rule.reply}.get(
                rule.action, {"ok": True}
            )
        if rule.action == "hang":
            if rule.applied:
                self._attempt(session, op, sql, params)
            self._released.wait()
            raise Dropped
        if rule.action == "slow":
            self._released.wait(rule.delay_ms / 1000)
        done = self._attempt(session, op, sql, params)
        if rule.action == "drop_after":
            raise Dropped
        return error if rule.action == "applied_error" else done

    def open(self, string: str) -> tuple[Session | None, dict[str, Any]]:
        """A session, or why there is none. A password in the string is refused: the sink has a key pair only."""
        settings = {k.lower(): v for k, _, v in (part.partition("=") for part in string.split(";")) if k}
        wanted = ("authenticator", "priv_key_file", "server", "port", "database", "warehouse", "uid")
        missing = [key for key in wanted if not settings.get(key)]
        if missing or "pwd" in settings or settings["authenticator"] != "SNOWFLAKE_JWT":
            return None, failure("28000", 394304, f"not a key-pair login: {sorted(settings)}")
        rule = self._rule_for("connect", re.sub(r"PRIV_KEY_FILE_PWD=[^;]*", "", string), [])
        if rule is not None and rule.action == "error":
            return None, failure(rule.state, rule.native, rule.message)
        if rule is not None and rule.action == "hang":
            self._released.wait()
            raise Dropped
        if rule is not None:
            raise Dropped
        try:
            return Session(int(settings["port"]), settings), {"ok": True}
        except Exception as problem:
            return None, failure("08001", 0, str(problem))


def receive(connection: socket.socket) -> dict[str, Any]:
    head = _exactly(connection, 4)
    return dict(json.loads(_exactly(connection, struct.unpack(">I", head)[0])))


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise Dropped
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(connection: socket.socket, answer: dict[str, Any]) -> None:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    connection.sendall(struct.pack(">I", len(text)) + text)


def serve(helper: Helper, connection: socket.socket) -> None:
    """One connection: a driver's, or a test's."""
    session: Session | None = None
    try:
        while True:
            request = receive(connection)
            answer = helper.steer(request)
            if answer is None:
                op = request["op"]
                if op == "query":
                    answer = helper.query(request["sql"])
                elif op == "connect":
                    session, answer = helper.open(request["string"])
                    helper.count_session(1 if session is not None else 0)
                elif session is not None:
                    answer = helper.answer(session, op, request.get("sql", ""), request.get("params", []))
                else:
                    answer = failure("08003", 0, "there is no session")
            send(connection, answer)
    except (Dropped, OSError):
        pass
    finally:
        connection.close()
        if session is not None:
            session.close()
            helper.count_session(-1)


def main() -> None:
    path, port = sys.argv[1], int(sys.argv[2])
    helper = Helper(port)
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(helper, connection), daemon=True).start()


if __name__ == "__main__":
    main()
