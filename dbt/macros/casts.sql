-- SPDX-License-Identifier: Apache-2.0
{#- Casts of text that give null instead of failing. PostgreSQL has none of its own, so a pattern looks first. -#}
{% macro try_cast_as(text, type) -%}
    {%- if type == 'text' -%} {{ text }}
    {%- elif type == 'numeric' -%} {{ try_numeric(text) }}
    {%- elif type == 'ratio' -%} {{ try_ratio(text) }}
    {%- elif type == 'int' -%} {{ try_int(text) }}
    {%- elif type == 'bool' -%} {{ try_bool(text) }}
    {%- elif type == 'timestamp' -%} {{ try_timestamp(text) }}
    {%- elif type == 'date' -%} {{ try_date(text) }}
    {%- else -%} {{ exceptions.raise_compiler_error('no cast for ' ~ type) }}
    {%- endif -%}
{%- endmacro %}

{#- At most 15 digits before the point: what events allow, and what numeric(24, 8) holds. -#}
{% macro number_pattern() -%} ^-?[0-9]{1,15}([.][0-9]+)?$ {%- endmacro %}

{#- A date that exists, leap days included; there is no year 0. -#}
{% macro date_pattern() -%}
    (?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)
{%- endmacro %}

{% macro try_numeric(text) -%}
    {{ return(adapter.dispatch('try_numeric', 'marketflow')(text)) }}
{%- endmacro %}

{#- The cast around it: a CASE has no precision of its own, and marts promise one. -#}
{% macro default__try_numeric(text) -%}
    cast(case when {{ text }} ~ '{{ number_pattern() }}' then {{ text }} end as {{ type_price() }})
{%- endmacro %}

{% macro snowflake__try_numeric(text) -%} try_to_decimal({{ text }}, 24, 8) {%- endmacro %}

{% macro try_ratio(text) -%}
    {{ return(adapter.dispatch('try_ratio', 'marketflow')(text)) }}
{%- endmacro %}

{% macro default__try_ratio(text) -%}
    case when {{ text }} ~ '{{ number_pattern() }}' then cast({{ text }} as double precision) end
{%- endmacro %}

{% macro snowflake__try_ratio(text) -%} try_to_double({{ text }}) {%- endmacro %}

{% macro try_int(text) -%}
    {{ return(adapter.dispatch('try_int', 'marketflow')(text)) }}
{%- endmacro %}

{% macro default__try_int(text) -%}
    case when {{ text }} ~ '^-?[0-9]{1,18}$' then cast({{ text }} as bigint) end
{%- endmacro %}

{#- A cast to a whole number would round 1.5; the pattern keeps both warehouses to whole ones. -#}
{% macro snowflake__try_int(text) -%}
    case when regexp_like({{ text }}, '-?[0-9]{1,18}') then cast(try_to_decimal({{ text }}, 18, 0) as bigint) end
{%- endmacro %}

{% macro try_bool(text) -%}
    case {{ text }} when 'true' then true when 'false' then false end
{%- endmacro %}

{#- RFC 3339 in UTC, as events have it. -#}
{% macro try_timestamp(text) -%}
    {{ return(adapter.dispatch('try_timestamp', 'marketflow')(text)) }}
{%- endmacro %}

{% macro default__try_timestamp(text) -%}
    case
        when {{ text }} ~ '^{{ date_pattern() }}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?Z$'
            then cast(replace({{ text }}, 'Z', '') as timestamp)
    end
{%- endmacro %}

{% macro snowflake__try_timestamp(text) -%}
    case when {{ text }} like '%T%Z' and {{ text }} not like '0000%' then try_cast(replace({{ text }}, 'Z', '') as timestamp_ntz) end
{%- endmacro %}

{% macro try_date(text) -%}
    {{ return(adapter.dispatch('try_date', 'marketflow')(text)) }}
{%- endmacro %}

{% macro default__try_date(text) -%}
    case when {{ text }} ~ '^{{ date_pattern() }}$' then cast({{ text }} as date) end
{%- endmacro %}

{% macro snowflake__try_date(text) -%}
    case when {{ text }} like '____-__-__' and {{ text }} not like '0000%' then try_cast({{ text }} as date) end
{%- endmacro %}
