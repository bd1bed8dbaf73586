// SPDX-License-Identifier: Apache-2.0
// State ↔ bytes: what is read back writes the same bytes and goes on as the original would; whatever is cut
// or changed is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "services/processor/codec.h"

#define BARS 200
#define OFFSET 4711

static struct mf_buf bytes_of(const struct prc_cell *cell)
{
    struct mf_buf out;
    mf_buf_init(&out, PRC_SNAPSHOT_BYTES_MAX);
    prc_cell_encode(cell, &out);
    assert_false(out.overflow);
    return out;
}

// What a series says, as one number.
static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    (void)series;
    uint64_t *said = arg;
    uint64_t parts[] = {(uint64_t)bar->time_us, values->present, n_obs, revision};
    *said = *said * 31 + mf_hash64(parts, sizeof parts);
    for (int f = 0; f < MF_METRIC_FIELD_MAX; f++)
        if (prc_has(values, (enum mf_metric_field)f))
            *said = *said * 31 + mf_hash64(&values->v[f], sizeof values->v[f]);
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    (void)series;
    (void)values;
    uint64_t *said = arg;
    uint64_t parts[] = {(uint64_t)transition->rule,       (uint64_t)transition->key_time_us,
                        (uint64_t)transition->resolution, (uint64_t)transition->resolved_time_us,
                        (uint64_t)bar->time_us,           revision};
    *said = *said * 31 + mf_hash64(parts, sizeof parts);
}

// A random walk with jumps; `wide` gives one number more digits than a word holds. said: for the sink.
static void apply(struct prc_series *series, const struct prc_rule_config *rules, int64_t minute,
                  uint64_t *random, bool wide, void *said)
{
    char texts[PRC_NUMBER_MAX][MF_DECIMAL_TEXT_SIZE];
    struct mf_str views[PRC_NUMBER_MAX];
    double close = 100 + (double)(mf_random_next(random) % 1000) / 100;
    double values[] = {close, close + 1, close - 1, close, (double)(mf_random_next(random) % 9000), close};
    for (int f = 0; f < PRC_NUMBER_MAX; f++) {
        snprintf(texts[f], sizeof texts[f], "%.2f", values[f]);
        views[f] = mf_str_of(texts[f]);
    }
    if (wide)
        views[PRC_VOLUME] = MF_STR("123456789012345.12345678");
    struct prc_series_bar bar = {.trade_count = PRC_NO_TRADE_COUNT, .content_hash = mf_random_next(random)};
    assert_true(prc_numbers_parse(views, &bar.numbers));
    bar.bar = (struct prc_bar){
        .time_us = minute * MF_US_PER_MINUTE,
        .end_us = (minute + 1) * MF_US_PER_MINUTE,
        .open = prc_number_double(&bar.numbers, PRC_OPEN),
        .high = prc_number_double(&bar.numbers, PRC_HIGH),
        .low = prc_number_double(&bar.numbers, PRC_LOW),
        .close = prc_number_double(&bar.numbers, PRC_CLOSE),
        .volume = prc_number_double(&bar.numbers, PRC_VOLUME),
        .vwap = prc_number_double(&bar.numbers, PRC_VWAP),
        .has_vwap = true,
        .session_day = (int32_t)(minute / 1440),
        .session = MF_SESSION_REGULAR,
        .frozen = {.late_us = PRC_NOT_JUDGED, .mtf_signed = -5, .mtf_weight = 5, .mtf_count = 1}};
    unsigned revision = 0;
    struct prc_applied applied;
    struct prc_series_sink sink = {said, on_metric, on_alert};
    enum prc_placement placement = prc_series_place(series, bar.bar.time_us, bar.content_hash, &revision);
    if (placement == PRC_PLACED_NEW || placement == PRC_PLACED_CORRECTION)
        prc_series_apply(series, &bar, rules, &sink, &applied);
    prc_numbers_clear(&bar.numbers);
}

