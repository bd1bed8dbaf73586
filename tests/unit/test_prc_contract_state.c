// SPDX-License-Identifier: Apache-2.0
// Contracts on the changelog: what is read back writes the same bytes and goes on as the original would, and
// an underlying with many of them is a snapshot of several parts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/recovery.h"
#include "services/processor/snapshots.h"
#include "tests/unit/prc_fold_fixture.h"
#include "tests/unit/prc_option_support.h"

#define NUMBER 3 // of the fixture's partitions

static struct prc_cell *cell_of(struct prc_partition *partition)
{
    bool full = false;
    return prc_partition_cell(partition, MF_STR("live"), MF_STR("AAPL"), false, &full);
}

static struct mf_buf bytes_of(struct prc_partition *partition)
{
    struct mf_buf out;
    mf_buf_init(&out, PRC_SNAPSHOT_BYTES_MAX);
    prc_cell_encode(cell_of(partition), &out);
    assert_false(out.overflow);
    return out;
}

static const char *ticker_of(int contract, char text[32])
{
    snprintf(text, 32, "O:AAPL241220C%08d", contract);
    return text;
}

// Jumps, corrections and disorder in `contracts` series, from bar `from` on.
static void feed_random(struct fixture *f, int contracts, int from, int records, uint64_t *random)
{
    static const char *const prices[] = {"10", "11", "25", "4", "123456789012345.12345678"};
    for (int i = 0; i < records; i++) {
        char ticker[32];
        int step = from + i / contracts, back = (int)(mf_random_next(random) % 40);
        if (back < 15 && step > back)
            step -= back;
        const char *price = prices[mf_random_next(random) % 1000 == 0 ? 4 : mf_random_next(random) % 4];
        struct mf_event event = make_option(
            ticker_of((int)(mf_random_next(random) % (unsigned)contracts), ticker), LATE_2024, step, price);
        event.flags = mf_random_next(random) % 30 == 0 ? MF_FLAG_WARMUP : 0;
        feed(f, &event);
    }
}

static void check_same_bytes(struct prc_partition *a, struct prc_partition *b)
{
    struct mf_buf written = bytes_of(a), again = bytes_of(b);
    assert_int_equal(written.len, again.len);
    assert_memory_equal(written.data, again.data, written.len);
    mf_buf_free(&written), mf_buf_free(&again);
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = mf_random_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 1.05, 2, 3);
    for (int round = 0; round < 8; round++) {
        restart(f);
        feed_random(f, 1 + round, 0, 40 * (1 + round * round), &random);
        struct mf_buf written = bytes_of(f->live);
        struct prc_partition *read = prc_partition_new(MF_TOPIC_RAW, NUMBER, 8), *original = f->live;
        struct mf_error err;
        assert_int_equal(prc_cell_decode(read, MF_STR("live"), MF_STR("AAPL"), 1, mf_buf_str(&written), &err),
                         0);
        check_same_bytes(original, read);
        uint64_t later[2] = {random, random}; // both go on, and say the same
        size_t before = f->count;
        int64_t offset = f->offset;
        feed_random(f, 1 + round, 30, 200, &later[0]);
        size_t half = f->count;
        f->live = read, f->offset = offset;
        feed_random(f, 1 + round, 30, 200, &later[1]);
        assert_int_equal(f->count - half, half - before);
        for (size_t i = before; i < half; i++)
            assert_string_equal(f->outs[i].value, f->outs[i + half - before].value);
        check_same_bytes(original, read);
        prc_partition_free(&original);
        mf_buf_free(&written);
    }
}

static void test_cut_or_changed(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 7;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 1.05, 2, 3);
    feed_random(f, 3, 0, 60, &random);
    struct mf_buf written = bytes_of(f->live);
    struct prc_partition *other = prc_partition_new(MF_TOPIC_RAW, NUMBER, 8);
    for (size_t len = 0; len < written.len; len++) {
        struct mf_error err;
        char *copy = mf_alloc(len + 1); // of its own, so that a read beyond the end shows
        memcpy(copy, written.data, len);
        struct mf_str bytes = {copy, len};
        assert_int_equal(prc_cell_decode(other, MF_STR("live"), MF_STR("X"), 0, bytes, &err), -1);
        assert_string_equal(err.code, "state_corrupt");
        assert_int_equal(other->count, 0);
        free(copy);
    }
    for (size_t at = 0; at < written.len; at++) { // refused, or another state; never a crash
        struct mf_error err;
        bool full = false;
        written.data[at] = (char)(written.data[at] ^ 0x15);
        if (prc_cell_decode(other, MF_STR("live"), MF_STR("X"), 0, mf_buf_str(&written), &err) == 0) {
            struct prc_cell *cell = prc_partition_cell(other, MF_STR("live"), MF_STR("X"), false, &full);
            prc_partition_remove(other, &cell);
        }
        written.data[at] = (char)(written.data[at] ^ 0x15);
    }
    mf_buf_free(&written);
    prc_partition_free(&other);
}

