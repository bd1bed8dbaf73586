-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_bars', [
    'bar_interval',
    'window_end',
    'trade_date',
    'session_kind',
    'open_price',
    'high_price',
    'low_price',
    'close_price',
    'volume',
    'vwap',
    'trade_count',
    'adjusted',
    'is_otc',
    'vendor_ms',
    'parent_source',
    'cause',
    'pre_market_price',
    'after_hours_price'
]) }}
