# SPDX-License-Identifier: Apache-2.0
"""Settings, read when a task runs: the worker's environment, over the file that MARKETFLOW_ENV_FILE names.

MARKETFLOW_* are of the DAGs; the settings of the programs (docs/settings.md) and of dbt are handed to those alone, and
nothing else of the worker's environment is: Airflow keeps secrets of its own there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What the programs and dbt may see of the environment.
_PROGRAMS = (
    "ALERT_", "INGEST_", "KAFKA_", "LOG_", "POLYGON_", "PROCESSOR_", "SHUTDOWN_", "SINK_", "SNOWFLAKE_", "TLS_",
    "WAREHOUSE_",
)  # fmt: skip
_SYSTEM = (
    "PATH",
    "HOME",
    "TMPDIR",
    "ODBCSYSINI",
    "ODBCINI",
    "CREDENTIALS_DIRECTORY",
    "SSL_CERT_FILE",
    "LD_LIBRARY_PATH",
)
_DBT = ("DBT_", "WAREHOUSE_", "SNOWFLAKE_", "FAKESNOW_")
_SECRET = ("PASSWORD", "SECRET", "API_KEY", "TOKEN", "WEBHOOK")
DBT_PASSWORD = "DBT_ENV_SECRET_WAREHOUSE_PASSWORD"


class SettingsError(ValueError):
    """A setting is missing or cannot be meant; the text names it and never shows a secret."""


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines as systemd's EnvironmentFile has them; # and ; begin comments, quotes around a value go."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"MARKETFLOW_ENV_FILE={path}: {type(problem).__name__}") from None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"MARKETFLOW_ENV_FILE={path}: line {number} is not NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


@dataclass(frozen=True)
class Settings:
    """All that a task needs to know of where it runs."""

    values: Mapping[str, str]

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> Settings:
        env = os.environ if env is None else env
        path = env.get("MARKETFLOW_ENV_FILE")
        return cls({**(read_env_file(Path(path)) if path else {}), **env})

    # --- single values ---------------------------------------------------------------------------

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name) or default
        if value is None:
            raise SettingsError(f"{name} is not set")
        return value

    def number(self, name: str, default: int, low: int = 0, high: int = 1_000_000_000) -> int:
        text = self.values.get(name) or str(default)
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise SettingsError(f"{name} must be a whole number from {low} to {high}")
        return int(text)

    def names(self, name: str, *otherwise: str) -> list[str]:
        """A comma list, without repeats, sorted; of the first of these settings that is set."""
        for candidate in (name, *otherwise):
            parts = {part.strip() for part in (self.values.get(candidate) or "").split(",")} - {""}
            if parts:
                return sorted(parts)
        raise SettingsError(f"{name} is not set")

    def words(self, name: str) -> list[str]:
        """A command as a JSON list of its words, which no shell reads; empty when it is not set."""
        text = self.values.get(name)
        if not text:
            return []
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
            raise SettingsError(f'{name} must be a JSON list of words, like ["systemctl", "restart", "…"]')
        return value

    def secret(self, name: str) -> str | None:
        """The value of NAME_FILE's file, else of NAME; giving two is an error."""
        path, value = self.values.get(f"{name}_FILE"), self.values.get(name)
        if path and value:
            raise SettingsError(f"{name} and {name}_FILE are both set")
        if not path:
            return value or None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as problem:
            raise SettingsError(f"{name}_FILE={path}: {type(problem).__name__}") from None

    # --- places ----------------------------------------------------------------------------------

    def program(self, name: str) -> str:
        """The path of one of the project's programs."""
        path = Path(self.text("MARKETFLOW_BIN_DIR")) / name
        if not path.is_file():
            raise SettingsError(f"MARKETFLOW_BIN_DIR has no {name}")
        return str(path)

    @property
    def work(self) -> Path:
        """Manifests and dbt's artifacts; the same directory for all workers."""
        home = self.values.get("AIRFLOW_HOME") or str(Path(self.values.get("HOME") or "/var/tmp") / "airflow")
        return Path(self.text("MARKETFLOW_WORK_DIR", f"{home}/marketflow"))

    @property
    def dbt(self) -> str:
        path = self.text("MARKETFLOW_DBT")
        if not Path(path).is_file():
            raise SettingsError(f"MARKETFLOW_DBT={path} is no program")
        return path

    @property
    def dbt_project(self) -> Path:
        beside = Path(__file__).resolve().parents[2] / "dbt"
        path = Path(self.text("MARKETFLOW_DBT_PROJECT", str(beside)))
        if not (path / "dbt_project.yml").is_file():
            raise SettingsError(f"MARKETFLOW_DBT_PROJECT={path} has no dbt_project.yml")
        return path

    def directory(self, place: Path) -> Path:
        """A directory below `work`, made where it is not there."""
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise SettingsError(f"MARKETFLOW_WORK_DIR: {place}: {problem.strerror}") from None
        return place

    # --- environments of what is started -----------------------------------------------------------

    def _chosen(self, prefixes: tuple[str, ...]) -> dict[str, str]:
        kept = {n: v for n, v in self.values.items() if n.startswith(prefixes) or n in _SYSTEM}
        return kept | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def program_environment(self, instance: str) -> dict[str, str]:
        """Of the project's programs. Each process gets an instance id and a metrics port of its own: several run at a
        time, beside the services."""
        own = {"KAFKA_INSTANCE_ID": instance, "METRICS_LISTEN": "127.0.0.1:0", "LOG_FORMAT": "text"}
        return self._chosen(_PROGRAMS) | own

    def hook_environment(self) -> dict[str, str]:
        """Of the restart hook: no instance and no port of a task's, which what it starts would take for its own."""
        return self._chosen(_PROGRAMS)

    def dbt_environment(self) -> dict[str, str]:
        """Of dbt, which masks the password in whatever it writes."""
        environment = self._chosen(_DBT) | {"DO_NOT_TRACK": "1"}
        if not environment.get(DBT_PASSWORD):
            password = self.secret("WAREHOUSE_PASSWORD")
            if password:
                environment[DBT_PASSWORD] = password
        environment.pop("WAREHOUSE_PASSWORD", None)
        return environment

    # --- secrets ---------------------------------------------------------------------------------

    def secrets(self) -> list[str]:
        """Every value that must not be told to anybody, the longest first. Files that cannot be read are passed over:
        this serves messages about failures."""
        found: set[str] = set()
        for name, value in self.values.items():
            if not value or not any(word in name for word in _SECRET):
                continue
            if name.endswith("_FILE"):
                try:
                    found.add(Path(value).read_text(encoding="utf-8").strip())
                except (OSError, UnicodeDecodeError):
                    continue
            else:
                found.add(value)
        return sorted((s for s in found if len(s) >= 4), key=len, reverse=True)

    def redacted(self, text: str) -> str:
        for secret in self.secrets():
            text = text.replace(secret, "***")
        return text
