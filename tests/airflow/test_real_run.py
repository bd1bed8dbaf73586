# SPDX-License-Identifier: Apache-2.0
"""Airflow runs the DAGs: a day from the simulator to tested marts by assets, holidays, repeats, failures and their
alerts.

The tests build on each other's rows and run in this order.
"""

from __future__ import annotations

import pytest
from airflow_line import SYMBOLS, TOKEN, AirflowLine
from fixtures import CANARY
from mflocal import wait_for

DAY = "2012-07-05"
HOLIDAY = "2012-07-04"
INGEST, LOAD, BUILD, TEST = (
    "polygon_stocks_ingest_daily",
    "polygon_stocks_load",
    "dbt_build_daily",
    "dbt_test",
)
CHAIN = (LOAD, BUILD, TEST)


@pytest.fixture(scope="session")
def chain(running: AirflowLine) -> AirflowLine:
    """The first day, all the way: what the other tests stand on."""
    running.unpause(LOAD, TEST)
    running.unpause_without_missed_run(BUILD)
    running.unpause_without_missed_run(INGEST)
    run_id, states = running.run(INGEST, day=DAY, symbols=SYMBOLS)
    # Two groups, day and minute.
    assert [states[f"ingest[{number}]"] for number in range(4)] == ["success"] * 4
    told = running.result(INGEST, run_id, "publish_manifests")
    assert (told["day"], len(told["manifests"])) == (DAY, 4)
    assert told["events"] > 300
    for dag_id in CHAIN:
        running.wait_asset_run(dag_id, 0)
    return running


def marts(running: AirflowLine, table: str, where: str = "true") -> int:
    return running.line.number(f"SELECT count(*) FROM marts_market.{table} WHERE {where}")


def history(running: AirflowLine) -> int:
    """Bars that the DAGs have brought; a coin is followed live beside them."""
    return running.line.count("raw_bars", "lane <> 'live'")


def test_an_ingest_reaches_the_marts_by_assets(chain: AirflowLine) -> None:
    assert marts(chain, "fact_stock_daily", f"symbol IN ('AAPL', 'IBM') AND trade_date = '{DAY}'") == 2
    assert marts(chain, "mart_stock_performance", f"symbol = 'IBM' AND trade_date = '{DAY}'") == 1
    assert marts(chain, "dim_stocks") >= 2
    load = chain.triggered_by_asset(LOAD)[0]["dag_run_id"]
    counted = chain.result(LOAD, load, "verify_counts")
    assert counted["manifests"] == 4
    assert counted["published"] == counted["rows"] + counted["dead_letters"] > 300
    assert counted["not_counted"] == 0


def test_what_dbt_did_and_found_is_in_the_warehouse(chain: AirflowLine) -> None:
    by_command = {
        command: int(count)
        for command, count in chain.line.query("SELECT command, count(*) FROM ops.dbt_run_results GROUP BY 1")
    }
    assert {"build", "run", "snapshot", "test"} <= by_command.keys()
    bad = chain.line.query(
        "SELECT name, status, message FROM ops.dbt_run_results WHERE status IN ('fail', 'error')"
    )
    assert bad == []
    assert chain.line.number("SELECT count(*) FROM ops.dq_results WHERE tool = 'dbt_source_freshness'") > 0


def test_the_same_day_again_asks_for_nothing_and_changes_nothing(chain: AirflowLine) -> None:
    chain.settle(INGEST, *CHAIN)
    rows, loads = history(chain), len(chain.triggered_by_asset(LOAD))
    chain.pause(BUILD)
    chain.simulator.forget_requests()
    _, states = chain.run(INGEST, day=DAY, symbols=SYMBOLS)
    assert states["ingest[0]"] == "success"
    assert chain.asked() == []
    counted = chain.wait_asset_run(LOAD, loads)
    assert counted["verify_counts"] == "success"
    assert history(chain) == rows


