#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a Snowflake account has to show before the sink is trusted with it; docs/snowflake.md says how to run it.
# One line per check: PASS, FAIL or SKIP. Exit code 0 when nothing failed, 1 otherwise, 2 when it cannot be run.
#
# It empties the RAW tables and writes to ops.sink_offsets: only for a database made for this.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'END'
acceptance.sh --database-is-for-this --bin DIRECTORY [--python PYTHON] [--limit SECONDS] [--kills N] [--no-locks]

The environment holds the settings of the sink (WAREHOUSE_*, SNOWFLAKE_*, KAFKA_*); the filtered topics hold records.
--python is one that has snowflake-connector-python. --limit: for each load, default 600. --kills: default 5.
--no-locks: the server has no locks to wait for (fakesnow); what needs them is skipped.
END
}

agreed='' bin='' python=python3 limit=600 kills=5 locks=yes
while [ $# -gt 0 ]; do
    case $1 in
        --database-is-for-this) agreed=yes ;;
        --bin) bin=${2:?} && shift ;;
        --python) python=${2:?} && shift ;;
        --limit) limit=${2:?} && shift ;;
        --kills) kills=${2:?} && shift ;;
        --no-locks) locks= ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
if [ -z "$agreed" ] || [ ! -x "$bin/marketflow-sink" ] || [ "${WAREHOUSE_DIALECT:-}" != snowflake ]; then
    usage >&2
    exit 2
fi

failures=0
work=$(mktemp -d)
run=acceptance-$(date +%s)-$$
sink=
own=() # settings of the sink that runs
trap 'stop_sink; rm -rf "$work"' EXIT

check() { # check NAME COMMAND...: one line; what the command printed is shown when it failed
    local name=$1
    shift
    if "$@" >"$work/check" 2>&1; then
        printf 'PASS %s%s\n' "$name" "$(tail -n 1 "$work/check" | sed 's/^\(.\)/: \1/')"
    else
        failures=$((failures + 1))
        printf 'FAIL %s\n' "$name"
        tail -n 20 "$work/check" | sed 's/^/     /'
    fi
}

sql() { "$python" -B "$here/sql.py" "$@"; }

start_sink() { # start_sink GROUP [NAME=VALUE...]; one that a failed check left is stopped first
    stop_sink
    export KAFKA_GROUP_PREFIX=$1
    shift
    own=("$@")
    env METRICS_LISTEN=127.0.0.1:0 KAFKA_INSTANCE_ID="$run" "$@" "$bin/marketflow-sink" >>"$work/sink.log" 2>&1 &
    sink=$!
}

stop_sink() {
    [ -n "$sink" ] || return 0
    kill "$sink" 2>/dev/null
    wait "$sink" 2>/dev/null
    sink=
}

# Everything on the topics is in the tables, nothing is there twice: as marketflowctl finds it.
loaded() {
    local end=$((SECONDS + limit))
    until "$bin/marketflowctl" verify --list 5 >"$work/verify" 2>&1; do
        if [ $SECONDS -ge $end ]; then
            cat "$work/verify"
            tail -n 5 "$work/sink.log"
            return 1
        fi
        if ! kill -0 "$sink" 2>/dev/null; then # a supervisor's part
            wait "$sink" 2>/dev/null
            local code=$?
            sink=
            case $code in
                70 | 78)
                    tail -n 5 "$work/sink.log"
                    return 1
                    ;;
            esac
            start_sink "$KAFKA_GROUP_PREFIX" "${own[@]}"
        fi
        sleep 1
    done
    tail -n 1 "$work/verify"
}

tables='raw_bars raw_news raw_option_bars raw_alerts raw_metrics raw_symbols raw_corporate_actions raw_feed_status
raw_dead_letters'

empty_tables() {
    local table statements=()
    for table in $tables; do
        statements+=("DELETE FROM raw.$table")
    done
    sql "${statements[@]}" >/dev/null
}

rows_in_all() {
    local table text=''
    for table in $tables; do
        text+="${text:+ UNION ALL }SELECT COUNT(*) AS n FROM raw.$table"
    done
    sql "SELECT CAST(SUM(n) AS NUMBER(20, 0)) FROM ($text) AS t"
}

# ---- the checks

