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
    'raw_corporate_actions',
    columns=[
        ['action_kind', 'kind', 'text', true],
        ['ex_date', 'ex_date', 'date', true],
        ['split_from', 'split_from', 'numeric', false],
        ['split_to', 'split_to', 'numeric', false],
        ['cash_amount', 'cash_amount', 'numeric', false],
        ['currency', 'currency', 'text', false],
        ['old_symbol', 'old_symbol', 'text', false],
        ['new_symbol', 'new_symbol', 'text', false]
    ]
) }}
