-- SPDX-License-Identifier: Apache-2.0
{#- Values are in a column of another relation, of the rows looked at. -#}
{% test relationships_where(model, column_name, to, field, from_condition='1 = 1', to_condition='1 = 1') %}
select child.{{ column_name }}
from (select {{ column_name }} from {{ model }} where {{ column_name }} is not null and {{ from_condition }}) as child
left join (select {{ field }} from {{ to }} where {{ to_condition }}) as parent
    on child.{{ column_name }} = parent.{{ field }}
where parent.{{ field }} is null
{% endtest %}
