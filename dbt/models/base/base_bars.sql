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
    columns=bar_columns(),
    checks=bar_checks()
) }}
