-- SPDX-License-Identifier: Apache-2.0
-- Statistics of minute bars at the ends of quarter hours, every series: what a window of fifteen minutes amounts to.
select *
from {{ ref('stg_raw_metrics') }}
where bar_interval = '1m' and cast(extract(minute from event_time) as integer) in (14, 29, 44, 59)
