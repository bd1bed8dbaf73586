-- SPDX-License-Identifier: Apache-2.0
-- Takes the lease, or renews one's own. Parameters: 1 owner; 2 seconds that it lasts; 3 owner. A holder's session also has
-- an advisory lock under its owner's name, which ends with the session: the lease of one that is gone is taken at once,
-- that of one whose machine is gone without a word when its time is over.
WITH mine AS MATERIALIZED (
    SELECT
        asked.owner,
        asked.seconds,
        pg_try_advisory_lock(hashtext('marketflow lease'), hashtext(asked.owner)) AS locked
    FROM (SELECT ?::text AS owner, ?::integer AS seconds) AS asked
)

UPDATE ops.schema_lease AS l
SET
    owner = m.owner,
    expires_at = clock_timestamp() + m.seconds * interval '1 second'
FROM mine AS m
WHERE
    l.name = 'migrations' AND m.locked
    AND (
        l.owner = ?::text
        OR l.expires_at < clock_timestamp()
        OR NOT EXISTS (
            SELECT 1
            FROM pg_locks AS k
            WHERE
                k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
                AND k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                AND k.classid = hashtext('marketflow lease')::oid
                AND k.objid = hashtext(l.owner)::oid
        )
    )
