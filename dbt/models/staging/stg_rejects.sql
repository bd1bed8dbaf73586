-- SPDX-License-Identifier: Apache-2.0
-- What could not be typed, of every RAW table: visible here and counted by a test, not left out in silence.
select
    'raw_bars' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_bars') }}
where is_reject

union all

select
    'raw_option_bars' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_option_bars') }}
where is_reject and is_current

union all

select
    'raw_news' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_news') }}
where is_reject

union all

select
    'raw_alerts' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_alerts') }}
where is_reject

union all

select
    'raw_metrics' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_metrics') }}
where is_reject

union all

select
    'raw_symbols' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_symbols') }}
where is_reject

union all

select
    'raw_corporate_actions' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_corporate_actions') }}
where is_reject

union all

select
    'raw_feed_status' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_feed_status') }}
where is_reject

union all

select
    'raw_dead_letters' as source_table,
    {{ event_columns() | join(',\n    ') }},
    reject_reason
from {{ ref('base_dead_letters') }}
where is_reject