static const struct prc_rule_config *rules(void)
{
    static struct prc_rule_config config;
    for (int r = 0; r < PRC_RULE_MAX; r++)
        for (int i = 0; i < PRC_RULE_INTERVALS; i++)
            config.thresholds[r][i] = (struct prc_thresholds){{1, 2, 3}};
    config.cooldown_us = 5 * MF_US_PER_MINUTE;
    prc_rule_config_prepare(&config);
    return &config;
}

static struct prc_cell *new_cell(struct prc_partition *partition, enum mf_interval interval, size_t bars,
                                 uint64_t seed)
{
    bool full = false;
    struct prc_cell *cell = prc_partition_cell(partition, MF_STR("live"), MF_STR("BRK.A"), true, &full);
    cell->name = mf_strdup("Berkshire Hathaway");
    cell->exchange = mf_strdup("XNYS");
    cell->splits[cell->split_count++] = 19000;
    struct prc_group *group = prc_cell_group(cell, MF_STR("polygon"), MF_ADJUSTED_SPLIT, true);
    struct prc_series_key key = {.source = "polygon", .provider = "polygon", .adjusted = MF_ADJUSTED_SPLIT};
    key.interval = interval;
    struct prc_series *series = group->vendor[interval] = prc_series_new(&key, MF_ASSET_STOCK);
    uint64_t said = 0;
    for (size_t i = 0; i < bars; i++) // now and then an earlier minute again: corrections
        apply(series, rules(), (int64_t)(i % 17 == 3 && i > 5 ? i - 4 : i), &seed, i % 50 == 7, &said);
    bool made = false;
    for (uint64_t k = 0; k < PRC_RECENT + 3; k++)
        prc_cell_recent(cell, k * 977, &made)->content_hash = k;
    struct prc_recent *recent = prc_cell_recent(cell, 977 * PRC_RECENT, &made);
    recent->alerts = mf_calloc(PRC_NEWS_RULE_MAX, sizeof *recent->alerts);
    recent->alerts[1].value = -0.5;
    return cell;
}

static struct prc_partition *read_back(struct mf_str bytes)
{
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    struct mf_error err;
    assert_int_equal(prc_cell_decode(partition, MF_STR("live"), MF_STR("BRK.A"), OFFSET, bytes, &err), 0);
    return partition;
}

static struct prc_cell *cell_of(struct prc_partition *partition)
{
    bool full = false;
    return prc_partition_cell(partition, MF_STR("live"), MF_STR("BRK.A"), false, &full);
}

static void check_round_trip(enum mf_interval interval, size_t bars, uint64_t seed)
{
    struct prc_partition *first = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    struct mf_buf written = bytes_of(new_cell(first, interval, bars, seed));
    struct prc_partition *second = read_back(mf_buf_str(&written));
    struct mf_buf again = bytes_of(cell_of(second));
    assert_int_equal(written.len, again.len);
    assert_memory_equal(written.data, again.data, written.len);
    assert_int_equal(cell_of(second)->restored_at, OFFSET);
    assert_int_equal(cell_of(second)->dirty_at, -1);
    // Both go on: appended, corrected, out of order.
    struct prc_series *a = cell_of(first)->groups[0]->vendor[interval];
    struct prc_series *b = cell_of(second)->groups[0]->vendor[interval];
    uint64_t said[2] = {0, 0}, random[2] = {seed + 1, seed + 1};
    for (size_t i = 0; i < 2 * PRC_RING; i++) {
        int64_t minute = (int64_t)(bars + i) - (i % 5 == 2 ? 40 : 0);
        apply(a, rules(), minute, &random[0], false, &said[0]);
        apply(b, rules(), minute, &random[1], false, &said[1]);
        assert_int_equal(said[0], said[1]);
    }
    mf_buf_free(&written);
    mf_buf_free(&again);
    prc_partition_free(&first);
    prc_partition_free(&second);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = mf_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    static const size_t bars[] = {0, 1, 31, 32, 33, 64, 65, 96, 97, 128, BARS};
    for (size_t i = 0; i < MF_ARRAY_LEN(bars); i++) {
        check_round_trip(MF_INTERVAL_1M, bars[i], seed);
        check_round_trip(MF_INTERVAL_1D, bars[i], seed);
        check_round_trip(MF_INTERVAL_4H, bars[i], seed);
    }
    check_round_trip(MF_INTERVAL_1D, 400, seed); // the long look-back is full
}

