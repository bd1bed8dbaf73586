// SPDX-License-Identifier: Apache-2.0
// Which minutes of a range have a bar: sessions, holidays, early closes, what is missing, and that all of it
// comes back from a watermark; offsets and counts beside it.
#include "services/ingestor/coverage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/watermark.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

struct minutes {
    struct ing_coverage coverage;
    struct ing_coverage_shape shape;
};

static struct mf_date date_of(const char *text)
{
    struct mf_date date = {0};
    assert_true(mf_date_parse(mf_str_of(text), &date));
    return date;
}

static void begin(struct minutes *m, void **state, enum mf_asset_class asset_class, bool days,
                  const char *first)
{
    const struct ing_fixture *f = *state;
    m->shape = (struct ing_coverage_shape){.calendar = f->calendar, .asset_class = asset_class, .days = days};
    ing_coverage_init(&m->coverage, date_of(first));
}

// A bar in each minute of [from, to).
static void take(struct minutes *m, const char *from, const char *to)
{
    for (int64_t at = ing_time(from); at < ing_time(to); at += MF_US_PER_MINUTE)
        ing_coverage_take(&m->coverage, &m->shape, at);
}

static void is_range(const struct ing_missing *item, const char *from, const char *to, uint64_t slots)
{
    assert_int_equal(item->from_us, ing_time(from));
    assert_int_equal(item->to_us, ing_time(to));
    assert_int_equal(item->slots, slots);
}

static void test_minutes_of_stocks(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, false, "2024-07-01");
    struct ing_coverage *c = &m.coverage;
    take(&m, "2024-07-01T08:00:00Z", "2024-07-01T14:00:00Z"); // before the session too
    take(&m, "2024-07-01T14:03:00Z", "2024-07-01T20:30:00Z"); // three minutes lost; after the close
    take(&m, "2024-07-02T13:30:00Z", "2024-07-02T19:58:00Z"); // ends two minutes early
    take(&m, "2024-07-03T13:32:00Z", "2024-07-03T17:00:00Z"); // an early close; begins two minutes late
    ing_coverage_advance(c, &m.shape, ing_time("2024-07-05T04:00:00Z"));
    assert_int_equal(c->sessions, 3); // the 4th is a holiday
    assert_int_equal(c->sessions_seen, 3);
    assert_int_equal(c->slots, 390 + 390 + 210);
    assert_int_equal(c->missing, 7);
    assert_int_equal(c->count, 2);
    is_range(&c->items[0], "2024-07-01T14:00:00Z", "2024-07-01T14:03:00Z", 3);
    is_range(&c->items[1], "2024-07-02T19:58:00Z", "2024-07-03T13:32:00Z", 4); // over the night
    // A day that has begun: only its minutes that are over.
    take(&m, "2024-07-05T13:30:00Z", "2024-07-05T14:00:00Z");
    ing_coverage_finish(c, &m.shape, ing_time("2024-07-05T14:10:30Z"));
    assert_int_equal(c->slots, 390 + 390 + 210 + 40);
    is_range(&c->open, "2024-07-05T14:00:00Z", "2024-07-05T14:10:00Z", 10);
    assert_int_equal(c->first_us, ing_time("2024-07-01T13:30:00Z"));
    assert_int_equal(c->last_us, ing_time("2024-07-05T13:59:00Z"));
    ing_coverage_free(c);
}

