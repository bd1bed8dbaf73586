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
    'raw_symbols',
    columns=[
        ['security_name', 'name', 'text', true],
        ['exchange', 'exchange', 'text', false],
        ['security_type', 'type', 'text', false],
        ['currency', 'currency', 'text', false],
        ['figi', 'figi', 'text', false],
        ['list_date', 'list_date', 'date', false],
        ['delist_date', 'delist_date', 'date', false],
        ['is_active', 'active', 'bool', true]
    ]
) }}
