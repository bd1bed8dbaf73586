-- SPDX-License-Identifier: Apache-2.0
-- Parameters: none. Result: one row, 1 when the book of applied migrations exists.
SELECT count(*) AS found
FROM pg_catalog.pg_tables AS t
WHERE t.schemaname = 'ops' AND t.tablename = 'schema_migrations'
