# SPDX-License-Identifier: Apache-2.0
"""The symbols of live mode change while it runs: what is added starts, what is gone stops, nothing else notices."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from line import Line
from mflocal import wait_for
from mflocal.layout import write_private
from served import Served

pytestmark = pytest.mark.feeds

# So long that nothing is due again within the test.
SELDOM = {"INGEST_POLL_MS": "3600000", "INGEST_CLOSED_POLL_MS": "3600000", "INGEST_NEWS_POLL_MS": "86400000"}
OFTEN = {"INGEST_POLL_MS": "200", "INGEST_CLOSED_POLL_MS": "200", "INGEST_NEWS_POLL_MS": "200"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "symbols.csv"


def of(counts: dict[str, int], symbol: str) -> dict[str, int]:
    return {key: count for key, count in counts.items() if f"|{symbol}|" in key}


def test_what_is_kept_is_not_disturbed(line: Line, path: Path) -> None:
    """No request and no watermark more for symbols that stay; the added one has all its feeds."""
    served = Served(line, path, "KO", "X:ETHUSD", "X:BTCUSD", **SELDOM)
    served.wait_asked(KO=3, X_ETHUSD=3, X_BTCUSD=3)
    wait_for(lambda: len(of(served.marks(), "KO")) == 3, 60, "all marks of KO", 0.1)
    wait_for(lambda: len(of(served.marks(), "X:ETHUSD")) == 3, 60, "all marks of X:ETHUSD", 0.1)
    asked, marks = served.asked(), served.marks()
    served.write("X:SOLUSD", "X:ETHUSD", "KO")
    served.hang_up()
    served.wait_asked(X_SOLUSD=3)
    wait_for(lambda: len(of(served.marks(), "X:SOLUSD")) == 3, 60, "all marks of X:SOLUSD", 0.1)
    assert served.asked() == asked | {"X:SOLUSD": 3}
    for symbol in ("KO", "X:ETHUSD", "X:BTCUSD"):
        assert of(served.marks(), symbol) == of(marks, symbol)
    taken = line.events_logged("symbols_taken")[-1]
    assert (taken["symbols"], taken["added"], taken["removed"]) == (3, 1, 1)
    assert served.service.metric("marketflow_ingest_symbols") == 3


def test_what_is_added_has_the_new_key(line: Line, path: Path, other_key: str) -> None:
    """N52: symbols and key change in one go. Of so many some ask while others are still being added."""
    served = Served(line, path, "X:ETHUSD", **SELDOM, INGEST_DAY_BARS="false", INGEST_PARALLEL="64")
    served.wait_asked(X_ETHUSD=2)
    added = [f"X:{''.join(letters)}USD" for letters in itertools.product("ABCDEFGHIJKLM", repeat=3)]
    served.write("X:ETHUSD", *added)
    write_private(line.parts.simulator.key_file, other_key + "\n")
    served.hang_up()
    wait_for(lambda: len(served.asked()) > 50, 60, "requests of those that were added", 0.05)
    served.service.stop()  # before the provider has the old key again
    assert {request["auth"] for request in line.asked()} <= {"ok", ""}  # none while it is being looked at


def test_what_is_removed_stops_and_may_come_back(line: Line, path: Path) -> None:
    """It goes on where it was: nothing of it is published twice."""
    served = Served(line, path, "X:ETHUSD", "X:BTCUSD", **OFTEN)
    wait_for(lambda: len(of(served.marks(), "X:BTCUSD")) == 3, 60, "its marks", 0.1)
    served.write("X:ETHUSD")
    served.hang_up()
    after = served.asked()
    served.wait_asked(X_ETHUSD=after["X:ETHUSD"] + 30)
    assert served.asked()["X:BTCUSD"] == after["X:BTCUSD"]
    served.write("X:ETHUSD", "X:BTCUSD")
    served.hang_up()
    served.wait_asked(X_BTCUSD=after["X:BTCUSD"] + 10)
    events = Counter(m.event["event_id"] for m in line.messages("RAW") if "interval" in m.event)
    assert set(events.values()) == {1}


@pytest.mark.parametrize(
    "content",
    ["symbol\nX:ETHUSD\nA B\n", "ticker\nX:ETHUSD\n", "symbol\n", None],
    ids=["bad", "header", "none", "gone"],
)
def test_a_bad_file_changes_nothing(line: Line, path: Path, content: str | None) -> None:
    """All or nothing: it is reported, and the symbols are asked for as before."""
    line.expected_errors += ["reload_failed", "bad_setting"]
    served = Served(line, path, "X:ETHUSD", "X:BTCUSD", **OFTEN)
    served.wait_asked(X_ETHUSD=5, X_BTCUSD=5)
    taken = len(line.events_logged("symbols_taken"))
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    served.hang_up("failure")
    asked = served.asked()
    served.wait_asked(X_ETHUSD=asked["X:ETHUSD"] + 10, X_BTCUSD=asked["X:BTCUSD"] + 10)
    assert len(line.events_logged("symbols_taken")) == taken
    assert served.service.metric("marketflow_ingest_symbols") == 2
    assert len(line.events_logged("reload_failed")) == 1
    named: list[dict[str, Any]] = line.events_logged("bad_setting")
    assert all(str(path) in entry["msg"] for entry in named)
    assert (content == "symbol\n") == (
        named == []
    )  # a file without symbols is a right one, but there is nothing to do
    served.write("X:ETHUSD", "X:BTCUSD", "X:SOLUSD")
    served.hang_up()
    served.wait_asked(X_SOLUSD=2)
