-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['trade_date'],
        indexes=[{'columns': ['trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- How long live bars took, by trading date, provider and length: from a bar's end to the ingestor, and from there to
-- the warehouse. Bars that came more than late_grace_hours after their end are counted as late, not left out.
with live_bars as (
    {{ changed_rows(ref('stg_raw_bars'), ['trade_date'], "r.lane = 'live' and not r.is_mock") }}
),

affected as (
    select
        trade_date,
        source,
        bar_interval,
        {{ seconds_between('window_end', 'ingest_time') }} as ingest_lag_s,
        {{ seconds_between('ingest_time', 'loaded_at') }} as load_lag_s,
        loaded_at
    from live_bars
)

select
    trade_date,
    source,
    bar_interval,
    cast(count(*) as bigint) as bar_count,
    cast(sum(case when ingest_lag_s > 3600 * {{ late_grace_hours() }} then 1 else 0 end) as bigint) as late_bar_count,
    cast(percentile_cont(0.5) within group (order by ingest_lag_s) as double precision) as ingest_lag_p50_s,
    cast(percentile_cont(0.95) within group (order by ingest_lag_s) as double precision) as ingest_lag_p95_s,
    max(ingest_lag_s) as ingest_lag_max_s,
    cast(percentile_cont(0.5) within group (order by load_lag_s) as double precision) as load_lag_p50_s,
    cast(percentile_cont(0.95) within group (order by load_lag_s) as double precision) as load_lag_p95_s,
    max(load_lag_s) as load_lag_max_s,
    max(loaded_at) as loaded_at
from affected
group by trade_date, source, bar_interval