static void test_days_and_round_the_clock(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, true, "2024-03-01");
    ing_coverage_take(&m.coverage, &m.shape, ing_time("2024-03-04T05:00:00Z"));
    ing_coverage_take(&m.coverage, &m.shape, ing_time("2024-03-11T04:00:00Z")); // over the change of clocks
    ing_coverage_finish(&m.coverage, &m.shape, ing_time("2024-03-12T04:00:00Z"));
    assert_int_equal(m.coverage.slots, 7);
    assert_int_equal(m.coverage.missing, 5);
    assert_int_equal(m.coverage.count, 2);
    is_range(&m.coverage.items[1], "2024-03-05T14:30:00Z", "2024-03-08T21:00:00Z", 4);
    ing_coverage_free(&m.coverage);

    begin(&m, state, MF_ASSET_CRYPTO, false, "2024-03-02");
    take(&m, "2024-03-02T00:00:00Z", "2024-03-03T23:59:00Z");
    ing_coverage_finish(&m.coverage, &m.shape, ing_time("2024-03-04T00:00:00Z"));
    assert_int_equal(m.coverage.slots, 2880);
    assert_int_equal(m.coverage.missing, 1);
    ing_coverage_free(&m.coverage);

    begin(&m, state, MF_ASSET_FX, false, "2024-03-08"); // a Friday; Sunday is after the change of clocks
    ing_coverage_finish(&m.coverage, &m.shape, ing_time("2024-03-11T00:00:00Z"));
    assert_int_equal(m.coverage.slots, 22 * 60 + 3 * 60);
    assert_int_equal(
        ing_coverage_slots(&m.shape, ing_time("2024-03-08T21:30:00Z"), ing_time("2024-03-10T21:10:00Z")), 40);
    ing_coverage_free(&m.coverage);
}

// Kept are the first ones; the count goes on.
static void test_limit(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, false, "2024-07-01");
    for (int64_t at = ing_time("2024-07-01T13:30:00Z"); at < ing_time("2024-07-01T20:00:00Z");
         at += 120000000)
        ing_coverage_take(&m.coverage, &m.shape, at);
    ing_coverage_finish(&m.coverage, &m.shape, ing_time("2024-07-02T00:00:00Z"));
    assert_int_equal(m.coverage.missing, 195);
    assert_int_equal(m.coverage.count, ING_MISSING_MAX);
    assert_int_equal(m.coverage.dropped, 195 - ING_MISSING_MAX - 1); // one is open
    assert_int_equal(m.coverage.cut_us,
                     ing_time("2024-07-01T13:31:00Z") + ING_MISSING_MAX * 2 * MF_US_PER_MINUTE);
    ing_coverage_free(&m.coverage);
}

static void test_forget(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, false, "2024-07-01");
    take(&m, "2024-07-09T13:30:00Z", "2024-07-09T20:00:00Z");
    ing_coverage_finish(&m.coverage, &m.shape, ing_time("2024-07-11T04:00:00Z"));
    assert_int_equal(m.coverage.missing, 390 * 5 - 180 + 390); // the 3rd closes early, the 10th has none
    ing_coverage_forget(&m.coverage, &m.shape, ing_time("2024-07-02T04:00:00Z"),
                        ing_time("2024-07-03T04:00:00Z"));
    assert_int_equal(m.coverage.unexamined, 390);
    assert_int_equal(m.coverage.missing, 390 * 4 - 180 + 390);
    assert_int_equal(m.coverage.count, 2);
    is_range(&m.coverage.items[0], "2024-07-01T13:30:00Z", "2024-07-02T04:00:00Z", 390);
    is_range(&m.coverage.items[1], "2024-07-03T04:00:00Z", "2024-07-08T20:00:00Z", 390 * 3 - 180);
    // The one that is still growing.
    ing_coverage_forget(&m.coverage, &m.shape, ing_time("2024-07-10T04:00:00Z"),
                        ing_time("2024-07-11T04:00:00Z"));
    assert_int_equal(m.coverage.open.slots, 0);
    assert_int_equal(m.coverage.unexamined, 780);
    ing_coverage_free(&m.coverage);
}

