-- SPDX-License-Identifier: Apache-2.0
-- Takes partitions over: the owner epoch grows, which shuts out whoever had them before, and the offset to go on from
-- comes back, in one statement. A partition that was never seen starts at 0. A row of another Kafka cluster is left
-- as it is: what comes back says so, and the sink refuses to run.
--
-- Parameters: 1 partitions, a JSON array of [topic, partition]; 2 consumer group; 3 instance; 4 Kafka cluster id.
-- Result: (topic, partition, owner epoch, next offset, last event_id, its offset, Kafka cluster id) per partition.
INSERT INTO ops.sink_offsets AS o (
    topic, kafka_partition, consumer_group, next_offset, owner_epoch, owner_instance, kafka_cluster_id
)
SELECT
    p.item ->> 0,
    (p.item ->> 1)::integer,
    taken.consumer_group,
    0,
    1,
    taken.owner_instance,
    taken.kafka_cluster_id
FROM jsonb_array_elements(?::jsonb) AS p (item)
CROSS JOIN (
    SELECT
        ?::text AS consumer_group,
        ?::text AS owner_instance,
        ?::text AS kafka_cluster_id
) AS taken
ORDER BY 1, 2
ON CONFLICT (consumer_group, topic, kafka_partition) DO UPDATE SET
    owner_epoch = o.owner_epoch + CASE WHEN o.kafka_cluster_id = excluded.kafka_cluster_id THEN 1 ELSE 0 END,
    owner_instance = CASE
        WHEN o.kafka_cluster_id = excluded.kafka_cluster_id THEN excluded.owner_instance ELSE o.owner_instance
    END,
    updated_at = clock_timestamp()
RETURNING o.topic, o.kafka_partition, o.owner_epoch, o.next_offset, o.last_event_id, o.last_event_offset,
o.kafka_cluster_id
