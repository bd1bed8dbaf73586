// SPDX-License-Identifier: Apache-2.0
// State to the changelog and back: a fold that dies anywhere and is restored says what an uninterrupted one
// says; what does not belong together is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/recovery.h"
#include "services/processor/snapshots.h"
#include "tests/unit/prc_fold_fixture.h"

#define NUMBER 3 // of the fixture's partitions

// ---------------------------------------------------------------- a changelog

struct logged {
    char *key, *value; // value NULL = tombstone
    size_t key_len, value_len;
};
struct log {
    struct logged *items;
    size_t count, committed; // what is beyond `committed` is of an open transaction
    struct prc_changelog changelog;
    bool full;
};

static int put(void *arg, int32_t number, struct mf_str key, struct mf_str value, struct mf_error *err)
{
    struct log *log = arg;
    assert_int_equal(number, NUMBER);
    if (log->full)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "queue_full", "no room");
    log->items = mf_realloc(log->items, (log->count + 1) * sizeof *log->items);
    struct logged *item = &log->items[log->count++];
    *item = (struct logged){.key = mf_strndup(key), .key_len = key.len, .value_len = value.len};
    if (value.data != NULL) {
        item->value = mf_alloc(value.len);
        memcpy(item->value, value.data, value.len);
    }
    return 0;
}

static struct log *log_new(void)
{
    struct log *log = mf_calloc(1, sizeof *log);
    prc_changelog_init(&log->changelog, 15, put, log);
    return log;
}

static void cut(struct log *log, size_t count)
{
    while (log->count > count) {
        free(log->items[--log->count].key);
        free(log->items[log->count].value);
    }
}

static void log_free(struct log *log)
{
    cut(log, 0);
    free(log->items);
    prc_changelog_free(&log->changelog);
    free(log);
}

static int read_back(struct log *log, struct prc_recovery *recovery, struct mf_error *err)
{
    int result = 0;
    for (size_t i = 0; i < log->count && result == 0; i++) {
        const struct logged *item = &log->items[i];
        result = prc_recovery_add(recovery, NUMBER, (int64_t)i, (struct mf_str){item->key, item->key_len},
                                  (struct mf_str){item->value, item->value_len}, err);
    }
    return result;
}

static void store(struct log *log, struct fixture *f, int64_t floor, const struct prc_lane *lanes)
{
    struct mf_error err;
    struct prc_partition_record record = {.floor = floor,
                                          .committed = f->offset,
                                          .shape = prc_shape_hash(&f->config),
                                          .rules = prc_rules_hash(&f->config.rules),
                                          .cells = f->live->stored};
    assert_int_equal(prc_changelog_rules(&log->changelog, f->live, f->offset, &f->config.rules, &err), 0);
    assert_int_equal(prc_changelog_record(&log->changelog, f->live, &record, lanes, &err), 0);
    log->committed = log->count;
}

// Restores f->live from the log; -1 with what was wrong.
static int restore(struct log *log, struct fixture *f, struct prc_recovered *recovered, struct mf_error *err)
{
    struct prc_recovery *recovery = prc_recovery_new();
    prc_recovery_want(recovery, MF_TOPIC_RAW, NUMBER);
    prc_partition_free(&f->live);
    f->live = prc_partition_new(MF_TOPIC_RAW, NUMBER, 8);
    int result = read_back(log, recovery, err);
    if (result == 0)
        result = prc_recovery_record(recovery, f->live, recovered, err);
    else
        *recovered = (struct prc_recovered){0};
    if (result == 0)
        result = prc_recovery_cells(recovery, f->live, recovered, err);
    prc_recovery_free(&recovery);
    return result;
}

static struct fixture *with_cells(void **state, size_t symbols)
{
    static const char *const names[] = {"AAPL", "IBM", "MSFT", "GOOG"};
    struct fixture *f = *state;
    for (int minute = 0; minute < 40; minute++)
        for (size_t s = 0; s < symbols; s++) {
            struct mf_event bar = make_bar(names[s], "live", minute, minute % 2 == 0 ? "100.5" : "101.25");
            feed(f, &bar);
        }
    return f;
}

static void store_all(struct log *log, struct fixture *f)
{
    struct mf_error err;
    while (f->live->dirty_oldest != NULL)
        assert_true(prc_changelog_cell(&log->changelog, f->live, f->live->dirty_oldest, f->offset, &err) > 0);
    store(log, f, f->offset, f->live->lanes);
}

// ---------------------------------------------------------------- the newest per key

