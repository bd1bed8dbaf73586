// SPDX-License-Identifier: Apache-2.0
// The sink's statements against a real PostgreSQL: migrations, take-over, the fence, what is refused. Needs a
// server named by MF_TEST_PG_HOST, MF_TEST_PG_PORT, MF_TEST_PG_DATABASE, MF_TEST_PG_USER and
// MF_TEST_PG_PASSWORD whose user may create databases (it works in one of its own); skipped aloud without.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/settings.h"
#include "services/sink/warehouse.h"

#define CLUSTER "test-cluster"
#define PARTITIONS 3

static char database[64]; // our own; empty = no server

// psqlODBC 13.02 loses 336 bytes whenever a statement cannot be prepared or its session is gone. Found by the
// leak checker, where there is one: the two tests that provoke it leave them out.
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void driver_leaks(bool on)
{
    if (on && __lsan_disable != NULL)
        __lsan_disable();
    if (!on && __lsan_enable != NULL)
        __lsan_enable();
}

static struct mf_odbc_config admin_config(void)
{
    int64_t port = 0;
    mf_str_to_i64(mf_str_of(getenv("MF_TEST_PG_PORT")), &port);
    return (struct mf_odbc_config){.dialect = MF_ODBC_POSTGRESQL,
                                   .driver = "PostgreSQL Unicode",
                                   .host = getenv("MF_TEST_PG_HOST"),
                                   .port = (int)port,
                                   .database = getenv("MF_TEST_PG_DATABASE"),
                                   .user = getenv("MF_TEST_PG_USER"),
                                   .password = getenv("MF_TEST_PG_PASSWORD"),
                                   .sslmode = "disable",
                                   .login_timeout_ms = 3000,
                                   .statement_timeout_ms = 10000};
}

// One statement on a connection of its own, to the given database.
static int run_sql(const char *where, const char *sql)
{
    struct mf_odbc_config config = admin_config();
    struct mf_odbc *connection = NULL;
    struct mf_error err;
    config.database = where;
    int result = mf_odbc_connect(&config, &connection, NULL, &err);
    if (result == 0)
        result = mf_odbc_exec_direct(connection, sql, NULL, &err);
    if (result != 0)
        print_message("%s: %s\n", sql, err.message);
    mf_odbc_free(&connection);
    return result;
}

static int64_t ask(const char *sql)
{
    struct mf_odbc_config config = admin_config();
    struct mf_odbc *connection = NULL;
    struct mf_odbc_statement *statement = NULL;
    struct mf_error err;
    const char *text = NULL;
    int64_t number = -1;
    config.database = database;
    assert_int_equal(mf_odbc_connect(&config, &connection, NULL, &err), 0);
    assert_int_equal(mf_odbc_prepare(connection, sql, &statement, NULL, &err), 0);
    if (mf_odbc_execute(statement, NULL, 0, NULL, &err) != 0)
        fail_msg("%s: %s", sql, err.message);
    assert_int_equal(mf_odbc_fetch(statement, NULL, &err), 1);
    assert_int_equal(mf_odbc_column(statement, 0, &text, NULL, &err), 0);
    assert_true(text != NULL && mf_str_to_i64(mf_str_of(text), &number));
    mf_odbc_free(&connection);
    return number;
}

static void sql(const char *text)
{
    assert_int_equal(run_sql(database, text), 0);
}

// ---- settings and sessions

