-- SPDX-License-Identifier: Apache-2.0
-- The fence, last statement of a flush before its commit: every partition of the batch moves, or the transaction is
-- rolled back. The number of rows that it changed decides.
--
-- Parameters: 1 consumer group; 2 load id; 3 moves, a JSON array of [move, table, topic, partition, owner epoch, first
-- offset, next offset, last event_id or null, its offset or null].
UPDATE ops.sink_offsets
SET
    next_offset = m.next_offset,
    last_event_id = COALESCE(m.last_event_id, sink_offsets.last_event_id),
    last_event_offset = COALESCE(m.last_event_offset, sink_offsets.last_event_offset),
    load_id = m.load_id,
    updated_at = SYSDATE()
FROM (
    SELECT
        CAST(? AS VARCHAR) AS consumer_group,
        CAST(? AS VARCHAR) AS load_id,
        f.value[2]::varchar AS topic,
        f.value[3]::number(10, 0) AS kafka_partition,
        f.value[4]::number(20, 0) AS owner_epoch,
        f.value[5]::number(20, 0) AS first_offset,
        f.value[6]::number(20, 0) AS next_offset,
        f.value[7]::varchar AS last_event_id,
        f.value[8]::number(20, 0) AS last_event_offset
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS m
WHERE sink_offsets.consumer_group = m.consumer_group
    AND sink_offsets.topic = m.topic
    AND sink_offsets.kafka_partition = m.kafka_partition
    AND sink_offsets.owner_epoch = m.owner_epoch
    AND sink_offsets.next_offset = m.first_offset
