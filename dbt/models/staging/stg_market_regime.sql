-- SPDX-License-Identifier: Apache-2.0
-- Trend, range or volatile for every bar that has the statistics: by direction index and share of true range in the
-- price, with the thresholds of regime_thresholds. The processor's own market_regime, which also remembers the bar
-- before, is beside it.
with thresholds as (
    select
        max(case when threshold_name = 'adx_trend' then threshold_value end) as adx_trend,
        max(case when threshold_name = 'atr_pct_volatile' then threshold_value end) as atr_pct_volatile,
        max(case when threshold_name = 'atr_pct_calm' then threshold_value end) as atr_pct_calm
    from {{ ref('regime_thresholds') }}
)

select
    t.symbol,
    t.bar_interval,
    t.event_time,
    t.trade_date,
    t.adx_14,
    t.plus_di_14,
    t.minus_di_14,
    100 * t.atr_14 / cast(t.close_price as double precision) as atr_pct,
    case
        when t.adx_14 > thresholds.adx_trend and t.plus_di_14 > t.minus_di_14 then 'trend_up'
        when t.adx_14 > thresholds.adx_trend then 'trend_down'
        when 100 * t.atr_14 / cast(t.close_price as double precision) > thresholds.atr_pct_volatile then 'volatile'
        else 'range'
    end as regime,
    case
        when 100 * t.atr_14 / cast(t.close_price as double precision) > thresholds.atr_pct_volatile then 'high'
        when 100 * t.atr_14 / cast(t.close_price as double precision) < thresholds.atr_pct_calm then 'low'
        else 'medium'
    end as volatility_level,
    t.market_regime,
    t.loaded_at
from {{ ref('stg_technical_indicators') }} as t
cross join thresholds
where t.adx_14 is not null and t.atr_14 is not null
