-- SPDX-License-Identifier: Apache-2.0
-- What the sink remembers, in the same database as the rows, so that both move in one statement.

CREATE SCHEMA IF NOT EXISTS ops;

-- One row per partition that a sink group reads. next_offset is the fence of every flush: a statement that does not
-- find the epoch and the offset it expects inserts nothing for that partition.
CREATE TABLE ops.sink_offsets (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    next_offset bigint NOT NULL,
    owner_epoch bigint NOT NULL,
    owner_instance text NOT NULL,
    last_event_id text,
    last_event_offset bigint,
    kafka_cluster_id text NOT NULL,
    load_id uuid,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sink_offsets_pk PRIMARY KEY (consumer_group, topic, kafka_partition),
    CONSTRAINT sink_offsets_partition CHECK (kafka_partition >= 0),
    CONSTRAINT sink_offsets_next CHECK (next_offset >= 0),
    CONSTRAINT sink_offsets_epoch CHECK (owner_epoch > 0),
    CONSTRAINT sink_offsets_last CHECK (
        (last_event_id IS NULL) = (last_event_offset IS NULL) AND (last_event_offset IS NULL OR last_event_offset < next_offset)
    )
)
-- Each flush updates a handful of rows: room for new versions on the same page, and dead ones swept often.
WITH (
    fillfactor = 30,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000
);

COMMENT ON TABLE ops.sink_offsets IS 'Where each sink group goes on reading, and which instance may write';
COMMENT ON COLUMN ops.sink_offsets.next_offset IS 'First Kafka offset that is not in the warehouse yet';
COMMENT ON COLUMN ops.sink_offsets.owner_epoch IS 'Grows with every assignment; an older epoch may not write';
COMMENT ON COLUMN ops.sink_offsets.last_event_id IS 'event_id of the record at last_event_offset, to notice a re-created topic';
COMMENT ON COLUMN ops.sink_offsets.load_id IS 'Load of the last flush that moved this row';
