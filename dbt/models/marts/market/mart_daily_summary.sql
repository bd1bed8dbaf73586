-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['trade_date'],
        indexes=[{'columns': ['trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A day of all stocks: how many rose and fell, who moved most, how many reached a year's high or low or crossed.
with days as (
    {{ changed_rows(ref('mart_stock_performance'), ['trade_date']) }}
),

ranked as (
    select
        days.*,
        row_number() over (
            partition by trade_date order by coalesce(daily_return_pct, -1000000) desc, symbol
        ) as place_of_gain,
        row_number() over (
            partition by trade_date order by coalesce(daily_return_pct, 1000000), symbol
        ) as place_of_loss
    from days
)

select
    trade_date,
    cast(count(*) as bigint) as symbol_count,
    cast(sum(case when daily_return_pct > 0 then 1 else 0 end) as bigint) as advancer_count,
    cast(sum(case when daily_return_pct < 0 then 1 else 0 end) as bigint) as decliner_count,
    cast(sum(case when daily_return_pct = 0 then 1 else 0 end) as bigint) as unchanged_count,
    {{ rounded(safe_divide(
        'cast(sum(case when daily_return_pct > 0 then 1 else 0 end) as double precision)', 'count(daily_return_pct)'
    )) }} as advancer_ratio,
    {{ rounded('avg(daily_return_pct)') }} as mean_return_pct,
    {{ rounded('sum(dollar_volume)', 2) }} as dollar_volume,
    cast(sum(case when cast(high_price as double precision) >= high_52w then 1 else 0 end) as bigint) as new_high_count,
    cast(sum(case when cast(low_price as double precision) <= low_52w then 1 else 0 end) as bigint) as new_low_count,
    cast(sum(case when cross_20_50 = 'golden_cross' then 1 else 0 end) as bigint) as golden_cross_count,
    cast(sum(case when cross_20_50 = 'death_cross' then 1 else 0 end) as bigint) as death_cross_count,
    cast(sum(case when rsi_signal = 'overbought' then 1 else 0 end) as bigint) as overbought_count,
    cast(sum(case when rsi_signal = 'oversold' then 1 else 0 end) as bigint) as oversold_count,
    max(case when place_of_gain = 1 and daily_return_pct is not null then symbol end) as top_gainer,
    max(daily_return_pct) as top_gainer_pct,
    max(case when place_of_loss = 1 and daily_return_pct is not null then symbol end) as top_loser,
    min(daily_return_pct) as top_loser_pct,
    max(loaded_at) as loaded_at
from ranked
group by trade_date
