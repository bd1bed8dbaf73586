-- SPDX-License-Identifier: Apache-2.0
-- One migration run at a time in this database; the lock ends with the session. Parameters: none. Result: one row.
SELECT pg_advisory_lock(hashtext('marketflow'), hashtext('schema_migrations')) IS NULL AS locked
