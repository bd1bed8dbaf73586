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
FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
INNER JOIN ops.sink_offsets AS o
    ON o.topic = f.value[0]::varchar
    AND o.kafka_partition = f.value[1]::number(10, 0)
WHERE o.consumer_group = CAST(? AS VARCHAR)
