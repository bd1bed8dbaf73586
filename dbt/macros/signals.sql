-- SPDX-License-Identifier: Apache-2.0
{#- A number as text with a fixed number of decimals, the same in both warehouses. -#}
{% macro number_text(expression, decimals=2) -%}
    cast(cast(round(cast({{ expression }} as numeric(24, 8)), {{ decimals }}) as numeric(24, {{ decimals }})) as varchar)
{%- endmacro %}

{#- A price as text: cents, and below 1 as many decimals as it has. -#}
{% macro price_text(expression) -%}
    case
        when {{ expression }} >= 1 then {{ number_text(expression) }}
        else rtrim({{ number_text(expression, 8) }}, '0')
    end
{%- endmacro %}

{#- A quarter hour of a symbol as a sentence; of columns of int_realtime_enriched, is_multi_signal, rsi_high, rsi_low. -#}
{% macro signal_summary() -%}
    symbol || ' at ' || {{ price_text('close_price') }}
    || ' in the quarter hour from ' || substring(to_char(window_start, 'YYYY-MM-DD HH24:MI'), 1, 16) || ' UTC: '
    || case momentum_signal
        when 'BULLISH' then 'momentum is bullish'
        when 'BEARISH' then 'momentum is bearish'
        when 'NEUTRAL' then 'momentum is neutral'
        else 'too few bars for momentum'
    end
    || coalesce(', volatility is ' || lower(volatility_regime), '')
    || case
        when is_volume_spike then ', volume spiked to ' || {{ number_text('max_volume_z', 1) }} || ' deviations above its mean'
        when max_volume_z is not null then ', volume is ordinary'
        else ''
    end
    || case
        when rsi_14 >= rsi_high then ', overbought (RSI ' || {{ number_text('rsi_14', 0) }} || ')'
        when rsi_14 <= rsi_low then ', oversold (RSI ' || {{ number_text('rsi_14', 0) }} || ')'
        else ''
    end
    || case when is_multi_signal then '. All three signals in one quarter hour: worth a look.' else '.' end
{%- endmacro %}
