-- SPDX-License-Identifier: Apache-2.0
{#- A later row of a group, by one column, is not earlier by another. -#}
{% test monotonic_time(model, column_name, group_by, order_by) %}
select *
from (
    select
        {{ group_by | join(', ') }},
        {{ column_name }},
        lag({{ column_name }}) over (partition by {{ group_by | join(', ') }} order by {{ order_by }}) as previous_time
    from {{ model }}
) as pairs
where {{ column_name }} < previous_time
{% endtest %}
