-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- Polygon's days with what the strategies of int_strategy_signals would have earned. What is decided at a close is done
-- at the next open and held to the open after: the return of a day is that of the position decided two closes before,
-- from the open before to this one, less the cost of the change of position. A
-- short may lose everything and more: a window with such a day is -1, whatever was earned on the others. Nothing later than the open is used.
{% set over = 'partition by symbol order by trade_date' %}
{% set strategies = ['momentum', 'mean_reversion', 'macd'] %}
{% set cost = (var('backtest_cost_bps') / 10000.0) %}
with history as (
    {{ window_history(ref('int_strategy_signals'), 66) }}
),

held as (
    select
        symbol,
        trade_date,
        is_affected,
        open_price,
        close_price,
        volume,
        {%- for strategy in strategies %}
        {{ strategy }}_position,
        coalesce(lag({{ strategy }}_position, 2) over ({{ over }}), 0) as {{ strategy }}_held,
        coalesce(lag({{ strategy }}_position, 3) over ({{ over }}), 0) as {{ strategy }}_held_before,
        {%- endfor %}
        open_price / lag(open_price) over ({{ over }}) - 1 as open_return,
        max(loaded_at) {{ frame(over, 67) }} as loaded_at
    from history
),

earned as (
    select
        held.*
        {%- for strategy in strategies %},
        {{ strategy }}_held * open_return - {{ cost }} * abs({{ strategy }}_held - {{ strategy }}_held_before)
            as {{ strategy }}_return
        {%- endfor %}
    from held
),

windows as (
    select
        earned.*
        {%- for strategy in strategies %},
        {%- set earned = strategy ~ '_return' %}
        {{ full_window('sum(case when ' ~ earned ~ ' > -1 then ln(1 + ' ~ earned ~ ') else 0 end)', earned, over, 63) }}
            as {{ strategy }}_log_63,
        {{ full_window('max(case when ' ~ earned ~ ' <= -1 then 1 else 0 end)', earned, over, 63) }} as {{ strategy }}_ruin_63,
        {{ calculate_sharpe(strategy ~ '_return', over, 63) }} as {{ strategy }}_sharpe_63
        {%- endfor %}
    from earned
)

select
    symbol,
    trade_date,
    {{ rounded('open_price') }} as open_price,
    {{ rounded('close_price') }} as close_price,
    {{ rounded('volume') }} as volume,
    {{ rounded('open_return') }} as open_return
    {%- for strategy in strategies %},
    cast({{ strategy }}_position as integer) as {{ strategy }}_position,
    cast({{ strategy }}_held as integer) as {{ strategy }}_held,
    {{ rounded(strategy ~ '_return') }} as {{ strategy }}_return,
    {{ rounded('case when ' ~ strategy ~ '_ruin_63 = 1 then -1 else exp(' ~ strategy ~ '_log_63) - 1 end') }} as {{ strategy }}_return_63,
    {{ rounded(strategy ~ '_sharpe_63') }} as {{ strategy }}_sharpe_63
    {%- endfor %},
    loaded_at
from windows
where is_affected
