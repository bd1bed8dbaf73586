-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        unique_key=['source', 'dedupe_key', 'is_reject'],
        indexes=[
            {'columns': ['source', 'dedupe_key']},
            {'columns': ['symbol', 'bar_interval', 'event_time']},
            {'columns': ['loaded_at']}
        ]
    )
}}
{{ typed_events(
    'raw_metrics',
    columns=[
        ['bar_interval', 'interval', 'text', true],
        ['adjusted', 'adjusted', 'text', true],
        ['bar_time', 'bar_time', 'timestamp', true],
        ['parent_source', 'parent_source', 'text', true],
        ['cause', 'cause', 'text', true],
        ['n_obs', 'n_obs', 'int', true],
        ['is_warmup', 'warmup', 'bool', true],
        ['ret_1', 'ret_1', 'ratio', false],
        ['volume_mean_20', 'volume_mean_20', 'ratio', false],
        ['volume_sd_20', 'volume_sd_20', 'ratio', false],
        ['volume_z_20', 'volume_z_20', 'ratio', false],
        ['rel_volume_20', 'rel_volume_20', 'ratio', false],
        ['volatility_20', 'volatility_20', 'ratio', false],
        ['volatility_ann_pct', 'volatility_ann_pct', 'ratio', false],
        ['sma_5', 'sma_5', 'ratio', false],
        ['sma_10', 'sma_10', 'ratio', false],
        ['sma_20', 'sma_20', 'ratio', false],
        ['sma_50', 'sma_50', 'ratio', false],
        ['sma_200', 'sma_200', 'ratio', false],
        ['ema_12', 'ema_12', 'ratio', false],
        ['ema_20', 'ema_20', 'ratio', false],
        ['ema_26', 'ema_26', 'ratio', false],
        ['rsi_14', 'rsi_14', 'ratio', false],
        ['macd', 'macd', 'ratio', false],
        ['macd_signal', 'macd_signal', 'ratio', false],
        ['macd_hist', 'macd_hist', 'ratio', false],
        ['bb_mid', 'bb_mid', 'ratio', false],
        ['bb_up', 'bb_up', 'ratio', false],
        ['bb_low', 'bb_low', 'ratio', false],
        ['atr_14', 'atr_14', 'ratio', false],
        ['adx_14', 'adx_14', 'ratio', false],
        ['plus_di_14', 'plus_di_14', 'ratio', false],
        ['minus_di_14', 'minus_di_14', 'ratio', false],
        ['vwap_session', 'vwap_session', 'ratio', false],
        ['vwap_dev_pct', 'vwap_dev_pct', 'ratio', false],
        ['momentum_10', 'momentum_10', 'ratio', false],
        ['roc_10', 'roc_10', 'ratio', false],
        ['high_52w', 'high_52w', 'ratio', false],
        ['low_52w', 'low_52w', 'ratio', false],
        ['position_52w_pct', 'position_52w_pct', 'ratio', false],
        ['ma_15m', 'ma_15m', 'ratio', false],
        ['ma_1h', 'ma_1h', 'ratio', false],
        ['volatility_15m', 'volatility_15m', 'ratio', false],
        ['volume_sum_15m', 'volume_sum_15m', 'ratio', false],
        ['mtf_strength', 'mtf_strength', 'ratio', false],
        ['vol_regime', 'vol_regime', 'text', false],
        ['market_regime', 'market_regime', 'text', false]
    ]
) }}
