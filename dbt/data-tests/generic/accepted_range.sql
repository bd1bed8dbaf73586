-- SPDX-License-Identifier: Apache-2.0
{#- A number is within bounds, both included; null passes. -#}
{% test accepted_range(model, column_name, min_value=none, max_value=none, where_condition='1 = 1') %}
select *
from {{ model }}
where {{ where_condition }}
    and (
        1 = 0
        {%- if min_value is not none %} or {{ column_name }} < {{ min_value }}{% endif %}
        {%- if max_value is not none %} or {{ column_name }} > {{ max_value }}{% endif %}
    )
{% endtest %}
