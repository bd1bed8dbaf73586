-- SPDX-License-Identifier: Apache-2.0
{#- Statistics over the rows of a window. Each is null until it has as many rows as its length says: there is no partial
    mean. Definitions are those of docs/indicators.md; the recursive ones (Wilder, exponential) come from the
    processor. `over` is what stands in the brackets of OVER before the frame: partition and order. -#}
{% macro frame(over, length) -%}
    over ({{ over }} rows between {{ length - 1 }} preceding and current row)
{%- endmacro %}

{#- An aggregate once its window is full of values. -#}
{% macro full_window(aggregate, value, over, length) -%}
    case when count({{ value }}) {{ frame(over, length) }} >= {{ length }} then {{ aggregate }} {{ frame(over, length) }} end
{%- endmacro %}

{% macro calculate_sma(value, over, length) -%}
    {{ full_window('avg(cast(' ~ value ~ ' as double precision))', value, over, length) }}
{%- endmacro %}

{#- Sample standard deviation. -#}
{% macro rolling_stddev(value, over, length) -%}
    {{ full_window('stddev_samp(cast(' ~ value ~ ' as double precision))', value, over, length) }}
{%- endmacro %}

{#- Volatility per year in percent: sample deviation of the last simple returns. -#}
{% macro realised_vol(value, over, length, periods=252) -%}
    100 * sqrt({{ periods }}) * {{ rolling_stddev(value, over, length) }}
{%- endmacro %}

{#- Bollinger bands take the population's deviation. -#}
{% macro calculate_bbands_upper(value, over, length=20, deviations=2) -%}
    {{ calculate_sma(value, over, length) }}
    + {{ deviations }} * {{ full_window('stddev_pop(cast(' ~ value ~ ' as double precision))', value, over, length) }}
{%- endmacro %}

{% macro calculate_bbands_lower(value, over, length=20, deviations=2) -%}
    {{ calculate_sma(value, over, length) }}
    - {{ deviations }} * {{ full_window('stddev_pop(cast(' ~ value ~ ' as double precision))', value, over, length) }}
{%- endmacro %}

{#- Cutler's index: simple means of gains and losses. Wilder's is the processor's rsi_14. `change` is the difference to
    the close before. 100 without losses, 50 without any change. -#}
{% macro calculate_rsi(change, over, length=14) -%}
    case
        when count({{ change }}) {{ frame(over, length) }} < {{ length }} then null
        when sum(abs({{ change }})) {{ frame(over, length) }} = 0 then 50
        else
            100.0 * sum(greatest({{ change }}, 0)) {{ frame(over, length) }}
            / sum(abs({{ change }})) {{ frame(over, length) }}
    end
{%- endmacro %}

{#- The greatest of the day's range and its distances from the close before. -#}
{% macro true_range(high, low, previous_close) -%}
    greatest({{ high }} - {{ low }}, abs({{ high }} - {{ previous_close }}), abs({{ low }} - {{ previous_close }}))
{%- endmacro %}

{#- Simple mean of true ranges. Wilder's is the processor's atr_14. -#}
{% macro calculate_atr(range_column, over, length=14) -%}
    {{ calculate_sma(range_column, over, length) }}
{%- endmacro %}

{#- Mean over deviation of returns, per year, above a rate per period. -#}
{% macro calculate_sharpe(value, over, length, periods=252, rate=0) -%}
    sqrt({{ periods }}) * ({{ calculate_sma(value, over, length) }} - {{ rate }})
    / nullif({{ rolling_stddev(value, over, length) }}, 0)
{%- endmacro %}

{#- How far a value lies below the highest of its window, as a fraction, at most 0. -#}
{% macro drawdown(value, over, length) -%}
    {{ value }} / nullif({{ full_window('max(' ~ value ~ ')', value, over, length) }}, 0) - 1
{%- endmacro %}

{% macro safe_divide(numerator, denominator) -%}
    (({{ numerator }}) / nullif({{ denominator }}, 0))
{%- endmacro %}

{% macro validate_ohlc(open, high, low, close) -%}
    coalesce(
        {{ low }} > 0 and {{ low }} <= {{ open }} and {{ low }} <= {{ close }} and {{ high }} >= {{ open }} and {{ high }} >= {{ close }},
        false
    )
{%- endmacro %}

{#- Which way a fast mean lies of a slow one: a state, not an event. -#}
{% macro trend_state(fast, slow) -%}
    case when {{ fast }} > {{ slow }} then 'up' when {{ fast }} < {{ slow }} then 'down' when {{ fast }} = {{ slow }} then 'flat' end
{%- endmacro %}

{#- The event: the state turned against the one of the row before. -#}
{% macro ma_cross_signal(state, previous_state) -%}
    case
        when {{ state }} = 'up' and {{ previous_state }} = 'down' then 'golden_cross'
        when {{ state }} = 'down' and {{ previous_state }} = 'up' then 'death_cross'
        else 'none'
    end
{%- endmacro %}
