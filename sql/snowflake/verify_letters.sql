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
        f.value[0]::number(10, 0) AS kafka_partition,
        f.value[1]::number(20, 0) AS kafka_offset
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS asked
INNER JOIN raw.raw_dead_letters AS l
    ON l.payload:origin.partition::number(10, 0) = asked.kafka_partition
    AND l.payload:origin.offset::number(20, 0) = asked.kafka_offset
WHERE l.payload:origin.topic::varchar = CAST(? AS VARCHAR)
