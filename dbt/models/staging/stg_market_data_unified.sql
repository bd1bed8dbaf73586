-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'bar_interval', 'trade_date'],
        indexes=[
            {'columns': ['symbol', 'bar_interval', 'trade_date']},
            {'columns': ['symbol', 'bar_interval', 'event_time'], 'unique': true},
            {'columns': ['bar_interval', 'loaded_at']},
            {'columns': ['loaded_at']}
        ]
    )
}}
-- One bar per symbol, interval and time out of all series that have it: a real one before an invented one, a finished
-- one before a forming one, a provider's own before one made of shorter bars, then by provider_priority. A bar that was taken from another series since then carries the
-- newest load of all candidates, so that what is built on it notices.
with bars as (
    {{ changed_rows(ref('stg_raw_bars'), ['symbol', 'bar_interval', 'trade_date']) }}
),

ranked as (
    select
        b.*,
        max(b.loaded_at) over (partition by b.symbol, b.bar_interval, b.event_time) as newest_loaded_at,
        count(*) over (partition by b.symbol, b.bar_interval, b.event_time) as candidate_count,
        row_number() over (
            partition by b.symbol, b.bar_interval, b.event_time
            order by
                b.is_mock,
                b.is_forming,
                case when b.parent_source is null then 0 else 1 end,
                coalesce(p.priority, 1000),
                b.ingest_time desc,
                b.event_id
        ) as preference
    from bars as b
    left join {{ ref('provider_priority') }} as p
        on coalesce(b.parent_source, b.source) = p.source and b.adjusted = p.adjusted
)

select
    event_id,
    symbol,
    asset_class,
    bar_interval,
    event_time,
    window_end,
    trade_date,
    session_kind,
    source,
    adjusted,
    coalesce(parent_source, source) as feed_source,
    lane,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    vwap,
    trade_count,
    pre_market_price,
    after_hours_price,
    revision,
    cast(candidate_count as bigint) as candidate_count,
    is_mock,
    is_forming,
    parent_source is not null as is_derived,
    revision > 0 as is_corrected,
    lane = 'live' and {{ seconds_between('window_end', 'ingest_time') }} > 3600 * {{ late_grace_hours() }} as is_late_arrival,
    case
        when is_mock then 'mock'
        when is_forming then 'forming'
        when volume = 0 then 'no_volume'
        when lane = 'live' and {{ seconds_between('window_end', 'ingest_time') }} > 3600 * {{ late_grace_hours() }} then 'late'
        when revision > 0 then 'corrected'
        when parent_source is not null then 'derived'
        else 'ok'
    end as quality_flag,
    ingest_time,
    newest_loaded_at as loaded_at
from ranked
where preference = 1
