-- SPDX-License-Identifier: Apache-2.0
-- Every run of every dbt test, with the one before and since when it fails.
with tests as (
    select
        invocation_id,
        unique_id,
        node_name as test_name,
        test_type,
        column_name,
        severity,
        status,
        failures,
        message,
        execution_time_s,
        generated_at,
        target_name,
        status in ('pass', 'success') as is_pass
    from {{ ref('stg_dbt_run_results') }}
    where resource_type in ('test', 'unit_test') and status <> 'skipped'
),

sequenced as (
    select
        tests.*,
        lag(status) over (partition by unique_id, target_name order by generated_at, invocation_id) as previous_status,
        max(case when is_pass then generated_at end) over (
            partition by unique_id, target_name order by generated_at, invocation_id
            rows between unbounded preceding and current row
        ) as last_pass_time,
        row_number() over (
            partition by unique_id, target_name order by generated_at desc, invocation_id desc
        ) as place_from_end
    from tests
)

select
    {{ surrogate_key(['invocation_id', 'unique_id']) }} as test_run_key,
    invocation_id,
    unique_id,
    test_name,
    test_type,
    column_name,
    severity,
    status,
    is_pass,
    cast(coalesce(failures, 0) as bigint) as failure_count,
    message,
    execution_time_s,
    generated_at,
    {{ utc_date('generated_at') }} as run_date,
    target_name,
    previous_status,
    last_pass_time,
    place_from_end = 1 as is_latest
from sequenced
