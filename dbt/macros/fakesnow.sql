-- SPDX-License-Identifier: Apache-2.0
{#- What a fakesnow server cannot do. DuckDB has temporary tables and views outside of schemas only: there they are
    ordinary ones, replaced by the next run. On Snowflake itself dbt's own macros are used. -#}
{% macro snowflake__create_table_temporary_sql(relation, compiled_code) -%}
    {%- if target.name == 'fakesnow' -%}
        {{ dbt.snowflake__create_table_transient_sql(relation, compiled_code) }}
    {%- else -%}
        {{ dbt.snowflake__create_table_temporary_sql(relation, compiled_code) }}
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__create_view_as_with_temp_flag(relation, sql, is_temporary=False) -%}
    {{ dbt.snowflake__create_view_as_with_temp_flag(relation, sql, is_temporary and target.name != 'fakesnow') }}
{%- endmacro %}
