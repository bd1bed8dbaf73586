-- SPDX-License-Identifier: Apache-2.0
-- Which of a window of records have no row. Looked up by the primary key.
--
-- Parameters: 1 keys, a JSON array of [event_id, revision], null for what is no event.
-- Result: (place) of those without a row, from 0, ascending.
SELECT k.place - 1 AS place
FROM jsonb_array_elements(?::jsonb) WITH ORDINALITY AS k (item, place)
-- @each-table
LEFT JOIN raw.each_table AS r
-- @end
    ON r.event_id = k.item ->> 0
    AND r.revision = (k.item ->> 1)::integer
WHERE r.event_id IS NULL
ORDER BY k.place
