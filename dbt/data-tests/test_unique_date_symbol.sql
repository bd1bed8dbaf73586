-- SPDX-License-Identifier: Apache-2.0
-- A stock has one row per day in each of the marts of days, and both have the same days.
select
    coalesce(f.symbol, p.symbol) as symbol,
    coalesce(f.trade_date, p.trade_date) as trade_date
from {{ ref('fact_stock_daily') }} as f
full outer join {{ ref('mart_stock_performance') }} as p
    on f.symbol = p.symbol and f.trade_date = p.trade_date
where f.symbol is null or p.symbol is null or f.close_price <> p.close_price
