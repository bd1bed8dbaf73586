// SPDX-License-Identifier: Apache-2.0
// Properties of the whole fold over generated records (the seed is printed): symbols do not see each other,
// what arrives out of order within the ring ends as what arrives in order, a replay ends in the same state,
// gaps stay.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/codec.h"
#include "tests/unit/prc_fold_fixture.h"

enum { MINUTES = 150, RECORDS_MAX = 4096 };

struct records {
    struct mf_buf bytes[RECORDS_MAX];
    char symbol[RECORDS_MAX][8];
    size_t count;
};

static void add(struct records *records, const struct mf_event *event)
{
    struct mf_error err;
    assert_true(records->count < RECORDS_MAX);
    mf_buf_init(&records->bytes[records->count], MF_EVENT_SIZE_MAX);
    if (mf_event_encode(event, &records->bytes[records->count], &err) < 0)
        fail_msg("%s: %s", err.code, err.message);
    snprintf(records->symbol[records->count], sizeof(records->symbol[0]), "%.*s", MF_STR_ARG(event->symbol));
    records->count++;
}

static void clear(struct records *records)
{
    for (size_t i = 0; i < records->count; i++)
        mf_buf_free(&records->bytes[i]);
    records->count = 0;
}

static void all_rules(struct fixture *f)
{
    static const double on[][3] = {
        [PRC_RULE_PRICE_MOVE] = {0.5, 1, 2},    [PRC_RULE_PRICE_MOVE_Z] = {3, 4, 6},
        [PRC_RULE_VELOCITY] = {1, 3, 5},        [PRC_RULE_VOLUME_SPIKE] = {2, 3, 5},
        [PRC_RULE_REL_VOLUME] = {2, 3, 5},      [PRC_RULE_VWAP_DEV] = {1, 2, 3},
        [PRC_RULE_VOL_REGIME] = {1.5, 2, 0},    [PRC_RULE_RSI_EXTREME] = {70, 80, 0},
        [PRC_RULE_MA_CROSS] = {1, 1, 1},        [PRC_RULE_MOMENTUM] = {1, 0, 0},
        [PRC_RULE_BOLLINGER_BREAK] = {2, 3, 0}, [PRC_RULE_MTF_CONFLUENCE] = {60, 0, 0},
        [PRC_RULE_PRICE_INTEGRITY] = {0, 0, 2}, [PRC_RULE_LATE_DATA] = {15, 2880, 0},
        [PRC_RULE_NEWS_KEYWORD] = {1, 2, 4},    [PRC_RULE_STALE_FEED] = {3, 5, 10},
    };
    for (size_t r = 0; r < MF_ARRAY_LEN(on); r++)
        for (int i = 0; i < MF_INTERVAL_MAX; i++)
            memcpy(f->config.rules.thresholds[r][i].level, on[r], sizeof(on[r]));
    restart(f);
}

static const char *price_of(uint64_t *random, char text[16])
{
    snprintf(text, 16, "%d.%02d", (int)(98 + mf_random_next(random) % 4),
             (int)(mf_random_next(random) % 100));
    return text;
}

static struct mf_event random_bar(const char *symbol, int minute, uint64_t *random, char text[2][16])
{
    struct mf_event bar = make_bar(symbol, "live", minute, price_of(random, text[0]));
    snprintf(text[1], 16, "%d", (int)(1000 + mf_random_next(random) % 5000));
    bar.bar.volume = mf_str_of(text[1]);
    return bar;
}

