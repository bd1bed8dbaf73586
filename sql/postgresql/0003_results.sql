-- SPDX-License-Identifier: Apache-2.0
-- What the tools around the warehouse found out about it: a row per dbt node and per data-quality check, loaded by
-- marketflow-sink load-results, once per invocation.

CREATE TABLE ops.dbt_run_results (
    invocation_id text NOT NULL,
    generated_at timestamptz NOT NULL,
    dbt_version text NOT NULL,
    command text,
    target text,
    unique_id text NOT NULL,
    resource_type text NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    execution_time_s double precision,
    failures bigint,
    message text,
    thread_id text,
    relation_name text,
    rows_affected bigint,
    severity text,
    column_name text,
    test_type text,
    tags jsonb NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dbt_run_results_pk PRIMARY KEY (invocation_id, unique_id)
);

COMMENT ON TABLE ops.dbt_run_results IS 'What dbt did, a row per node and invocation';
COMMENT ON COLUMN ops.dbt_run_results.command IS 'dbt command: build, run, test, seed, snapshot';
COMMENT ON COLUMN ops.dbt_run_results.status IS 'success, error, fail, warn, skipped, pass and others, as dbt says it';
COMMENT ON COLUMN ops.dbt_run_results.severity IS 'Of a test: error or warn';
COMMENT ON COLUMN ops.dbt_run_results.test_type IS 'Name of a generic test, else singular or unit; null for other nodes';

CREATE INDEX dbt_run_results_generated_at_idx ON ops.dbt_run_results USING btree (generated_at DESC);

CREATE TABLE ops.dq_results (
    invocation_id text NOT NULL,
    tool text NOT NULL,
    tool_version text NOT NULL,
    generated_at timestamptz NOT NULL,
    suite text NOT NULL,
    check_id text NOT NULL,
    check_type text NOT NULL,
    target text NOT NULL,
    column_name text,
    status text NOT NULL,
    success boolean NOT NULL,
    severity text,
    observed text,
    expected text,
    failures bigint,
    message text,
    execution_time_s double precision,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dq_results_pk PRIMARY KEY (invocation_id, check_id),
    CONSTRAINT dq_results_tool CHECK (tool IN ('dbt_source_freshness', 'great_expectations'))
);

COMMENT ON TABLE ops.dq_results IS 'Data-quality checks beside dbt tests: source freshness, Great Expectations';
COMMENT ON COLUMN ops.dq_results.invocation_id IS 'dbt: of the command; Great Expectations: run, suite and asset';
COMMENT ON COLUMN ops.dq_results.target IS 'Source or asset that was looked at';
COMMENT ON COLUMN ops.dq_results.observed IS 'What was found: JSON, or the age in seconds';
COMMENT ON COLUMN ops.dq_results.expected IS 'What was asked for, as JSON';

CREATE INDEX dq_results_generated_at_idx ON ops.dq_results USING btree (generated_at DESC);
