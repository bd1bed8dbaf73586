-- SPDX-License-Identifier: Apache-2.0
-- Which offsets of a topic loaded dead letters name.
--
-- Parameters: 1 offsets, a JSON array of [partition, offset]; 2 topic.
-- Result: (partition, offset) of those that are named.
SELECT DISTINCT
    asked.kafka_partition,
    asked.kafka_offset
FROM (
    SELECT
        (a.item ->> 0)::integer AS kafka_partition,
        (a.item ->> 1)::bigint AS kafka_offset
    FROM jsonb_array_elements(?::jsonb) AS a (item)
) AS asked
INNER JOIN raw.raw_dead_letters AS l
    ON (l.payload -> 'origin' ->> 'partition')::integer = asked.kafka_partition
    AND (l.payload -> 'origin' ->> 'offset')::bigint = asked.kafka_offset
WHERE l.payload -> 'origin' ->> 'topic' = ?::text
