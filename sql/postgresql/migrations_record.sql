-- SPDX-License-Identifier: Apache-2.0
-- Parameters: 1 version (file name without .sql), 2 SHA-256 of the file, 3 owner of the lease. Nobody can take the lease
-- between this and the commit; one row is written if it is the owner's still, else none: then nothing is committed.
INSERT INTO ops.schema_migrations (version, checksum)
SELECT
    ?::text,
    ?::text
FROM ops.schema_lease AS l
WHERE l.name = 'migrations' AND l.owner = ?::text
FOR SHARE
