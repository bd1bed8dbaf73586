# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of the stack's own: loopback TCP, passwords, no socket in shared places.

The server refuses to run as root. Started by root it runs as the account `postgres` (else `nobody`), which
then owns the cluster's directory; where that account cannot reach the state directory (a home of mode 0700),
the cluster goes to /var/lib/marketflow-local and the state directory points there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .identity import Identity
from .install import run_tool
from .layout import Layout, write_private
from .ports import Ports
from .process import Account, BackgroundProcess, base_environment
from .waiting import LocalError

MAJOR = 15
DATABASE = "marketflow"
USER = "marketflow"
_SUPERUSER = "postgres"
_ELSEWHERE = Path("/var/lib/marketflow-local")
_ACCESS = """\
# Only passwords, only from this machine.
host all all 127.0.0.1/32 scram-sha-256
"""


def binary_directory() -> Path:
    """Where the server's programs are: PG_BINDIR, else Debian's place, else the PATH."""
    given = os.environ.get("PG_BINDIR")
    found = shutil.which("postgres")
    for place in (given, f"/usr/lib/postgresql/{MAJOR}/bin", str(Path(found).parent) if found else None):
        if place and (Path(place) / "postgres").exists() and (Path(place) / "initdb").exists():
            return Path(place)
    raise LocalError(f"PostgreSQL {MAJOR} is not installed; see deploy/local/packages.txt")


