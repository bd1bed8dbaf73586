-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_symbols', [
    'security_name',
    'exchange',
    'security_type',
    'currency',
    'figi',
    'list_date',
    'delist_date',
    'is_active'
]) }}
