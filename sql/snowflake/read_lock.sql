-- SPDX-License-Identifier: Apache-2.0
-- Before offset rows are read to find out what became of a flush: waits for the lock of a transaction whose session is
-- gone but which the server has not ended yet. Reading alone would not wait, and would show the rows as they were.
--
-- Parameters: 1 partitions, a JSON array of [topic, partition]; 2 consumer group.
UPDATE ops.sink_offsets
SET updated_at = sink_offsets.updated_at
FROM (
    SELECT
        f.value[0]::varchar AS topic,
        f.value[1]::number(10, 0) AS kafka_partition
    FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
) AS p
WHERE sink_offsets.topic = p.topic
    AND sink_offsets.kafka_partition = p.kafka_partition
    AND sink_offsets.consumer_group = CAST(? AS VARCHAR)
