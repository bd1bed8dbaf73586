-- SPDX-License-Identifier: Apache-2.0
-- Rows of one table, one or more times per flush; each_table is replaced by the table's name. Arrays of parameters
-- would be sent row by row here, and a VARIANT cannot be bound: one JSON array goes in as one text.
--
-- Parameters: 1 load id; 2 rows, a JSON array of [topic, partition, offset, revision, flags, dedupe key, event].
-- @each-table
INSERT INTO raw.each_table (
    event_id, revision, event_type, symbol, event_time, ingest_time, payload, schema_version, source, lane,
    flags, dedupe_key, kafka_topic, kafka_partition, kafka_offset, load_id
)
SELECT
    f.value[6]:event_id::varchar,
    f.value[3]::number(10, 0),
    f.value[6]:event_type::varchar,
    f.value[6]:symbol::varchar,
    f.value[6]:event_time::timestamp_ntz(6),
    f.value[6]:ingest_time::timestamp_ntz(6),
    f.value[6],
    f.value[6]:schema_version::varchar,
    f.value[6]:source::varchar,
    f.value[6]:lane::varchar,
    f.value[4]::varchar,
    f.value[5]::varchar,
    f.value[0]::varchar,
    f.value[1]::number(10, 0),
    f.value[2]::number(20, 0),
    CAST(? AS VARCHAR)
FROM TABLE(FLATTEN(PARSE_JSON(?))) AS f
-- @end
