-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- Polygon's daily bars of stocks in the preferred adjustment, with what the exchange's calendar says of the day.
with bars as (
    {{ changed_rows(ref('stg_polygon__stock_bars_casted'), ['symbol', 'trade_date'], "r.bar_interval = '1d'") }}
),

ranked as (
    select
        b.*,
        max(b.loaded_at) over (partition by b.symbol, b.trade_date) as newest_loaded_at,
        row_number() over (
            partition by b.symbol, b.trade_date
            order by b.is_mock, b.is_forming, coalesce(p.priority, 1000), b.ingest_time desc, b.event_id
        ) as preference
    from bars as b
    left join {{ ref('provider_priority') }} as p
        on p.source = 'polygon' and b.adjusted = p.adjusted
)

select
    r.event_id,
    r.symbol,
    r.trade_date,
    r.adjusted,
    r.open_price,
    r.high_price,
    r.low_price,
    r.close_price,
    r.volume,
    r.vwap,
    r.trade_count,
    r.pre_market_price,
    r.after_hours_price,
    coalesce(cast(r.vwap as double precision), cast(r.high_price + r.low_price + r.close_price as double precision) / 3)
        as typical_price,
    cast(r.close_price as double precision) * cast(r.volume as double precision) as dollar_volume,
    cast(r.high_price - r.low_price as double precision) as price_range,
    {{ safe_divide('cast(r.close_price - r.low_price as double precision)', 'cast(r.high_price - r.low_price as double precision)') }}
        as close_location,
    c.session_date is not null as is_session,
    coalesce(c.is_early_close, false) as is_early_close,
    r.newest_loaded_at as loaded_at
from ranked as r
left join {{ ref('exchange_calendar') }} as c
    on r.trade_date = c.session_date
where r.preference = 1 and not r.is_mock and not r.is_forming