def test_a_holiday_brings_nothing_and_succeeds(chain: AirflowLine) -> None:
    chain.settle(INGEST, *CHAIN)
    rows, loads = history(chain), len(chain.triggered_by_asset(LOAD))
    chain.unpause(BUILD)
    chain.settle(*CHAIN)
    builds, tests = len(chain.triggered_by_asset(BUILD)), len(chain.triggered_by_asset(TEST))
    chain.simulator.forget_requests()
    run_id, states = chain.run(INGEST, day=HOLIDAY, symbols=SYMBOLS)
    assert states["ingest"] == "skipped"
    assert chain.result(INGEST, run_id, "publish_manifests")["events"] == 0
    assert chain.asked() == []
    assert chain.wait_asset_run(LOAD, loads)["verify_counts"] == "success"
    chain.wait_asset_run(BUILD, builds)
    chain.wait_asset_run(TEST, tests)
    assert history(chain) == rows


def test_a_failing_dbt_test_is_recorded_and_told(chain: AirflowLine) -> None:
    chain.settle(INGEST, *CHAIN)
    chain.pause(BUILD)
    chain.webhook.received.clear()
    table = "marts_market.fact_stock_daily"
    chain.line.query(f"INSERT INTO {table} SELECT * FROM {table} WHERE symbol = 'IBM'")
    _, states = chain.run(TEST, "failed")
    same = "a.stock_day_key = b.stock_day_key AND a.ctid > b.ctid"
    chain.line.query(f"DELETE FROM {table} a USING {table} b WHERE {same}")
    assert (states["test"], states["load_results"], states["verdict"]) == ("success", "success", "failed")
    failed = chain.line.query(
        "SELECT name, severity, failures FROM ops.dbt_run_results WHERE status = 'fail' AND command = 'test'"
    )
    assert failed
    assert all(severity.lower() == "error" and int(count) > 0 for _, severity, count in failed)
    told = [message for message in chain.webhook.received if message["dag_id"] == TEST]
    assert [message["task_id"] for message in told] == ["verdict"]
    assert failed[0][0] in told[0]["message"]
    chain.run(TEST)  # mended


def test_a_wrong_parameter_is_told_and_not_tried_again(chain: AirflowLine) -> None:
    chain.webhook.received.clear()
    chain.unpause("polygon_stocks_ingest_backfill")
    run_id, states = chain.run(
        "polygon_stocks_ingest_backfill", "failed", start="2024-07-08", end="2024-07-01"
    )
    assert states["plan"] == "failed"
    (told,) = chain.webhook.received
    assert (told["error"], told["try_number"], told["run_id"]) == ("AirflowFailException", 1, run_id)
    assert "end 2024-07-01 is before start 2024-07-08" in told["message"]


def test_options_are_ingested_loaded_and_counted(chain: AirflowLine) -> None:
    chain.unpause("polygon_options_load")
    chain.unpause("polygon_options_ingest_backfill")
    run_id, _ = chain.run(
        "polygon_options_ingest_backfill", start="2024-07-01", end="2024-07-02", symbols="KO"
    )
    assert chain.result("polygon_options_ingest_backfill", run_id, "publish_manifests")["events"] > 10
    chain.wait_asset_run("polygon_options_load", 0)
    load = chain.triggered_by_asset("polygon_options_load")[0]["dag_run_id"]
    counted = chain.result("polygon_options_load", load, "verify_counts")
    assert counted["rows"] == counted["published"] > 10


def test_the_batch_pipeline_takes_a_day_with_one_request(chain: AirflowLine) -> None:
    chain.simulator.forget_requests()
    chain.unpause_without_missed_run("stock_market_batch_pipeline")
    run_id, _ = chain.run("stock_market_batch_pipeline", day="2012-07-09", symbols=SYMBOLS)
    assert len(chain.asked("/v2/aggs/grouped")) == 1
    counted = chain.result("stock_market_batch_pipeline", run_id, "verify_counts")
    assert (counted["published"], counted["not_counted"]) == (3, 0)
    assert chain.line.count("raw_bars", "symbol = 'KO' AND payload ->> 'session_date' = '2012-07-09'") >= 1


