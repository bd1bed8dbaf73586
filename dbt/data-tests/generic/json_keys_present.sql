-- SPDX-License-Identifier: Apache-2.0
{#- Payloads have these keys. -#}
{% test json_keys_present(model, column_name, keys) %}
select *
from {{ model }}
where 1 = 0
    {%- for key in keys %}
    or {{ json_text(column_name, key) }} is null
    {%- endfor %}
{% endtest %}
