-- SPDX-License-Identifier: Apache-2.0
-- How old the newest rows of each RAW table are, and what the last freshness check of dbt found.
with tables as (
    select
        'raw_bars' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_bars') }}

    union all

    select
        'raw_option_bars' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_option_bars') }}

    union all

    select
        'raw_news' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_news') }}

    union all

    select
        'raw_alerts' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_alerts') }}

    union all

    select
        'raw_metrics' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_metrics') }}

    union all

    select
        'raw_symbols' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_symbols') }}

    union all

    select
        'raw_corporate_actions' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_corporate_actions') }}

    union all

    select
        'raw_feed_status' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_feed_status') }}

    union all

    select
        'raw_dead_letters' as source_table,
        max(loaded_at) as newest_loaded_at,
        max(event_time) as newest_event_time,
        count(*) as event_count
    from {{ ref('stg_raw_dead_letters') }}
),

checks as (
    select
        target_name,
        status,
        generated_at,
        row_number() over (partition by target_name order by generated_at desc, invocation_id) as place
    from {{ ref('stg_dq_results') }}
    where tool = 'dbt_source_freshness'
)

select
    t.source_table,
    t.newest_loaded_at,
    t.newest_event_time,
    cast(t.event_count as bigint) as event_count,
    {{ seconds_between('t.newest_loaded_at', utc_now()) }} as age_s,
    c.status as last_check_status,
    c.generated_at as last_check_time
from tables as t
left join checks as c
    on c.place = 1 and c.target_name like '%' || t.source_table
