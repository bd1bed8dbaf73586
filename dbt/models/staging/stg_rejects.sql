-- SPDX-License-Identifier: Apache-2.0
-- What could not be typed, of every RAW table: visible here and counted by a test, not left out in silence. is_mended says
-- that a version of the same event was accepted after it.
{%- set kinds = [
    'bars', 'option_bars', 'news', 'alerts', 'metrics', 'symbols', 'corporate_actions', 'feed_status', 'dead_letters'
] %}
{% for kind in kinds %}
select
    'raw_{{ kind }}' as source_table,
    {{ event_columns('r.') | join(',\n    ') }},
    r.reject_reason,
    m.dedupe_key is not null as is_mended
from {{ ref('base_' ~ kind) }} as r
left join (
    select distinct
        a.source,
        a.dedupe_key
    from {{ ref('base_' ~ kind) }} as rejected
    inner join {{ ref('base_' ~ kind) }} as a
        on rejected.source = a.source and rejected.dedupe_key = a.dedupe_key and rejected.loaded_at < a.loaded_at
    where rejected.is_reject and not a.is_reject
) as m
    on r.source = m.source and r.dedupe_key = m.dedupe_key
where r.is_reject{% if kind == 'option_bars' %} and r.is_current{% endif %}
{% if not loop.last %}
union all
{% endif %}
{%- endfor %}
