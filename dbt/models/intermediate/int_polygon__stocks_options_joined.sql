-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- Option days with the price of what they are on. Either side may change first: days of both are looked at.
with changed as (
    {{ changed_keys(
        [[ref('int_polygon__options_bars_enriched'), '1 = 1'], [ref('int_polygon__stock_bars_enriched'), '1 = 1']],
        ['symbol', 'trade_date']
    ) }}
),

joined as (
    select
        o.contract_ticker,
        o.symbol,
        o.trade_date,
        o.expiration_date,
        o.strike_price,
        o.option_type,
        o.shares_per_contract,
        o.days_to_expiration,
        o.close_price as option_close,
        o.volume as option_volume,
        o.notional_volume,
        o.snapshot_time,
        o.open_interest,
        o.implied_volatility,
        o.delta,
        o.gamma,
        o.theta,
        o.vega,
        s.close_price as underlying_close,
        s.volume as underlying_volume,
        cast(s.close_price as double precision) as underlying_value,
        cast(o.strike_price as double precision) as strike_value,
        cast(o.close_price as double precision) as option_value,
        greatest(o.loaded_at, coalesce(s.loaded_at, o.loaded_at)) as loaded_at
    from {{ ref('int_polygon__options_bars_enriched') }} as o
    inner join changed
        on o.symbol = changed.symbol and o.trade_date = changed.trade_date
    left join {{ ref('int_polygon__stock_bars_enriched') }} as s
        on o.symbol = s.symbol and o.trade_date = s.trade_date
)

select
    contract_ticker,
    symbol,
    trade_date,
    expiration_date,
    strike_price,
    option_type,
    shares_per_contract,
    days_to_expiration,
    option_close,
    option_volume,
    notional_volume,
    snapshot_time,
    open_interest,
    implied_volatility,
    delta,
    gamma,
    theta,
    vega,
    underlying_close,
    underlying_volume,
    underlying_value / strike_value as moneyness_ratio,
    case
        when underlying_value is null then 'unknown'
        when abs(underlying_value / strike_value - 1) <= 0.005 then 'at_the_money'
        when (option_type = 'call') = (underlying_value > strike_value) then 'in_the_money'
        else 'out_of_the_money'
    end as moneyness,
    case
        when option_type = 'call' then greatest(underlying_value - strike_value, 0)
        else greatest(strike_value - underlying_value, 0)
    end as intrinsic_value,
    option_value - case
        when option_type = 'call' then greatest(underlying_value - strike_value, 0)
        else greatest(strike_value - underlying_value, 0)
    end as time_value,
    loaded_at
from joined
