-- SPDX-License-Identifier: Apache-2.0
-- Roles and what each may do; safe to run again. Not a migration: roles belong to the whole server, and only a user who
-- may make roles can run it. A login is made one of them by GRANT marketflow_sink TO <login>.
DO $$
DECLARE
    role_name text;
    schema_name text;
    table_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['marketflow_sink', 'marketflow_dbt', 'marketflow_report'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;

    -- The sink: rows in, offsets kept, nothing changed or removed. Its INSERT looks for the key of a row.
    GRANT USAGE ON SCHEMA raw, ops TO marketflow_sink;
    FOR table_name IN SELECT t.tablename FROM pg_catalog.pg_tables AS t WHERE t.schemaname = 'raw' LOOP
        EXECUTE format('GRANT INSERT ON raw.%I TO marketflow_sink', table_name);
        EXECUTE format('GRANT SELECT (event_id, revision) ON raw.%I TO marketflow_sink', table_name);
    END LOOP;
    GRANT SELECT, INSERT, UPDATE ON ops.sink_offsets TO marketflow_sink;
    GRANT SELECT ON ops.schema_migrations TO marketflow_sink;
    -- marketflow-sink load-results: each invocation once.
    GRANT SELECT, INSERT ON ops.dbt_run_results, ops.dq_results TO marketflow_sink;

    -- dbt: reads RAW and what the sink and the loads note in ops, owns the schemas that it builds.
    GRANT USAGE ON SCHEMA raw, ops TO marketflow_dbt;
    GRANT SELECT ON ALL TABLES IN SCHEMA raw, ops TO marketflow_dbt;
    ALTER DEFAULT PRIVILEGES IN SCHEMA raw, ops GRANT SELECT ON TABLES TO marketflow_dbt;
    FOREACH schema_name IN ARRAY ARRAY['staging', 'intermediate', 'marts_market', 'marts_trading', 'marts_quality', 'snapshots', 'dq_failures'] LOOP
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', schema_name);
        EXECUTE format('GRANT ALL ON SCHEMA %I TO marketflow_dbt', schema_name);
        EXECUTE format('ALTER SCHEMA %I OWNER TO marketflow_dbt', schema_name);
    END LOOP;

    -- Reporting: the marts and the rows that tests found wrong, those tables that dbt will make there too.
    FOREACH schema_name IN ARRAY ARRAY['marts_market', 'marts_trading', 'marts_quality', 'dq_failures'] LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO marketflow_report', schema_name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO marketflow_report', schema_name);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE marketflow_dbt IN SCHEMA %I GRANT SELECT ON TABLES TO marketflow_report',
            schema_name
        );
    END LOOP;
END
$$