static void cells_and_clocks_come_back(void **state)
{
    struct fixture *f = with_cells(state, 3);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    struct mf_event beat = make_heartbeat("live", "polygon.bars.1m", OPEN_US + 40 * MF_US_PER_MINUTE);
    feed(f, &beat);
    store_all(log, f);
    assert_int_equal(f->live->dirty_count, 0);
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    assert_true(recovered.found);
    assert_int_equal(recovered.cells, 3);
    assert_int_equal(recovered.record.committed, f->offset);
    assert_int_equal(recovered.record.floor, f->offset);
    assert_int_equal(recovered.rules.keyword_count, 2);
    assert_string_equal(recovered.rules.keywords[1], "earnings");
    assert_int_equal(f->live->count, 3);
    struct prc_lane *lane = prc_partition_lane(f->live, MF_STR("live"), false);
    assert_non_null(lane);
    assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M), OPEN_US + 40 * MF_US_PER_MINUTE);
    prc_recovered_clear(&recovered);
    log_free(log);
}

static void removed_cells_stay_away(void **state)
{
    struct fixture *f = with_cells(state, 3);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    bool full = false;
    store_all(log, f);
    struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("IBM"), false, &full);
    prc_partition_remove(f->live, &cell);
    assert_true(f->live->removed.len > 0);
    assert_int_equal(prc_changelog_removed(&log->changelog, f->live, &err), 0);
    assert_int_equal(f->live->removed.len, 0);
    assert_int_equal(log->changelog.records[PRC_CHANGELOG_TOMBSTONE], 1);
    store_all(log, f);
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    assert_int_equal(recovered.cells, 2);
    assert_null(prc_partition_cell(f->live, MF_STR("live"), MF_STR("IBM"), false, &full));
    prc_recovered_clear(&recovered);
    log_free(log);
}

static void an_empty_changelog_has_nothing(void **state)
{
    struct fixture *f = *state;
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    assert_false(recovered.found);
    assert_int_equal(recovered.cells, 0);
    log_free(log);
}

static void other_partitions_are_passed_over_and_strangers_refused(void **state)
{
    (void)state;
    struct prc_recovery *recovery = prc_recovery_new();
    struct mf_error err;
    prc_recovery_want(recovery, MF_TOPIC_RAW, NUMBER);
    // The backfill topic's partition of the same number shares the changelog partition.
    assert_int_equal(
        prc_recovery_add(recovery, NUMBER, 0, MF_STR("backfill/3/backfill:x/IBM/0"), MF_STR("junk"), &err),
        0);
    static const char *const strangers[] = {"raw/4/live/IBM/0", "hello", "", "raw/3/live",
                                            "other/3/live/IBM/0"};
    for (size_t i = 0; i < MF_ARRAY_LEN(strangers); i++) {
        assert_int_equal(prc_recovery_add(recovery, NUMBER, 17, mf_str_of(strangers[i]), MF_STR("x"), &err),
                         -1);
        assert_int_equal(err.class, MF_ERROR_FATAL);
        assert_string_equal(err.code, "state_corrupt");
        assert_non_null(strstr(err.message, "offset 17"));
    }
    assert_int_equal(prc_recovery_add(recovery, NUMBER, 17, MF_STR_NULL, MF_STR("x"), &err), -1);
    struct mf_buf keys;
    mf_buf_init(&keys, 1000);
    prc_recovery_keys(recovery, MF_TOPIC_RAW_BACKFILL, NUMBER, &keys);
    assert_int_equal(keys.len, 0); // not wanted, so not kept
    mf_buf_free(&keys);
    prc_recovery_free(&recovery);
}

static void state_that_is_not_used_leaves_its_keys(void **state)
{
    struct fixture *f = with_cells(state, 2);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovery *recovery = prc_recovery_new();
    struct mf_buf keys;
    mf_buf_init(&keys, 1000);
    store_all(log, f);
    prc_recovery_want(recovery, MF_TOPIC_RAW, NUMBER);
    assert_int_equal(read_back(log, recovery, &err), 0);
    prc_recovery_keys(recovery, MF_TOPIC_RAW, NUMBER, &keys);
    const char *text = mf_buf_c_str(&keys);
    assert_non_null(strstr(text, "raw/3/live/AAPL/0\n"));
    assert_non_null(strstr(text, "raw/3/live/IBM/0\n"));
    assert_int_equal(keys.len, strlen("raw/3/live/AAPL/0\nraw/3/live/IBM/0\n"));
    mf_buf_free(&keys);
    prc_recovery_free(&recovery);
    log_free(log);
}

