-- SPDX-License-Identifier: Apache-2.0
-- Every quarter hour with a signal has a minute bar of the unified series in it.
select
    s.symbol,
    s.window_start
from {{ ref('mart_realtime_signals') }} as s
left join {{ ref('stg_market_data_unified') }} as b
    on s.symbol = b.symbol and b.bar_interval = '1m' and s.last_bar_time = b.event_time and s.trade_date = b.trade_date
where b.symbol is null or b.is_mock or b.is_forming or b.close_price <> s.close_price