static struct mf_settings *settings_of_server(void)
{
    static const struct mf_setting_table *const shared[] = {&mf_settings_table_kafka,
                                                            &mf_settings_table_warehouse};
    struct mf_setting_table tables[] = {*shared[0], *shared[1]};
    char host[128], port[64], base[128], user[128], password[256];
    snprintf(host, sizeof host, "WAREHOUSE_HOST=%s", getenv("MF_TEST_PG_HOST"));
    snprintf(port, sizeof port, "WAREHOUSE_PORT=%s", getenv("MF_TEST_PG_PORT"));
    snprintf(base, sizeof base, "WAREHOUSE_DATABASE=%s", database);
    snprintf(user, sizeof user, "WAREHOUSE_USER=%s", getenv("MF_TEST_PG_USER"));
    snprintf(password, sizeof password, "WAREHOUSE_PASSWORD=%s", getenv("MF_TEST_PG_PASSWORD"));
    char *env[] = {host, port, base, user, password, (char *)"WAREHOUSE_SSLMODE=disable", NULL};
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    if (mf_settings_parse(tables, 2, env, NULL, &settings, &problems, &err) != 0)
        fail_msg("%s", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    return settings;
}

struct fixture {
    struct mf_settings *settings;
    struct snk_warehouse *warehouse;
    struct snk_partition partitions[PARTITIONS];
    struct snk_checker *checker;
    struct snk_batch batch;
    struct snk_flush flush;
};

static int migrate_all(struct snk_warehouse *warehouse, struct mf_error *err)
{
    const struct mf_sql_text *text;
    struct snk_lease holder;
    if (snk_warehouse_prepare_migrations(warehouse, err) != 0 ||
        snk_warehouse_take_lease(warehouse, "setup/1", &holder, err) != 0)
        return -1;
    for (size_t i = 0; (text = snk_statement_migration("postgresql", i)) != NULL; i++) {
        if (snk_warehouse_apply_migration(warehouse, text, err) != 0)
            return -1;
    }
    return snk_warehouse_release_lease(warehouse, "setup/1", err);
}

static int group_setup(void **state)
{
    (void)state;
    if (getenv("MF_TEST_PG_HOST") == NULL) {
        print_message("SKIPPED: MF_TEST_PG_HOST names no PostgreSQL server\n");
        return 0;
    }
    char text[128];
    snprintf(database, sizeof database, "mf_test_warehouse_%d", (int)getpid());
    snprintf(text, sizeof text, "CREATE DATABASE %s", database);
    if (run_sql(getenv("MF_TEST_PG_DATABASE"), text) != 0) {
        print_message("SKIPPED: the test user may not create databases\n");
        database[0] = '\0';
    }
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    char text[128];
    if (database[0] == '\0')
        return 0;
    snprintf(text, sizeof text, "DROP DATABASE %s WITH (FORCE)", database);
    return run_sql(getenv("MF_TEST_PG_DATABASE"), text);
}

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    struct mf_error err;
    *state = f;
    f->checker = snk_checker_new();
    snk_batch_init(&f->batch);
    snk_flush_init(&f->flush);
    if (database[0] == '\0')
        return 0;
    f->settings = settings_of_server();
    f->warehouse = snk_warehouse_new(f->settings, "g", "i1");
    if (snk_warehouse_open(f->warehouse, false, &err) != 0) {
        print_message("%s\n", err.message);
        return -1;
    }
    sql("DROP SCHEMA IF EXISTS raw, ops CASCADE");
    if (migrate_all(f->warehouse, &err) != 0) {
        print_message("%s\n", err.message);
        return -1;
    }
    static const enum snk_table tables[PARTITIONS] = {SNK_TABLE_BARS, SNK_TABLE_BARS, SNK_TABLE_NEWS};
    for (int i = 0; i < PARTITIONS; i++)
        f->partitions[i] =
            (struct snk_partition){.table = tables[i], .topic = i < 2 ? "t.bars" : "t.news", .number = i};
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snk_warehouse_free(&f->warehouse);
    mf_settings_free(&f->settings);
    snk_checker_free(&f->checker);
    snk_batch_free(&f->batch);
    snk_flush_free(&f->flush);
    free(f);
    return 0;
}

#define NEED_SERVER()        \
    if (database[0] == '\0') \
    skip()

static void assign(struct fixture *f)
{
    struct mf_error err;
    for (int i = 0; i < PARTITIONS; i++)
        f->partitions[i].acquired = false;
    if (snk_warehouse_assign(f->warehouse, CLUSTER, f->partitions, PARTITIONS, &err) != 0)
        fail_msg("%s", err.message);
}

static struct snk_scope scope_of(const struct fixture *f)
{
    return (struct snk_scope){&f->batch, f->partitions, PARTITIONS};
}

