-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        unique_key=['source', 'dedupe_key', 'is_reject'],
        indexes=[
            {'columns': ['source', 'dedupe_key']},
            {'columns': ['symbol', 'bar_interval', 'trade_date']},
            {'columns': ['loaded_at']}
        ]
    )
}}
{{ typed_events(
    'raw_bars',
    columns=[
        ['bar_interval', 'interval', 'text', true],
        ['window_end', 'window_end', 'timestamp', true],
        ['trade_date', 'session_date', 'date', true],
        ['session_kind', 'session', 'text', true],
        ['open_price', 'open', 'numeric', true],
        ['high_price', 'high', 'numeric', true],
        ['low_price', 'low', 'numeric', true],
        ['close_price', 'close', 'numeric', true],
        ['volume', 'volume', 'numeric', true],
        ['vwap', 'vwap', 'numeric', false],
        ['trade_count', 'trade_count', 'int', false],
        ['adjusted', 'adjusted', 'text', true],
        ['is_otc', 'otc', 'bool', false],
        ['vendor_ms', 'vendor_ms', 'int', false],
        ['parent_source', 'parent_source', 'text', false],
        ['cause', 'cause', 'text', false],
        ['pre_market_price', 'pre_market', 'numeric', false],
        ['after_hours_price', 'after_hours', 'numeric', false]
    ],
    checks=[
        ['bad_ohlc', 'low_price > 0 and low_price <= open_price and low_price <= close_price and high_price >= open_price and high_price >= close_price'],
        ['negative_volume', 'volume >= 0'],
        ['bad_window', 'window_end > event_time']
    ]
) }}
