-- SPDX-License-Identifier: Apache-2.0
-- Daily volumes of stocks, one row per symbol and day.
select
    symbol,
    trade_date,
    volume,
    vwap,
    trade_count,
    source,
    quality_flag,
    loaded_at
from {{ ref('stg_daily_stock_metrics') }}