// A row at the partition's position; its close tells them apart and may be made to break a rule.
static void add(struct fixture *f, size_t partition, const char *mark)
{
    struct snk_partition *p = &f->partitions[partition];
    char payload[512];
    char id[MF_EVENT_ID_SIZE];
    snprintf(id, sizeof id, "%032x", (unsigned)(partition * 1000 + (size_t)p->position));
    snprintf(payload, sizeof payload,
             "{\"schema_version\":\"1.0\",\"event_type\":\"%s\",\"event_id\":\"%s\",\"symbol\":\"AAPL\","
             "\"source\":\"polygon\",\"lane\":\"live\",\"event_time\":\"2024-01-02T14:30:00.000Z\","
             "\"ingest_time\":\"2024-01-02T14:31:02.113Z\",\"mark\":\"%s\"}",
             p->table == SNK_TABLE_BARS ? "bar" : "news", id, mark);
    f->checker->event.event_id = mf_str_of(id);
    snprintf(f->checker->flags, sizeof f->checker->flags, "is_mock,late");
    f->checker->dedupe_key_len =
        (size_t)snprintf(f->checker->dedupe_key, sizeof f->checker->dedupe_key, "AAPL|%s|\"\xc3\xa4\\", id);
    struct snk_record record = {.table = p->table, .offset = p->position, .value = mf_str_of(payload)};
    snk_batch_add(&f->batch, partition, &record, f->checker, 1);
    p->position++;
}

static int flush(struct fixture *f, struct mf_error *err)
{
    static const uint64_t random[2] = {1, 2};
    struct snk_scope scope = scope_of(f);
    snk_flush_build(&f->flush, &scope, (struct snk_range){SNK_TABLE_MAX, 0, f->batch.count}, random);
    return snk_warehouse_flush(f->warehouse, &f->flush, &scope, err);
}

static void flush_ok(struct fixture *f)
{
    struct mf_error err;
    if (flush(f, &err) != 0)
        fail_msg("%s", err.message);
}

static void take_in(struct fixture *f)
{
    for (size_t i = 0; i < f->flush.move_count; i++) {
        if (f->flush.moved[i])
            f->partitions[f->flush.moves[i].partition].stored = f->flush.moves[i].next;
    }
    snk_batch_clear(&f->batch, 0);
}

// ---- tests

static void test_schema_check(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assert_int_equal(snk_warehouse_open(f->warehouse, true, &err), 0);
    sql("DELETE FROM ops.schema_migrations WHERE version = '0003_results'");
    assert_int_equal(snk_warehouse_open(f->warehouse, true, &err), -1);
    assert_string_equal(err.code, "schema_behind");
    assert_non_null(strstr(err.message, "0003_results"));
    sql("DROP SCHEMA raw, ops CASCADE");
    assert_int_equal(snk_warehouse_open(f->warehouse, true, &err), -1);
    assert_string_equal(err.code, "schema_behind");
    assert_non_null(strstr(err.message, "0001_ops"));
}

// The lease's row says who may apply migrations: one owner at a time, for as long as the row says.
static void test_one_run_has_the_lease(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    struct snk_lease holder;
    NEED_SERVER();
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "a/1", &holder, &err), 0);
    assert_string_equal(holder.owner, "a/1");
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "b/2", &holder, &err), 0);
    assert_string_equal(holder.owner, "a/1");
    assert_int_equal(strlen(holder.expires_at), strlen("2024-01-02 03:04:05"));
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_lease WHERE owner = 'a/1' AND expires_at > now() + "
                         "interval '950 s' AND expires_at < now() + interval '970 s'"),
                     1);
    // Renewed by its owner; over for the others once its time has passed; given back by nobody else.
    sql("UPDATE ops.schema_lease SET expires_at = now() + interval '10 s'");
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "a/1", &holder, &err), 0);
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_lease WHERE expires_at > now() + interval '900 s'"),
                     1);
    assert_int_equal(snk_warehouse_release_lease(f->warehouse, "b/2", &err), 0);
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "b/2", &holder, &err), 0);
    assert_string_equal(holder.owner, "a/1");
    sql("UPDATE ops.schema_lease SET expires_at = now() - interval '1 s'");
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "b/2", &holder, &err), 0);
    assert_string_equal(holder.owner, "b/2");
    assert_int_equal(snk_warehouse_release_lease(f->warehouse, "b/2", &err), 0);
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "a/1", &holder, &err), 0);
    assert_string_equal(holder.owner, "a/1");
    // Made once, whoever asks for it again.
    assert_int_equal(snk_warehouse_prepare_migrations(f->warehouse, &err), 0);
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_lease WHERE owner = 'a/1'"), 1);
}

