-- SPDX-License-Identifier: Apache-2.0
{#- A volume is 0 or more. -#}
{% test positive_volume(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} < 0
{% endtest %}