// A symbol's own records: bars with gaps, repeats, corrections and late arrivals, news, a split.
static void generate(struct records *records, const char *symbol, uint64_t *random)
{
    char text[2][16];
    for (int minute = 0; minute < MINUTES; minute++) {
        if (mf_random_next(random) % 12 == 0)
            continue;
        struct mf_event bar = random_bar(symbol, minute, random, text);
        add(records, &bar);
        if (mf_random_next(random) % 20 == 0)
            add(records, &bar);
        if (minute > 10 && mf_random_next(random) % 10 == 0) {
            bar = random_bar(symbol, minute - (int)(mf_random_next(random) % 10), random, text);
            add(records, &bar);
        }
        if (mf_random_next(random) % 30 == 0) {
            char id[20];
            snprintf(id, sizeof(id), "%016d", minute);
            struct mf_event news = make_event(MF_EVENT_NEWS, symbol, "live", bar.event_time_us);
            news.news.article_id = news.news.url_hash = mf_str_of(id);
            news.news.url = MF_STR("https://news.example/x");
            news.news.title = mf_random_next(random) % 2 == 0 ? MF_STR("A merger") : MF_STR("Nothing");
            news.news.publisher = MF_STR("Example");
            news.news.tickers[0] = mf_str_of(symbol);
            news.news.ticker_count = 1;
            add(records, &news);
        }
    }
}

static void feed_record(struct fixture *f, const struct records *records, size_t i)
{
    feed_bytes(f, MF_TOPIC_RAW, mf_buf_str(&records->bytes[i]), 0);
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("MF_TEST_SEED");
    int64_t seed = 0;
    if (text == NULL || !mf_str_to_i64(mf_str_of(text), &seed))
        seed = 20261121;
    print_message("MF_TEST_SEED=%lld\n", (long long)seed);
    return (uint64_t)seed;
}

// All that came out for one symbol, in order.
static void collect(const struct fixture *f, const char *symbol, struct mf_buf *out)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->outs[i].key, symbol) == 0)
            mf_buf_addf(out, "%d %u %u %s\n", (int)f->outs[i].role, f->outs[i].revision, f->outs[i].flags,
                        f->outs[i].value);
}

static void test_symbols_do_not_see_each_other(void **state)
{
    struct fixture *f = *state;
    static const char *const symbols[] = {"AAPL", "IBM", "MSFT"};
    uint64_t random = seed_of_run();
    struct records *records = mf_calloc(3, sizeof(*records));
    struct mf_buf alone[3], together[3];
    all_rules(f);
    for (int s = 0; s < 3; s++) {
        mf_buf_init(&alone[s], (size_t)1 << 28);
        mf_buf_init(&together[s], (size_t)1 << 28);
        generate(&records[s], symbols[s], &random);
        restart(f);
        for (size_t i = 0; i < records[s].count; i++)
            feed_record(f, &records[s], i);
        collect(f, symbols[s], &alone[s]);
    }
    restart(f);
    size_t at[3] = {0};
    while (at[0] < records[0].count || at[1] < records[1].count || at[2] < records[2].count) {
        size_t s = mf_random_next(&random) % 3;
        if (at[s] < records[s].count)
            feed_record(f, &records[s], at[s]++);
    }
    assert_true(count_role(f, MF_TOPIC_ALERTS) > 50);
    for (int s = 0; s < 3; s++) {
        collect(f, symbols[s], &together[s]);
        assert_string_equal(mf_buf_c_str(&together[s]), mf_buf_c_str(&alone[s]));
        mf_buf_free(&alone[s]);
        mf_buf_free(&together[s]);
        clear(&records[s]);
    }
    free(records);
}

// The last word about every key, without the record that caused it.
struct ledger {
    struct {
        char key[160];
        char *value;
    } rows[RECORDS_MAX];
    size_t count;
};

// Cuts a member out of the payload: those that tell when and how often something was said.
static void cut(char *value, const char *name)
{
    char member[64];
    int len = snprintf(member, sizeof(member), "\"%s\":", name);
    char *at = strstr(value, member), *end = at;
    if (at == NULL)
        return;
    for (end += len; *end != ',' && *end != '}';)
        end++;
    memmove(at, *end == ',' ? end + 1 : end, strlen(*end == ',' ? end + 1 : end) + 1);
}