// A contract that stands twice in a snapshot: no state can come to that.
static void test_a_contract_is_there_once(void **state)
{
    struct fixture *f = *state;
    struct mf_event call = make_call(0, "10"), put = make_option("O:AAPL241220C00150001", LATE_2024, 0, "10");
    feed(f, &call);
    feed(f, &put);
    struct prc_cell *cell = cell_of(f->live);
    struct prc_partition *other = prc_partition_new(MF_TOPIC_RAW, NUMBER, 8);
    struct mf_error err;
    cell->contracts.items[1]->ticker[strlen("O:AAPL241220C0015000")] = '0';
    struct mf_buf written = bytes_of(f->live);
    assert_int_equal(prc_cell_decode(other, MF_STR("live"), MF_STR("AAPL"), 1, mf_buf_str(&written), &err),
                     -1);
    assert_string_equal(err.code, "state_corrupt");
    mf_buf_free(&written);
    prc_partition_free(&other);
}

// ---------------------------------------------------------------- several parts

struct logged {
    char *key;
    struct mf_buf value;
    bool deleted;
};
struct log {
    struct logged items[64];
    size_t count;
};

static int put(void *arg, int32_t number, struct mf_str key, struct mf_str value, struct mf_error *err)
{
    (void)err;
    struct log *log = arg;
    assert_int_equal(number, NUMBER);
    assert_true(log->count < MF_ARRAY_LEN(log->items));
    assert_true(value.len <= 1000000); // of a Kafka record
    struct logged *item = &log->items[log->count++];
    *item = (struct logged){.key = mf_strndup(key), .deleted = value.data == NULL};
    mf_buf_init(&item->value, 1000000);
    mf_buf_add_str(&item->value, value);
    return 0;
}

static void log_clear(struct log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->items[i].key);
        mf_buf_free(&log->items[i].value);
    }
    log->count = 0;
}

// Stores the partition as a transaction does; returns the parts of the symbol.
static unsigned store(struct prc_changelog *changelog, struct fixture *f)
{
    struct mf_error err;
    assert_true(prc_changelog_cell(changelog, f->live, cell_of(f->live), f->offset, &err) > 0);
    struct prc_partition_record record = {.floor = f->offset,
                                          .committed = f->offset,
                                          .shape = prc_shape_hash(&f->config),
                                          .rules = prc_rules_hash(&f->config.rules),
                                          .cells = f->live->stored};
    assert_int_equal(prc_changelog_rules(changelog, f->live, f->offset, &f->config.rules, &err), 0);
    assert_int_equal(prc_changelog_record(changelog, f->live, &record, f->live->lanes, &err), 0);
    return cell_of(f->live)->parts;
}

static void check_restored(const struct log *log, struct fixture *f)
{
    struct prc_partition *read = prc_partition_new(MF_TOPIC_RAW, NUMBER, 8);
    struct prc_recovery *recovery = prc_recovery_new();
    struct prc_recovered recovered;
    struct mf_error err;
    prc_recovery_want(recovery, MF_TOPIC_RAW, NUMBER);
    for (size_t i = 0; i < log->count; i++) {
        const struct logged *item = &log->items[i];
        struct mf_str value = item->deleted ? MF_STR_NULL : mf_buf_str(&item->value);
        assert_int_equal(prc_recovery_add(recovery, NUMBER, (int64_t)i, mf_str_of(item->key), value, &err),
                         0);
    }
    assert_int_equal(prc_recovery_record(recovery, read, &recovered, &err), 0);
    if (prc_recovery_cells(recovery, read, &recovered, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(recovered.cells, 1);
    assert_int_equal(cell_of(read)->restored_at, f->offset);
    assert_int_equal(cell_of(read)->parts, cell_of(f->live)->parts);
    check_same_bytes(f->live, read);
    prc_recovered_clear(&recovered);
    prc_recovery_free(&recovery);
    prc_partition_free(&read);
}

static void test_an_underlying_with_many_contracts(void **state)
{
    enum { CONTRACTS = 700 };
    struct fixture *f = *state;
    struct log *log = mf_calloc(1, sizeof *log);
    struct prc_changelog changelog;
    prc_changelog_init(&changelog, 15, put, log);
    char ticker[32];
    for (int step = 0; step < PRC_RING + 2; step++)
        for (int c = 0; c < CONTRACTS; c++) {
            struct mf_event event = make_option(ticker_of(c, ticker), (struct mf_date){2024, 1, 5 + c % 2},
                                                step, c % 3 == 0 ? "10.25" : "0.5");
            f->replay = true; // nobody looks at what passes
            feed(f, &event);
        }
    assert_int_equal(cell_of(f->live)->contracts.count, CONTRACTS);
    assert_true(prc_partition_bytes(f->live) > CONTRACTS * PRC_RING * sizeof(struct prc_contract_slot));
    unsigned parts = store(&changelog, f);
    assert_true(parts > 1);
    assert_int_equal(changelog.records[PRC_CHANGELOG_CELL], parts);
    check_restored(log, f);
    // Half of them expire: fewer parts, and tombstones of the others.
    struct mf_event event = make_option(ticker_of(1, ticker), (struct mf_date){2024, 1, 6}, 11 * 48, "10");
    feed(f, &event);
    assert_int_equal(cell_of(f->live)->contracts.count, CONTRACTS / 2);
    unsigned fewer = store(&changelog, f);
    assert_true(fewer < parts);
    assert_int_equal(changelog.records[PRC_CHANGELOG_TOMBSTONE], parts - fewer);
    check_restored(log, f);
    log_clear(log);
    free(log);
    prc_changelog_free(&changelog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_or_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_contract_is_there_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_underlying_with_many_contracts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
