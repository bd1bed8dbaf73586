-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        unique_key=['source', 'dedupe_key', 'is_reject'],
        indexes=[
            {'columns': ['source', 'dedupe_key']},
            {'columns': ['symbol', 'event_time']},
            {'columns': ['loaded_at']}
        ]
    )
}}
{{ typed_events(
    'raw_option_bars',
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
        ['contract_ticker', ['contract', 'ticker'], 'text', true],
        ['underlying', ['contract', 'underlying'], 'text', true],
        ['expiration_date', ['contract', 'expiration'], 'date', true],
        ['strike_price', ['contract', 'strike'], 'numeric', true],
        ['option_type', ['contract', 'type'], 'text', true],
        ['shares_per_contract', ['contract', 'shares_per_contract'], 'numeric', true],
        ['exercise_style', ['contract', 'exercise'], 'text', true],
        ['days_to_expiration', 'days_to_expiration', 'int', true]
    ],
    checks=[
        ['bad_ohlc', 'low_price > 0 and low_price <= open_price and low_price <= close_price and high_price >= open_price and high_price >= close_price'],
        ['negative_volume', 'volume >= 0'],
        ['bad_window', 'window_end > event_time']
    ]
) }}
