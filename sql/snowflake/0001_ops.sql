-- SPDX-License-Identifier: Apache-2.0
-- What the sink remembers, in the same database as the rows, so that both move in one transaction. Every statement of
-- a migration can be run again: DDL commits by itself, and a run may end between two of them.

CREATE SCHEMA IF NOT EXISTS ops;

-- One row per partition that a sink group reads. next_offset is the fence of every flush: a transaction that does not
-- find the epoch and the offset it expects is rolled back.
CREATE TABLE IF NOT EXISTS ops.sink_offsets (
    consumer_group VARCHAR NOT NULL COMMENT 'Consumer group of the sink',
    topic VARCHAR NOT NULL,
    kafka_partition NUMBER(10, 0) NOT NULL,
    next_offset NUMBER(20, 0) NOT NULL COMMENT 'First Kafka offset that is not in the warehouse yet',
    owner_epoch NUMBER(20, 0) NOT NULL COMMENT 'Grows with every assignment; an older epoch may not write',
    owner_instance VARCHAR NOT NULL,
    last_event_id VARCHAR COMMENT 'event_id of the record at last_event_offset, to notice a re-created topic',
    last_event_offset NUMBER(20, 0),
    kafka_cluster_id VARCHAR NOT NULL,
    load_id VARCHAR(36) COMMENT 'Load of the last flush that moved this row',
    updated_at TIMESTAMP_NTZ(6) NOT NULL DEFAULT SYSDATE(),
    CONSTRAINT sink_offsets_pk PRIMARY KEY (consumer_group, topic, kafka_partition) NOT ENFORCED
)
COMMENT = 'Where each sink group goes on reading, and which instance may write';
