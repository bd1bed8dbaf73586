-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- How much a stock moves: true range, deviation of returns over three lengths, Parkinson's measure of highs and lows,
-- where today's range lies among a year of them, and how far the close is below the year's highest.
{% set over = 'partition by symbol order by trade_date' %}
with history as (
    {{ window_history(ref('int_daily_returns'), 252) }}
),

windows as (
    select
        symbol,
        trade_date,
        is_affected,
        cast(close_price as double precision) as close_value,
        {{ calculate_atr('true_range', over, 14) }} as atr_14_sma,
        {{ realised_vol('daily_return', over, 10) }} as volatility_10_ann_pct,
        {{ realised_vol('daily_return', over, 20) }} as volatility_20_ann_pct,
        {{ realised_vol('daily_return', over, 60) }} as volatility_60_ann_pct,
        {{ calculate_sma('power(ln(cast(high_price as double precision) / cast(low_price as double precision)), 2)', over, 20) }}
            as mean_log_range_squared,
        max(intraday_range) {{ frame(over, 252) }} as widest_range_252,
        min(intraday_range) {{ frame(over, 252) }} as narrowest_range_252,
        100 * ({{ drawdown('cast(close_price as double precision)', over, 252) }}) as drawdown_252_pct,
        intraday_range,
        max(loaded_at) {{ frame(over, 252) }} as loaded_at
    from history
)

select
    symbol,
    trade_date,
    atr_14_sma,
    100 * atr_14_sma / close_value as atr_pct_14_sma,
    volatility_10_ann_pct,
    volatility_20_ann_pct,
    volatility_60_ann_pct,
    {{ safe_divide('volatility_10_ann_pct', 'volatility_60_ann_pct') }} as volatility_ratio_10_60,
    100 * sqrt(cast(252 as double precision)) * sqrt(mean_log_range_squared / (4 * ln(cast(2 as double precision)))) as parkinson_20_ann_pct,
    100 * {{ safe_divide('intraday_range - narrowest_range_252', 'widest_range_252 - narrowest_range_252') }}
        as range_position_252_pct,
    drawdown_252_pct,
    loaded_at
from windows
where is_affected
