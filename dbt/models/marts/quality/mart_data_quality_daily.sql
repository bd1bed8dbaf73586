-- SPDX-License-Identifier: Apache-2.0
-- What was loaded on each day, by table: how much of it is still the latest of its event, and how much of that is
-- rejected, invented, late or corrected.
with events as (
    {%- for name in ['bars', 'option_bars', 'news', 'alerts', 'metrics', 'symbols', 'corporate_actions', 'feed_status', 'dead_letters'] %}
    {%- if not loop.first %}

    union all
    {% endif %}
    select
        'raw_{{ name }}' as source_table,
        {{ utc_date('loaded_at') }} as load_date,
        is_reject,
        is_mock,
        is_late,
        revision
    from {{ ref('base_' ~ name) }}
    {%- if name == 'option_bars' %}
    where is_current
    {%- endif %}
    {%- endfor %}
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
