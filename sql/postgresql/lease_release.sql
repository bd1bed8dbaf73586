-- SPDX-License-Identifier: Apache-2.0
-- Gives the lease back. Parameters: 1 owner.
UPDATE ops.schema_lease
SET
    owner = '',
    expires_at = '2000-01-01 00:00:00Z'
WHERE name = 'migrations' AND owner = ?::text
