-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date']}, {'columns': ['loaded_at']}]
    )
}}
-- Quarter hours of minute bars, as their last minute leaves them: momentum as the processor's rule has it (spread of
-- ma_15m and ma_1h, and the move since 15 bars before, of one sign), regime, volume. The bar 15 bars before is looked
-- for in the seven days before only.
with changed as (
    select
        symbol,
        min(trade_date) as first_date
    from {{ ref('stg_technical_indicators') }}
    where bar_interval = '1m'
        {%- if is_incremental() %}
        and loaded_at > {{ watermark() }}
        {%- endif %}
    group by symbol
),

history as (
    select
        t.symbol,
        t.asset_class,
        t.trade_date,
        t.event_time,
        t.session_kind,
        t.close_price,
        t.volume,
        t.ma_15m,
        t.ma_1h,
        t.volatility_15m,
        t.volume_sum_15m,
        t.vol_regime,
        t.volume_z_20,
        t.rel_volume_20,
        t.rsi_14,
        t.vwap_dev_pct,
        t.mtf_strength,
        t.loaded_at,
        t.trade_date >= changed.first_date as is_affected,
        {{ window_start('t.event_time', 15) }} as window_start
    from {{ ref('stg_technical_indicators') }} as t
    inner join changed
        on t.symbol = changed.symbol and t.trade_date >= changed.first_date - 8
    where t.bar_interval = '1m'
),

lagged as (
    select
        history.*,
        case
            when lag(event_time, 15) over (partition by symbol order by event_time) >= event_time - interval '7 days'
                then close_price - lag(close_price, 15) over (partition by symbol order by event_time)
        end as price_change_15,
        max(loaded_at) over (
            partition by symbol order by event_time rows between 15 preceding and current row
        ) as newest_loaded_at
    from history
),

thresholds as (
    select max(case when threshold_name = 'volume_spike_sd' then threshold_value end) as volume_spike_sd
    from {{ ref('regime_thresholds') }}
),

windows as (
    select
        lagged.*,
        count(*) over (partition by symbol, trade_date, window_start) as bar_count,
        sum(volume) over (partition by symbol, trade_date, window_start) as window_volume,
        max(volume_z_20) over (partition by symbol, trade_date, window_start) as max_volume_z,
        max(newest_loaded_at) over (partition by symbol, trade_date, window_start) as window_loaded_at,
        row_number() over (partition by symbol, trade_date, window_start order by event_time desc) as place_from_end
    from lagged
    where is_affected
),

last_minutes as (
    select
        windows.*,
        thresholds.volume_spike_sd
    from windows
    cross join thresholds
    where windows.place_from_end = 1
)

select
    symbol,
    asset_class,
    trade_date,
    window_start,
    event_time as last_bar_time,
    session_kind,
    close_price,
    cast(bar_count as bigint) as bar_count,
    cast(window_volume as {{ type_price() }}) as window_volume,
    ma_15m,
    ma_1h,
    cast(price_change_15 as double precision) as price_change_15,
    case
        when ma_15m is null or ma_1h is null or price_change_15 is null then null
        when ma_15m > ma_1h and price_change_15 > 0 then 'BULLISH'
        when ma_15m < ma_1h and price_change_15 < 0 then 'BEARISH'
        else 'NEUTRAL'
    end as momentum_signal,
    volatility_15m,
    vol_regime as volatility_regime,
    volume_z_20,
    rel_volume_20,
    max_volume_z,
    max_volume_z >= volume_spike_sd as is_volume_spike,
    rsi_14,
    vwap_dev_pct,
    mtf_strength,
    window_loaded_at as loaded_at
from last_minutes
