-- SPDX-License-Identifier: Apache-2.0
-- A day's bar and what was known of the contract at moments of it are contents of one event: the latest is the bar, every
-- moment is kept beside it.
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
        ['pre_market_price', 'pre_market', 'numeric', false],
        ['after_hours_price', 'after_hours', 'numeric', false],
        ['contract_ticker', ['contract', 'ticker'], 'text', true],
        ['underlying', ['contract', 'underlying'], 'text', true],
        ['expiration_date', ['contract', 'expiration'], 'date', true],
        ['strike_price', ['contract', 'strike'], 'numeric', true],
        ['option_type', ['contract', 'type'], 'text', true],
        ['shares_per_contract', ['contract', 'shares_per_contract'], 'numeric', true],
        ['exercise_style', ['contract', 'exercise'], 'text', true],
        ['days_to_expiration', 'days_to_expiration', 'int', true],
        ['snapshot_time', ['snapshot', 'time'], 'timestamp', false],
        ['open_interest', ['snapshot', 'open_interest'], 'numeric', false],
        ['implied_volatility', ['snapshot', 'implied_volatility'], 'ratio', false],
        ['delta', ['snapshot', 'delta'], 'ratio', false],
        ['gamma', ['snapshot', 'gamma'], 'ratio', false],
        ['theta', ['snapshot', 'theta'], 'ratio', false],
        ['vega', ['snapshot', 'vega'], 'ratio', false],
        ['underlying_price', ['snapshot', 'underlying_price'], 'numeric', false]
    ],
    checks=[
        ['bad_ohlc', 'low_price > 0 and low_price <= open_price and low_price <= close_price and high_price >= open_price and high_price >= close_price'],
        ['negative_volume', 'volume >= 0'],
        ['bad_window', 'window_end > event_time']
    ],
    versions='snapshot_time'
) }}
