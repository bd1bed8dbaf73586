-- SPDX-License-Identifier: Apache-2.0
-- One flush, one statement, one transaction: every row of the batch whose partition passes the fence, and the fence
-- itself. A partition whose row has another epoch or another offset neither moves nor gets rows; the others stand.
--
-- Parameters: 1 moves, a JSON array of [move, table, topic, partition, owner epoch, first offset, next offset,
-- last event_id or null, its offset or null]; 2 consumer group; 3 load id; 4 payloads, a JSON array of events;
-- 5 what the pipeline knows about each of them, a JSON array of [move, offset, revision, flags, dedupe key].
-- Result: (moved, topic, partition, next offset) per partition that moved, (table, null, null, rows) per table.
--
-- The part between the marks is repeated for each table that the batch has rows of, with each_table replaced by its
-- name: a statement that names a table fails when the table is missing, even without a row for it.
-- The line with the mark for repeats is left out as long as no row of the topics is there already: looking for each
-- key before it is inserted costs a sixth of the statement. A row that is there after all then fails the statement,
-- which is repeated with the line.
WITH move AS MATERIALIZED (
    SELECT
        (m.item ->> 0)::integer AS move,
        m.item ->> 1 AS table_name,
        m.item ->> 2 AS topic,
        (m.item ->> 3)::integer AS kafka_partition,
        (m.item ->> 4)::bigint AS owner_epoch,
        (m.item ->> 5)::bigint AS first_offset,
        (m.item ->> 6)::bigint AS next_offset,
        m.item ->> 7 AS last_event_id,
        (m.item ->> 8)::bigint AS last_event_offset
    FROM jsonb_array_elements(?::jsonb) AS m (item)
),

flush AS MATERIALIZED (
    SELECT
        ?::text AS consumer_group,
        ?::uuid AS load_id
),

-- Locked in one order, so that two sinks at a handover cannot block each other crosswise. A row that another
-- statement changed meanwhile is judged by its new values.
locked AS (
    SELECT
        o.consumer_group,
        move.*,
        flush.load_id
    FROM flush
    CROSS JOIN move
    INNER JOIN ops.sink_offsets AS o
        ON o.consumer_group = flush.consumer_group
        AND o.topic = move.topic
        AND o.kafka_partition = move.kafka_partition
        AND o.owner_epoch = move.owner_epoch
        AND o.next_offset = move.first_offset
    ORDER BY o.topic, o.kafka_partition
    FOR UPDATE OF o
),

fence AS (
    UPDATE ops.sink_offsets AS o
    SET
        next_offset = locked.next_offset,
        last_event_id = coalesce(locked.last_event_id, o.last_event_id),
        last_event_offset = coalesce(locked.last_event_offset, o.last_event_offset),
        load_id = locked.load_id,
        updated_at = clock_timestamp()
    FROM locked
    WHERE o.consumer_group = locked.consumer_group
        AND o.topic = locked.topic
        AND o.kafka_partition = locked.kafka_partition
    RETURNING locked.move, locked.table_name, o.topic, o.kafka_partition, o.next_offset, o.load_id
),

-- Materialized: inlined into several INSERTs it would be parsed once for each of them.
batch AS MATERIALIZED (
    SELECT
        r.payload,
        (r.known ->> 0)::integer AS move,
        (r.known ->> 1)::bigint AS kafka_offset,
        (r.known ->> 2)::integer AS revision,
        r.known ->> 3 AS flags,
        r.known ->> 4 AS dedupe_key
    FROM ROWS FROM (jsonb_array_elements(?::jsonb), jsonb_array_elements(?::jsonb)) AS r (payload, known)
)

-- @each-table
, insert_each_table AS (
    INSERT INTO raw.each_table (
        event_id, revision, event_type, symbol, event_time, ingest_time, payload, schema_version, source, lane,
        flags, dedupe_key, kafka_topic, kafka_partition, kafka_offset, load_id
    )
    SELECT
        b.payload ->> 'event_id',
        b.revision,
        b.payload ->> 'event_type',
        b.payload ->> 'symbol',
        (b.payload ->> 'event_time')::timestamptz,
        (b.payload ->> 'ingest_time')::timestamptz,
        b.payload,
        b.payload ->> 'schema_version',
        b.payload ->> 'source',
        b.payload ->> 'lane',
        b.flags,
        b.dedupe_key,
        fence.topic,
        fence.kafka_partition,
        b.kafka_offset,
        fence.load_id
    FROM batch AS b
    INNER JOIN fence ON fence.move = b.move
    WHERE fence.table_name = 'each_table'
    ON CONFLICT (event_id, revision) DO NOTHING -- @repeats
    RETURNING 1
)
-- @end

SELECT
    'moved' AS what,
    fence.topic,
    fence.kafka_partition,
    fence.next_offset AS value
FROM fence

-- @each-table
UNION ALL
SELECT
    'each_table' AS what,
    NULL AS topic,
    NULL AS kafka_partition,
    count(*) AS value
FROM insert_each_table
-- @end