// Rows that come out of order, of a day that was looked at before.
static void test_late(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, false, "2024-07-01");
    struct ing_coverage *c = &m.coverage;
    take(&m, "2024-07-01T13:30:00Z", "2024-07-01T14:00:00Z");
    take(&m, "2024-07-01T14:03:00Z", "2024-07-01T20:00:00Z");
    take(&m, "2024-07-03T13:30:00Z", "2024-07-03T17:00:00Z"); // nothing on the 2nd
    assert_int_equal(c->missing, 3 + 390);
    take(&m, "2024-07-01T14:01:00Z", "2024-07-01T14:02:00Z");
    assert_int_equal(c->missing, 2 + 390);
    assert_int_equal(c->unexamined, 0);
    take(&m, "2024-07-01T14:01:00Z", "2024-07-01T14:02:00Z"); // again
    take(&m, "2024-07-01T15:00:00Z", "2024-07-01T16:00:00Z"); // was there
    take(&m, "2024-07-01T08:00:00Z", "2024-07-01T09:00:00Z"); // no slots
    take(&m, "2024-06-28T15:00:00Z", "2024-06-28T16:00:00Z"); // nobody looked at that day
    assert_int_equal(c->missing, 2 + 390);
    assert_int_equal(c->sessions_seen, 1);
    take(&m, "2024-07-02T13:30:00Z", "2024-07-02T13:32:00Z");
    assert_int_equal(c->sessions_seen, 2);
    ing_coverage_advance(c, &m.shape, ing_time("2024-07-04T04:00:00Z"));
    assert_int_equal(c->sessions_seen, 3);
    assert_int_equal(c->slots, 390 + 390 + 210);
    assert_int_equal(c->missing, 2 + 388);
    assert_int_equal(c->count, 3);
    is_range(&c->items[0], "2024-07-01T14:00:00Z", "2024-07-01T14:01:00Z", 1);
    is_range(&c->items[1], "2024-07-01T14:02:00Z", "2024-07-01T14:03:00Z", 1);
    is_range(&c->items[2], "2024-07-02T13:32:00Z", "2024-07-02T20:00:00Z", 388);
    assert_int_equal(c->first_us, ing_time("2024-07-01T13:30:00Z"));
    ing_coverage_free(c);
}

static void test_late_days(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, true, "2024-07-01");
    ing_coverage_take(&m.coverage, &m.shape, ing_time("2024-07-05T04:00:00Z"));
    assert_int_equal(m.coverage.missing, 3);
    ing_coverage_take(&m.coverage, &m.shape, ing_time("2024-07-02T04:00:00Z"));
    ing_coverage_take(&m.coverage, &m.shape, ing_time("2024-07-04T04:00:00Z")); // a holiday
    assert_int_equal(m.coverage.missing, 2);
    assert_int_equal(m.coverage.sessions_seen, 1);
    assert_int_equal(m.coverage.first_us, ing_time("2024-07-02T13:30:00Z"));
    assert_int_equal(m.coverage.last_us, ing_time("2024-07-02T13:30:00Z"));
    ing_coverage_free(&m.coverage);
}

static struct ing_tally there_and_back(const struct ing_tally *tally)
{
    struct ing_watermark mark;
    struct ing_tally back = {0};
    struct mf_buf text;
    struct mf_json *json = mf_json_new();
    ing_watermark_init(&mark);
    mark.tally = tally;
    mf_buf_init(&text, 65536);
    ing_watermark_encode(&mark, NULL, &text);
    assert_int_equal(ing_watermark_decode_tally(json, mf_buf_str(&text), &back, NULL), 0);
    mf_buf_free(&text);
    mf_json_free(&json);
    return back;
}

