-- SPDX-License-Identifier: Apache-2.0
{#- A condition holds of every row; one that is null does not hold. -#}
{% test expression_is_true(model, expression) %}
select *
from {{ model }}
where not coalesce({{ expression }}, false)
{% endtest %}
