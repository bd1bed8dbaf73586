-- SPDX-License-Identifier: Apache-2.0
-- What a session of the sink needs before its first statement. A statement waits for a lock no longer than half of the
-- deadline guard; a transaction whose session is gone is ended by the server and does not hold its locks for minutes.
-- Parameters: none.
ALTER SESSION SET
TIMEZONE = 'UTC',
STATEMENT_TIMEOUT_IN_SECONDS = 120,
LOCK_TIMEOUT = 30,
QUERY_TAG = 'marketflow-sink',
ABORT_DETACHED_QUERY = TRUE