def test_the_streams_health_and_parity(chain: AirflowLine) -> None:
    run_id = chain.trigger("stream_to_snowflake", parity=True)
    chain.unpause("stream_to_snowflake")
    states = chain.wait_run("stream_to_snowflake", run_id)
    chain.pause("stream_to_snowflake")
    assert (states["healthy"], states["offsets_parity"]) == ("success", "success")
    assert (states["restart_sink"], states["unhealthy"]) == ("skipped", "skipped")
    assert chain.result("stream_to_snowflake", run_id, "look")["healthy"] is True


def test_a_dead_sink_is_told_and_then_started_again(chain: AirflowLine) -> None:
    """The first look tells, a later one runs the hook. Looks come by the clock as well, so no run is waited for by its
    name."""
    dag_id = "stream_to_snowflake"
    chain.webhook.received.clear()
    chain.sink.stop()
    chain.trigger(dag_id, parity=False)
    chain.unpause(dag_id)
    (told, *_) = wait_for(lambda: chain.webhook.received, 600, "an alert", 0.5)
    assert (told["task_id"], told["message"]) == ("unhealthy", "the sink does not answer")

    chain.age_last_look()
    chain.trigger(dag_id, parity=False)
    chain.restarts.serve(chain.sink)

    def recovered() -> list[str]:
        found = [
            chain.states(dag_id, run["dag_run_id"]) for run in chain.runs(dag_id) if run["state"] == "success"
        ]
        return [states["unhealthy"] for states in found if states.get("sink_is_back") == "success"]

    assert wait_for(recovered, 300, "the run that has started the sink", 1) == ["skipped"]
    chain.pause(dag_id)
    restarted = [message for message in chain.webhook.received if message["kind"] == "restarted"]
    assert [message["problems"] for message in restarted] == [["the sink does not answer"]]


def test_maintenance_and_the_hourly_refresh(chain: AirflowLine) -> None:
    for dag_id in ("warehouse_maintenance", "realtime_marts_refresh"):
        run_id = chain.trigger(dag_id)
        chain.unpause(dag_id)
        chain.wait_run(dag_id, run_id)
        chain.pause(dag_id)
    stale = chain.line.number(
        "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = 'raw' AND last_vacuum IS NULL"
    )
    assert stale == 0


def test_the_pipelines_in_other_shapes(chain: AirflowLine) -> None:
    """All at once: the pools keep them apart where they must not meet."""
    chain.settle(INGEST, *CHAIN)
    wanted = {
        "daily_market_data_pipeline": {"day": "2012-07-10", "symbols": SYMBOLS, "timespans": "day"},
        "ingestion_polygon_to_kafka": {"day": "2012-07-11", "symbols": "KO"},
        "stock_streaming_pipeline": {},
        "stock_etl_pipeline": {},
        "polygon_options_ingest_daily": {"day": "2024-07-03", "symbols": "KO"},
        "dbt_build": {},
    }
    runs = {dag_id: chain.trigger(dag_id, **conf) for dag_id, conf in wanted.items()}
    for dag_id in wanted:
        chain.unpause(dag_id)
    ended = {dag_id: chain.wait_run(dag_id, run_id) for dag_id, run_id in runs.items()}
    for dag_id in wanted:
        chain.pause(dag_id)
    assert ended["daily_market_data_pipeline"]["refresh"] == "success"
    assert ended["stock_etl_pipeline"]["generate_alerts"] == "success"
    day = "symbol = 'IBM' AND trade_date = '2012-07-10'"
    assert marts(chain, "fact_stock_daily", day) == 1


def test_no_secret_is_left_anywhere(chain: AirflowLine) -> None:
    """Keys, passwords and the webhook's token are in no log, database or artifact of Airflow's or dbt's."""
    for message in chain.webhook.received:
        assert TOKEN not in str(message)
    assert chain.secrets_left(CANARY, TOKEN, chain.password()) == []
