-- SPDX-License-Identifier: Apache-2.0
{#- Nothing lies further ahead of the warehouse's clock than some minutes. -#}
{% test no_future_events(model, column_name, minutes=5) %}
select *
from {{ model }}
where {{ column_name }} > {{ utc_now() }} + interval '{{ minutes }} minutes'
{% endtest %}
