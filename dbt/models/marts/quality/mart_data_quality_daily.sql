-- SPDX-License-Identifier: Apache-2.0
-- What was loaded on each day, by table: how much of it is still the latest of its event, and how much of that is
-- rejected, invented, late or corrected.
with events as (
    select
        'raw_bars' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_bars') }}

    union all

    select
        'raw_option_bars' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_option_bars') }}
    where is_current

    union all

    select
        'raw_news' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_news') }}

    union all

    select
        'raw_alerts' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_alerts') }}

    union all

    select
        'raw_metrics' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_metrics') }}

    union all

    select
        'raw_symbols' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_symbols') }}

    union all

    select
        'raw_corporate_actions' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_corporate_actions') }}

    union all

    select
        'raw_feed_status' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_feed_status') }}

    union all

    select
        'raw_dead_letters' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_dead_letters') }}
)

select
    source_table,
    load_date,
    cast(count(*) as bigint) as event_count,
    cast(sum(case when is_reject then 1 else 0 end) as bigint) as reject_count,
    cast(sum(case when is_mock then 1 else 0 end) as bigint) as mock_count,
    cast(sum(case when is_late then 1 else 0 end) as bigint) as late_count,
    cast(sum(case when revision > 0 then 1 else 0 end) as bigint) as corrected_count,
    {{ rounded('cast(sum(case when is_reject then 1 else 0 end) as double precision) / count(*)') }} as reject_ratio
from events
group by source_table, load_date
