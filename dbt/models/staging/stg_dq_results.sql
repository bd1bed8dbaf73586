-- SPDX-License-Identifier: Apache-2.0
-- Checks beside dbt's tests; times in UTC.
select
    invocation_id,
    tool,
    tool_version,
    {{ utc('generated_at') }} as generated_at,
    suite,
    check_id,
    check_type,
    target as target_name,
    column_name,
    status,
    success as is_success,
    severity,
    observed,
    expected,
    failures,
    message,
    execution_time_s,
    {{ utc('loaded_at') }} as loaded_at
from {{ source('ops', 'dq_results') }}