def _server_account() -> Account | None:
    """None when the caller may run the server itself."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalError("no account to run PostgreSQL as: it refuses root, and there is no postgres or nobody")


def _can_reach(account: Account, directory: Path) -> bool:
    """Whether the account may walk down to `directory` (an existing one, or its nearest existing parent)."""
    for place in (directory, *directory.parents):
        if not place.exists():
            continue
        state = place.stat()
        if state.st_uid == account.uid:
            allowed = state.st_mode & stat.S_IXUSR
        elif state.st_gid == account.gid:
            allowed = state.st_mode & stat.S_IXGRP
        else:
            allowed = state.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


class Postgres(BackgroundProcess):
    """The warehouse of one stack. `durable=False` skips fsync: enough for tests that only kill processes."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": open sessions are ended, nothing is lost
    stop_timeout = 30.0

    def __init__(self, layout: Layout, *, die_with_parent: bool = False, durable: bool = True) -> None:
        super().__init__(layout, die_with_parent=die_with_parent)
        self._durable = durable
        self._ports = Ports(layout)

    @property
    def port(self) -> int:
        port = self._ports.known("postgres")
        if port is None:
            raise LocalError("PostgreSQL was never started")
        return port

    @property
    def password_file(self) -> Path:
        return self.layout.secrets / "warehouse_password"

    @property
    def env(self) -> dict[str, str]:
        return {
            "WAREHOUSE_DIALECT": "postgresql",
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(self.port),
            "WAREHOUSE_DATABASE": DATABASE,
            "WAREHOUSE_USER": USER,
            "WAREHOUSE_PASSWORD_FILE": str(self.password_file),
            "WAREHOUSE_SSLMODE": "disable",
            "ODBCSYSINI": str(self._drivers.parent),
        }

    # --- the process -----------------------------------------------------------------------------

    def account(self) -> Account | None:
        return _server_account()

    def directory(self) -> Path:
        """The cluster's directory: `postgres` in the state directory, perhaps a link to elsewhere."""
        return (self.layout.state / "postgres").resolve()

    @property
    def data(self) -> Path:
        return self.directory() / "data"

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "64MB",
            "log_checkpoints": "off",
            "timezone": "UTC",
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(binary_directory() / "postgres"), "-D", str(self.data), *settings]

    @property
    def _drivers(self) -> Path:
        """Our own list of ODBC drivers: Debian's has CommLog=1, with which the driver writes a line to a file in
        the machine's temporary directory for every connection, whatever the connection string says."""
        return self.layout.run / "odbc" / "odbcinst.ini"

    def prepare(self) -> None:
        self._ports.take("postgres")
        self._drivers.parent.mkdir(parents=True, exist_ok=True)
        self._drivers.write_text("[PostgreSQL Unicode]\nDriver=psqlodbcw.so\nCommLog=0\n")
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster()

    def ready(self) -> bool:
        if not self.running():
            return False
        tool = str(binary_directory() / "pg_isready")
        result = subprocess.run(
            [tool, "-q", "-h", "127.0.0.1", "-p", str(self.port)], env=base_environment(), cwd="/"
        )
        return result.returncode == 0

    def wait_ready(self, timeout: float = 60.0) -> None:
        super().wait_ready(timeout)
        self._ensure_database()

    def _processes(self) -> list[Identity]:
        """The server and its children, each of which is a session leader of its own."""
        server = self.identity
        return [server, *server.children()] if server is not None else []

    def freeze(self) -> bool:
        """Stops the server first, so that it starts no new child, then every child."""
        server = self.identity
        if server is None:
            return False
        server.send(signal.SIGSTOP)
        for process in self._processes()[1:]:
            process.send(signal.SIGSTOP)
        return True

    def thaw(self) -> bool:
        processes = self._processes()
        for process in reversed(processes):
            process.send(signal.SIGCONT)
        return bool(processes)

    def kill(self) -> bool:
        """SIGKILL to the server and its children at once, as a machine's crash would."""
        processes = self._processes()
        for process in processes:
            process.send(signal.SIGKILL)
        for process in processes:
            if not process.wait_end(30):
                raise LocalError(f"postgres (pid {process.pid}) does not end after SIGKILL")
        self._reap()
        return bool(processes)

    def stop(self, timeout: float | None = None) -> bool:
        self.thaw()
        return super().stop(timeout)

    def reset(self) -> None:
        """Removes the cluster. The server must be stopped."""
        if self.running():
            raise LocalError("PostgreSQL is running")
        shutil.rmtree(self.directory(), ignore_errors=True)
        link = self.layout.state / "postgres"
        if link.is_symlink():
            link.unlink()

    # --- the cluster -----------------------------------------------------------------------------

    def _secret(self, name: str) -> Path:
        path = self.layout.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24) + "\n")
        return path

    def _place(self, account: Account | None) -> Path:
        """Makes the cluster's directory where the server can reach it, owned by it."""
        link = self.layout.state / "postgres"
        self.layout.state.mkdir(parents=True, exist_ok=True)
        if account is not None and not link.exists() and not _can_reach(account, self.layout.state):
            name = hashlib.sha256(str(self.layout.state).encode()).hexdigest()[:16]
            _ELSEWHERE.mkdir(mode=0o755, exist_ok=True)
            (_ELSEWHERE / name).mkdir(exist_ok=True)
            if link.is_symlink():
                link.unlink()
            link.symlink_to(_ELSEWHERE / name)
        directory = self.directory()
        directory.mkdir(exist_ok=True)
        if account is not None:
            os.chown(directory, account.uid, account.gid)
        directory.chmod(0o700)
        return directory

    def _create_cluster(self) -> None:
        account = self.account()
        directory = self._place(account)
        shutil.rmtree(self.data, ignore_errors=True)  # what an interrupted first start left
        password = write_private(directory / "initial", self._secret("postgres_password").read_text())
        try:
            if account is not None:
                os.chown(password, account.uid, account.gid)
            command = [str(binary_directory() / "initdb"), "-D", str(self.data), "-U", _SUPERUSER]
            command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
            command += ["--locale=C.UTF-8", "--no-instructions"]
            if not self._durable:
                command.append("--no-sync")
            run_tool(command, "creating the database cluster", cwd=directory, account=account)
        finally:
            password.unlink()
        (self.data / "pg_hba.conf").write_text(_ACCESS)

    def _ensure_database(self) -> None:
        """The role and database of the sink, made once."""
        found = self._superuser_sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
        if found.strip():
            return
        self._secret("warehouse_password")
        password = self.password_file.read_text().strip()
        if not self._superuser_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{USER}'").strip():
            # Only letters, digits, - and _ are in it; the statement must not reach the server's log.
            quiet = "SET log_min_error_statement = 'panic'; SET log_min_duration_statement = -1;"
            self._superuser_sql(f"{quiet} CREATE ROLE {USER} LOGIN PASSWORD '{password}'")
        self._superuser_sql(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    # --- questions -------------------------------------------------------------------------------

    def psql_command(self, *options: str, user: str = USER, database: str = DATABASE) -> list[str]:
        """psql without the caller's start-up file, stopping at the first error."""
        command = [str(binary_directory() / "psql"), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database]
        return [*command, *options]

    def psql_environment(self, user: str = USER) -> dict[str, str]:
        """The password travels by a file of mode 0600, never in arguments or environments."""
        name = "warehouse_password" if user == USER else "postgres_password"
        path = self.layout.secrets / f"pgpass_{name}"
        password = (self.layout.secrets / name).read_text().strip()
        wanted = f"127.0.0.1:{self.port}:*:{user}:{password}\n"
        if not path.exists() or path.read_text() != wanted:
            write_private(path, wanted)
        return base_environment() | {"PGPASSFILE": str(path), "PGCONNECT_TIMEOUT": "5"}

    def _superuser_sql(self, text: str) -> str:
        return self.sql(text, user=_SUPERUSER, database="postgres")

    def sql(self, text: str, *, user: str = USER, database: str = DATABASE, timeout: float = 60.0) -> str:
        """Runs statements from standard input; returns the rows as CSV without a header."""
        command = self.psql_command("--csv", "-t", user=user, database=database)
        try:
            result = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=timeout,
                env=self.psql_environment(user),
                cwd="/",
            )
        except subprocess.TimeoutExpired:
            raise LocalError(f"the database does not answer within {timeout:g} s") from None
        if result.returncode != 0:
            raise LocalError(f"psql: {result.stderr.strip()}")
        return result.stdout

    def rows(self, text: str) -> Sequence[Sequence[str]]:
        """The rows of one query, each a list of texts."""
        return list(csv.reader(io.StringIO(self.sql(text))))