static void read_ledger(const struct fixture *f, struct ledger *ledger)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct out *out = &f->outs[i];
        char key[160], time[32], interval[16], rule[40];
        snprintf(time, sizeof(time), "%s", text_of(out, "event_time"));
        snprintf(interval, sizeof(interval), "%s", text_of(out, "interval"));
        snprintf(rule, sizeof(rule), "%s", text_of(out, "rule_id"));
        snprintf(key, sizeof(key), "%d %s %s %s %s", (int)out->role, time, interval, rule,
                 text_of(out, "source"));
        size_t row = 0;
        while (row < ledger->count && strcmp(ledger->rows[row].key, key) != 0)
            row++;
        if (row == ledger->count) {
            assert_true(ledger->count < RECORDS_MAX);
            snprintf(ledger->rows[ledger->count++].key, sizeof(key), "%s", key);
        }
        free(ledger->rows[row].value);
        ledger->rows[row].value = mf_strdup(out->value);
        static const char *const told[] = {"event_id", "ingest_time", "cause", "revision"};
        for (size_t t = 0; t < MF_ARRAY_LEN(told); t++)
            cut(ledger->rows[row].value, told[t]);
    }
}

static void free_ledger(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++)
        free(ledger->rows[i].value);
    free(ledger);
}

// Alerts that were withdrawn are as if they had never been; all else must be equal.
static void compare(const struct ledger *a, const struct ledger *b)
{
    for (size_t i = 0; i < a->count; i++) {
        size_t row = 0;
        while (row < b->count && strcmp(a->rows[i].key, b->rows[row].key) != 0)
            row++;
        bool withdrawn = strstr(a->rows[i].value, "\"reason\":\"corrected\"") != NULL;
        if (withdrawn)
            assert_true(row == b->count || strstr(b->rows[row].value, "\"reason\":\"corrected\"") != NULL);
        else if (row == b->count)
            fail_msg("only one has %s", a->rows[i].value);
        else
            assert_string_equal(a->rows[i].value, b->rows[row].value);
    }
}

// Bars of one symbol, shuffled within the ring, against the same in order. mtf_strength is left alone by
// using one interval; rules that remember a cooldown restate it, so all of them take part.
static void test_order_within_the_ring_does_not_matter(void **state)
{
    struct fixture *f = *state;
    uint64_t random = seed_of_run() + 1;
    struct records *records = mf_calloc(1, sizeof(*records));
    char text[2][16];
    all_rules(f);
    f->config.rollups = false;
    for (int minute = 0; minute < MINUTES; minute++) {
        struct mf_event bar = random_bar("AAPL", minute, &random, text);
        add(records, &bar);
    }
    for (int round = 0; round < 10; round++) {
        struct ledger *plain = mf_calloc(1, sizeof(*plain)), *shuffled = mf_calloc(1, sizeof(*shuffled));
        size_t order[RECORDS_MAX];
        restart(f);
        for (size_t i = 0; i < records->count; i++) {
            order[i] = i;
            feed_record(f, records, i);
        }
        read_ledger(f, plain);
        restart(f);
        for (size_t i = 0; i + 1 < records->count; i++) { // nothing moves by more than 20 places in sum
            size_t other = i + mf_random_next(&random) % 5;
            if (other < records->count) {
                size_t swap = order[i];
                order[i] = order[other];
                order[other] = swap;
            }
        }
        for (size_t i = 0; i < records->count; i++)
            feed_record(f, records, order[i]);
        assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_BAR][PRC_LATE], 0);
        read_ledger(f, shuffled);
        compare(plain, shuffled);
        compare(shuffled, plain);
        free_ledger(plain);
        free_ledger(shuffled);
    }
    clear(records);
    free(records);
}

