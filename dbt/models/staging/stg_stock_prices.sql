-- SPDX-License-Identifier: Apache-2.0
-- Daily prices of stocks, one row per symbol and day.
select
    symbol,
    trade_date,
    open_price,
    high_price,
    low_price,
    close_price,
    pre_market_price,
    after_hours_price,
    source,
    quality_flag,
    loaded_at
from {{ ref('stg_daily_stock_metrics') }}
