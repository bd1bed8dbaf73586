-- SPDX-License-Identifier: Apache-2.0
-- Which of a window of records have no row.
--
-- Parameters: 1 keys, a JSON array of [event_id, revision], null for what is no event.
-- Result: (place) of those without a row, from 0, ascending.
SELECT k.place
FROM (
    SELECT
        f.index AS place,
        f.value[0]::varchar AS event_id,
        f.value[1]::number(10, 0) AS revision
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS k
-- @each-table
LEFT JOIN (SELECT DISTINCT t.event_id, t.revision FROM raw.each_table AS t) AS r
-- @end
    ON r.event_id = k.event_id
    AND r.revision = k.revision
WHERE r.event_id IS NULL
ORDER BY k.place
