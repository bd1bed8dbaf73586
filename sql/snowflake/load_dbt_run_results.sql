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
    f.value[0]::varchar,
    f.value[1]::timestamp_ntz(6),
    f.value[2]::varchar,
    f.value[3]::varchar,
    f.value[4]::varchar,
    f.value[5]::varchar,
    f.value[6]::varchar,
    f.value[7]::varchar,
    f.value[8]::varchar,
    f.value[9]::float,
    f.value[10]::number(20, 0),
    f.value[11]::varchar,
    f.value[12]::varchar,
    f.value[13]::varchar,
    f.value[14]::number(20, 0),
    f.value[15]::varchar,
    f.value[16]::varchar,
    f.value[17]::varchar,
    f.value[18]
FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
