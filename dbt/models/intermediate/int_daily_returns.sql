-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- A stock's day against the day before it.
{% set over = 'partition by symbol order by trade_date' %}
with history as (
    {{ window_history(ref('stg_daily_stock_metrics'), 1) }}
),

paired as (
    select
        history.*,
        lag(close_price) over ({{ over }}) as previous_close,
        lag(trade_date) over ({{ over }}) as previous_trade_date,
        greatest(loaded_at, coalesce(lag(loaded_at) over ({{ over }}), loaded_at)) as newest_loaded_at
    from history
)

select
    symbol,
    trade_date,
    previous_trade_date,
    open_price,
    high_price,
    low_price,
    close_price,
    previous_close,
    volume,
    vwap,
    trade_count,
    source,
    adjusted,
    quality_flag,
    cast(close_price as double precision) / cast(previous_close as double precision) - 1 as daily_return,
    ln(cast(close_price as double precision) / cast(previous_close as double precision)) as log_return,
    cast(open_price as double precision) / cast(previous_close as double precision) - 1 as overnight_gap,
    cast(high_price - low_price as double precision) / cast(open_price as double precision) as intraday_range,
    cast(close_price as double precision) / cast(open_price as double precision) - 1 as intraday_return,
    cast(close_price - previous_close as double precision) as price_change,
    cast({{ true_range('high_price', 'low_price', 'coalesce(previous_close, low_price)') }} as double precision) as true_range,
    cast(close_price as double precision) * cast(volume as double precision) as dollar_volume,
    newest_loaded_at as loaded_at
from paired
where is_affected
