-- SPDX-License-Identifier: Apache-2.0
{#- Late data. The watermark is loaded_at, which the warehouse sets: never a feed's clock. Every model carries as
    loaded_at the newest loaded_at among all rows that decide the row, so that a change travels from model to model;
    what changed is found by it, its whole (symbol, trade_date) is computed again, deleted and inserted. -#}
{% macro watermark(column='loaded_at') -%}
    (
        select coalesce(max({{ column }}), cast('1900-01-01' as timestamp)) - interval '{{ var("watermark_grace") }}'
        from {{ this }}
    )
{%- endmacro %}

{#- The watermark in the type that RAW has. -#}
{% macro raw_watermark() -%}
    {{ return(adapter.dispatch('raw_watermark', 'marketflow')()) }}
{%- endmacro %}

{% macro default__raw_watermark() -%} ({{ watermark() }} at time zone 'UTC') {%- endmacro %}

{% macro snowflake__raw_watermark() -%} {{ watermark() }} {%- endmacro %}

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

{#- Rows of the relation whose key has any row newer than the watermark; all of them in a full build. -#}
{% macro changed_rows(relation, keys) -%}
    select r.*
    from {{ relation }} as r
    {%- if is_incremental() %}
    inner join (
        select distinct {{ keys | join(', ') }}
        from {{ relation }}
        where loaded_at > {{ watermark() }}
    ) as changed
        on {% for key in keys %}r.{{ key }} = changed.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
    {%- endif %}
{%- endmacro %}

{#- For windows over a symbol's days: its rows from `lookback` rows before its first changed day on, with is_affected
    true from that day on. A full build has all rows, all affected. -#}
{% macro window_history(relation, lookback) -%}
    {%- if is_incremental() %}
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
            select
                symbol,
                min(trade_date) as first_date
            from {{ relation }}
            where loaded_at > {{ watermark() }}
            group by symbol
        ) as changed
            on r.symbol = changed.symbol
    ) as numbered
    where numbered.bar_number > numbered.bars_before - {{ lookback }}
    {%- else %}
    select
        r.*,
        true as is_affected
    from {{ relation }} as r
    {%- endif %}
{%- endmacro %}

{#- Keys that changed in any of several relations: [relation, condition] each. In a full build those of the first. -#}
{% macro changed_keys(relations, keys) -%}
    {%- for relation, condition in relations %}
    {%- if loop.first or is_incremental() %}
    {%- if not loop.first %}

    union
{% endif %}
    select distinct {{ keys | join(', ') }}
    from {{ relation }}
    where {{ condition }}
        {%- if is_incremental() %} and loaded_at > {{ watermark() }}{% endif %}
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- After a table was made or changed: PostgreSQL plans the next models by its statistics, and would know nothing of a new
    table until its own round of analyses. Snowflake keeps its own. -#}
{% macro analyze_table() -%}
    {%- if config.get('materialized') in ('table', 'incremental') -%}
        {{ return(adapter.dispatch('analyze_table', 'marketflow')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__analyze_table() -%} analyze {{ this }} {%- endmacro %}

{% macro snowflake__analyze_table() -%} {%- endmacro %}
