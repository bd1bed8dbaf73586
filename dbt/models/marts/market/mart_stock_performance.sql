-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A stock's day: prices, returns, means, indices, bands, crosses and the range of a year.
with changed as (
    {{ changed_keys(
        [[ref('int_rolling_metrics'), '1 = 1'], [ref('stg_technical_indicators'), "bar_interval = '1d'"]],
        ['symbol', 'trade_date']
    ) }}
),

thresholds as (
    select
        max(case when threshold_name = 'momentum_rsi_high' then threshold_value end) as rsi_high,
        max(case when threshold_name = 'momentum_rsi_low' then threshold_value end) as rsi_low
    from {{ ref('regime_thresholds') }}
)

select
    d.symbol,
    d.trade_date,
    d.open_price,
    d.high_price,
    d.low_price,
    d.close_price,
    d.volume,
    d.source,
    d.quality_flag,
    {{ rounded('d.dollar_volume') }} as dollar_volume,
    {{ rounded('100 * d.daily_return') }} as daily_return_pct,
    {{ rounded('100 * d.overnight_gap') }} as overnight_gap_pct,
    {{ rounded('100 * d.intraday_range') }} as intraday_range_pct,
    {{ rounded('r.sma_5') }} as sma_5,
    {{ rounded('r.sma_10') }} as sma_10,
    {{ rounded('r.sma_20') }} as sma_20,
    {{ rounded('r.sma_50') }} as sma_50,
    {{ rounded('r.sma_200') }} as sma_200,
    {{ rounded('r.rsi_14_sma') }} as rsi_14_sma,
    {{ rounded('t.rsi_14') }} as rsi_14,
    {{ rounded('t.macd_hist') }} as macd_hist,
    {{ rounded('r.volatility_ann_pct') }} as volatility_ann_pct,
    {{ rounded('r.bb_up') }} as bb_up,
    {{ rounded('r.bb_low') }} as bb_low,
    {{ rounded('r.rel_volume_20_days') }} as rel_volume_20_days,
    {{ rounded('r.high_52w') }} as high_52w,
    {{ rounded('r.low_52w') }} as low_52w,
    {{ rounded('r.position_52w_pct') }} as position_52w_pct,
    r.trend_5_20,
    r.trend_20_50,
    r.trend_50_200,
    r.cross_5_20,
    r.cross_20_50,
    r.cross_50_200,
    case
        when coalesce(t.rsi_14, r.rsi_14_sma) >= thresholds.rsi_high then 'overbought'
        when coalesce(t.rsi_14, r.rsi_14_sma) <= thresholds.rsi_low then 'oversold'
        when coalesce(t.rsi_14, r.rsi_14_sma) is not null then 'neutral'
    end as rsi_signal,
    greatest(r.loaded_at, coalesce(t.loaded_at, r.loaded_at)) as loaded_at
from {{ ref('int_daily_returns') }} as d
inner join changed
    on d.symbol = changed.symbol and d.trade_date = changed.trade_date
inner join {{ ref('int_rolling_metrics') }} as r
    on d.symbol = r.symbol and d.trade_date = r.trade_date
left join {{ ref('stg_technical_indicators') }} as t
    on d.symbol = t.symbol and d.trade_date = t.trade_date and t.bar_interval = '1d'
cross join thresholds