// ---------------------------------------------------------------- parts

// The snapshot of IBM anew, in two parts that the caller may spoil.
static void two_parts(struct log *log, struct fixture *f, const int64_t offsets[2], unsigned parts)
{
    bool full = false;
    struct mf_buf whole, value;
    const struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("IBM"), false, &full);
    mf_buf_init(&whole, PRC_SNAPSHOT_BYTES_MAX);
    mf_buf_init(&value, PRC_SNAPSHOT_BYTES_MAX);
    prc_cell_encode(cell, &whole);
    size_t half = whole.len / 2;
    for (unsigned p = 0; p < 2 && p < parts; p++) {
        struct prc_part part = {.part = p, .parts = 2, .offset = offsets[p]};
        part.bytes = (struct mf_str){whole.data + p * half, p == 0 ? half : whole.len - half};
        struct prc_changelog_key key = {MF_TOPIC_RAW, NUMBER, MF_STR("live"), MF_STR("IBM"), p};
        char text[PRC_CHANGELOG_KEY_MAX];
        mf_buf_clear(&value);
        prc_part_encode(&part, &value);
        assert_int_equal(put(log, NUMBER, prc_changelog_key_text(&key, text), mf_buf_str(&value), NULL), 0);
    }
    mf_buf_free(&whole);
    mf_buf_free(&value);
}

static void parts_belong_together_or_are_refused(void **state)
{
    static const struct {
        int64_t offsets[2];
        unsigned parts;
        bool good;
    } cases[] = {{{80, 80}, 2, true}, {{80, 79}, 2, false}, {{80, 80}, 1, false}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct fixture *f = *state;
        restart(f);
        with_cells(state, 2);
        struct log *log = log_new();
        struct mf_error err;
        struct prc_recovered recovered;
        store_all(log, f);
        two_parts(log, f, cases[i].offsets, cases[i].parts);
        int result = restore(log, f, &recovered, &err);
        assert_int_equal(result, cases[i].good ? 0 : -1);
        if (!cases[i].good)
            assert_string_equal(err.code, "state_corrupt");
        prc_recovered_clear(&recovered);
        log_free(log);
    }
}

static void a_part_too_many_is_refused_and_a_smaller_snapshot_takes_it_away(void **state)
{
    struct fixture *f = with_cells(state, 2);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    static const int64_t offsets[2] = {80, 80};
    bool full = false;
    store_all(log, f);
    two_parts(log, f, offsets, 2);
    size_t before = log->count;
    // One part again, without the tombstone of the other.
    struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("IBM"), false, &full);
    cell->parts = 1;
    assert_true(prc_changelog_cell(&log->changelog, f->live, cell, f->offset, &err) > 0);
    assert_int_equal(restore(log, f, &recovered, &err), -1);
    assert_non_null(strstr(err.message, "belongs to no snapshot"));
    prc_recovered_clear(&recovered);

    cut(log, before);
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    prc_recovered_clear(&recovered);
    cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("IBM"), false, &full);
    cell->parts = 2; // as it stands on the changelog
    assert_true(prc_changelog_cell(&log->changelog, f->live, cell, f->offset, &err) > 0);
    assert_int_equal(cell->parts, 1);
    assert_int_equal(log->count, before + 2);
    assert_string_equal(log->items[before + 1].key, "raw/3/live/IBM/1");
    assert_null(log->items[before + 1].value);
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    prc_recovered_clear(&recovered);
    log_free(log);
}

// ---------------------------------------------------------------- what is wrong

static void every_flipped_byte_is_noticed(void **state)
{
    struct fixture *f = with_cells(state, 1);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    uint64_t random = 7;
    store_all(log, f);
    for (size_t i = 0; i < log->count; i++)
        for (int n = 0; n < 40; n++) {
            char *byte = &log->items[i].value[mf_random_next(&random) % log->items[i].value_len];
            *byte ^= 0x40;
            assert_int_equal(restore(log, f, &recovered, &err), -1);
            assert_true(strcmp(err.code, "state_corrupt") == 0 || strcmp(err.code, "state_version") == 0);
            prc_recovered_clear(&recovered);
            *byte ^= 0x40;
        }
    assert_int_equal(restore(log, f, &recovered, &err), 0);
    prc_recovered_clear(&recovered);
    log_free(log);
}

