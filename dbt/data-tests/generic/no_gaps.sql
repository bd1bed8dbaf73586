-- SPDX-License-Identifier: Apache-2.0
{#- Between a stock's first and last day, every session of the exchange has a row. -#}
{% test no_gaps(model, column_name, symbol='symbol', where_condition='1 = 1') %}
select
    spans.symbol,
    c.session_date as missing_date
from (
    select
        {{ symbol }} as symbol,
        min({{ column_name }}) as first_date,
        max({{ column_name }}) as last_date
    from {{ model }}
    where {{ where_condition }}
    group by {{ symbol }}
) as spans
inner join {{ ref('exchange_calendar') }} as c
    on c.session_date > spans.first_date and c.session_date < spans.last_date
left join {{ model }} as m
    on m.{{ symbol }} = spans.symbol and m.{{ column_name }} = c.session_date
where m.{{ symbol }} is null
{% endtest %}
