-- SPDX-License-Identifier: Apache-2.0
-- Daily prices, every provider and adjustment.
select
    event_id,
    symbol,
    trade_date,
    source,
    adjusted,
    open_price,
    high_price,
    low_price,
    close_price,
    pre_market_price,
    after_hours_price,
    is_mock,
    ingest_time,
    loaded_at
from {{ ref('stg_raw_bars') }}
where bar_interval = '1d' and asset_class = 'stock'
