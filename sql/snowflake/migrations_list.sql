-- SPDX-License-Identifier: Apache-2.0
-- Parameters: none. Result: (version, checksum) per applied migration.
SELECT DISTINCT
    m.version,
    m.checksum
FROM ops.schema_migrations AS m
ORDER BY m.version
