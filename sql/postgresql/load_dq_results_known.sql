-- SPDX-License-Identifier: Apache-2.0
-- Parameters: 1 invocation id. Result: one row, how many rows of the invocation are in ops.dq_results.
SELECT count(*) AS found
FROM ops.dq_results AS r
WHERE r.invocation_id = ?::text
