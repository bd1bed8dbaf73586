-- SPDX-License-Identifier: Apache-2.0
{#- At least this share of the rows has a value; an empty table passes. -#}
{% test not_null_proportion(model, column_name, at_least) %}
select
    count(*) as row_count,
    count({{ column_name }}) as value_count
from {{ model }}
having count(*) > 0 and count({{ column_name }}) < {{ at_least }} * count(*)
{% endtest %}
