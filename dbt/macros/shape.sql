-- SPDX-License-Identifier: Apache-2.0
{#- One row per key of a relation or CTE: the first by order_by. -#}
{% macro dedupe_latest(relation, keys, order_by) -%}
    {{ return(adapter.dispatch('dedupe_latest', 'marketflow')(relation, keys, order_by)) }}
{%- endmacro %}

{% macro default__dedupe_latest(relation, keys, order_by) -%}
    select distinct on ({{ keys | join(', ') }}) *
    from {{ relation }}
    order by {{ keys | join(', ') }}, {{ order_by | join(', ') }}
{%- endmacro %}

{% macro snowflake__dedupe_latest(relation, keys, order_by) -%}
    select *
    from {{ relation }}
    qualify row_number() over (partition by {{ keys | join(', ') }} order by {{ order_by | join(', ') }}) = 1
{%- endmacro %}

{#- A key of several columns as one text; a null is not an empty text. -#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(cast({{ column }} as varchar), '_null_')
        {%- if not loop.last %} || '|' ||{% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{#- A flag in RAW's comma list. -#}
{% macro has_flag(column, flag) -%} (',' || {{ column }} || ',' like '%,{{ flag }},%') {%- endmacro %}

{#- Days from one date up to, not including, another, as date_day. -#}
{% macro date_spine(first, last) -%}
    {{ return(adapter.dispatch('date_spine', 'marketflow')(first, last)) }}
{%- endmacro %}

{% macro default__date_spine(first, last) -%}
    select cast(day as date) as date_day
    from generate_series(cast('{{ first }}' as date), cast('{{ last }}' as date) - 1, interval '1 day') as days (day)
{%- endmacro %}

{#- A generator's size is a constant there: digits are counted up instead, which any warehouse can. -#}
{% macro snowflake__date_spine(first, last) -%}
    select dateadd('day', n.number, cast('{{ first }}' as date)) as date_day
    from (
        select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as number
        from {% for name in ['a', 'b', 'c', 'e', 'f'] %}
            (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as {{ name }} (d)
            {%- if not loop.last %} cross join {% endif %}
        {%- endfor %}
    ) as n
    where dateadd('day', n.number, cast('{{ first }}' as date)) < cast('{{ last }}' as date)
{%- endmacro %}
