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
    'raw_alerts',
    columns=[
        ['rule_id', 'rule_id', 'text', true],
        ['rule_version', 'rule_version', 'text', true],
        ['bar_interval', 'interval', 'text', true],
        ['adjusted', 'adjusted', 'text', false],
        ['severity', 'severity', 'text', true],
        ['direction', 'direction', 'text', true],
        ['alert_value', 'value', 'ratio', true],
        ['threshold', 'threshold', 'ratio', true],
        ['message', 'message', 'text', true],
        ['alert_state', 'state', 'text', true],
        ['reason', 'reason', 'text', false],
        ['resolved_time', 'resolved_time', 'timestamp', false],
        ['cooldown_until', 'cooldown_until', 'timestamp', false],
        ['parent_source', 'parent_source', 'text', false],
        ['article_id', 'article_id', 'text', false],
        ['contract_ticker', 'contract', 'text', false],
        ['cause', 'cause', 'text', true],
        ['symbol_name', 'symbol_name', 'text', false]
    ]
) }}
