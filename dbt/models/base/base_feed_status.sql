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
    'raw_feed_status',
    columns=[
        ['feed', 'feed', 'text', true],
        ['feed_state', 'state', 'text', true],
        ['expected_count', 'expected', 'int', true],
        ['received_count', 'received', 'int', true],
        ['last_event_time', 'last_event_time', 'timestamp', true],
        ['lag_ms', 'lag_ms', 'int', true]
    ]
) }}
