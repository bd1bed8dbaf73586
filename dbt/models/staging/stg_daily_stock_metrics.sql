-- SPDX-License-Identifier: Apache-2.0
-- A stock's day: the finished, real bar of the preferred series.
select
    symbol,
    trade_date,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    vwap,
    trade_count,
    pre_market_price,
    after_hours_price,
    source,
    adjusted,
    feed_source,
    event_time,
    quality_flag,
    ingest_time,
    loaded_at
from {{ ref('stg_market_data_unified') }}
where bar_interval = '1d' and asset_class = 'stock' and not is_mock and not is_forming
