-- SPDX-License-Identifier: Apache-2.0
-- Every instrument that is watched, described or traded: what is known of it now.
with traded as (
    select
        symbol,
        max(asset_class) as asset_class,
        min(trade_date) as first_trade_date,
        max(trade_date) as last_trade_date,
        count(distinct trade_date) as trade_day_count
    from {{ ref('stg_market_data_unified') }}
    where not is_mock and not is_forming
    group by symbol
),

symbols as (
    select symbol from {{ ref('stock_symbols') }}
    union distinct
    select symbol from {{ ref('stg_symbol_metadata') }}
    union distinct
    select symbol from traded
)

select
    {{ surrogate_key(['s.symbol']) }} as stock_key,
    s.symbol,
    coalesce(m.security_name, l.security_name, s.symbol) as security_name,
    coalesce(m.asset_class, l.asset_class, t.asset_class, 'stock') as asset_class,
    m.exchange,
    m.security_type,
    m.currency,
    m.figi,
    l.sector,
    m.list_date,
    m.delist_date,
    m.is_active,
    coalesce(l.is_watched, false) as is_watched,
    t.first_trade_date,
    t.last_trade_date,
    cast(coalesce(t.trade_day_count, 0) as bigint) as trade_day_count
from symbols as s
left join {{ ref('stg_symbol_metadata') }} as m
    on s.symbol = m.symbol
left join {{ ref('stock_symbols') }} as l
    on s.symbol = l.symbol
left join traded as t
    on s.symbol = t.symbol
