-- SPDX-License-Identifier: Apache-2.0
-- Rows of one invocation into ops.dbt_run_results; that it is not there yet was looked at before, in the same transaction.
--
-- Parameters: 1 rows, a JSON array of [invocation_id, generated_at, dbt_version, command, target, unique_id,
-- resource_type, name, status, execution_time_s, failures, message, thread_id, relation_name, rows_affected,
-- severity, column_name, test_type, tags].
INSERT INTO ops.dbt_run_results (
    invocation_id, generated_at, dbt_version, command, target, unique_id, resource_type, name, status,
    execution_time_s, failures, message, thread_id, relation_name, rows_affected, severity, column_name, test_type,
    tags
)
SELECT
    r.item ->> 0,
    (r.item ->> 1)::timestamptz,
    r.item ->> 2,
    r.item ->> 3,
    r.item ->> 4,
    r.item ->> 5,
    r.item ->> 6,
    r.item ->> 7,
    r.item ->> 8,
    (r.item ->> 9)::double precision,
    (r.item ->> 10)::bigint,
    r.item ->> 11,
    r.item ->> 12,
    r.item ->> 13,
    (r.item ->> 14)::bigint,
    r.item ->> 15,
    r.item ->> 16,
    r.item ->> 17,
    r.item -> 18
FROM jsonb_array_elements(?::jsonb) AS r (item)
ON CONFLICT (invocation_id, unique_id) DO NOTHING
