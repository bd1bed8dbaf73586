-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_bars', bar_columns() | map('first')) }}
