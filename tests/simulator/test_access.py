# SPDX-License-Identifier: Apache-2.0
"""The key, the limit, the journal, and who may control."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from marketflow_simulator.faults import KINDS, PARAMETERS
from marketflow_simulator.server import _is_loopback
from mflocal import LocalError, Simulator, wait_for
from mflocal.layout import write_private
from simulator_client import KEY, ROOT, Client, start

PATH = "/v2/aggs/ticker/AAPL/range/1/day/2005-02-24/2005-02-28"


@pytest.mark.parametrize(
    "path", [PATH, "/v2/reference/news", "/v3/reference/tickers", "/v1/marketstatus/now", "/nowhere"]
)
@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY[:-1]])
def test_without_the_key_everything_is_401(client: Client, path: str, key: str | None) -> None:
    reply = client.get(path, key=key)
    assert reply.status == 401 and reply.json["status"] == "ERROR" and reply.json["error"]
    assert "x-marketflow-data" not in reply.headers


def test_a_key_in_the_query_is_no_key_and_is_noticed(client: Client) -> None:
    assert client.get(f"{PATH}?apiKey={KEY}", key=None).status == 401
    (entry,) = client.simulator.requests()["requests"]
    assert entry["key_in_query"] and KEY not in str(client.simulator.requests())


def test_an_unknown_path_is_404(client: Client) -> None:
    reply = client.get("/v9/nothing")
    assert reply.status == 404 and reply.json["status"] == "NOT_FOUND"


def test_the_key_can_be_rotated(tmp_path: Path) -> None:
    simulator = start(tmp_path)
    try:
        client = Client(simulator)
        assert client.get(PATH).status == 200
        write_private(simulator.key_file, "second-key\n")
        assert client.get(PATH).status == 401
        assert client.get(PATH, key="second-key").status == 200
        write_private(simulator.key_file, f"second-key\n{KEY}\n")
        assert client.get(PATH).status == client.get(PATH, key="second-key").status == 200
    finally:
        simulator.stop()


def test_one_that_is_stopped_is_not_ready(simulator: Simulator) -> None:
    assert simulator.ready()
    simulator.freeze()
    try:
        assert simulator.running() and not simulator.ready()
    finally:
        simulator.thaw()
    simulator.wait_ready(20)
    assert simulator.requests()["total"] == 0, "the question is not one of the provider's requests"


def test_a_proxy_of_the_environment_is_not_asked(simulator: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    script = (
        "import sys; from pathlib import Path\n"
        "from mflocal import Layout, Simulator; from mflocal.prometheus import fetch\n"
        "simulator = Simulator(Layout(Path(sys.argv[1]), Path(sys.argv[1])))\n"
        "print(simulator.ready(), fetch(simulator.url + '/control/clock')[0])"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "deploy" / "local"),
        "http_proxy": nobody,
    }
    command = [sys.executable, "-B", "-c", script, str(simulator.layout.state)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.stdout.split() == ["True", "200"], result.stderr


def test_the_limit_counts_requests_of_a_minute(client: Client) -> None:
    client.simulator.set_options(rate_per_minute=3)
    assert [client.get(PATH).status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = client.get(PATH)
    assert "maximum requests per minute" in refused.json["error"] and "retry-after" not in refused.headers
    assert client.get(PATH, key="wrong").status == 401  # a wrong key uses nothing up
    client.simulator.set_options(rate_per_minute=0)
    assert client.get(PATH).status == 200
    assert client.simulator.requests()["counts"]["aggs"] == {"200": 4, "401": 1, "429": 3}


def test_the_journal_says_what_was_asked(client: Client) -> None:
    client.get(PATH + "?limit=1")
    client.get("/v2/reference/news?ticker=NVDA&limit=3")
    report = client.simulator.requests()
    first, second = report["requests"]
    assert (first["endpoint"], first["symbol"], first["page"], first["rows"]) == ("aggs", "AAPL", 1, 1)
    assert (first["status"], first["auth"], first["data"]) == (200, "ok", "replay")
    assert (second["endpoint"], second["symbol"], second["rows"]) == ("news", "NVDA", 3)
    assert report["total"] == 2 and report["rows"] == {"aggs": 1, "news": 3}
    assert client.simulator.requests(since=first["sequence"])["requests"] == [second]
    assert client.simulator.requests(path="/v2/reference")["requests"] == [second]
    client.simulator.forget_requests()
    assert client.simulator.requests()["requests"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "no_such_fault"},
        {"kind": "hang", "parameters": {"minutes": 1}},
        {"kind": "hang", "match": {"colour": "red"}},
        {"kind": "hang", "match": {"page": "two"}},
        {"kind": "hang", "times": -1},
        {"kind": "hang", "surprise": 1},
        ["hang"],
        7,
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_whole(simulator: Simulator, body: object) -> None:
    with pytest.raises(LocalError):
        simulator.control("POST", "faults", body)
    with pytest.raises(LocalError):
        simulator.control("POST", "faults", [{"kind": "delayed"}, {"kind": "no_such_fault"}])
    assert simulator.faults() == []


def test_wrong_settings_end_with_78(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="marketflow_simulator:"):
        start(tmp_path, "--start-now", "yesterday")


def test_every_fault_kind_is_documented() -> None:
    text = (ROOT / "deploy" / "simulator" / "README.md").read_text()
    assert all(f"`{kind}`" in text for kind in KINDS)
    assert all(name in text for names in PARAMETERS.values() for name in names)


def _other_address() -> str | None:
    """An address of this machine that is not loopback; found without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if address.startswith("127.") else address


def test_control_answers_on_loopback_only(tmp_path: Path) -> None:
    assert _is_loopback("127.0.0.1") and _is_loopback("::1")
    assert not _is_loopback("192.0.2.7") and not _is_loopback(None) and not _is_loopback("here")
    address = _other_address()
    if address is None:
        pytest.skip("this machine has no address beside loopback to ask from")
    key_file = write_private(tmp_path / "key", KEY + "\n")
    ready_file = tmp_path / "ready"
    command = [sys.executable, "-m", "marketflow_simulator", "--listen", "0.0.0.0:0"]
    command += ["--key-file", str(key_file), "--ready-file", str(ready_file)]
    environment = {"PYTHONPATH": str(ROOT / "deploy" / "simulator"), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(ready_file.exists, 20, "the ready file")
            port = json.loads(ready_file.read_text())["port"]
            for host, expected in ((address, 404), ("127.0.0.1", 200)):
                connection = http.client.HTTPConnection(host, port, timeout=10)
                connection.request("GET", "/control/clock")
                assert connection.getresponse().status == expected
                connection.close()
        finally:
            process.terminate()
            assert process.wait(10) == 0