static void test_a_failed_migration_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    static const char text[] = "CREATE TABLE ops.half (a integer); SELECT 1/0;";
    struct mf_sql_text bad = {"postgresql/0099_bad.sql", text, sizeof text - 1};
    struct snk_lease holder;
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "a/1", &holder, &err), 0);
    assert_int_equal(snk_warehouse_apply_migration(f->warehouse, &bad, &err), -1);
    assert_int_equal(ask("SELECT count(*) FROM pg_tables WHERE tablename = 'half'"), 0);
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_migrations WHERE version = '0099_bad'"), 0);
    // No transaction is open any more: the lease is given back, and others see it.
    assert_int_equal(snk_warehouse_release_lease(f->warehouse, "a/1", &err), 0);
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_lease WHERE owner = ''"), 1);
}

// The holder stood still beyond its lease: what it had begun is undone, and the book stays as it was.
static void test_who_lost_the_lease_applies_nothing(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    struct snk_lease holder;
    NEED_SERVER();
    assert_int_equal(snk_warehouse_take_lease(f->warehouse, "a/1", &holder, &err), 0);
    // While the migration runs: its own text does what the successor would.
    static const char stolen[] = "CREATE TABLE ops.late (a integer);"
                                 "UPDATE ops.schema_lease SET owner = 'b/2'";
    struct mf_sql_text robbed = {"postgresql/0099_late.sql", stolen, sizeof stolen - 1};
    assert_int_equal(snk_warehouse_apply_migration(f->warehouse, &robbed, &err), -1);
    assert_string_equal(err.code, "lease_lost");
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_int_equal(ask("SELECT count(*) FROM pg_tables WHERE tablename = 'late'"), 0);
    assert_int_equal(ask("SELECT count(*) FROM ops.schema_migrations WHERE version = '0099_late'"), 0);
}

static void test_assignment_counts_epochs(void **state)
{
    struct fixture *f = *state;
    NEED_SERVER();
    assign(f);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(f->partitions[i].epoch, 1);
        assert_int_equal(f->partitions[i].stored, 0);
        assert_int_equal(f->partitions[i].last_offset, -1);
        assert_false(f->partitions[i].verify);
    }
    add(f, 0, "");
    flush_ok(f);
    take_in(f);
    assign(f);
    assert_int_equal(f->partitions[0].epoch, 2);
    assert_int_equal(f->partitions[0].stored, 1);
    assert_int_equal(f->partitions[0].last_offset, 0);
    assert_true(f->partitions[0].verify);
    assert_string_equal(f->partitions[0].last_event_id, "00000000000000000000000000000000");
    assert_int_equal(f->partitions[1].epoch, 2);
    // Only what is not acquired yet is taken over.
    struct mf_error err;
    f->partitions[1].acquired = false;
    assert_int_equal(snk_warehouse_assign(f->warehouse, CLUSTER, f->partitions, PARTITIONS, &err), 0);
    assert_int_equal(f->partitions[0].epoch, 2);
    assert_int_equal(f->partitions[1].epoch, 3);
}

static void test_another_cluster_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assign(f);
    f->partitions[0].acquired = false;
    assert_int_equal(snk_warehouse_assign(f->warehouse, "other", f->partitions, PARTITIONS, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "cluster_changed");
    assert_int_equal(ask("SELECT max(owner_epoch) FROM ops.sink_offsets"), 1);
}

