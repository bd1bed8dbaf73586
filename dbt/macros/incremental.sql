-- SPDX-License-Identifier: Apache-2.0
{#- Late data. The watermark is loaded_at, which the warehouse sets, never a feed's clock; how far a table is built, its
    mark says (marks.sql). Every model carries as
    loaded_at the newest loaded_at among all rows that decide the row, so that a change travels from model to model;
    what changed is found by it, its whole (symbol, trade_date) is computed again, deleted and inserted. -#}

{#- Asked for before the statement and written into it: of an unknown time PostgreSQL believes that a third of all rows
    is newer, and reads every table from end to end. To the second, which is below any of them. -#}
{% macro watermark() -%}
    {%- set grace = watermark_grace() -%}
    {%- set found = namespace(text='at 1900-01-01 00:00:00') -%}
    {%- if execute -%}
        {#- The word before it keeps it a text. -#}
        {%- set found.text = run_query(
            "select 'at ' || substring(cast(coalesce(max(loaded_through), cast('1900-01-01' as timestamp)) - interval '"
            ~ grace ~ "' as varchar), 1, 19) as watermark from " ~ build_marks()
            ~ " where mark_name = '" ~ this.identifier ~ "'"
        ).columns[0].values()[0] -%}
    {%- endif -%}
    cast('{{ found.text[3:] }}' as timestamp)
{%- endmacro %}

{#- The variables that decide what is read again, or an error that says what is wrong with them. Without an end a build
    would read everything; below nothing it would miss what two sinks commit out of order. -#}
{% macro watermark_grace() -%}
    {%- set given = var('watermark_grace') | string | trim -%}
    {%- set seconds = {'second': 1, 'minute': 60, 'hour': 3600, 'day': 86400} -%}
    {%- set parts = modules.re.match('^([0-9]{1,6}) (second|minute|hour|day)s?$', given) -%}
    {%- if not parts or not 60 <= parts.group(1) | int * seconds[parts.group(2)] <= 604800 -%}
        {{ exceptions.raise_compiler_error(
            "watermark_grace is '" ~ given ~ "': it must be a number of seconds, minutes, hours or days, "
            ~ "from 1 minute to 7 days"
        ) }}
    {%- endif -%}
    {{ return(given) }}
{%- endmacro %}

{% macro late_grace_hours() -%}
    {%- set given = var('late_grace_hours') | string | trim -%}
    {%- if not modules.re.match('^[0-9]{1,4}$', given) -%}
        {{ exceptions.raise_compiler_error("late_grace_hours is '" ~ given ~ "': it must be a whole number from 0 to 9999") }}
    {%- endif -%}
    {{ return(given) }}
{%- endmacro %}

{#- The watermark in the type that RAW has. -#}
{% macro raw_watermark() -%}
    {{ return(raw_time(watermark())) }}
{%- endmacro %}

{#- A time without a zone in that type. -#}
{% macro raw_time(time) -%}
    {{ return(adapter.dispatch('raw_time', 'marketflow')(time)) }}
{%- endmacro %}

{% macro default__raw_time(time) -%} ({{ time }} at time zone 'UTC') {%- endmacro %}

{% macro snowflake__raw_time(time) -%} {{ time }} {%- endmacro %}

{#- Nothing that was loaded after the command began: models that join several tables would otherwise see one of them
    newer than another, move their watermark by it and miss what the other gets meanwhile. -#}
{% macro raw_cutoff() -%}
    {{ return(adapter.dispatch('raw_cutoff', 'marketflow')()) }}
{%- endmacro %}

{% macro default__raw_cutoff() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}+00' as timestamp with time zone)
{%- endmacro %}

{% macro snowflake__raw_cutoff() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp_ntz(6))
{%- endmacro %}

{#- Rows r of the relation whose key has any row newer than the watermark; all of them in a full build. The condition is on r
    and holds for what is looked at, too. It is not left to a CTE: one that is read twice is written out whole. -#}
{% macro changed_rows(relation, keys, condition='') -%}
    select r.*
    from {{ relation }} as r
    {%- if is_incremental() %}
    inner join (
        select distinct {% for key in keys %}r.{{ key }}{% if not loop.last %}, {% endif %}{% endfor %}
        from {{ relation }} as r
        where r.loaded_at > {{ watermark() }}{% if condition %} and {{ condition }}{% endif %}
    ) as changed
        on {% for key in keys %}r.{{ key }} = changed.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
    {%- endif %}
    {%- if condition %}
    where {{ condition }}
    {%- endif %}
{%- endmacro %}

{#- For windows over a symbol's days: its rows from `lookback` rows before its first changed day on, with is_affected
    true from that day on. A full build has all rows, all affected. The relation has one row per symbol and day. -#}
{% macro window_history(relation, lookback) -%}
    {%- if is_incremental() -%}
        {{ return(adapter.dispatch('changed_history', 'marketflow')(relation, lookback)) }}
    {%- else %}
    select
        r.*,
        true as is_affected
    from {{ relation }} as r
    {%- endif %}
{%- endmacro %}

{% macro first_changes(relation) -%}
    select
        symbol,
        min(trade_date) as first_date
    from {{ relation }}
    where loaded_at > {{ watermark() }}
    group by symbol
{%- endmacro %}

{#- The day to begin at is looked up by the index, symbol by symbol. -#}
{% macro default__changed_history(relation, lookback) -%}
    select
        r.*,
        r.trade_date >= spans.first_date as is_affected
    from (
        {{ first_changes(relation) }}
    ) as spans
    left join lateral (
        select earlier.trade_date as history_from
        from {{ relation }} as earlier
        where earlier.symbol = spans.symbol and earlier.trade_date < spans.first_date
        order by earlier.trade_date desc
        limit 1 offset {{ lookback - 1 }}
    ) as begins
        on true
    inner join {{ relation }} as r
        on spans.symbol = r.symbol and coalesce(begins.history_from, cast('0001-01-01' as date)) <= r.trade_date
{%- endmacro %}

{% macro snowflake__changed_history(relation, lookback) -%}
    select
        numbered.*,
        numbered.trade_date >= numbered.first_date as is_affected
    from (
        select
            r.*,
            changed.first_date,
            row_number() over (partition by r.symbol order by r.trade_date) as bar_number,
            count(case when r.trade_date < changed.first_date then 1 end) over (partition by r.symbol) as bars_before
        from {{ relation }} as r
        inner join (
            {{ first_changes(relation) }}
        ) as changed
            on r.symbol = changed.symbol
    ) as numbered
    where numbered.bar_number > numbered.bars_before - {{ lookback }}
{%- endmacro %}

{#- Keys that changed in any of several relations: [relation, condition] each. In a full build those of the first. -#}
{% macro changed_keys(relations, keys) -%}
    {%- for relation, condition in relations %}
    {%- if loop.first or is_incremental() %}
    {%- if not loop.first %}

    union distinct
{% endif %}
    select distinct {{ keys | join(', ') }}
    from {{ relation }}
    where {{ condition }}
        {%- if is_incremental() %} and loaded_at > {{ watermark() }}{% endif %}
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- After a table was made: PostgreSQL plans the next models by its statistics, and would know nothing of a new table until
    its own round of analyses, which looks after the later changes. Snowflake keeps its own. -#}
{% macro analyze_table() -%}
    {%- if config.get('materialized') in ('table', 'incremental') -%}
        {{ return(adapter.dispatch('analyze_table', 'marketflow')()) }}
    {%- endif -%}
{%- endmacro %}

{#- There are none until somebody has looked, nor of a table that was empty then. -#}
{% macro default__analyze_table() -%}
    {%- if execute -%}
        {%- set known = run_query(
            "select count(*) from pg_stats where schemaname = '" ~ this.schema ~ "' and tablename = '" ~ this.identifier ~ "'"
        ).columns[0].values()[0] -%}
        {%- if known == 0 -%} analyze {{ this }} {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__analyze_table() -%} {%- endmacro %}
