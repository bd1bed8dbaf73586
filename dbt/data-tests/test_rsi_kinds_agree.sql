-- SPDX-License-Identifier: Apache-2.0
-- Wilder's index, by the processor, and Cutler's, in SQL, go the same way: with enough days they correlate.
select
    count(*) as day_count,
    corr(rsi_14, rsi_14_sma) as correlation
from {{ ref('mart_stock_performance') }}
where rsi_14 is not null and rsi_14_sma is not null
having count(*) >= 100 and corr(rsi_14, rsi_14_sma) < 0.7
