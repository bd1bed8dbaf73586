// SPDX-License-Identifier: Apache-2.0
// Likely causes of missing minutes: each with the evidence that it needs, and without it.
#include "services/ingestor/gap_cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

enum { OTHERS = 3 };

struct scene {
    struct ing_coverage_shape shape;
    struct ing_coverage own, others[OTHERS];
    struct ing_range_list skipped;
    struct ing_gap_evidence evidence;
};

// Two weeks of sessions; what is to be missing is left out.
static void fill(struct ing_coverage *coverage, const struct ing_coverage_shape *shape, const char *from,
                 const char *to, const char *lost_from, const char *lost_to)
{
    ing_coverage_init(coverage, (struct mf_date){2024, 6, 3});
    for (int64_t at = ing_time(from); at < ing_time(to); at += MF_US_PER_MINUTE) {
        if (at < ing_time(lost_from) || at >= ing_time(lost_to))
            ing_coverage_take(coverage, shape, at);
    }
    ing_coverage_finish(coverage, shape, ing_time("2024-06-15T04:00:00Z"));
}

#define FROM "2024-06-03T13:30:00Z"
#define TO "2024-06-14T20:00:00Z"
#define NEVER "2024-01-01T00:00:00Z"

static void set_up(struct scene *s, void **state, const char *lost_from, const char *lost_to,
                   unsigned lacking)
{
    const struct ing_fixture *f = *state;
    *s = (struct scene){.shape = {.calendar = f->calendar, .asset_class = MF_ASSET_STOCK}};
    fill(&s->own, &s->shape, FROM, TO, lost_from, lost_to);
    for (unsigned i = 0; i < OTHERS; i++)
        fill(&s->others[i], &s->shape, FROM, TO, i < lacking ? lost_from : NEVER,
             i < lacking ? lost_to : NEVER);
}

static enum ing_gap_cause cause_with(struct scene *s, unsigned witnesses)
{
    ing_gap_evidence_free(&s->evidence);
    ing_gap_evidence_add(&s->evidence, &s->own);
    for (unsigned i = 0; i < witnesses; i++)
        ing_gap_evidence_add(&s->evidence, &s->others[i]);
    ing_gap_evidence_sort(&s->evidence);
    const struct ing_gap_subject subject = {
        .coverage = &s->own, .shape = &s->shape, .skipped = &s->skipped, .evidence = &s->evidence};
    return ing_gap_cause_of(&subject, s->own.count > 0 ? &s->own.items[0] : &s->own.open);
}

static void tear_down(struct scene *s)
{
    ing_coverage_free(&s->own);
    for (unsigned i = 0; i < OTHERS; i++)
        ing_coverage_free(&s->others[i]);
    ing_gap_evidence_free(&s->evidence);
}

static void test_other_symbols(void **state)
{
    struct scene s;
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:02:00Z", 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_VENDOR_GAP);
    assert_int_equal(cause_with(&s, 2), ING_GAP_VENDOR_GAP);
    assert_int_equal(cause_with(&s, 1), ING_GAP_UNKNOWN); // one alone says nothing about most
    assert_int_equal(cause_with(&s, 0), ING_GAP_UNKNOWN);
    tear_down(&s);
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:02:00Z", 1);
    assert_int_equal(cause_with(&s, 3), ING_GAP_VENDOR_GAP); // N13: two at once
    assert_int_equal(cause_with(&s, 2), ING_GAP_QUIET);      // half of them
    tear_down(&s);
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:02:00Z", 3);
    assert_int_equal(cause_with(&s, 3), ING_GAP_QUIET);
    tear_down(&s);
}

static void test_halts(void **state)
{
    struct scene s;
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:05:00Z", 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_HALT);
    assert_true(ing_gap_cause_is_guess(ING_GAP_HALT));
    tear_down(&s);
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:04:00Z", 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_VENDOR_GAP); // no pause is that short
    tear_down(&s);
    set_up(&s, state, "2024-06-04T19:00:00Z", "2024-06-05T14:00:00Z", 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_VENDOR_GAP); // over the night
    tear_down(&s);
    set_up(&s, state, "2024-06-14T19:00:00Z", TO, 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_VENDOR_GAP); // trading does not resume
    tear_down(&s);
}

// A symbol that lacks many minutes does not show anything by lacking one more.
static void test_a_symbol_that_trades_little(void **state)
{
    struct scene s;
    set_up(&s, state, "2024-06-04T14:00:00Z", "2024-06-04T14:02:00Z", 0);
    ing_coverage_free(&s.own);
    ing_coverage_init(&s.own, (struct mf_date){2024, 6, 3});
    for (int64_t at = ing_time(FROM); at < ing_time(TO); at += 3 * MF_US_PER_MINUTE)
        ing_coverage_take(&s.own, &s.shape, at);
    ing_coverage_finish(&s.own, &s.shape, ing_time("2024-06-15T04:00:00Z"));
    assert_int_equal(cause_with(&s, 3), ING_GAP_QUIET);
    tear_down(&s);
}

static void test_the_ends_of_the_range(void **state)
{
    struct scene s;
    set_up(&s, state, FROM, "2024-06-11T13:30:00Z", 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_BEFORE_LISTING);
    s.own.since = (struct mf_date){2024, 6, 11};
    s.own.renamed = true;
    assert_int_equal(cause_with(&s, 3), ING_GAP_RENAMED);
    s.own.renamed = false;
    assert_int_equal(cause_with(&s, 3), ING_GAP_BEFORE_LISTING);
    s.skipped = (struct ing_range_list){
        .items = {{ing_time("2024-06-03T04:00:00Z"), ing_time("2024-06-05T04:00:00Z")}}, .count = 1};
    assert_int_equal(cause_with(&s, 3), ING_GAP_PLAN_LIMIT);
    tear_down(&s);
    set_up(&s, state, FROM, "2024-06-04T13:30:00Z", 0);
    assert_int_equal(cause_with(&s, 0), ING_GAP_UNKNOWN); // a day is no absence
    tear_down(&s);
    set_up(&s, state, "2024-06-06T13:30:00Z", TO, 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_NO_LONGER_TRADED);
    tear_down(&s);
    set_up(&s, state, FROM, TO, 0);
    assert_int_equal(cause_with(&s, 3), ING_GAP_UNKNOWN); // no bar at all
    tear_down(&s);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ING_GAP_MAX; i++)
        assert_true(strlen(ing_gap_cause_name((enum ing_gap_cause)i)) > 3);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, ing_fixture_set_up, ing_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_other_symbols),         T(test_halts), T(test_a_symbol_that_trades_little),
        T(test_the_ends_of_the_range), T(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
