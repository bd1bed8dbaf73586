-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- Whether the lengths of bars agree on the trend at the end of a symbol's day: the sign of sma_10 - sma_50 of the last
-- bar of each of six lengths, weighted as the processor's mtf_strength is.
with bars as (
    {{ changed_rows(ref('stg_technical_indicators'), ['symbol', 'trade_date']) }}
    where r.bar_interval in ('1m', '5m', '15m', '1h', '4h', '1d')
),

last_bars as (
    select
        b.*,
        max(b.loaded_at) over (partition by b.symbol, b.trade_date) as newest_loaded_at,
        row_number() over (partition by b.symbol, b.trade_date, b.bar_interval order by b.event_time desc) as place_from_end
    from bars as b
),

signed as (
    select
        symbol,
        trade_date,
        bar_interval,
        case bar_interval
            when '1d' then 40 when '4h' then 25 when '1h' then 15 when '15m' then 10 else 5
        end as weight,
        sign(sma_10 - sma_50) as trend,
        newest_loaded_at
    from last_bars
    where place_from_end = 1
)

select
    symbol,
    trade_date,
    cast(max(case when bar_interval = '1m' then trend end) as integer) as trend_1m,
    cast(max(case when bar_interval = '5m' then trend end) as integer) as trend_5m,
    cast(max(case when bar_interval = '15m' then trend end) as integer) as trend_15m,
    cast(max(case when bar_interval = '1h' then trend end) as integer) as trend_1h,
    cast(max(case when bar_interval = '4h' then trend end) as integer) as trend_4h,
    cast(max(case when bar_interval = '1d' then trend end) as integer) as trend_1d,
    cast(count(trend) as bigint) as warm_interval_count,
    cast(100 * {{ safe_divide(
        'sum(cast(weight * trend as double precision))',
        'sum(cast(case when trend is not null then weight end as double precision))'
    ) }} as double precision) as confluence_pct,
    max(newest_loaded_at) as loaded_at
from signed
group by symbol, trade_date
