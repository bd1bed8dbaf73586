-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A symbol's minute with the processor's statistics.
with affected as (
    {{ changed_rows(ref('stg_technical_indicators'), ['symbol', 'trade_date'], "r.bar_interval = '1m'") }}
)

select
    symbol,
    asset_class,
    event_time,
    trade_date,
    session_kind,
    source,
    close_price,
    volume,
    n_obs,
    is_warmup,
    ret_1,
    volume_z_20,
    rel_volume_20,
    volatility_ann_pct,
    rsi_14,
    macd_hist,
    vwap_session,
    vwap_dev_pct,
    bb_up,
    bb_low,
    ma_15m,
    ma_1h,
    volatility_15m,
    vol_regime,
    mtf_strength,
    loaded_at
from affected
