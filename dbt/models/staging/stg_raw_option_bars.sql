-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_option_bars', bar_columns() | map('first') | list + [
    'contract_ticker',
    'underlying',
    'expiration_date',
    'strike_price',
    'option_type',
    'shares_per_contract',
    'exercise_style',
    'days_to_expiration'
], 'is_current') }}
