# SPDX-License-Identifier: Apache-2.0
"""What the marts say, against what is known of the history in another way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builds import Builds
from history import Row


@pytest.fixture(params=["postgresql", pytest.param("fakesnow", marks=pytest.mark.deep)])
def builds(request: pytest.FixtureRequest) -> Builds:
    found: Builds = request.getfixturevalue(request.param)
    return found


def as_float(value: Any) -> float:
    return float(value["decimal"] if isinstance(value, dict) else value)


def rank(row: Row) -> tuple[Any, ...]:
    """Of what the processor made, the highest revision counts, whatever record caused it; of the same by a backfill and
    live: the bar that was published last, the metric of more bars, the alert of live data."""
    event = row.event
    kind, live = event["event_type"], event["lane"] == "live"
    order: list[Any] = ["is_mock" not in row.flags, "forming" not in row.flags]
    if event["source"] != "processor":
        return (*order, event["ingest_time"], row.revision, row.loaded_ms)
    if kind == "bar":
        order.append(row.offset)
    if kind == "metric":
        order += [not event["warmup"], int(event["n_obs"])]
    return (*order, live, row.revision)


def newest(loads: list[list[Row]], kind: str) -> dict[tuple[str, str], Row]:
    """Of each key the row that counts, found here in another way than in SQL."""
    found: dict[tuple[str, str], Row] = {}
    for row in (row for rows in loads for row in rows if row.event["event_type"] == kind):
        key = (row.event["source"], row.dedupe_key)
        other = found.get(key)
        if other is None or rank(row) > rank(other):
            found[key] = row
    return found


def test_alerts_are_there_once_as_they_stand(builds: Builds, loads: list[list[Row]]) -> None:
    wanted = [row.event for row in newest(loads, "alert").values() if "is_mock" not in row.flags]
    rows = builds.warehouse.rows(
        "select event_id, alert_state, severity, alert_value from marts_market.fact_alerts"
    )
    found = {row[0]: row for row in rows}
    assert len(rows) == len(found) == len({event["event_id"] for event in wanted}) > 100
    for event in wanted:
        assert found[event["event_id"]][1:3] == (event["state"], event["severity"])
        assert float(found[event["event_id"]][3]) == float(event["value"])
    states = {row[1] for row in rows}
    assert states == {"firing", "resolved"}


def test_what_the_processor_made_is_its_last_word(builds: Builds, loads: list[list[Row]]) -> None:
    """Metrics and derived bars with several revisions, and those that a backfill made too."""
    for kind, values in (("metric", ("n_obs", "rsi_14")), ("bar", ("volume", "close"))):
        wanted = {
            key: (row.revision, row.event["lane"], *(row.event.get(name) for name in values))
            for (source, key), row in newest(loads, kind).items()
            if source == "processor"
        }
        columns = {"metric": "n_obs, rsi_14", "bar": "volume, close_price"}[kind]
        rows = builds.warehouse.rows(
            f"select dedupe_key, revision, lane, {columns} from staging.base_{kind}s "
            "where source = 'processor' and not is_reject"
        )
        assert len(rows) == len(wanted) > 100
        for key, revision, lane, *found in rows:
            numbers = [None if value is None else float(value) for value in wanted[key][2:]]
            assert (int(as_float(revision)), lane) == wanted[key][:2], key
            assert [None if value is None else as_float(value) for value in found] == numbers, key
        assert sum(revision > 0 for revision, *_ in wanted.values()) > 20
        assert sum(lane != "live" for _, lane, *_ in wanted.values()) == 3


def test_a_day_that_never_was_is_a_reject(builds: Builds) -> None:
    rows = builds.warehouse.rows("select reject_reason from staging.stg_rejects where symbol = 'NEVER'")
    assert [row[0] for row in rows] == ["not_a_date:list_date"]


def test_daily_bars_are_the_newest_ones(builds: Builds, loads: list[list[Row]]) -> None:
    wanted = {}
    for row in newest(loads, "bar").values():
        event = row.event
        if event["interval"] == "1d" and event["source"] == "polygon":
            wanted[event["symbol"], event["session_date"]] = (float(event["close"]), float(event["volume"]))
    rows = builds.warehouse.rows(
        "select symbol, cast(trade_date as varchar), close_price, volume from marts_market.fact_stock_daily"
    )
    plain = {
        (r[0], str(r[1])[:10]): tuple(float(v["decimal"] if isinstance(v, dict) else v) for v in r[2:])
        for r in rows
    }
    assert len(rows) == 900
    assert plain == wanted


def test_a_signal_is_a_sentence(builds: Builds) -> None:
    rows = builds.warehouse.rows(
        "select symbol, signal_summary, momentum_signal from marts_market.mart_realtime_signals"
    )
    assert len(rows) > 100
    for symbol, text, momentum in rows:
        assert text.startswith(f"{symbol} at ") and text.endswith((".", "look."))
        assert (momentum or "too few").lower() in text
    assert {row[2] for row in rows} >= {"BULLISH", "BEARISH", "NEUTRAL"}


def test_momentum_is_the_processors(builds: Builds) -> None:
    """A momentum alert on the last minute of a quarter hour says what the mart says of it. Not of every one: the
    processor looks at one provider's series, the mart at one that others fill the gaps of."""
    rows = builds.warehouse.rows(
        "select s.momentum_signal, a.direction from marts_market.mart_realtime_signals as s "
        "inner join marts_market.fact_alerts as a on s.symbol = a.symbol and s.last_bar_time = a.event_time "
        "and a.rule_id = 'momentum' and a.bar_interval = '1m' and (a.reason is null or a.reason <> 'corrected') "
        "inner join staging.stg_market_data_unified as u on u.symbol = s.symbol and u.bar_interval = '1m' "
        "and u.event_time = s.last_bar_time and u.feed_source = a.parent_source"
    )
    same = [momentum for momentum, way in rows if momentum == {"up": "BULLISH", "down": "BEARISH"}[way]]
    assert len(rows) >= 4 and len(same) >= 0.75 * len(rows)


