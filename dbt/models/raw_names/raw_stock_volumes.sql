-- SPDX-License-Identifier: Apache-2.0
-- Daily volumes, every provider and adjustment.
select
    event_id,
    symbol,
    trade_date,
    source,
    adjusted,
    volume,
    vwap,
    trade_count,
    is_mock,
    ingest_time,
    loaded_at
from {{ ref('stg_raw_bars') }}
where bar_interval = '1d' and asset_class = 'stock'
