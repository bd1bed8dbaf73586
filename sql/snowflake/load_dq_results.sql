-- SPDX-License-Identifier: Apache-2.0
-- Rows of one invocation into ops.dq_results; that it is not there yet was looked at before, in the same transaction.
--
-- Parameters: 1 rows, a JSON array of [invocation_id, tool, tool_version, generated_at, suite, check_id,
-- check_type, target, column_name, status, success, severity, observed, expected, failures, message,
-- execution_time_s].
INSERT INTO ops.dq_results (
    invocation_id, tool, tool_version, generated_at, suite, check_id, check_type, target, column_name, status,
    success, severity, observed, expected, failures, message, execution_time_s
)
SELECT
    f.value[0]::varchar,
    f.value[1]::varchar,
    f.value[2]::varchar,
    f.value[3]::timestamp_ntz(6),
    f.value[4]::varchar,
    f.value[5]::varchar,
    f.value[6]::varchar,
    f.value[7]::varchar,
    f.value[8]::varchar,
    f.value[9]::varchar,
    f.value[10]::boolean,
    f.value[11]::varchar,
    f.value[12]::varchar,
    f.value[13]::varchar,
    f.value[14]::number(20, 0),
    f.value[15]::varchar,
    f.value[16]::float
FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
