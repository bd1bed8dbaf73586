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

{#- Its MERGE knows no unqualified names in INSERT. -#}
{% macro snowflake__snapshot_merge_sql(snapshot_table, staged, insert_cols) -%}
    {%- if target.name == 'fakesnow' -%}
        update {{ snapshot_table }} as kept
        set dbt_valid_to = staged.dbt_valid_to
        from {{ staged }} as staged
        where staged.dbt_scd_id = kept.dbt_scd_id
            and staged.dbt_change_type in ('update', 'delete')
            and (kept.dbt_valid_to is null or kept.dbt_valid_to = {{ config.get('dbt_valid_to_current') }});

        insert into {{ snapshot_table }} ({{ insert_cols | join(', ') }})
        select {{ insert_cols | join(', ') }}
        from {{ staged }} as staged
        where staged.dbt_change_type = 'insert';
    {%- else -%}
        {{ dbt.snowflake__snapshot_merge_sql(snapshot_table, staged, insert_cols) }}
    {%- endif -%}
{%- endmacro %}
