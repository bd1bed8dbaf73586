-- SPDX-License-Identifier: Apache-2.0
-- The book of applied migrations and the lease of the run that may apply them; safe to run again, and by several runs
-- at once: two of them making one table would fail without the lock, which ends with the statement. The server looks every
-- few seconds whether a run that it works for is still there: what a killed one began is undone and holds up nobody.
DO $$
BEGIN
    PERFORM set_config('client_connection_check_interval', '2s', false);

    PERFORM pg_advisory_xact_lock(hashtext('marketflow'), hashtext('schema_migrations'));

    CREATE SCHEMA IF NOT EXISTS ops;

    CREATE TABLE IF NOT EXISTS ops.schema_migrations (
        version text NOT NULL PRIMARY KEY,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );

    CREATE TABLE IF NOT EXISTS ops.schema_lease (
        name text NOT NULL PRIMARY KEY,
        owner text NOT NULL,
        expires_at timestamptz NOT NULL
    );

    INSERT INTO ops.schema_lease (name, owner, expires_at) VALUES ('migrations', '', '2000-01-01 00:00:00Z')
    ON CONFLICT (name) DO NOTHING;
END
$$