// The same with the chain above it, whose windows are made again: derived bars end up the same.
static void test_derived_bars_do_not_depend_on_the_order(void **state)
{
    struct fixture *f = *state;
    uint64_t random = seed_of_run() + 2;
    struct records *records = mf_calloc(1, sizeof(*records));
    char text[2][16];
    for (int minute = 0; minute < MINUTES; minute++)
        if (mf_random_next(&random) % 6 != 0) {
            struct mf_event bar = random_bar("AAPL", minute, &random, text);
            add(records, &bar);
        }
    struct ledger *ledgers[2];
    for (int pass = 0; pass < 2; pass++) {
        restart(f);
        for (size_t from = 0; from < records->count; from += 12)
            for (size_t i = 0; i < 12 && from + i < records->count; i++) {
                size_t count = records->count - from < 12 ? records->count - from : 12;
                feed_record(f, records, from + (pass == 0 ? i : count - 1 - i));
            }
        struct mf_event end = make_heartbeat("live", "polygon.bars.1m", OPEN_US + 200 * MF_US_PER_MINUTE);
        feed(f, &end);
        for (size_t i = 0; i < f->count; i++) // bars alone: their metrics freeze other intervals' trends
            if (f->outs[i].role != MF_TOPIC_BARS_FILTERED)
                f->outs[i].key[0] = '\0';
        size_t kept = 0;
        for (size_t i = 0; i < f->count; i++)
            if (f->outs[i].key[0] != '\0') {
                struct out swap = f->outs[kept];
                f->outs[kept++] = f->outs[i];
                f->outs[i] = swap;
            }
        size_t all = f->count;
        f->count = kept;
        ledgers[pass] = mf_calloc(1, sizeof(*ledgers[pass]));
        read_ledger(f, ledgers[pass]);
        f->count = all;
    }
    assert_true(ledgers[0]->count > records->count + 30);
    compare(ledgers[0], ledgers[1]);
    compare(ledgers[1], ledgers[0]);
    free_ledger(ledgers[0]);
    free_ledger(ledgers[1]);
    clear(records);
    free(records);
}

// State after a replay that says nothing = state after the run that said everything, to the stored byte.
static void test_a_replay_ends_in_the_same_state(void **state)
{
    struct fixture *f = *state;
    uint64_t random = seed_of_run() + 3;
    struct records *records = mf_calloc(1, sizeof(*records));
    struct mf_buf stored[2];
    all_rules(f);
    generate(records, "AAPL", &random);
    for (int pass = 0; pass < 2; pass++) {
        restart(f);
        f->replay = pass == 1;
        for (size_t i = 0; i < records->count; i++) {
            feed_record(f, records, i);
            if (i % 40 == 39) {
                struct mf_event beat =
                    make_heartbeat("live", "polygon.bars.1m", OPEN_US + (int64_t)i * MF_US_PER_MINUTE);
                feed(f, &beat);
            }
        }
        bool full = false;
        mf_buf_init(&stored[pass], PRC_SNAPSHOT_BYTES_MAX);
        prc_cell_encode(prc_partition_cell(f->live, MF_STR("live"), MF_STR("AAPL"), false, &full),
                        &stored[pass]);
    }
    assert_int_equal(stored[0].len, stored[1].len);
    assert_memory_equal(stored[0].data, stored[1].data, stored[0].len);
    mf_buf_free(&stored[0]);
    mf_buf_free(&stored[1]);
    clear(records);
    free(records);
}

// A window without bars makes none: every derived bar has volume and lies where there were bars.
static void test_gaps_are_never_filled(void **state)
{
    struct fixture *f = *state;
    uint64_t random = seed_of_run() + 4;
    bool there[400 / 5] = {false};
    char text[2][16];
    size_t windows = 0;
    for (int minute = 0; minute < 390; minute++) {
        if (mf_random_next(&random) % 8 != 0)
            continue;
        struct mf_event bar = random_bar("AAPL", minute, &random, text);
        feed(f, &bar);
        windows += !there[minute / 5];
        there[minute / 5] = true;
    }
    struct mf_event beat = make_heartbeat("live", "polygon.bars.1m", OPEN_US + 500 * MF_US_PER_MINUTE);
    feed(f, &beat);
    size_t made = 0;
    for (const struct out *out; (out = find_out(f, MF_TOPIC_BARS_FILTERED, made, "\"source\":\"processor\"",
                                                "\"interval\":\"5m\"")) != NULL;
         made++) {
        int64_t time = 0;
        assert_true(mf_time_parse(mf_str_of(text_of(out, "event_time")), &time));
        assert_true(there[(time - OPEN_US) / (5 * MF_US_PER_MINUTE)]);
        assert_true(says(out, "\"revision\":0"));
    }
    assert_int_equal(made, windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_symbols_do_not_see_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_within_the_ring_does_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derived_bars_do_not_depend_on_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replay_ends_in_the_same_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gaps_are_never_filled, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
