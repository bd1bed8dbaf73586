-- SPDX-License-Identifier: Apache-2.0
-- Roles and what each may do; safe to run again. Not a migration: only a role that may make roles and give rights
-- away (SECURITYADMIN with the database's owner, or ACCOUNTADMIN) can run it. A user is given one of them by
-- GRANT ROLE marketflow_sink TO USER <user>, and the use of the database and of a warehouse as docs/snowflake.md shows.
CREATE ROLE IF NOT EXISTS marketflow_sink;
CREATE ROLE IF NOT EXISTS marketflow_dbt;
CREATE ROLE IF NOT EXISTS marketflow_report;

-- The sink: rows in, offsets kept, nothing changed or removed.
GRANT USAGE ON SCHEMA raw TO ROLE marketflow_sink;
GRANT USAGE ON SCHEMA ops TO ROLE marketflow_sink;
GRANT INSERT ON ALL TABLES IN SCHEMA raw TO ROLE marketflow_sink;
GRANT INSERT ON FUTURE TABLES IN SCHEMA raw TO ROLE marketflow_sink;
GRANT SELECT, INSERT, UPDATE ON TABLE ops.sink_offsets TO ROLE marketflow_sink;
GRANT SELECT ON TABLE ops.schema_migrations TO ROLE marketflow_sink;
-- marketflow-sink load-results: each invocation once.
GRANT SELECT, INSERT ON TABLE ops.dbt_run_results TO ROLE marketflow_sink;
GRANT SELECT, INSERT ON TABLE ops.dq_results TO ROLE marketflow_sink;

-- dbt: reads RAW and what the sink and the loads note in ops, owns the schemas that it builds.
GRANT USAGE ON SCHEMA raw TO ROLE marketflow_dbt;
GRANT USAGE ON SCHEMA ops TO ROLE marketflow_dbt;
GRANT SELECT ON ALL TABLES IN SCHEMA raw TO ROLE marketflow_dbt;
GRANT SELECT ON FUTURE TABLES IN SCHEMA raw TO ROLE marketflow_dbt;
GRANT SELECT ON ALL TABLES IN SCHEMA ops TO ROLE marketflow_dbt;
GRANT SELECT ON FUTURE TABLES IN SCHEMA ops TO ROLE marketflow_dbt;
CREATE SCHEMA IF NOT EXISTS staging;
CREATE SCHEMA IF NOT EXISTS intermediate;
CREATE SCHEMA IF NOT EXISTS marts_market;
CREATE SCHEMA IF NOT EXISTS marts_trading;
CREATE SCHEMA IF NOT EXISTS marts_quality;
CREATE SCHEMA IF NOT EXISTS snapshots;
CREATE SCHEMA IF NOT EXISTS dq_failures;
GRANT OWNERSHIP ON SCHEMA staging TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA intermediate TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA marts_market TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA marts_trading TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA marts_quality TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA snapshots TO ROLE marketflow_dbt COPY CURRENT GRANTS;
GRANT OWNERSHIP ON SCHEMA dq_failures TO ROLE marketflow_dbt COPY CURRENT GRANTS;

-- Reporting: the marts and the rows that tests found wrong, those tables and views that dbt will make there too.
GRANT USAGE ON SCHEMA marts_market TO ROLE marketflow_report;
GRANT USAGE ON SCHEMA marts_trading TO ROLE marketflow_report;
GRANT USAGE ON SCHEMA marts_quality TO ROLE marketflow_report;
GRANT USAGE ON SCHEMA dq_failures TO ROLE marketflow_report;
GRANT SELECT ON ALL TABLES IN SCHEMA marts_market TO ROLE marketflow_report;
GRANT SELECT ON ALL TABLES IN SCHEMA marts_trading TO ROLE marketflow_report;
GRANT SELECT ON ALL TABLES IN SCHEMA marts_quality TO ROLE marketflow_report;
GRANT SELECT ON ALL TABLES IN SCHEMA dq_failures TO ROLE marketflow_report;
GRANT SELECT ON FUTURE TABLES IN SCHEMA marts_market TO ROLE marketflow_report;
GRANT SELECT ON FUTURE TABLES IN SCHEMA marts_trading TO ROLE marketflow_report;
GRANT SELECT ON FUTURE TABLES IN SCHEMA marts_quality TO ROLE marketflow_report;
GRANT SELECT ON FUTURE TABLES IN SCHEMA dq_failures TO ROLE marketflow_report;
GRANT SELECT ON ALL VIEWS IN SCHEMA marts_market TO ROLE marketflow_report;
GRANT SELECT ON ALL VIEWS IN SCHEMA marts_trading TO ROLE marketflow_report;
GRANT SELECT ON ALL VIEWS IN SCHEMA marts_quality TO ROLE marketflow_report;
GRANT SELECT ON ALL VIEWS IN SCHEMA dq_failures TO ROLE marketflow_report;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA marts_market TO ROLE marketflow_report;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA marts_trading TO ROLE marketflow_report;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA marts_quality TO ROLE marketflow_report;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA dq_failures TO ROLE marketflow_report;
