-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_alerts', [
    'rule_id',
    'rule_version',
    'bar_interval',
    'adjusted',
    'severity',
    'direction',
    'alert_value',
    'threshold',
    'message',
    'alert_state',
    'reason',
    'resolved_time',
    'cooldown_until',
    'parent_source',
    'article_id',
    'contract_ticker',
    'cause',
    'symbol_name'
]) }}