static void test_cut_or_changed(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    struct mf_buf written = bytes_of(new_cell(partition, MF_INTERVAL_1M, BARS, 1));
    struct prc_partition *other = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    for (size_t len = 0; len < written.len; len += 1 + len / 50) {
        struct mf_error err;
        char *copy = mf_alloc(len + 1); // of its own, so that a read beyond the end shows
        memcpy(copy, written.data, len);
        struct mf_str bytes = {copy, len};
        assert_int_equal(prc_cell_decode(other, MF_STR("live"), MF_STR("X"), 0, bytes, &err), -1);
        assert_string_equal(err.code, "state_corrupt");
        assert_int_equal(other->count, 0); // nothing half-read stays
        free(copy);
    }
    mf_buf_free(&written);
    prc_partition_free(&partition);
    prc_partition_free(&other);
}

static void test_parts(void **state)
{
    (void)state;
    struct mf_buf out;
    mf_buf_init(&out, PRC_SNAPSHOT_BYTES_MAX);
    struct prc_part part = {.part = 2, .parts = 5, .offset = -7, .bytes = MF_STR("what it carries")}, read;
    struct mf_error err;
    prc_part_encode(&part, &out);
    assert_int_equal(prc_part_decode(mf_buf_str(&out), &read, &err), 0);
    assert_int_equal(read.part, 2);
    assert_int_equal(read.parts, 5);
    assert_int_equal(read.offset, -7);
    assert_true(mf_str_eq_c(read.bytes, "what it carries"));
    for (size_t i = 0; i < out.len; i++) { // any flipped bit shows
        out.data[i] = (char)(out.data[i] ^ 4);
        assert_int_equal(prc_part_decode(mf_buf_str(&out), &read, &err), -1);
        out.data[i] = (char)(out.data[i] ^ 4);
    }
    assert_int_equal(prc_part_decode(MF_STR_NULL, &read, &err), -1);
    assert_string_equal(err.code, "state_corrupt");
    assert_int_equal(prc_parts_of(0), 1);
    assert_int_equal(prc_parts_of(PRC_PART_BYTES_MAX), 1);
    assert_int_equal(prc_parts_of(PRC_PART_BYTES_MAX + 1), 2);
    mf_buf_free(&out);
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        enum mf_topic_role role;
        const char *lane, *symbol, *text;
        unsigned part;
    } rows[] = {
        {MF_TOPIC_RAW, "live", "AAPL", "raw/12/live/AAPL/0", 0},
        {MF_TOPIC_RAW_BACKFILL, "backfill:run-1", "A/B", "backfill/12/backfill:run-1/A/B/3", 3},
        {MF_TOPIC_RAW, "", "", "raw/12///1", 1},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char out[PRC_CHANGELOG_KEY_MAX];
        struct prc_changelog_key key = {rows[i].role, 12, mf_str_of(rows[i].lane), mf_str_of(rows[i].symbol),
                                        rows[i].part},
                                 read;
        struct mf_str text = prc_changelog_key_text(&key, out);
        assert_true(mf_str_eq_c(text, rows[i].text));
        assert_true(prc_changelog_key_parse(text, &read));
        assert_true(read.role == key.role && read.partition == 12 && read.part == key.part &&
                    mf_str_eq(read.lane, key.lane) && mf_str_eq(read.symbol, key.symbol));
    }
    static const char *const bad[] = {"",
                                      "raw",
                                      "raw/1",
                                      "raw/1/live",
                                      "raw/x/live/A/0",
                                      "cooked/1/live/A/0",
                                      "raw/1/live/A/",
                                      "raw/1/live/A/256",
                                      "raw/-1/live/A/0"};
    struct prc_changelog_key read;
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++)
        assert_false(prc_changelog_key_parse(mf_str_of(bad[i]), &read));
    assert_false(prc_changelog_key_parse(MF_STR_NULL, &read));
}

