-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_corporate_actions', [
    'action_kind',
    'ex_date',
    'split_from',
    'split_to',
    'cash_amount',
    'currency',
    'old_symbol',
    'new_symbol'
]) }}
