-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- Hours of a stock's day, of its minute bars.
with affected as (
    {{ changed_rows(
        ref('stg_market_data_unified'),
        ['symbol', 'trade_date'],
        "r.bar_interval = '1m' and r.asset_class = 'stock' and not r.is_mock and not r.is_forming"
    ) }}
)

select
    symbol,
    trade_date,
    {{ window_start('event_time', 60) }} as hour_start,
    max(session_kind) as session_kind,
    cast(count(*) as bigint) as bar_count,
    max(high_price) as high_price,
    min(low_price) as low_price,
    cast(sum(volume) as {{ type_price() }}) as volume,
    cast(sum(trade_count) as bigint) as trade_count,
    {{ safe_divide(
        'sum(cast(coalesce(vwap, (high_price + low_price + close_price) / 3) as double precision) * cast(volume as double precision))',
        'sum(cast(volume as double precision))'
    ) }} as vwap_hour,
    max(loaded_at) as loaded_at
from affected
group by symbol, trade_date, {{ window_start('event_time', 60) }}
