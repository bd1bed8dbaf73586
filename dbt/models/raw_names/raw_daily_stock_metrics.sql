-- SPDX-License-Identifier: Apache-2.0
-- Statistics of daily bars, every series.
select *
from {{ ref('stg_raw_metrics') }}
where bar_interval = '1d'
