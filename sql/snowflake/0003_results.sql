-- SPDX-License-Identifier: Apache-2.0
-- What the tools around the warehouse found out about it: a row per dbt node and per data-quality check, loaded by
-- marketflow-sink load-results, once per invocation.

CREATE TABLE IF NOT EXISTS ops.dbt_run_results (
    invocation_id VARCHAR NOT NULL,
    generated_at TIMESTAMP_NTZ(6) NOT NULL,
    dbt_version VARCHAR NOT NULL,
    command VARCHAR COMMENT 'dbt command: build, run, test, seed, snapshot',
    target VARCHAR,
    unique_id VARCHAR NOT NULL,
    resource_type VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL COMMENT 'success, error, fail, warn, skipped, pass and others, as dbt says it',
    execution_time_s FLOAT,
    failures NUMBER(20, 0),
    message VARCHAR,
    thread_id VARCHAR,
    relation_name VARCHAR,
    rows_affected NUMBER(20, 0),
    severity VARCHAR COMMENT 'Of a test: error or warn',
    column_name VARCHAR,
    test_type VARCHAR COMMENT 'Name of a generic test, else singular or unit; null for other nodes',
    tags VARIANT NOT NULL,
    loaded_at TIMESTAMP_NTZ(6) NOT NULL DEFAULT SYSDATE(),
    CONSTRAINT dbt_run_results_pk PRIMARY KEY (invocation_id, unique_id) NOT ENFORCED
)
COMMENT = 'What dbt did, a row per node and invocation';

CREATE TABLE IF NOT EXISTS ops.dq_results (
    invocation_id VARCHAR NOT NULL COMMENT 'dbt: of the command; Great Expectations: run, suite and asset',
    tool VARCHAR NOT NULL,
    tool_version VARCHAR NOT NULL,
    generated_at TIMESTAMP_NTZ(6) NOT NULL,
    suite VARCHAR NOT NULL,
    check_id VARCHAR NOT NULL,
    check_type VARCHAR NOT NULL,
    target VARCHAR NOT NULL COMMENT 'Source or asset that was looked at',
    column_name VARCHAR,
    status VARCHAR NOT NULL,
    success BOOLEAN NOT NULL,
    severity VARCHAR,
    observed VARCHAR COMMENT 'What was found: JSON, or the age in seconds',
    expected VARCHAR COMMENT 'What was asked for, as JSON',
    failures NUMBER(20, 0),
    message VARCHAR,
    execution_time_s FLOAT,
    loaded_at TIMESTAMP_NTZ(6) NOT NULL DEFAULT SYSDATE(),
    CONSTRAINT dq_results_pk PRIMARY KEY (invocation_id, check_id) NOT ENFORCED
)
COMMENT = 'Data-quality checks beside dbt tests: source freshness, Great Expectations';
