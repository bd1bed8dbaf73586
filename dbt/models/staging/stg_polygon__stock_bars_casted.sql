-- SPDX-License-Identifier: Apache-2.0
-- Bars of stocks as polygon has them, every interval and adjustment.
select
    event_id,
    symbol,
    bar_interval,
    event_time,
    window_end,
    trade_date,
    session_kind,
    adjusted,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    vwap,
    trade_count,
    pre_market_price,
    after_hours_price,
    is_otc,
    is_mock,
    is_forming,
    revision,
    lane,
    ingest_time,
    loaded_at
from {{ ref('stg_raw_bars') }}
where source = 'polygon' and asset_class = 'stock'
