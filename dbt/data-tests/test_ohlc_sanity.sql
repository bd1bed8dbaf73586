-- SPDX-License-Identifier: Apache-2.0
-- The close of a day lies within the range of the year that the mart shows for it.
select
    symbol,
    trade_date
from {{ ref('mart_stock_performance') }}
where cast(close_price as double precision) > high_52w + 0.00000001
    or cast(close_price as double precision) < low_52w - 0.00000001
    or not {{ validate_ohlc('open_price', 'high_price', 'low_price', 'close_price') }}
