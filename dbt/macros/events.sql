-- SPDX-License-Identifier: Apache-2.0
{#- A RAW table typed: the latest revision of each event, and apart from it the latest one that could not be typed.
    columns: [name, path in the payload, type, required]; checks: [name, condition that must hold of a typed row].
    An optional value that is there and has the wrong type is a reject too: nothing becomes null silently.
    versions: a column of which every value is kept, with its latest revision each; is_current marks the latest of all. -#}
{% macro typed_events(table, columns, checks=[], versions=none) %}
{%- do watermark_grace() -%}
{%- do late_grace_hours() %}
with incoming as (
    select *
    from {{ source('market_raw', table) }}
    where loaded_at <= {{ raw_cutoff() }}
        {%- if is_incremental() %}
        and loaded_at > {{ raw_watermark() }}
        {%- endif %}
),

extracted as (
    select
        event_id,
        cast(revision as integer) as revision,
        symbol,
        source,
        lane,
        {{ utc('event_time') }} as event_time,
        {{ utc('ingest_time') }} as ingest_time,
        {{ utc('loaded_at') }} as loaded_at,
        flags,
        dedupe_key,
        schema_version,
        kafka_topic,
        cast(kafka_partition as integer) as kafka_partition,
        cast(kafka_offset as bigint) as kafka_offset,
        {{ json_text('payload', 'asset_class') }} as asset_class,
        {{ json_text('payload', ['provenance', 'mode']) }} as provenance_mode
        {%- for name, path, type, required in columns %},
        {{ json_text('payload', path) }} as text_{{ name }}
        {%- endfor %}
    from incoming
),

typed as (
    select
        event_id,
        revision,
        symbol,
        asset_class,
        source,
        lane,
        event_time,
        ingest_time,
        loaded_at,
        flags,
        {{ has_flag('flags', 'is_mock') }} as is_mock,
        {{ has_flag('flags', 'forming') }} as is_forming,
        {{ has_flag('flags', 'late') }} as is_late,
        provenance_mode,
        dedupe_key,
        schema_version,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        {%- for name, path, type, required in columns %}
        {{ try_cast_as('text_' ~ name, type) }} as {{ name }},
        {%- endfor %}
        case
            {%- for name, path, type, required in columns if type != 'text' %}
            when text_{{ name }} is not null and {{ try_cast_as('text_' ~ name, type) }} is null then 'not_a_{{ type }}:{{ name }}'
            {%- endfor %}
            {%- for name, path, type, required in columns if required %}
            when text_{{ name }} is null then 'missing:{{ name }}'
            {%- endfor %}
        end as type_problem
    from extracted
),

judged as (
    select
        {{ event_columns() | join(',\n        ') }},
        {%- for name, path, type, required in columns %}
        {{ name }},
        {%- endfor %}
        type_problem is not null
        {%- for name, condition in checks %} or not ({{ condition }}){% endfor %} as is_reject,
        {%- if checks %}
        case
            when type_problem is not null then type_problem
            {%- for name, condition in checks %}
            when not ({{ condition }}) then '{{ name }}'
            {%- endfor %}
        end as reject_reason
        {%- else %}
        type_problem as reject_reason
        {%- endif %}
    from typed
),

candidates as (
    select *
    from judged
    {%- if is_incremental() %}

    union all

    select
        {{ event_columns('t.') | join(',\n        ') }},
        {%- for name, path, type, required in columns %}
        t.{{ name }},
        {%- endfor %}
        t.is_reject,
        t.reject_reason
    from {{ this }} as t
    inner join (
        select distinct
            source,
            dedupe_key
        from judged
    ) as again
        on t.source = again.source and t.dedupe_key = again.dedupe_key
    {%- endif %}
){% if versions %},{% endif %}

{% if versions -%}
kept as (
    {{ dedupe_latest('candidates', ['source', 'dedupe_key', 'is_reject', versions], latest_event(table)) }}
)

select
    kept.*,
    row_number() over (
        partition by source, dedupe_key, is_reject
        order by {{ latest_event(table) | join(', ') }}
    ) = 1 as is_current
from kept
{%- else -%}
{{ dedupe_latest('candidates', ['source', 'dedupe_key', 'is_reject'], latest_event(table)) }}
{%- endif %}
{% endmacro %}

{#- What every event has beside its own fields. -#}
{% macro event_columns(prefix='') %}
    {% set names = [] %}
    {% for name in [
        'event_id', 'revision', 'symbol', 'asset_class', 'source', 'lane', 'event_time', 'ingest_time', 'loaded_at',
        'flags', 'is_mock', 'is_forming', 'is_late', 'provenance_mode', 'dedupe_key', 'schema_version', 'kafka_topic',
        'kafka_partition', 'kafka_offset'
    ] %}
        {% do names.append(prefix ~ name) %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}

{#- The order in which revisions of one event are looked at: the newest first. A finished, real one is never replaced by one
    that is not, so that what has been accepted once does not go away. What the processor makes copies its ingest_time
    from the record that caused it, which may be an older one that came late: of the live lane the highest revision
    counts. A backfill counts its own revisions, so between lanes something else decides: of bars what was published
    last (a symbol has one partition of one topic), of metrics what is made of more bars, of all else the live lane. -#}
{% macro latest_event(table) %}
    {% set made = "source = 'processor'" %}
    {% set lanes = {
        'raw_bars': ["case when " ~ made ~ " then kafka_offset else 0 end desc"],
        'raw_option_bars': ["case when " ~ made ~ " then kafka_offset else 0 end desc"],
        'raw_metrics': ['coalesce(is_warmup, true)', 'coalesce(n_obs, 0) desc']
    } %}
    {{ return(['is_mock', 'is_forming'] + lanes.get(table, []) + [
        "case when " ~ made ~ " and lane <> 'live' then 1 else 0 end",
        "case when " ~ made ~ " and lane = 'live' then revision else 0 end desc",
        'ingest_time desc', 'revision desc', 'loaded_at desc', 'event_id'
    ]) }}
{% endmacro %}

{#- What typed_events reads of every bar, a stock's or a contract's. -#}
{% macro bar_columns() %}
{{ return([
    ['bar_interval', 'interval', 'text', true],
    ['window_end', 'window_end', 'timestamp', true],
    ['trade_date', 'session_date', 'date', true],
    ['session_kind', 'session', 'text', true],
    ['open_price', 'open', 'numeric', true],
    ['high_price', 'high', 'numeric', true],
    ['low_price', 'low', 'numeric', true],
    ['close_price', 'close', 'numeric', true],
    ['volume', 'volume', 'numeric', true],
    ['vwap', 'vwap', 'numeric', false],
    ['trade_count', 'trade_count', 'int', false],
    ['adjusted', 'adjusted', 'text', true],
    ['is_otc', 'otc', 'bool', false],
    ['vendor_ms', 'vendor_ms', 'int', false],
    ['parent_source', 'parent_source', 'text', false],
    ['cause', 'cause', 'text', false],
    ['pre_market_price', 'pre_market', 'numeric', false],
    ['after_hours_price', 'after_hours', 'numeric', false]
]) }}
{% endmacro %}

{#- What no bar can be and be right. -#}
{% macro bar_checks() %}
{{ return([
    ['bad_ohlc', 'low_price > 0 and low_price <= open_price and low_price <= close_price and high_price >= open_price and high_price >= close_price'],
    ['negative_volume', 'volume >= 0'],
    ['bad_window', 'window_end > event_time']
]) }}
{% endmacro %}

{#- The columns of a typed table without what is about rejects. -#}
{% macro accepted_events(model, columns, condition='') %}
select
    {{ event_columns() | join(',\n    ') }}
    {%- for name in columns %},
    {{ name }}
    {%- endfor %}
from {{ ref(model) }}
where not is_reject{% if condition %} and {{ condition }}{% endif %}
{% endmacro %}
