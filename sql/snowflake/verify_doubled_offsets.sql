-- SPDX-License-Identifier: Apache-2.0
-- Offsets of a topic with more than one row in its table: what is loaded once has one.
--
-- Parameters: 1 topic; 2 how many to list per partition.
-- Result: (partition, offset, rows, how many such offsets the partition has), in order.
SELECT
    numbered.kafka_partition,
    numbered.kafka_offset,
    numbered.found,
    numbered.total
FROM (
    SELECT
        doubled.kafka_partition,
        doubled.kafka_offset,
        doubled.found,
        count(*) OVER (PARTITION BY doubled.kafka_partition) AS total,
        row_number() OVER (PARTITION BY doubled.kafka_partition ORDER BY doubled.kafka_offset) AS place
    FROM (
        SELECT
            r.kafka_partition,
            r.kafka_offset,
            count(*) AS found
-- @each-table
        FROM raw.each_table AS r
-- @end
        WHERE r.kafka_topic = CAST(? AS VARCHAR)
        GROUP BY r.kafka_partition, r.kafka_offset
        HAVING count(*) > 1
    ) AS doubled
) AS numbered
WHERE numbered.place <= CAST(? AS NUMBER(20, 0))
ORDER BY numbered.kafka_partition, numbered.kafka_offset
