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
    r.item ->> 0,
    r.item ->> 1,
    r.item ->> 2,
    (r.item ->> 3)::timestamptz,
    r.item ->> 4,
    r.item ->> 5,
    r.item ->> 6,
    r.item ->> 7,
    r.item ->> 8,
    r.item ->> 9,
    (r.item ->> 10)::boolean,
    r.item ->> 11,
    r.item ->> 12,
    r.item ->> 13,
    (r.item ->> 14)::bigint,
    r.item ->> 15,
    (r.item ->> 16)::double precision
FROM jsonb_array_elements(?::jsonb) AS r (item)
ON CONFLICT (invocation_id, check_id) DO NOTHING