static void test_rows_and_offsets_move_together(void **state)
{
    struct fixture *f = *state;
    NEED_SERVER();
    assign(f);
    add(f, 0, "a");
    add(f, 2, "b");
    add(f, 0, "c");
    f->partitions[0].position = 5; // three records that are none
    f->partitions[1].position = 9; // only those
    flush_ok(f);
    assert_int_equal(f->flush.move_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(f->flush.moved[i]);
    assert_int_equal(f->flush.inserted[SNK_TABLE_BARS], 2);
    assert_int_equal(f->flush.inserted[SNK_TABLE_NEWS], 1);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars"), 2);
    assert_int_equal(ask("SELECT sum(next_offset) FROM ops.sink_offsets"), 5 + 9 + 1);
    assert_int_equal(
        ask("SELECT count(*) FROM raw.raw_bars AS b, ops.sink_offsets AS o WHERE b.kafka_topic = 't.bars'"
            " AND b.kafka_partition = 0 AND b.flags = 'is_mock,late' AND b.payload ->> 'mark' IN ('a', 'c')"
            " AND b.symbol = 'AAPL' AND b.lane = 'live' AND b.revision = 0 AND o.topic = b.kafka_topic"
            " AND o.kafka_partition = b.kafka_partition AND o.load_id = b.load_id"
            " AND b.dedupe_key = 'AAPL|' || b.event_id || '|\"\xc3\xa4\\'"
            " AND b.event_time = '2024-01-02 14:30:00Z' AND b.loaded_at > now() - interval '1 hour'"),
        2);
    assert_int_equal(
        ask("SELECT last_event_offset FROM ops.sink_offsets WHERE topic = 't.bars' AND kafka_partition = 0"),
        1);
}

static void test_repeated_rows_are_counted_and_left_alone(void **state)
{
    struct fixture *f = *state;
    NEED_SERVER();
    assign(f);
    add(f, 0, "first");
    flush_ok(f);
    take_in(f);
    sql("UPDATE ops.sink_offsets SET next_offset = 0, last_event_id = NULL, last_event_offset = NULL");
    f->partitions[0].stored = f->partitions[0].position = 0;
    add(f, 0, "second");
    flush_ok(f);
    assert_true(f->flush.moved[0]);
    assert_int_equal(f->flush.inserted[SNK_TABLE_BARS], 0);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars WHERE payload ->> 'mark' = 'first'"), 1);
}

static void test_stale_partition_is_held_back_alone(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assign(f);
    sql("UPDATE ops.sink_offsets SET owner_epoch = 2 WHERE topic = 't.bars' AND kafka_partition = 1");
    for (size_t i = 0; i < PARTITIONS; i++)
        add(f, i, "x");
    flush_ok(f);
    assert_true(f->flush.moved[0]);
    assert_false(f->flush.moved[1]);
    assert_true(f->flush.moved[2]);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars"), 1);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_news"), 1);

    struct snk_offset_row rows[PARTITIONS] = {{0}};
    struct snk_scope scope = scope_of(f);
    assert_int_equal(snk_warehouse_read_offsets(f->warehouse, &f->flush, &scope, true, rows, &err), 0);
    assert_false(rows[0].found); // not asked for
    assert_true(rows[1].found);
    assert_int_equal(rows[1].epoch, 2);
    assert_int_equal(rows[1].next_offset, 0);
    assert_int_equal(snk_warehouse_read_offsets(f->warehouse, &f->flush, &scope, false, rows, &err), 0);
    assert_int_equal(rows[0].next_offset, 1);
    assert_int_equal(rows[2].next_offset, 1);
    sql("DELETE FROM ops.sink_offsets");
    assert_int_equal(snk_warehouse_read_offsets(f->warehouse, &f->flush, &scope, false, rows, &err), 0);
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_false(rows[i].found);
}

static void test_same_flush_twice_lands_once(void **state)
{
    struct fixture *f = *state;
    NEED_SERVER();
    assign(f);
    add(f, 0, "x");
    flush_ok(f);
    flush_ok(f); // as after an answer that never came
    assert_false(f->flush.moved[0]);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars"), 1);
    assert_int_equal(
        ask("SELECT next_offset FROM ops.sink_offsets WHERE topic = 't.bars' AND kafka_partition = 0"), 1);
}