def test_late_bars_are_counted(builds: Builds, loads: list[list[Row]]) -> None:
    rows = builds.warehouse.rows("select sum(bar_count) from marts_quality.mart_ingest_lag")
    value = rows[0][0]
    total = int(float(value["decimal"] if isinstance(value, dict) else value))
    live = [
        r for r in newest(loads, "bar").values() if r.event["lane"] == "live" and "is_mock" not in r.flags
    ]
    assert total == len(live)


def test_option_days_know_their_underlying(builds: Builds) -> None:
    rows = builds.warehouse.rows(
        "select moneyness, underlying_close from intermediate.int_polygon__stocks_options_joined"
    )
    assert rows and all(row[1] is not None and row[0] != "unknown" for row in rows)


def test_test_results_reach_the_marts(builds: Builds) -> None:
    """Results in ops, as the loader writes them, are in the history of tests after the next build."""
    rows = builds.warehouse.rows(
        "select status, previous_status, is_latest, failure_count from marts_quality.mart_test_history "
        "order by generated_at"
    )
    assert [list(row) for row in rows] == [
        ["pass", None, False, 0],
        ["fail", "pass", False, 1],
        ["fail", "fail", True, 2],
    ]


def test_the_edges_of_a_day_are_carried(builds: Builds, loads: list[list[Row]]) -> None:
    """What an open-close says of the time before and after the session is in the mart, where its version counts."""
    wanted = {
        (event["symbol"], event["session_date"]): (float(event["pre_market"]), float(event["after_hours"]))
        for event in (row.event for row in newest(loads, "bar").values())
        if "pre_market" in event
    }
    rows = builds.warehouse.rows(
        "select symbol, cast(trade_date as varchar), pre_market_price, after_hours_price "
        "from marts_market.fact_stock_daily where pre_market_price is not null"
    )
    found = {(r[0], str(r[1])[:10]): (as_float(r[2]), as_float(r[3])) for r in rows}
    assert found == wanted and len(wanted) > 10


def test_snapshots_of_contracts_are_kept(builds: Builds, loads: list[list[Row]]) -> None:
    """Every snapshot is there, also where the day's bar was told without one since; a contract's day has the last."""
    told: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    superseded = set()
    for row in (row for rows in loads for row in rows if row.event["event_type"] == "option_bar"):
        event = row.event
        key = (event["contract"]["ticker"], event["session_date"])
        if "snapshot" in event:
            told.setdefault(key, {})[event["snapshot"]["time"]] = event["snapshot"]
        elif event["interval"] == "1d":
            superseded.add(key)
    rows = builds.warehouse.rows(
        "select contract_ticker, cast(trade_date as varchar), vega, open_interest "
        "from staging.stg_polygon__option_snapshots"
    )
    assert len(rows) == sum(len(snapshots) for snapshots in told.values()) == 8 and superseded
    rows = builds.warehouse.rows(
        "select contract_ticker, cast(trade_date as varchar), vega, delta, open_interest, volume "
        "from intermediate.int_polygon__stocks_options_joined as j inner join (select contract_ticker as c, "
        "trade_date as d, volume from intermediate.int_polygon__options_bars_enriched) as e "
        "on e.c = j.contract_ticker and e.d = j.trade_date where snapshot_time is not null"
    )
    found = {(r[0], str(r[1])[:10]): tuple(map(as_float, r[2:])) for r in rows}
    assert found.keys() == told.keys()
    for key, snapshots in told.items():
        last = snapshots[max(snapshots)]
        volume = 41.0 if key in superseded else 40.0
        assert found[key] == (*(float(last[n]) for n in ("vega", "delta", "open_interest")), volume)


def test_snapshots_keep_what_was(builds: Builds) -> None:
    rows = builds.warehouse.rows(
        "select count(*), sum(case when dbt_valid_to < cast('9999-01-01' as timestamp) then 1 else 0 end) "
        "from snapshots.snap_stock_bars"
    )
    total, closed = (int(float(v["decimal"] if isinstance(v, dict) else v)) for v in rows[0])
    assert total - closed == 900 and closed > 0


def test_dbt_says_what_it_did(builds: Builds) -> None:
    """Each build ran everything and all data tests passed but those that warn."""
    for result in builds.results:
        kinds = {name.split(".")[0] for name in result.nodes}
        assert {"base_bars", "mart_daily_summary"} <= kinds
        statuses = {r["status"] for r in result.nodes.values()}
        assert statuses <= {"success", "pass", "warn", "no-op"}, json.dumps(sorted(statuses))


def test_old_rejects_are_no_news(builds: Builds) -> None:
    """There is one, of a load long ago: the test that counts them looks at what was loaded lately."""
    rows = builds.warehouse.rows("select source_table, is_mended from staging.stg_rejects")
    assert [tuple(row) for row in rows] == [("raw_symbols", False)]
    statuses = [r["status"] for name, r in builds.results[-1].nodes.items() if name.startswith("no_rejects.")]
    assert statuses in (["pass"], [])
