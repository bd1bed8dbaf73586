-- SPDX-License-Identifier: Apache-2.0
{#- Low is the least and high the greatest of the four prices, and all are above 0. -#}
{% test ohlc_sane(model, open='open_price', high='high_price', low='low_price', close='close_price') %}
select *
from {{ model }}
where not {{ validate_ohlc(open, high, low, close) }}
{% endtest %}
