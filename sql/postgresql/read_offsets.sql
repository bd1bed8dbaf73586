-- SPDX-License-Identifier: Apache-2.0
-- What became of a flush whose answer never came: the offset rows say it.
--
-- Parameters: 1 partitions, a JSON array of [topic, partition]; 2 consumer group.
-- Result: (topic, partition, owner epoch, next offset) per partition that has a row.
SELECT
    o.topic,
    o.kafka_partition,
    o.owner_epoch,
    o.next_offset
FROM jsonb_array_elements(?::jsonb) AS p (item)
INNER JOIN ops.sink_offsets AS o
    ON o.topic = p.item ->> 0
    AND o.kafka_partition = (p.item ->> 1)::integer
WHERE o.consumer_group = ?::text
