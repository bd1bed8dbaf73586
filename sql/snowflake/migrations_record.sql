-- SPDX-License-Identifier: Apache-2.0
-- Parameters: 1 version (file name without .sql), 2 SHA-256 of the file.
INSERT INTO ops.schema_migrations (version, checksum)
SELECT
    CAST(? AS VARCHAR),
    CAST(? AS VARCHAR)
