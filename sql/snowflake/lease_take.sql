-- SPDX-License-Identifier: Apache-2.0
-- Takes the lease, or renews one's own. Parameters: 1 owner; 2 seconds that it lasts; 3 owner.
UPDATE ops.schema_lease
SET
    owner = CAST(? AS VARCHAR),
    expires_at = DATEADD('second', CAST(? AS NUMBER(10, 0)), SYSDATE())
WHERE name = 'migrations' AND (owner = CAST(? AS VARCHAR) OR expires_at < SYSDATE())
