-- SPDX-License-Identifier: Apache-2.0
-- What dbt did, a row per node and invocation; times in UTC.
select
    invocation_id,
    {{ utc('generated_at') }} as generated_at,
    dbt_version,
    command,
    target as target_name,
    unique_id,
    resource_type,
    name as node_name,
    status,
    execution_time_s,
    failures,
    message,
    relation_name,
    rows_affected,
    severity,
    column_name,
    test_type,
    {{ utc('loaded_at') }} as loaded_at
from {{ source('ops', 'dbt_run_results') }}
