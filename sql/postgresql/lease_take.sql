-- SPDX-License-Identifier: Apache-2.0
-- Takes the lease, or renews one's own. Parameters: 1 owner; 2 seconds that it lasts; 3 owner.
UPDATE ops.schema_lease
SET
    owner = ?::text,
    expires_at = clock_timestamp() + ?::integer * interval '1 second'
WHERE name = 'migrations' AND (owner = ?::text OR expires_at < clock_timestamp())
