-- SPDX-License-Identifier: Apache-2.0
-- The first statement of a take-over: a partition that was never seen gets its row, at offset 0 and epoch 0.
--
-- Parameters: 1 consumer group; 2 instance; 3 Kafka cluster id; 4 partitions, a JSON array of [topic, partition].
INSERT INTO ops.sink_offsets (
    consumer_group, topic, kafka_partition, next_offset, owner_epoch, owner_instance, kafka_cluster_id
)
SELECT
    p.consumer_group,
    p.topic,
    p.kafka_partition,
    0,
    0,
    p.owner_instance,
    p.kafka_cluster_id
FROM (
    SELECT
        CAST(? AS VARCHAR) AS consumer_group,
        CAST(? AS VARCHAR) AS owner_instance,
        CAST(? AS VARCHAR) AS kafka_cluster_id,
        f.value[0]::varchar AS topic,
        f.value[1]::number(10, 0) AS kafka_partition
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS p
LEFT JOIN ops.sink_offsets AS o
    ON o.consumer_group = p.consumer_group
    AND o.topic = p.topic
    AND o.kafka_partition = p.kafka_partition
WHERE o.topic IS NULL