static void records_that_contradict_each_other_are_refused(void **state)
{
    struct fixture *f = with_cells(state, 1);
    struct mf_error err;
    struct prc_recovered recovered;
    struct log *log = log_new();
    store(log, f, f->offset + 1, NULL);
    assert_int_equal(restore(log, f, &recovered, &err), -1);
    assert_non_null(strstr(err.message, "floor above"));
    prc_recovered_clear(&recovered);
    log_free(log);

    log = log_new();
    struct prc_partition_record record = {.rules = 1};
    assert_int_equal(prc_changelog_record(&log->changelog, f->live, &record, NULL, &err), 0);
    assert_int_equal(restore(log, f, &recovered, &err), -1);
    assert_non_null(strstr(err.message, "holds no rules"));
    prc_recovered_clear(&recovered);
    assert_int_equal(prc_changelog_rules(&log->changelog, f->live, 0, &f->config.rules, &err), 0);
    assert_int_equal(restore(log, f, &recovered, &err), -1);
    assert_non_null(strstr(err.message, "not those of partition 3"));
    prc_recovered_clear(&recovered);
    log_free(log);
}

// A changelog that was cut off has lost its oldest records: here the first cell's snapshot.
static void a_snapshot_that_is_gone_is_missed(void **state)
{
    struct fixture *f = with_cells(state, 3);
    struct log *log = log_new();
    struct mf_error err;
    struct prc_recovered recovered;
    store_all(log, f);
    free(log->items[0].value);
    log->items[0].value = NULL;
    log->items[0].value_len = 0;
    assert_int_equal(restore(log, f, &recovered, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "state_missing");
    assert_non_null(strstr(err.message, "2 symbols"));
    assert_non_null(strstr(err.message, "truncated"));
    prc_recovered_clear(&recovered);
    log_free(log);
}

static void a_record_that_finds_no_room_fails(void **state)
{
    struct fixture *f = with_cells(state, 1);
    struct log *log = log_new();
    struct mf_error err;
    log->full = true;
    assert_int_equal(prc_changelog_cell(&log->changelog, f->live, f->live->dirty_oldest, 1, &err), -1);
    assert_string_equal(err.code, "queue_full");
    assert_int_equal(f->live->dirty_count, 1);
    assert_int_equal(log->changelog.records[PRC_CHANGELOG_CELL], 0);
    log_free(log);
}

static void the_changelog_gets_its_share(void **state)
{
    struct fixture *f = with_cells(state, 1);
    struct log *log = log_new();
    struct mf_error err;
    prc_changelog_earn(&log->changelog, 1000);
    assert_int_equal(log->changelog.allowance, 150);
    prc_changelog_earn(&log->changelog, (size_t)1 << 40);
    assert_int_equal(log->changelog.allowance, PRC_ALLOWANCE_MAX);
    assert_true(prc_changelog_cell(&log->changelog, f->live, f->live->dirty_oldest, f->offset, &err) > 0);
    assert_int_equal(log->changelog.allowance,
                     PRC_ALLOWANCE_MAX - (int64_t)log->changelog.bytes[PRC_CHANGELOG_CELL]);
    assert_true(log->changelog.bytes[PRC_CHANGELOG_CELL] > 100);
    log_free(log);
}

// ---------------------------------------------------------------- dying anywhere

enum { STEPS = 900, SYMBOLS = 3 };

struct step {
    struct mf_buf bytes;
    bool heartbeat;
};

static void make_steps(struct step steps[STEPS], uint64_t *random)
{
    static const char *const names[SYMBOLS] = {"AAPL", "IBM", "MSFT"};
    int minute = 0;
    for (int i = 0; i < STEPS; i++) {
        char price[16];
        struct mf_error err;
        snprintf(price, sizeof price, "%d.%02d", (int)(98 + mf_random_next(random) % 4),
                 (int)(mf_random_next(random) % 100));
        minute += i % 6 == 0;
        int late = mf_random_next(random) % 10 == 0 ? (int)(mf_random_next(random) % 20) : 0;
        struct mf_event event = make_bar(names[mf_random_next(random) % SYMBOLS], "live",
                                         minute > late ? minute - late : 0, price);
        steps[i].heartbeat = mf_random_next(random) % 12 == 0;
        if (steps[i].heartbeat)
            event = make_heartbeat("live", "polygon.bars.1m", OPEN_US + (minute - 1) * MF_US_PER_MINUTE);
        mf_buf_init(&steps[i].bytes, MF_EVENT_SIZE_MAX);
        if (mf_event_encode(&event, &steps[i].bytes, &err) < 0)
            fail_msg("%s: %s", err.code, err.message);
    }
}

static void take_step(struct fixture *f, struct prc_history *history, const struct step *step)
{
    feed_bytes(f, MF_TOPIC_RAW, mf_buf_str(&step->bytes), 0);
    if (step->heartbeat)
        prc_history_note(history, f->offset, f->live);
}

static void commit(struct log *log, struct fixture *f, struct prc_history *history, uint64_t *random)
{
    struct mf_error err;
    size_t cells = mf_random_next(random) % (SYMBOLS + 1);
    while (cells-- > 0 && f->live->dirty_oldest != NULL)
        assert_true(prc_changelog_cell(&log->changelog, f->live, f->live->dirty_oldest, f->offset, &err) > 0);
    int64_t floor = prc_partition_floor(f->live, f->offset);
    store(log, f, floor, prc_history_at(history, floor));
    prc_history_trim(history, floor);
}

// The process is gone: what was not committed with it. Back to the committed offset.
static void come_back(struct log *log, struct fixture *f, struct prc_history *history,
                      const struct step steps[STEPS], size_t outputs)
{
    struct prc_recovered recovered;
    struct mf_error err;
    while (f->count > outputs) {
        free(f->outs[--f->count].key);
        free(f->outs[f->count].value);
    }
    cut(log, log->committed);
    prc_history_clear(history);
    if (restore(log, f, &recovered, &err) < 0)
        fail_msg("%s: %s", err.code, err.message);
    f->offset = recovered.found ? recovered.record.floor : 0;
    int64_t committed = recovered.found ? recovered.record.committed : 0;
    prc_history_note(history, f->offset, f->live);
    f->replay = f->live->replaying = true;
    while (f->offset < committed)
        take_step(f, history, &steps[f->offset]);
    f->replay = f->live->replaying = false;
    prc_recovered_clear(&recovered);
}

static void a_fold_that_dies_anywhere_says_the_same(void **state)
{
    struct fixture *f = *state;
    const char *text = getenv("MF_TEST_SEED");
    int64_t seed = 0;
    if (text == NULL || !mf_str_to_i64(mf_str_of(text), &seed))
        seed = 20261121;
    print_message("MF_TEST_SEED=%lld\n", (long long)seed);
    uint64_t random = (uint64_t)seed;
    struct step *steps = mf_calloc(STEPS, sizeof *steps);
    struct prc_history history = {0};
    make_steps(steps, &random);
    for (int r = 0; r < 3; r++)
        switch_on(f, (enum prc_rule[]){PRC_RULE_PRICE_MOVE, PRC_RULE_STALE_FEED, PRC_RULE_VOLUME_SPIKE}[r],
                  0.5, 1, 2);
    for (int i = 0; i < STEPS; i++)
        take_step(f, &history, &steps[i]);
    struct out *wanted = f->outs;
    size_t wanted_count = f->count;
    f->outs = NULL;
    f->count = f->capacity = 0;
    restart(f);

    struct log *log = log_new();
    size_t outputs = 0, deaths = 0;
    prc_history_clear(&history);
    prc_history_note(&history, 0, f->live);
    while (f->offset < STEPS) {
        take_step(f, &history, &steps[f->offset]);
        if (mf_random_next(&random) % 9 == 0) {
            commit(log, f, &history, &random);
            outputs = f->count;
        } else if (mf_random_next(&random) % 25 == 0) {
            come_back(log, f, &history, steps, outputs);
            deaths++;
        }
    }
    assert_true(deaths > 10);
    assert_int_equal(f->count, wanted_count);
    for (size_t i = 0; i < wanted_count; i++) {
        assert_string_equal(f->outs[i].value, wanted[i].value);
        assert_int_equal(f->outs[i].revision, wanted[i].revision);
        free(wanted[i].key);
        free(wanted[i].value);
    }
    free(wanted);
    for (int i = 0; i < STEPS; i++)
        mf_buf_free(&steps[i].bytes);
    free(steps);
    prc_history_clear(&history);
    log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cells_and_clocks_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_cells_stay_away, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_changelog_has_nothing, setup, teardown),
        cmocka_unit_test(other_partitions_are_passed_over_and_strangers_refused),
        cmocka_unit_test_setup_teardown(state_that_is_not_used_leaves_its_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_belong_together_or_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_too_many_is_refused_and_a_smaller_snapshot_takes_it_away,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(records_that_contradict_each_other_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_that_is_gone_is_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_that_finds_no_room_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(the_changelog_gets_its_share, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fold_that_dies_anywhere_says_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
