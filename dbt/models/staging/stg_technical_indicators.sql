-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'bar_interval', 'event_time'],
        indexes=[
            {'columns': ['symbol', 'bar_interval', 'event_time'], 'unique': true},
            {'columns': ['symbol', 'bar_interval', 'trade_date']},
            {'columns': ['bar_interval', 'loaded_at']},
            {'columns': ['loaded_at']}
        ]
    )
}}
-- The processor's statistics of the bars that stg_market_data_unified chose: those of the same series. A bar
-- whose statistics have not come yet is there without them.
select
    u.symbol,
    u.asset_class,
    u.bar_interval,
    u.event_time,
    u.trade_date,
    u.session_kind,
    u.source,
    u.adjusted,
    u.close_price,
    u.volume,
    m.n_obs,
    m.is_warmup,
    m.ret_1,
    m.volume_mean_20,
    m.volume_sd_20,
    m.volume_z_20,
    m.rel_volume_20,
    m.volatility_20,
    m.volatility_ann_pct,
    m.sma_5,
    m.sma_10,
    m.sma_20,
    m.sma_50,
    m.sma_200,
    m.ema_12,
    m.ema_20,
    m.ema_26,
    m.rsi_14,
    m.macd,
    m.macd_signal,
    m.macd_hist,
    m.bb_mid,
    m.bb_up,
    m.bb_low,
    m.atr_14,
    m.adx_14,
    m.plus_di_14,
    m.minus_di_14,
    m.vwap_session,
    m.vwap_dev_pct,
    m.momentum_10,
    m.roc_10,
    m.high_52w,
    m.low_52w,
    m.position_52w_pct,
    m.ma_15m,
    m.ma_1h,
    m.volatility_15m,
    m.volume_sum_15m,
    m.mtf_strength,
    m.vol_regime,
    m.market_regime,
    greatest(u.loaded_at, coalesce(m.loaded_at, u.loaded_at)) as loaded_at
from {{ ref('stg_market_data_unified') }} as u
{%- if is_incremental() %}
inner join (
    {{ changed_keys(
        [[ref('stg_market_data_unified'), '1 = 1'], [ref('stg_raw_metrics'), '1 = 1']],
        ['symbol', 'bar_interval', 'event_time']
    ) }}
) as changed
    on u.symbol = changed.symbol and u.bar_interval = changed.bar_interval and u.event_time = changed.event_time
{%- endif %}
left join {{ ref('stg_raw_metrics') }} as m
    on u.symbol = m.symbol
    and u.bar_interval = m.bar_interval
    and u.event_time = m.event_time
    and u.adjusted = m.adjusted
    and u.feed_source = m.parent_source
where not u.is_mock and not u.is_forming
