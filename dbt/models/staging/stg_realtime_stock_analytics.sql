-- SPDX-License-Identifier: Apache-2.0
-- Quarter hours of the preferred series of every symbol: its bar of fifteen minutes with the processor's statistics of it.
select
    symbol,
    asset_class,
    event_time as window_start,
    trade_date,
    session_kind,
    source,
    adjusted,
    close_price,
    volume,
    ret_1,
    rel_volume_20,
    volume_z_20,
    volatility_ann_pct,
    rsi_14,
    macd_hist,
    vwap_session,
    vwap_dev_pct,
    market_regime,
    loaded_at
from {{ ref('stg_technical_indicators') }}
where bar_interval = '15m'
