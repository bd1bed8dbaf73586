-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A stock's day of prices and volume, with how much of it the minutes show.
with days as (
    {{ changed_rows(ref('int_stock_metrics'), ['symbol', 'trade_date']) }}
)

select
    {{ surrogate_key(['symbol', 'trade_date']) }} as stock_day_key,
    {{ surrogate_key(['symbol']) }} as stock_key,
    symbol,
    trade_date,
    open_price,
    high_price,
    low_price,
    close_price,
    pre_market_price,
    after_hours_price,
    volume,
    vwap,
    trade_count,
    {{ rounded('dollar_volume') }} as dollar_volume,
    minute_bar_count,
    hour_count,
    source,
    quality_flag,
    loaded_at
from days
