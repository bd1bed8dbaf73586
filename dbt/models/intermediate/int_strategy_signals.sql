-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- What three simple strategies would hold after each of polygon's days, decided at its close with nothing later:
-- momentum follows sma_20 and sma_50, mean reversion buys below the lower Bollinger band and sells above the upper one,
-- macd follows the sign of the processor's histogram. 1 long, -1 short, 0 none.
with changed as (
    {{ changed_keys(
        [
            [ref('int_polygon__stock_bars_enriched'), '1 = 1'],
            [ref('int_rolling_metrics'), '1 = 1'],
            [ref('stg_technical_indicators'), "bar_interval = '1d'"]
        ],
        ['symbol', 'trade_date']
    ) }}
)

select
    b.symbol,
    b.trade_date,
    cast(b.open_price as double precision) as open_price,
    cast(b.close_price as double precision) as close_price,
    cast(b.volume as double precision) as volume,
    r.sma_20,
    r.sma_50,
    t.macd_hist,
    case when r.sma_20 > r.sma_50 then 1 when r.sma_20 < r.sma_50 then -1 else 0 end as momentum_position,
    case when r.close_price < r.bb_low then 1 when r.close_price > r.bb_up then -1 else 0 end as mean_reversion_position,
    case when t.macd_hist > 0 then 1 when t.macd_hist < 0 then -1 else 0 end as macd_position,
    greatest(b.loaded_at, coalesce(r.loaded_at, b.loaded_at), coalesce(t.loaded_at, b.loaded_at)) as loaded_at
from {{ ref('int_polygon__stock_bars_enriched') }} as b
inner join changed
    on b.symbol = changed.symbol and b.trade_date = changed.trade_date
left join {{ ref('int_rolling_metrics') }} as r
    on b.symbol = r.symbol and b.trade_date = r.trade_date
left join {{ ref('stg_technical_indicators') }} as t
    on b.symbol = t.symbol and b.trade_date = t.trade_date and t.bar_interval = '1d'
