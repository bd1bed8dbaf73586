-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- Prices and volumes of a stock's day together, with how much of the day its hours show.
with changed as (
    {{ changed_keys(
        [[ref('stg_daily_stock_metrics'), '1 = 1'], [ref('int_stock_daily_agg'), '1 = 1']], ['symbol', 'trade_date']
    ) }}
),

hours as (
    select
        a.symbol,
        a.trade_date,
        sum(a.bar_count) as minute_bar_count,
        count(*) as hour_count,
        max(a.loaded_at) as loaded_at
    from {{ ref('int_stock_daily_agg') }} as a
    inner join changed
        on a.symbol = changed.symbol and a.trade_date = changed.trade_date
    group by a.symbol, a.trade_date
)

select
    p.symbol,
    p.trade_date,
    p.open_price,
    p.high_price,
    p.low_price,
    p.close_price,
    p.pre_market_price,
    p.after_hours_price,
    v.volume,
    v.vwap,
    v.trade_count,
    p.source,
    p.quality_flag,
    cast(p.close_price as double precision) * cast(v.volume as double precision) as dollar_volume,
    cast(coalesce(h.minute_bar_count, 0) as bigint) as minute_bar_count,
    cast(coalesce(h.hour_count, 0) as bigint) as hour_count,
    greatest(p.loaded_at, v.loaded_at, coalesce(h.loaded_at, p.loaded_at)) as loaded_at
from {{ ref('stg_stock_prices') }} as p
inner join changed
    on p.symbol = changed.symbol and p.trade_date = changed.trade_date
inner join {{ ref('stg_stock_volumes') }} as v
    on p.symbol = v.symbol and p.trade_date = v.trade_date
left join hours as h
    on p.symbol = h.symbol and p.trade_date = h.trade_date
