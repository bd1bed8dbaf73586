-- SPDX-License-Identifier: Apache-2.0
{#- Reading payloads. A path is one name or a list of names. Nothing here fails on bad text: it gives null. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'marketflow')(column, [path] if path is string else path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    {%- if path | length == 1 -%} ({{ column }} ->> '{{ path[0] }}')
    {%- else -%} ({{ column }} #>> '{{ '{' ~ path | join(',') ~ '}' }}')
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__json_text(column, path) -%}
    cast({{ column }}:{{ path | join('.') }} as varchar)
{%- endmacro %}

{#- A list's length; null when there is no list. -#}
{% macro json_array_length(column, name) -%}
    {{ return(adapter.dispatch('json_array_length', 'marketflow')(column, name)) }}
{%- endmacro %}

{% macro default__json_array_length(column, name) -%}
    case when jsonb_typeof({{ column }} -> '{{ name }}') = 'array' then jsonb_array_length({{ column }} -> '{{ name }}') end
{%- endmacro %}

{% macro snowflake__json_array_length(column, name) -%} array_size({{ column }}:{{ name }}) {%- endmacro %}

{% macro json_numeric(column, path) -%} {{ try_numeric(json_text(column, path)) }} {%- endmacro %}

{% macro json_int(column, path) -%} {{ try_int(json_text(column, path)) }} {%- endmacro %}

{% macro json_bool(column, path) -%} {{ try_bool(json_text(column, path)) }} {%- endmacro %}

{% macro json_ts(column, path) -%} {{ try_timestamp(json_text(column, path)) }} {%- endmacro %}

{% macro json_date(column, path) -%} {{ try_date(json_text(column, path)) }} {%- endmacro %}
