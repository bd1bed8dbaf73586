-- SPDX-License-Identifier: Apache-2.0
{#- Schemas are named as they are, not below the target's; DBT_SCHEMA_PREFIX keeps a developer's apart. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ env_var('DBT_SCHEMA_PREFIX', '') }}{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
