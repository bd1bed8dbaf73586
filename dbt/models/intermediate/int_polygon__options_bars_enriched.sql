-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- A day of an option contract: of its daily bar where there is one, else of the day's shorter bars of one length; with
-- the last snapshot of the contract for which that day was the newest.
with changed as (
    {{ changed_keys(
        [[ref('stg_polygon__options_bars_casted'), '1 = 1'], [ref('stg_polygon__option_snapshots'), '1 = 1']],
        ['symbol', 'trade_date']
    ) }}
),

bars as (
    select b.*
    from {{ ref('stg_polygon__options_bars_casted') }} as b
    inner join changed
        on b.symbol = changed.symbol and b.trade_date = changed.trade_date
    where not b.is_mock and not b.is_forming
),

snapshots as (
    select
        s.*,
        max(s.loaded_at) over (partition by s.contract_ticker, s.trade_date) as newest_loaded_at,
        row_number() over (
            partition by s.contract_ticker, s.trade_date order by s.snapshot_time desc, s.event_id
        ) as place_from_end
    from {{ ref('stg_polygon__option_snapshots') }} as s
    inner join changed
        on s.symbol = changed.symbol and s.trade_date = changed.trade_date
    where not s.is_mock
),

ranked as (
    select
        b.*,
        case b.bar_interval
            when '1d' then 1 when '4h' then 2 when '1h' then 3 when '30m' then 4 when '15m' then 5 when '5m' then 6
            when '1m' then 7 else 8
        end as interval_rank
    from bars as b
),

chosen as (
    select
        r.*,
        min(r.interval_rank) over (partition by r.contract_ticker, r.trade_date) as best_rank,
        max(r.loaded_at) over (partition by r.contract_ticker, r.trade_date) as newest_loaded_at,
        row_number() over (
            partition by r.contract_ticker, r.trade_date, r.interval_rank order by r.event_time
        ) as place,
        row_number() over (
            partition by r.contract_ticker, r.trade_date, r.interval_rank order by r.event_time desc
        ) as place_from_end
    from ranked as r
),

days as (
    select
        contract_ticker,
        symbol,
        trade_date,
        max(underlying) as underlying,
        max(expiration_date) as expiration_date,
        max(strike_price) as strike_price,
        max(option_type) as option_type,
        max(shares_per_contract) as shares_per_contract,
        max(exercise_style) as exercise_style,
        max(days_to_expiration) as days_to_expiration,
        max(bar_interval) as bar_interval,
        cast(count(*) as bigint) as bar_count,
        max(case when place = 1 then open_price end) as open_price,
        max(high_price) as high_price,
        min(low_price) as low_price,
        max(case when place_from_end = 1 then close_price end) as close_price,
        cast(sum(volume) as {{ type_price() }}) as volume,
        cast(sum(trade_count) as bigint) as trade_count,
        cast(max(case when place_from_end = 1 then close_price end) as double precision)
        * cast(max(shares_per_contract) as double precision) as contract_value,
        cast(sum(volume) as double precision) * cast(max(shares_per_contract) as double precision)
        * cast(max(case when place_from_end = 1 then close_price end) as double precision) as notional_volume,
        max(newest_loaded_at) as loaded_at
    from chosen
    where interval_rank = best_rank
    group by contract_ticker, symbol, trade_date
)

select
    d.contract_ticker,
    d.symbol,
    d.trade_date,
    d.underlying,
    d.expiration_date,
    d.strike_price,
    d.option_type,
    d.shares_per_contract,
    d.exercise_style,
    d.days_to_expiration,
    d.bar_interval,
    d.bar_count,
    d.open_price,
    d.high_price,
    d.low_price,
    d.close_price,
    d.volume,
    d.trade_count,
    d.contract_value,
    d.notional_volume,
    s.snapshot_time,
    s.open_interest,
    s.implied_volatility,
    s.delta,
    s.gamma,
    s.theta,
    s.vega,
    greatest(d.loaded_at, coalesce(s.newest_loaded_at, d.loaded_at)) as loaded_at
from days as d
left join snapshots as s
    on d.contract_ticker = s.contract_ticker and d.trade_date = s.trade_date and s.place_from_end = 1
