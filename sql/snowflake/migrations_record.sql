-- SPDX-License-Identifier: Apache-2.0
-- Parameters: 1 version (file name without .sql), 2 SHA-256 of the file, 3 owner of the lease. One row is written if the
-- lease is the owner's still, else none.
INSERT INTO ops.schema_migrations (version, checksum)
SELECT
    CAST(? AS VARCHAR),
    CAST(? AS VARCHAR)
WHERE
    EXISTS (
        SELECT 1
        FROM ops.schema_lease AS l
        WHERE l.name = 'migrations' AND l.owner = CAST(? AS VARCHAR) AND l.expires_at > SYSDATE()
    )