// A run that goes on in the middle of a session ends like one that was never stopped.
static void test_stored_in_the_middle(void **state)
{
    struct minutes m;
    begin(&m, state, MF_ASSET_STOCK, false, "2024-06-28");
    take(&m, "2024-07-01T13:35:00Z", "2024-07-01T15:00:00Z");
    struct ing_tally tally = {.pages = 3,
                              .duplicates = 1,
                              .out_of_range = 2,
                              .foreign = 4,
                              .rejected = 5,
                              .dead_lettered = 6,
                              .coverage = &m.coverage};
    ing_offsets_note(&tally.offsets, 5, 1043);
    ing_offsets_note(&tally.offsets, 0, 48211);
    ing_offsets_note(&tally.offsets, 5, 1041);
    ing_offsets_note(&tally.offsets, ING_OFFSETS_MAX, 1);
    struct ing_tally back = there_and_back(&tally);
    assert_non_null(back.coverage);
    assert_int_equal(back.offsets.count, 2);
    assert_int_equal(back.offsets.items[0].offset, 48211);
    assert_int_equal(back.offsets.items[1].partition, 5);
    assert_int_equal(back.offsets.items[1].offset, 1043);
    struct minutes other = {.coverage = *back.coverage, .shape = m.shape};
    struct minutes *both[] = {&m, &other};
    for (size_t i = 0; i < 2; i++) {
        take(both[i], "2024-07-01T14:58:00Z", "2024-07-01T20:00:00Z"); // some of it again
        ing_coverage_finish(&both[i]->coverage, &m.shape, ing_time("2024-07-03T04:00:00Z"));
        const struct ing_coverage *c = &both[i]->coverage;
        assert_int_equal(c->slots, 3 * 390);
        assert_int_equal(c->missing, 390 + 5 + 390);
        assert_int_equal(c->count, 1);
        is_range(&c->items[0], "2024-06-28T13:30:00Z", "2024-07-01T13:35:00Z", 395);
        is_range(&c->open, "2024-07-02T13:30:00Z", "2024-07-02T20:00:00Z", 390);
    }
    *back.coverage = other.coverage;
    ing_tally_add(&back, &tally);
    assert_int_equal(back.pages, 6);
    assert_int_equal(back.dead_lettered, 12);
    struct ing_tally again = there_and_back(&back);
    is_range(&again.coverage->open, "2024-07-02T13:30:00Z", "2024-07-02T20:00:00Z", 390);
    assert_int_equal(again.coverage->first_us, ing_time("2024-07-01T13:35:00Z"));
    assert_int_equal(again.rejected, 10);
    ing_tally_free(&again);
    ing_tally_free(&back);
    ing_offsets_free(&tally.offsets);
    ing_coverage_free(&m.coverage);
}

static void test_bad_tallies(void **state)
{
    (void)state;
#define COUNTS \
    "\"pages\":1,\"duplicates\":0,\"out_of_range\":0,\"foreign\":0,\"rejected\":0,\"dead_lettered\":0"
#define COVERED                                                                                    \
    "\"coverage\":{\"sessions\":1,\"sessions_seen\":1,\"slots\":1,\"missing\":0,\"unexamined\":0," \
    "\"dropped\":0,"
    static const char *const bad[] = {
        "1",
        "{}",
        "{" COUNTS ",\"offsets\":\"1:\"}",
        "{" COUNTS ",\"offsets\":\"x:1\"}",
        "{" COUNTS ",\"offsets\":\"1:-1\"}",
        "{" COUNTS ",\"offsets\":\"512:1\"}",
        "{" COUNTS ",\"coverage\":1}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-30\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"seen\":\"0\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"seen\":\"0g\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"ranges\":\"1 2\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"ranges\":\"1 0 1\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"ranges\":\"12345678901 1 1\"}}",
        "{" COUNTS "," COVERED "\"day\":\"2024-02-01\",\"cut\":\"1\"}}",
    };
    struct mf_json *json = mf_json_new();
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        struct ing_tally tally = {0};
        struct mf_error err = {.code = ""};
        char text[1024];
        snprintf(text, sizeof text, "{\"version\":1,\"status\":\"running\",\"tally\":%s}", bad[i]);
        if (ing_watermark_decode_tally(json, mf_str_of(text), &tally, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(err.code, "bad_watermark");
        ing_tally_free(&tally);
    }
    struct ing_tally tally = {0};
    struct mf_error err;
    assert_int_equal(
        ing_watermark_decode_tally(json, MF_STR("{\"version\":1,\"status\":\"running\"}"), &tally, &err), 0);
    assert_null(tally.coverage);
    mf_json_free(&json);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, ing_fixture_set_up, ing_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_minutes_of_stocks),
        T(test_days_and_round_the_clock),
        T(test_limit),
        T(test_forget),
        T(test_late),
        T(test_late_days),
        T(test_stored_in_the_middle),
        T(test_bad_tallies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
