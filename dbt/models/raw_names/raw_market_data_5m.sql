-- SPDX-License-Identifier: Apache-2.0
select *
from {{ ref('stg_raw_bars') }}
where bar_interval = '5m'
