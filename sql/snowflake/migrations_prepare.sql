-- SPDX-License-Identifier: Apache-2.0
-- The book of applied migrations and the lease of the run that may apply them; safe to run again.
CREATE SCHEMA IF NOT EXISTS ops;

CREATE TABLE IF NOT EXISTS ops.schema_migrations (
    version VARCHAR NOT NULL,
    checksum VARCHAR NOT NULL,
    applied_at TIMESTAMP_NTZ(6) NOT NULL DEFAULT SYSDATE(),
    CONSTRAINT schema_migrations_pk PRIMARY KEY (version) NOT ENFORCED
);

CREATE TABLE IF NOT EXISTS ops.schema_lease (
    name VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    expires_at TIMESTAMP_NTZ(6) NOT NULL,
    CONSTRAINT schema_lease_pk PRIMARY KEY (name) NOT ENFORCED
);

INSERT INTO ops.schema_lease (name, owner, expires_at)
SELECT
    'migrations',
    '',
    TO_TIMESTAMP_NTZ('2000-01-01 00:00:00')
WHERE NOT EXISTS (SELECT 1 FROM ops.schema_lease);
