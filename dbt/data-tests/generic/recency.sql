-- SPDX-License-Identifier: Apache-2.0
{#- The newest value of a time column is not older than some hours. -#}
{% test recency(model, column_name, hours) %}
select newest
from (select max({{ column_name }}) as newest from {{ model }}) as found
where newest is null or newest < {{ utc_now() }} - interval '{{ hours }} hours'
{% endtest %}
