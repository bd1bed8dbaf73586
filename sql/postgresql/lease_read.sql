-- SPDX-License-Identifier: Apache-2.0
-- Who has the lease. Parameters: none. Result: (owner, end of the lease in UTC).
SELECT
    l.owner,
    to_char(l.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS expires_at
FROM ops.schema_lease AS l
WHERE l.name = 'migrations'
