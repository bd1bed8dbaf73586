-- SPDX-License-Identifier: Apache-2.0
-- The last statement of a take-over, in the same transaction: where to go on from, and under which epoch.
--
-- Parameters: 1 partitions, a JSON array of [topic, partition]; 2 consumer group.
-- Result: (topic, partition, owner epoch, next offset, last event_id, its offset, Kafka cluster id) per partition.
SELECT
    o.topic,
    o.kafka_partition,
    o.owner_epoch,
    o.next_offset,
    o.last_event_id,
    o.last_event_offset,
    o.kafka_cluster_id
FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
INNER JOIN ops.sink_offsets AS o
    ON o.topic = f.value[0]::varchar
    AND o.kafka_partition = f.value[1]::number(10, 0)
WHERE o.consumer_group = CAST(? AS VARCHAR)
