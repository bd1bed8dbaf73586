-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_dead_letters', [
    'stage',
    'reason',
    'detail',
    'attempts',
    'origin_topic',
    'origin_partition',
    'origin_offset',
    'origin_provider',
    'origin_feed'
]) }}
