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
    columns=bar_columns() + [
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
    checks=bar_checks(),
    versions='snapshot_time'
) }}
