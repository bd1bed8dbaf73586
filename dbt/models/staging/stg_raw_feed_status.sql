-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_feed_status', [
    'feed',
    'feed_state',
    'expected_count',
    'received_count',
    'last_event_time',
    'lag_ms'
]) }}