static void test_partition_record(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    struct prc_lane *lane = prc_partition_lane(partition, MF_STR("live"), true);
    lane->clock_us = 77;
    lane->clock_count = 2;
    lane->clocks = mf_calloc(2, sizeof *lane->clocks);
    lane->clocks[0] = (struct prc_clock){mf_strdup("polygon.bars.1m"), 123456789};
    lane->clocks[1] = (struct prc_clock){mf_strdup("polygon.news"), -1};
    prc_partition_lane(partition, MF_STR("backfill:x"), true);
    struct prc_partition_record record = {10, 20, UINT64_MAX, 42, 7}, read;
    struct mf_buf out, again;
    mf_buf_init(&out, 100000), mf_buf_init(&again, 100000);
    prc_partition_encode(&record, partition->lanes, &out);
    struct prc_partition *other = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    struct mf_error err;
    assert_int_equal(prc_partition_decode(mf_buf_str(&out), &read, other, &err), 0);
    assert_memory_equal(&record, &read, sizeof record);
    const struct prc_lane *live = prc_partition_lane(other, MF_STR("live"), false);
    assert_non_null(live);
    assert_int_equal(live->clock_us, 77);
    assert_int_equal(live->clock_count, 2);
    assert_string_equal(live->clocks[0].feed, "polygon.bars.1m");
    assert_int_equal(live->clocks[0].complete_to_us, 123456789);
    assert_non_null(prc_partition_lane(other, MF_STR("backfill:x"), false));
    struct prc_partition *third = prc_partition_new(MF_TOPIC_RAW, 3, 10);
    out.len--;
    assert_int_equal(prc_partition_decode(mf_buf_str(&out), &read, third, &err), -1);
    assert_string_equal(err.code, "state_corrupt");
    mf_buf_free(&out), mf_buf_free(&again);
    prc_partition_free(&partition), prc_partition_free(&other), prc_partition_free(&third);
}

static void test_rules_record(void **state)
{
    (void)state;
    struct prc_rule_config written = *rules(), read;
    written.thresholds[PRC_RULE_GAP][MF_INTERVAL_1D].level[1] = 0;
    written.min_price = 0.1;
    written.keywords[0] = "merger";
    written.keywords[1] = "SEC";
    written.keyword_count = 2;
    struct mf_buf out, words;
    struct mf_error err;
    mf_buf_init(&out, 100000), mf_buf_init(&words, 100000);
    prc_rules_encode(&written, &out);
    assert_int_equal(prc_rules_decode(mf_buf_str(&out), &read, &words, &err), 0);
    assert_int_equal(prc_rules_hash(&written), prc_rules_hash(&read));
    assert_memory_equal(read.thresholds, written.thresholds, sizeof read.thresholds);
    assert_string_equal(read.keywords[1], "SEC");
    read.thresholds[0][0].level[0] += 1;
    assert_int_not_equal(prc_rules_hash(&written), prc_rules_hash(&read));
    mf_buf_free(&out), mf_buf_free(&words);
}

static void test_shape(void **state)
{
    (void)state;
    struct prc_fold_config config = {.lateness_us = 10, .rollups = true}, other = config;
    assert_int_equal(prc_shape_hash(&config), prc_shape_hash(&other));
    other.lateness_us++;
    assert_int_not_equal(prc_shape_hash(&config), prc_shape_hash(&other));
    other = config;
    other.rollups = false;
    assert_int_not_equal(prc_shape_hash(&config), prc_shape_hash(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_or_changed),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_partition_record),
        cmocka_unit_test(test_rules_record),
        cmocka_unit_test(test_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
