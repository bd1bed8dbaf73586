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
    'raw_dead_letters',
    columns=[
        ['stage', 'stage', 'text', true],
        ['reason', 'reason', 'text', true],
        ['detail', 'detail', 'text', true],
        ['attempts', 'attempts', 'int', true],
        ['origin_topic', ['origin', 'topic'], 'text', false],
        ['origin_partition', ['origin', 'partition'], 'int', false],
        ['origin_offset', ['origin', 'offset'], 'int', false],
        ['origin_provider', ['origin', 'provider'], 'text', false],
        ['origin_feed', ['origin', 'feed'], 'text', false]
    ]
) }}