static void test_refused_row_takes_the_statement_along(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assign(f);
    sql("ALTER TABLE raw.raw_bars ADD CONSTRAINT poison CHECK (payload ->> 'mark' <> 'bad')");
    add(f, 0, "good");
    add(f, 1, "bad");
    add(f, 2, "good");
    assert_int_equal(flush(f, &err), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_int_equal(snk_warehouse_last(f->warehouse)->class, MF_ODBC_DATA);
    assert_string_equal(snk_warehouse_last(f->warehouse)->sqlstate, "23514");
    assert_true(snk_warehouse_is_open(f->warehouse));
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_news"), 0);
    assert_int_equal(ask("SELECT sum(next_offset) FROM ops.sink_offsets"), 0);
    f->batch.rows[1].rejected = true;
    flush_ok(f);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars"), 1);
    assert_int_equal(ask("SELECT sum(next_offset) FROM ops.sink_offsets"), 3);
}

static void test_missing_table_matters_to_its_own_rows_only(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assign(f);
    sql("DROP TABLE raw.raw_news");
    add(f, 0, "x");
    flush_ok(f);
    take_in(f);
    add(f, 2, "x");
    driver_leaks(true);
    assert_int_equal(flush(f, &err), -1);
    driver_leaks(false);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_int_equal(snk_warehouse_last(f->warehouse)->class, MF_ODBC_CONFIG);
}

static void test_every_set_of_tables_can_be_prepared_in_turn(void **state)
{
    struct fixture *f = *state;
    NEED_SERVER();
    assign(f);
    // More sets than statements are kept: tables of the partitions change from flush to flush.
    for (unsigned round = 0; round < 60; round++) {
        f->partitions[round % PARTITIONS].table = (enum snk_table)(round % SNK_TABLE_MAX);
        f->partitions[(round / 7) % PARTITIONS].table = (enum snk_table)((round / 3) % SNK_TABLE_MAX);
        for (size_t i = 0; i < PARTITIONS; i++)
            f->partitions[i].position++;
        flush_ok(f);
        take_in(f);
    }
    assert_int_equal(ask("SELECT sum(next_offset) FROM ops.sink_offsets"), 60 * PARTITIONS);
}

static void test_lost_session(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    NEED_SERVER();
    assign(f);
    add(f, 0, "x");
    sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> "
        "pg_backend_pid()");
    driver_leaks(true);
    assert_int_equal(flush(f, &err), -1);
    driver_leaks(false);
    assert_int_equal(err.class, MF_ERROR_UNCERTAIN);
    assert_false(snk_warehouse_is_open(f->warehouse));
    assert_int_equal(snk_warehouse_open(f->warehouse, true, &err), 0);
    struct snk_offset_row rows[PARTITIONS] = {{0}};
    struct snk_scope scope = scope_of(f);
    assert_int_equal(snk_warehouse_read_offsets(f->warehouse, &f->flush, &scope, false, rows, &err), 0);
    assert_int_equal(rows[0].next_offset, 0);
    flush_ok(f);
    assert_int_equal(ask("SELECT count(*) FROM raw.raw_bars"), 1);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_schema_check),
        SERVER_TEST(test_one_run_has_the_lease),
        SERVER_TEST(test_a_failed_migration_leaves_nothing),
        SERVER_TEST(test_who_lost_the_lease_applies_nothing),
        SERVER_TEST(test_assignment_counts_epochs),
        SERVER_TEST(test_another_cluster_is_refused_and_changes_nothing),
        SERVER_TEST(test_rows_and_offsets_move_together),
        SERVER_TEST(test_repeated_rows_are_counted_and_left_alone),
        SERVER_TEST(test_stale_partition_is_held_back_alone),
        SERVER_TEST(test_same_flush_twice_lands_once),
        SERVER_TEST(test_refused_row_takes_the_statement_along),
        SERVER_TEST(test_missing_table_matters_to_its_own_rows_only),
        SERVER_TEST(test_every_set_of_tables_can_be_prepared_in_turn),
        SERVER_TEST(test_lost_session),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
