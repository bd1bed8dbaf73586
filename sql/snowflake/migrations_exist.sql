-- SPDX-License-Identifier: Apache-2.0
-- Parameters: none. Result: one row, 1 when the book of applied migrations exists.
SELECT COUNT(*) AS found
FROM information_schema.tables AS t
WHERE t.table_schema = 'OPS' AND t.table_name = 'SCHEMA_MIGRATIONS'
