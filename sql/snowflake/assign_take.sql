-- SPDX-License-Identifier: Apache-2.0
-- The second statement of a take-over: the owner epoch grows, which shuts out whoever had the partitions before. Rows
-- of another Kafka cluster are left as they are: what is read next says so, and the sink refuses to run.
--
-- Parameters: 1 consumer group; 2 instance; 3 Kafka cluster id; 4 partitions, a JSON array of [topic, partition].
UPDATE ops.sink_offsets
SET
    owner_epoch = sink_offsets.owner_epoch + 1,
    owner_instance = p.owner_instance,
    updated_at = SYSDATE()
FROM (
    SELECT
        CAST(? AS VARCHAR) AS consumer_group,
        CAST(? AS VARCHAR) AS owner_instance,
        CAST(? AS VARCHAR) AS kafka_cluster_id,
        f.value[0]::varchar AS topic,
        f.value[1]::number(10, 0) AS kafka_partition
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS p
WHERE sink_offsets.consumer_group = p.consumer_group
    AND sink_offsets.topic = p.topic
    AND sink_offsets.kafka_partition = p.kafka_partition
    AND sink_offsets.kafka_cluster_id = p.kafka_cluster_id
