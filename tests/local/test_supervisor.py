# SPDX-License-Identifier: Apache-2.0
"""The supervisor: who is started again, who stays down, and in which order all end."""

from __future__ import annotations

from typing import Any

import pytest
from fake_service import FakeServices
from mflocal import wait_for
from mflocal.supervise import may_restart


def started(services: FakeServices) -> None:
    services.supervisor.start()
    services.supervisor.wait_ready(20)
    for service in services.services.values():
        service.wait_ready(20)


def state(services: FakeServices, name: str) -> dict[str, Any]:
    return services.supervisor.states().get(name, {})


def test_which_ends_are_followed_by_a_start() -> None:
    assert [code for code in (0, 1, 2, 70, 75, 78, 127, -9, -11) if may_restart(code)] == [70, 75, -9, -11]


def test_it_is_ready_when_the_last_service_has_been_started(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.supervisor, "running", lambda: True)
    states = {"sink": "running", "processor": "finished", "ingestor": "starting"}
    monkeypatch.setattr(services.supervisor, "states", lambda: {n: {"state": s} for n, s in states.items()})
    assert not services.supervisor.ready()
    states["ingestor"] = "running"
    assert services.supervisor.ready()
    del states["sink"]
    assert not services.supervisor.ready()


@pytest.mark.parametrize("code", [70, 75])
def test_a_service_that_asks_for_it_is_started_again(services: FakeServices, code: int) -> None:
    started(services)
    before = services.services["processor"].identity
    services.order_exit("processor", code)
    wait_for(lambda: state(services, "processor").get("restarts") == 1, 20, "a restart")
    services.services["processor"].wait_ready(20)
    assert services.services["processor"].identity != before
    assert state(services, "processor")["last_exit"] == code
    assert state(services, "sink")["restarts"] == state(services, "ingestor")["restarts"] == 0


def test_a_killed_service_is_started_again(services: FakeServices) -> None:
    started(services)
    services.services["sink"].kill()
    wait_for(lambda: state(services, "sink").get("restarts") == 1, 20, "a restart")
    services.services["sink"].wait_ready(20)
    assert state(services, "sink")["last_exit"] == -9


@pytest.mark.parametrize(("code", "expected"), [(0, "finished"), (78, "failed"), (1, "failed")])
def test_a_service_that_is_done_or_cannot_run_stays_down(
    services: FakeServices, code: int, expected: str
) -> None:
    started(services)
    services.order_exit("ingestor", code)
    wait_for(lambda: state(services, "ingestor").get("state") == expected, 20, expected)
    # Another one's restart shows that the supervisor went on looking.
    services.order_exit("sink", 75)
    wait_for(lambda: state(services, "sink").get("restarts") == 1, 20, "a restart")
    assert not services.services["ingestor"].running() and state(services, "ingestor")["restarts"] == 0


def test_the_delay_grows_while_a_service_keeps_ending(services: FakeServices) -> None:
    started(services)
    for count in (1, 2, 3):
        services.order_exit("sink", 75)
        wait_for(lambda count=count: state(services, "sink").get("restarts") == count, 20, f"restart {count}")
    log = services.supervisor.log_path.read_text()
    assert [f"again in {delay} s" in log for delay in ("0.5", "1", "2")] == [True, True, True]


def test_stop_ends_the_services_from_the_source_down(services: FakeServices) -> None:
    started(services)
    assert services.supervisor.stop()
    assert services.stopped() == ["ingestor", "processor", "sink"]
    assert not any(service.running() for service in services.services.values())


def test_start_is_idempotent_and_knows_what_it_runs(services: FakeServices) -> None:
    started(services)
    assert not services.supervisor.start()
    specs = {spec.name: spec for spec in services.supervisor.specs()}
    assert set(specs) == {"ingestor", "processor", "sink"}
    assert specs["sink"].settings["KAFKA_INSTANCE_ID"] == "local-sink"
    assert services.supervisor._config_path.stat().st_mode & 0o777 == 0o600


def test_services_go_with_a_supervisor_that_is_tied_to_its_parent(services: FakeServices) -> None:
    started(services)
    services.supervisor.kill()
    wait_for(lambda: not any(s.running() for s in services.services.values()), 20, "the end of the services")


def test_a_new_supervisor_takes_over_running_services(services: FakeServices) -> None:
    services.supervisor.die_with_parent = False
    started(services)
    services.supervisor.kill()
    before = {name: service.identity for name, service in services.services.items()}
    assert all(before.values())
    started(services)
    assert {name: service.identity for name, service in services.services.items()} == before
    services.services["sink"].kill()
    wait_for(lambda: state(services, "sink").get("restarts") == 1, 20, "a restart")
    assert state(services, "sink")["last_exit"] is None
    assert services.supervisor.stop() and services.stopped()[:2] == ["ingestor", "processor"]


def test_questions_to_a_service(services: FakeServices) -> None:
    started(services)
    sink = services.services["sink"]
    assert sink.readiness() == {"status": "ok"}
    assert sink.metric("up", a="b") == 1 and sink.metric("up", a="c") is None
    assert sink.metric("lag") == 5 and sink.metric("none") is None
    assert sink.lag() is None
    sink.kill()
    assert sink.readiness() == {} or not sink.running()
