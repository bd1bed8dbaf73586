# SPDX-License-Identifier: Apache-2.0
"""Sensors: until a backfill is in the warehouse, until nothing waits between topics and warehouse, until a session is
over. They give their place back between two looks (mode reschedule), so that many may wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from . import health
from .operators import instance_of, load_settings, raise_failure
from .programs import EXIT_TEMPORARY, ProgramError, Run
from .sessions import not_over, parse_day, sessions
from .settings import Settings, SettingsError


class MarketflowSensor(BaseSensorOperator):
    """Common ground: when to look, and for how long at most."""

    def __init__(self, *, poke_interval: float = 30, timeout: float = 4 * 3600, **kwargs: Any) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, mode="reschedule", **kwargs)

    def settings(self) -> Settings:
        return load_settings()


class ManifestSensor(MarketflowSensor):
    """Until what a backfill published is in the warehouse: `marketflowctl wait --manifest`, a little at a time."""

    template_fields: Sequence[str] = ("manifest",)
    ui_color = "#e6f1f2"

    def __init__(self, *, manifest: str, look_s: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.look_s = look_s
        self._run: Run | None = None

    def command(self, settings: Settings) -> list[str]:
        program = settings.program("marketflowctl")
        return [program, "wait", "--manifest", self.manifest, "--timeout-s", str(self.look_s)]

    def poke(self, context: Any) -> bool:
        settings = self.settings()
        try:
            command = self.command(settings)
        except SettingsError as problem:
            raise AirflowFailException(str(problem)) from None
        environment = settings.program_environment(instance_of(context))
        try:
            self._run = Run(command, environment, lambda line: self.log.info("%s", line))
            run = self._run.wait()
        except ProgramError as problem:
            raise_failure(problem)
        if run.code == EXIT_TEMPORARY:
            return False
        if run.code != 0:
            raise_failure(run.failure())
        return True

    def on_kill(self) -> None:
        if self._run is not None:
            self._run.stop()


class LagSensor(MarketflowSensor):
    """Until these services are ready and at most `most` records wait before each of them."""

    ui_color = "#e6f1f2"

    def __init__(
        self, *, services: Sequence[str] = ("processor", "sink"), most: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.services = tuple(services)
        self.most = most

    def poke(self, context: Any) -> bool:
        settings = self.settings()
        done = True
        for service in self.services:
            try:
                reading = health.read_service(service, health.service_url(settings, service))
            except SettingsError as problem:
                raise AirflowFailException(str(problem)) from None
            state = "ready" if reading.ready else "not ready" if reading.answers else "silent"
            self.log.info("%s: %s, %.0f records wait", service, state, reading.lag)
            done = done and reading.ready and reading.lag <= self.most
        return done


class DayOverSensor(MarketflowSensor):
    """Until the last day of these requests is over in New York, when what is fetched of it can be complete; at once
    where there are none."""

    template_fields: Sequence[str] = ("requests",)

    def __init__(self, *, requests: Any, **kwargs: Any) -> None:
        super().__init__(**{"poke_interval": 300, "timeout": 12 * 3600, **kwargs})
        self.requests = requests

    def poke(self, context: Any) -> bool:
        return not any(not_over(parse_day(one["to"])) for one in self.requests or [])


class SessionOverSensor(MarketflowSensor):
    """Until `after_s` seconds after the close of a day's session; at once on a day without one."""

    template_fields: Sequence[str] = ("day",)

    def __init__(self, *, day: str, after_s: float = 900, **kwargs: Any) -> None:
        super().__init__(**{"poke_interval": 300, **kwargs})
        self.day = day
        self.after_s = after_s

    def poke(self, context: Any) -> bool:
        day = parse_day(self.day)
        try:
            found = sessions(self.settings(), day, day, lambda line: self.log.info("%s", line))
        except (ProgramError, SettingsError) as problem:
            raise AirflowFailException(str(problem)) from None
        if not found:
            return True
        left = found[0].closes.timestamp() + self.after_s - datetime.now(UTC).timestamp()
        self.log.info("the session of %s closes at %s", day, found[0].closes.isoformat())
        return left <= 0
