-- SPDX-License-Identifier: Apache-2.0
-- Keys with more than one row in a table: there are none while the primary key stands. A dialect without this text
-- does not enforce it, and keeps a record that was sent twice as two rows.
--
-- Parameters: 1 how many to list.
-- Result: (event_id, revision, rows, how many such keys there are), in order.
SELECT
    doubled.event_id,
    doubled.revision,
    doubled.found,
    count(*) OVER () AS total
FROM (
    SELECT
        r.event_id,
        r.revision,
        count(*) AS found
-- @each-table
    FROM raw.each_table AS r
-- @end
    GROUP BY r.event_id, r.revision
    HAVING count(*) > 1
) AS doubled
ORDER BY doubled.event_id, doubled.revision
LIMIT ?::bigint