objects() {
    "$bin/marketflow-sink" migrate || return 1
    "$bin/marketflow-sink" migrate | grep -q ' 0 now: the schema is up to date' || return 1
    local table
    for table in $tables; do
        sql "SELECT COUNT(*) FROM raw.$table" >/dev/null || return 1
    done
    echo 'nine tables, and a second run changes nothing'
}

batches_of() { # of so many rows; prints rows per second
    local start=$SECONDS rows
    empty_tables || return 1
    start_sink "$run-batch-$1" "SINK_FLUSH_ROWS=$1"
    loaded || return 1
    stop_sink
    rows=$(rows_in_all) || return 1
    [ "$rows" -gt 0 ] || { echo 'the topics hold no records' && return 1; }
    printf '%s rows in %s s\n' "$rows" $((SECONDS - start))
}

killed() {
    local i
    empty_tables || return 1
    start_sink "$run-kill" SINK_FLUSH_ROWS=100 SINK_FLUSH_MS=200
    for ((i = 0; i < kills; i++)); do
        sleep "$((RANDOM % 3)).$((RANDOM % 10))"
        kill -KILL "$sink" || return 1
        wait "$sink" 2>/dev/null
        sink=
        start_sink "$run-kill" SINK_FLUSH_ROWS=100 SINK_FLUSH_MS=200
    done
    loaded || return 1
    stop_sink
    printf '%s kills, %s rows\n' "$kills" "$(rows_in_all)"
}

# Somebody holds the offset rows for a while: the sink waits or tries again, and loses and doubles nothing.
contended() {
    local holder
    empty_tables || return 1
    start_sink "$run-lock"
    sql --hold 20 "UPDATE ops.sink_offsets SET updated_at = updated_at" >"$work/holder" 2>&1 &
    holder=$!
    if ! loaded; then
        kill "$holder" 2>/dev/null
        return 1
    fi
    stop_sink
    wait "$holder" || { cat "$work/holder" && return 1; }
    printf '%s rows past a lock of 20 s\n' "$(rows_in_all)"
}

# An UPDATE that waited for another one must look at the row as that one left it, or two owners could both move it.
fence_is_judged_anew() {
    local first second
    sql "DELETE FROM ops.sink_offsets WHERE consumer_group = '$run'" \
        "INSERT INTO ops.sink_offsets (consumer_group, topic, kafka_partition, next_offset, owner_epoch, owner_instance,
            kafka_cluster_id) SELECT '$run', 'probe', 0, 0, 1, 'probe', 'probe'" >/dev/null || return 1
    local move="UPDATE ops.sink_offsets SET next_offset = 1 WHERE consumer_group = '$run' AND next_offset = 0"
    sql --hold 8 "$move" >"$work/first" 2>&1 &
    first=$!
    until [ -s "$work/first" ]; do
        kill -0 "$first" 2>/dev/null || { cat "$work/first" && return 1; }
        sleep 0.2
    done
    second=$(sql "$move") || return 1
    wait "$first" || return 1
    sql "DELETE FROM ops.sink_offsets WHERE consumer_group = '$run'" >/dev/null
    echo "the first changed $(cat "$work/first") row, the second $second"
    [ "$(cat "$work/first") $second" = '1 0' ]
}

nothing_twice() {
    local table text=''
    for table in $tables; do
        text+="${text:+ UNION ALL }SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM raw.$table
            GROUP BY kafka_topic, kafka_partition, kafka_offset HAVING COUNT(*) > 1) AS d"
    done
    local doubled
    doubled=$(sql "SELECT CAST(SUM(n) AS NUMBER(20, 0)) FROM ($text) AS t") || return 1
    echo "$doubled records of the topics have more than one row"
    [ "$doubled" = 0 ]
}

check 'objects' objects
for size in 50 500 5000; do
    check "batches of $size rows" batches_of "$size"
done
check 'kill -9 while loading' killed
check 'nothing is there twice after the kills' nothing_twice
if [ -n "$locks" ]; then
    check 'an update that waited is judged anew' fence_is_judged_anew
    check 'a lock on the offset rows' contended
    check 'nothing is there twice after the lock' nothing_twice
else
    printf 'SKIP %s\n' 'an update that waited is judged anew (no locks)' 'a lock on the offset rows (no locks)'
fi
[ "$failures" -eq 0 ]
