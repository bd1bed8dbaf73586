-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- Statistics over windows of a stock's days, as docs/indicators.md defines them; null until a window is full. A row's
-- loaded_at is the newest of its longest window: a correction shows in every row that it reaches.
{% set over = 'partition by symbol order by trade_date' %}
with history as (
    {{ window_history(ref('int_daily_returns'), 254) }}
),

measured as (
    select
        history.*,
        cast(close_price as double precision) as close_value,
        cast(volume as double precision) as volume_value
    from history
),

windows as (
    select
        symbol,
        trade_date,
        close_value,
        volume_value,
        daily_return,
        is_affected,
        cast(count(*) {{ frame(over, 252) }} as bigint) as days_252,
        {{ calculate_sma('close_value', over, 5) }} as sma_5,
        {{ calculate_sma('close_value', over, 10) }} as sma_10,
        {{ calculate_sma('close_value', over, 20) }} as sma_20,
        {{ calculate_sma('close_value', over, 50) }} as sma_50,
        {{ calculate_sma('close_value', over, 200) }} as sma_200,
        {{ calculate_rsi('price_change', over, 14) }} as rsi_14_sma,
        {{ calculate_atr('true_range', over, 14) }} as atr_14_sma,
        {{ rolling_stddev('daily_return', over, 20) }} as volatility_20,
        {{ realised_vol('daily_return', over, 20) }} as volatility_ann_pct,
        {{ calculate_bbands_upper('close_value', over) }} as bb_up,
        {{ calculate_bbands_lower('close_value', over) }} as bb_low,
        case
            when count(volume_value) over ({{ over }} rows between 20 preceding and 1 preceding) >= 20
                then avg(volume_value) over ({{ over }} rows between 20 preceding and 1 preceding)
        end as volume_mean_20_days,
        case
            when count(*) {{ frame(over, 252) }} >= 252 then max(cast(high_price as double precision)) {{ frame(over, 252) }}
        end as high_52w,
        case
            when count(*) {{ frame(over, 252) }} >= 252 then min(cast(low_price as double precision)) {{ frame(over, 252) }}
        end as low_52w,
        case
            when count(*) {{ frame(over, 11) }} >= 11 then close_value - lag(close_value, 10) over ({{ over }})
        end as momentum_10,
        max(loaded_at) {{ frame(over, 254) }} as loaded_at
    from measured
),

states as (
    select
        windows.*,
        {{ trend_state('sma_5', 'sma_20') }} as trend_5_20,
        {{ trend_state('sma_20', 'sma_50') }} as trend_20_50,
        {{ trend_state('sma_50', 'sma_200') }} as trend_50_200
    from windows
),

crossed as (
    select
        states.*,
        lag(trend_5_20) over ({{ over }}) as previous_5_20,
        lag(trend_20_50) over ({{ over }}) as previous_20_50,
        lag(trend_50_200) over ({{ over }}) as previous_50_200
    from states
)

select
    symbol,
    trade_date,
    close_value as close_price,
    days_252,
    trend_5_20,
    trend_20_50,
    trend_50_200,
    {{ ma_cross_signal('trend_5_20', 'previous_5_20') }} as cross_5_20,
    {{ ma_cross_signal('trend_20_50', 'previous_20_50') }} as cross_20_50,
    {{ ma_cross_signal('trend_50_200', 'previous_50_200') }} as cross_50_200,
    sma_5,
    sma_10,
    sma_20,
    sma_50,
    sma_200,
    rsi_14_sma,
    atr_14_sma,
    volatility_20,
    volatility_ann_pct,
    bb_up,
    bb_low,
    volume_mean_20_days,
    {{ safe_divide('volume_value', 'volume_mean_20_days') }} as rel_volume_20_days,
    high_52w,
    low_52w,
    100 * {{ safe_divide('close_value - low_52w', 'high_52w - low_52w') }} as position_52w_pct,
    momentum_10,
    100 * {{ safe_divide('momentum_10', 'close_value - momentum_10') }} as roc_10,
    loaded_at
from crossed
where is_affected
