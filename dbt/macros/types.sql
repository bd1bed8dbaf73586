-- SPDX-License-Identifier: Apache-2.0
{#- Types that both warehouses know by one name. Feeds' numbers have at most 8 decimals and are below 1e15. -#}
{% macro type_price() -%} numeric(24, 8) {%- endmacro %}

{#- Statistics are doubles: a quotient of Snowflake's numbers keeps only few decimals. -#}
{% macro type_ratio() -%} double precision {%- endmacro %}

{% macro type_int() -%} bigint {%- endmacro %}

{#- A statistic as a mart shows it: at most 8 decimals, as the events have them. -#}
{% macro rounded(expression, decimals=8) -%}
    {{ return(adapter.dispatch('rounded', 'marketflow')(expression, decimals)) }}
{%- endmacro %}

{% macro default__rounded(expression, decimals) -%}
    cast(round(cast({{ expression }} as numeric), {{ decimals }}) as double precision)
{%- endmacro %}

{% macro snowflake__rounded(expression, decimals) -%}
    cast(round({{ expression }}, {{ decimals }}) as double precision)
{%- endmacro %}

{#- RAW has times with a zone on PostgreSQL and UTC without one on Snowflake; models have UTC without a zone. -#}
{% macro utc(expression) -%}
    {{ return(adapter.dispatch('utc', 'marketflow')(expression)) }}
{%- endmacro %}

{% macro default__utc(expression) -%} ({{ expression }} at time zone 'UTC') {%- endmacro %}

{% macro snowflake__utc(expression) -%} cast({{ expression }} as timestamp_ntz(6)) {%- endmacro %}

{#- Now, in UTC without a zone. -#}
{% macro utc_now() -%}
    {{ return(adapter.dispatch('utc_now', 'marketflow')()) }}
{%- endmacro %}

{% macro default__utc_now() -%} (now() at time zone 'UTC') {%- endmacro %}

{% macro snowflake__utc_now() -%} sysdate() {%- endmacro %}

{#- Date of a time in UTC. -#}
{% macro utc_date(expression) -%} cast({{ expression }} as date) {%- endmacro %}

{#- Whole seconds from one time to another. -#}
{% macro seconds_between(first, second) -%}
    {{ return(adapter.dispatch('seconds_between', 'marketflow')(first, second)) }}
{%- endmacro %}

{% macro default__seconds_between(first, second) -%}
    cast(floor(extract(epoch from {{ second }}) - extract(epoch from {{ first }})) as bigint)
{%- endmacro %}

{% macro snowflake__seconds_between(first, second) -%}
    cast(floor(datediff('millisecond', {{ first }}, {{ second }}) / 1000) as bigint)
{%- endmacro %}

{#- Start of the window of some minutes that a time falls in; the minutes must divide an hour. -#}
{% macro window_start(expression, minutes) -%}
    {{ return(adapter.dispatch('window_start', 'marketflow')(expression, minutes)) }}
{%- endmacro %}

{% macro default__window_start(expression, minutes) -%}
    date_trunc('hour', {{ expression }})
    + floor(extract(minute from {{ expression }}) / {{ minutes }}) * interval '{{ minutes }} minutes'
{%- endmacro %}

{% macro snowflake__window_start(expression, minutes) -%}
    dateadd(
        'minute',
        cast(floor(extract(minute from {{ expression }}) / {{ minutes }}) * {{ minutes }} as integer),
        date_trunc('hour', {{ expression }})
    )
{%- endmacro %}

{#- 1 is Monday. -#}
{% macro iso_weekday(expression) -%}
    {{ return(adapter.dispatch('iso_weekday', 'marketflow')(expression)) }}
{%- endmacro %}

{% macro default__iso_weekday(expression) -%} extract(isodow from {{ expression }}) {%- endmacro %}

{% macro snowflake__iso_weekday(expression) -%} dayofweekiso({{ expression }}) {%- endmacro %}
