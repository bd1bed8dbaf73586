-- SPDX-License-Identifier: Apache-2.0
select *
from {{ ref('stg_raw_symbols') }}
