-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A symbol's quarter hour with what it says: momentum, volatility, volume, and one sentence for people and language
-- models. A multi-signal is momentum and raised volatility at the end of a quarter hour with a volume spike in any
-- minute of it.
with windows as (
    {{ changed_rows(ref('int_realtime_enriched'), ['symbol', 'trade_date']) }}
),

thresholds as (
    select
        max(case when threshold_name = 'momentum_rsi_high' then threshold_value end) as rsi_high,
        max(case when threshold_name = 'momentum_rsi_low' then threshold_value end) as rsi_low
    from {{ ref('regime_thresholds') }}
),

judged as (
    select
        windows.*,
        thresholds.rsi_high,
        thresholds.rsi_low,
        coalesce(
            momentum_signal in ('BULLISH', 'BEARISH') and volatility_regime in ('ELEVATED', 'HIGH') and is_volume_spike,
            false
        ) as is_multi_signal
    from windows
    cross join thresholds
)

select
    symbol,
    asset_class,
    trade_date,
    window_start,
    last_bar_time,
    session_kind,
    close_price,
    bar_count,
    window_volume,
    {{ rounded('price_change_15') }} as price_change_15,
    momentum_signal,
    volatility_regime,
    {{ rounded('volatility_15m') }} as volatility_15m,
    {{ rounded('max_volume_z') }} as max_volume_z,
    coalesce(is_volume_spike, false) as is_volume_spike,
    {{ rounded('rsi_14') }} as rsi_14,
    {{ rounded('vwap_dev_pct') }} as vwap_dev_pct,
    {{ rounded('mtf_strength') }} as mtf_strength,
    is_multi_signal,
    {{ signal_summary() }} as signal_summary,
    loaded_at
from judged
