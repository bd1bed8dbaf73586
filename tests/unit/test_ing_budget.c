// SPDX-License-Identifier: Apache-2.0
// The request budget: what claims get, and that whatever their interleaving no window of the provider holds
// more requests than it allows.
#include "services/ingestor/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"

#include <cmocka.h>

#define SECOND MF_US_PER_SECOND
#define MINUTE MF_US_PER_MINUTE
#define DAY MF_US_PER_DAY
#define NOON (20000 * DAY + DAY / 2)

static const char *name_of(unsigned process)
{
    static char text[4][ING_BUDGET_PROCESS_LEN + 1];
    static unsigned next;
    char *name = text[next++ % 4];
    snprintf(name, ING_BUDGET_PROCESS_LEN + 1, "%016x", process);
    return name;
}

static struct ing_budget_record claim_of(unsigned process, enum ing_priority priority, uint64_t count,
                                         uint64_t per_minute, uint64_t per_day)
{
    struct ing_budget_record claim = {
        .priority = priority,
        .count = count,
        .limits = {.per_minute = per_minute, .per_day = per_day, .window_us = MINUTE}};
    mf_str_copy(claim.process, sizeof claim.process, mf_str_of(name_of(process)));
    return claim;
}

static struct ing_budget_verdict claim(struct ing_budget *budget, unsigned process,
                                       enum ing_priority priority, uint64_t count, int64_t log_us)
{
    struct ing_budget_verdict verdict = {0};
    struct ing_budget_record record = claim_of(process, priority, count, 5, 0);
    ing_budget_fold(budget, &record, log_us, &verdict);
    return verdict;
}

static void a_window_holds_what_it_may(void **state)
{
    (void)state;
    struct ing_budget budget;
    ing_budget_init(&budget);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 2, NOON).granted, 2);
    assert_int_equal(claim(&budget, 2, ING_PRIORITY_LIVE, 2, NOON + 10 * SECOND).granted, 2);
    struct ing_budget_verdict part = claim(&budget, 1, ING_PRIORITY_LIVE, 3, NOON + 20 * SECOND);
    assert_int_equal(part.granted, 1);
    assert_int_equal(part.reason, ING_BUDGET_WINDOW);
    // A grant may be used for a second, so its window is a minute and a second.
    assert_int_equal(part.retry_us, NOON + 61 * SECOND);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 1, NOON + 61 * SECOND - 1).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 3, NOON + 61 * SECOND).granted, 2);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 9, NOON + 300 * SECOND).granted, 5);
    ing_budget_free(&budget);
}

static void without_a_limit_all_is_granted(void **state)
{
    (void)state;
    struct ing_budget budget;
    ing_budget_init(&budget);
    for (int i = 0; i < 100; i++) {
        struct ing_budget_verdict verdict = {0};
        struct ing_budget_record record = claim_of(1, ING_PRIORITY_BACKFILL, ING_BUDGET_COUNT_MAX, 0, 0);
        ing_budget_fold(&budget, &record, NOON, &verdict);
        assert_int_equal(verdict.granted, ING_BUDGET_COUNT_MAX);
        assert_int_equal(verdict.reason, ING_BUDGET_ALL);
    }
    assert_int_equal(ing_budget_used_today(&budget, NOON), 100 * ING_BUDGET_COUNT_MAX);
    assert_int_equal(ing_budget_used_today(&budget, NOON + DAY), 0);
    ing_budget_free(&budget);
}

static void a_day_ends_at_midnight_utc(void **state)
{
    (void)state;
    struct ing_budget budget;
    struct ing_budget_verdict verdict;
    struct ing_budget_record record = claim_of(1, ING_PRIORITY_LIVE, 10, 0, 12);
    int64_t midnight_us = 20001 * DAY;
    ing_budget_init(&budget);
    ing_budget_fold(&budget, &record, NOON, &verdict);
    assert_int_equal(verdict.granted, 10);
    ing_budget_fold(&budget, &record, NOON + MINUTE, &verdict);
    assert_int_equal(verdict.granted, 2);
    ing_budget_fold(&budget, &record, NOON + MINUTE, &verdict);
    assert_int_equal(verdict.granted, 0);
    assert_int_equal(verdict.reason, ING_BUDGET_DAY);
    assert_int_equal(verdict.retry_us, midnight_us);
    assert_int_equal(ing_budget_peek(&budget, &record, midnight_us).granted, 10);
    ing_budget_fold(&budget, &record, midnight_us, &verdict);
    assert_int_equal(verdict.granted, 10);
    ing_budget_free(&budget);
}

// Its request may start in either day.
static void a_claim_of_the_last_second_counts_in_both_days(void **state)
{
    (void)state;
    struct ing_budget budget;
    struct ing_budget_verdict verdict;
    struct ing_budget_record record = claim_of(1, ING_PRIORITY_LIVE, 10, 0, 12);
    int64_t midnight_us = 20001 * DAY;
    ing_budget_init(&budget);
    ing_budget_fold(&budget, &record, midnight_us - SECOND, &verdict);
    assert_int_equal(verdict.granted, 10);
    ing_budget_fold(&budget, &record, midnight_us, &verdict);
    assert_int_equal(verdict.granted, 2);
    assert_int_equal(ing_budget_used_today(&budget, midnight_us), 12);
    ing_budget_free(&budget);
}

static void a_hold_stops_everybody(void **state)
{
    (void)state;
    struct ing_budget budget;
    struct ing_budget_record hold = {.kind = ING_BUDGET_HOLD, .wait_us = 61 * SECOND};
    ing_budget_init(&budget);
    ing_budget_fold(&budget, &hold, NOON, NULL);
    hold.wait_us = SECOND; // a shorter one takes nothing back
    ing_budget_fold(&budget, &hold, NOON + SECOND, NULL);
    struct ing_budget_verdict verdict = claim(&budget, 1, ING_PRIORITY_LIVE, 1, NOON + 60 * SECOND);
    assert_int_equal(verdict.granted, 0);
    assert_int_equal(verdict.reason, ING_BUDGET_HELD);
    assert_int_equal(verdict.retry_us, NOON + 61 * SECOND);
    assert_int_equal(claim(&budget, 2, ING_PRIORITY_LIVE, 1, NOON + 61 * SECOND).granted, 1);
    ing_budget_free(&budget);
}

static void live_goes_before_reconcile_before_backfill(void **state)
{
    (void)state;
    struct ing_budget budget;
    ing_budget_init(&budget);
    int64_t again_us = NOON + 61 * SECOND;
    assert_int_equal(claim(&budget, 3, ING_PRIORITY_BACKFILL, 5, NOON).granted, 5);
    assert_int_equal(claim(&budget, 2, ING_PRIORITY_RECONCILE, 2, NOON + SECOND).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 1, NOON + 2 * SECOND).granted, 0);
    assert_int_equal(ing_budget_wanted(&budget, name_of(2), NOON + 2 * SECOND), 2);
    // The backfill is the first to ask when there is room: it gets what the others leave.
    struct ing_budget_verdict late = claim(&budget, 3, ING_PRIORITY_BACKFILL, 5, again_us);
    assert_int_equal(late.granted, 2);
    assert_int_equal(late.reason, ING_BUDGET_PRIORITY);
    assert_int_equal(claim(&budget, 2, ING_PRIORITY_RECONCILE, 2, again_us).granted, 2);
    assert_int_equal(claim(&budget, 3, ING_PRIORITY_BACKFILL, 1, again_us).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 1, again_us).granted, 1);
    assert_int_equal(ing_budget_wanted(&budget, name_of(1), again_us), 0);
    ing_budget_free(&budget);
}

// A process that has died wants nothing any more, soon after the time at which it could have had it.
static void a_want_ends(void **state)
{
    (void)state;
    struct ing_budget budget;
    ing_budget_init(&budget);
    assert_int_equal(claim(&budget, 3, ING_PRIORITY_BACKFILL, 5, NOON).granted, 5);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, NOON + SECOND).granted, 0);
    struct ing_budget_verdict verdict = claim(&budget, 3, ING_PRIORITY_BACKFILL, 5, NOON + 61 * SECOND);
    assert_int_equal(verdict.granted, 0);
    assert_int_equal(verdict.reason, ING_BUDGET_PRIORITY);
    assert_int_equal(verdict.retry_us, NOON + 63 * SECOND);
    assert_int_equal(claim(&budget, 3, ING_PRIORITY_BACKFILL, 5, verdict.retry_us).granted, 5);
    // Of more wants than are kept the one that ends first goes.
    for (unsigned i = 0; i < 2 * ING_BUDGET_WANTS_MAX; i++)
        claim(&budget, 10 + i, ING_PRIORITY_LIVE, 1, NOON + 64 * SECOND);
    assert_int_equal(budget.want_count, ING_BUDGET_WANTS_MAX);
    ing_budget_free(&budget);
}

static void a_clock_that_is_put_right_frees_nothing(void **state)
{
    (void)state;
    struct ing_budget budget;
    ing_budget_init(&budget);
    int64_t ahead_us = NOON + 2 * DAY;
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, ahead_us).granted, 5);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, ahead_us - 30 * SECOND).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, NOON).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, NOON + 61 * SECOND - 1).granted, 0);
    assert_int_equal(claim(&budget, 1, ING_PRIORITY_LIVE, 5, NOON + 61 * SECOND).granted, 5);
    ing_budget_free(&budget);
}

// ---------------------------------------------------------------- records

static void records_come_back_as_they_were(void **state)
{
    (void)state;
    struct mf_json *json = mf_json_new();
    struct mf_buf text;
    struct mf_error err;
    struct ing_budget_record records[] = {claim_of(7, ING_PRIORITY_LIVE, 1, 5, 0),
                                          claim_of(8, ING_PRIORITY_BACKFILL, 1000, 100000, 10000000),
                                          {.kind = ING_BUDGET_HOLD, .wait_us = 61 * SECOND}};
    records[1].number = UINT64_C(1) << 53;
    records[1].limits.window_us = SECOND;
    mf_str_copy(records[2].process, sizeof records[2].process, MF_STR("0123456789abcdef"));
    mf_buf_init(&text, ING_BUDGET_RECORD_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(records); i++) {
        struct ing_budget_record read;
        mf_buf_clear(&text);
        ing_budget_encode(&records[i], &text);
        assert_int_equal(ing_budget_decode(json, mf_buf_str(&text), &read, &err), 0);
        assert_int_equal(read.kind, records[i].kind);
        assert_string_equal(read.process, records[i].process);
        assert_int_equal(read.number, records[i].number);
        assert_int_equal(read.priority, records[i].priority);
        assert_int_equal(read.wait_us, records[i].wait_us);
        if (read.kind == ING_BUDGET_CLAIM) {
            assert_int_equal(read.count, records[i].count);
            assert_memory_equal(&read.limits, &records[i].limits, sizeof read.limits);
        }
    }
    mf_buf_free(&text);
    mf_json_free(&json);
}

#define CLAIM(version, process, priority, count, window)                                                     \
    "{\"version\":" version ",\"kind\":\"claim\",\"process\":\"" process "\",\"number\":1,"                  \
    "\"priority\":\"" priority "\",\"count\":" count ",\"per_minute\":5,\"per_day\":0,\"window_ms\":" window \
    "}"
#define ID "0123456789abcdef"

static void what_no_process_wrote_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "{}",
        "[]",
        "{\"version\":1,\"kind\":\"claim\"}",
        CLAIM("2", ID, "live", "1", "60000"),
        CLAIM("1", "0123456789abcde", "live", "1", "60000"),
        CLAIM("1", "0123456789ABCDEF", "live", "1", "60000"),
        CLAIM("1", ID "0", "live", "1", "60000"),
        CLAIM("1", ID, "first", "1", "60000"),
        CLAIM("1", ID, "live", "0", "60000"),
        CLAIM("1", ID, "live", "1001", "60000"),
        CLAIM("1", ID, "live", "1.5", "60000"),
        CLAIM("1", ID, "live", "\"1\"", "60000"),
        CLAIM("1", ID, "live", "1", "999"),
        CLAIM("1", ID, "live", "1", "60001"),
        "{\"version\":1,\"kind\":\"hold\",\"process\":\"" ID "\",\"wait_ms\":0}",
        "{\"version\":1,\"kind\":\"hold\",\"process\":\"" ID "\",\"wait_ms\":3600001}",
        "{\"version\":1,\"kind\":\"other\",\"process\":\"" ID "\"}",
    };
    struct mf_json *json = mf_json_new();
    struct mf_error err;
    struct ing_budget_record record;
    assert_int_equal(ing_budget_decode(json, mf_str_of(CLAIM("1", ID, "live", "1", "60000")), &record, &err),
                     0);
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        if (ing_budget_decode(json, mf_str_of(cases[i]), &record, &err) == 0)
            fail_msg("accepted %s", cases[i]);
        assert_string_equal(err.code, "budget_record");
        assert_int_equal(err.class, MF_ERROR_POISON);
    }
    assert_int_equal(ing_budget_decode(json, MF_STR_NULL, &record, &err), -1);
    mf_json_free(&json);
}

// The same for all who hold the key, and another for another key or provider.
static void a_key_is_known_by_its_hash_only(void **state)
{
    (void)state;
    char id[ING_BUDGET_ID_LEN + 1], other[ING_BUDGET_ID_LEN + 1];
    ing_budget_id("polygon", "s3cret", id);
    // printf 'marketflow request budget 1|polygon' | openssl dgst -sha256 -hmac s3cret
    assert_string_equal(id, "219b5343971f6125b589136f2fe74dc1");
    ing_budget_id("polygon", "s3creT", other);
    assert_string_not_equal(id, other);
    ing_budget_id("another", "s3cret", other);
    assert_string_not_equal(id, other);
}

// ---------------------------------------------------------------- any interleaving

enum { PROCESSES = 5, LOG_MAX = 40000, STARTS_MAX = 40000, PER_WINDOW = 5, PER_DAY = 60 };
#define VALID (950 * MF_US_PER_MS)
#define TEN_MINUTES (10 * MINUTE)

struct entry {
    struct ing_budget_record record;
    int64_t log_us;
    uint64_t granted; // by the reference fold
};

struct process {
    struct ing_budget budget; // what it has made of the log so far
    unsigned id;
    enum ing_priority priority;
    size_t read; // next entry of the log
    uint64_t number, held;
    bool sent, appended; // a claim is under way
    struct ing_budget_record claim;
    int64_t sent_us, append_us;
};

struct world {
    struct process processes[PROCESSES];
    struct entry *log;
    size_t log_count;
    struct ing_budget reference;
    int64_t *starts;
    size_t start_count;
    uint64_t live_starts;
    int64_t now_us;
    uint64_t random;
    unsigned next_id;
    bool rude; // processes claim without looking, and die
};

static int64_t random_below(struct world *w, int64_t below)
{
    return (int64_t)(mf_random_next(&w->random) % (uint64_t)below);
}

// A new process reads the log from some place that is early enough; which one must make no difference.
static void be_born(struct world *w, struct process *p)
{
    ing_budget_free(&p->budget);
    enum ing_priority priority = w->next_id % ING_PRIORITY_MAX;
    *p = (struct process){.id = ++w->next_id, .priority = priority};
    int64_t from_us = w->now_us - w->now_us % DAY - 61 * SECOND - random_below(w, 5 * MINUTE);
    while (p->read < w->log_count && w->log[p->read].log_us < from_us)
        p->read++;
}

// Claims reach the log in the order of their arrival, with the broker's time in whole milliseconds.
static void append_due(struct world *w)
{
    for (;;) {
        struct process *first = NULL;
        for (int i = 0; i < PROCESSES; i++) {
            struct process *p = &w->processes[i];
            if (p->sent && !p->appended && p->append_us <= w->now_us &&
                (first == NULL || p->append_us < first->append_us))
                first = p;
        }
        if (first == NULL)
            return;
        first->appended = true;
        struct entry *entry = &w->log[w->log_count++];
        assert_true(w->log_count < LOG_MAX);
        entry->record = first->claim;
        entry->log_us = first->append_us - first->append_us % MF_US_PER_MS;
        struct ing_budget_verdict verdict;
        ing_budget_fold(&w->reference, &entry->record, entry->log_us, &verdict);
        entry->granted = verdict.granted;
    }
}

static void read_one(struct world *w, struct process *p)
{
    const struct entry *entry = &w->log[p->read++];
    struct ing_budget_verdict verdict;
    ing_budget_fold(&p->budget, &entry->record, entry->log_us, &verdict);
    if (w->now_us - w->now_us % DAY <= entry->log_us)
        assert_int_equal(verdict.granted, entry->granted); // wherever it began to read
    if (!p->sent || strcmp(entry->record.process, p->claim.process) != 0)
        return;
    p->sent = false;
    if (w->now_us < p->sent_us + VALID)
        p->held = verdict.granted;
}

static void act(struct world *w, struct process *p)
{
    if (p->held > 0 && w->now_us >= p->sent_us + VALID)
        p->held = 0;
    if (p->held > 0) {
        p->held--;
        w->starts[w->start_count++] = w->now_us;
        w->live_starts += p->priority == ING_PRIORITY_LIVE;
        assert_true(w->start_count < STARTS_MAX);
        return;
    }
    if (p->sent)
        return;
    uint64_t count = 1 + (uint64_t)random_below(w, 4);
    struct ing_budget_record record = claim_of(p->id, p->priority, count, PER_WINDOW, PER_DAY);
    struct ing_budget_verdict verdict = ing_budget_peek(&p->budget, &record, w->now_us);
    bool wants = p->priority < ING_PRIORITY_BACKFILL && verdict.reason != ING_BUDGET_DAY &&
                 ing_budget_wanted(&p->budget, record.process, w->now_us) == 0;
    bool blind = w->rude && random_below(w, 50) == 0;
    if (!blind && !wants && verdict.granted == 0)
        return;
    record.number = ++p->number;
    p->claim = record;
    p->sent = true;
    p->appended = false;
    p->sent_us = w->now_us;
    p->append_us = w->now_us + random_below(w, w->rude && random_below(w, 10) == 0 ? 2 * SECOND : 50000);
}

static void step(struct world *w)
{
    w->now_us += 1 + random_below(w, 60000);
    append_due(w);
    struct process *p = &w->processes[random_below(w, PROCESSES)];
    if (w->rude && random_below(w, 500) == 0) {
        be_born(w, p); // the old one is gone, with its claim and its grants
        return;
    }
    for (int64_t lag = random_below(w, 4); p->read + (size_t)lag < w->log_count;)
        read_one(w, p);
    act(w, p);
}

static void check_starts(const struct world *w)
{
    int64_t day = 0;
    unsigned in_day = 0;
    for (size_t i = 0; i < w->start_count; i++) {
        if (i >= PER_WINDOW)
            assert_true(w->starts[i] - w->starts[i - PER_WINDOW] >= MINUTE);
        in_day = w->starts[i] / DAY == day ? in_day + 1 : 1;
        day = w->starts[i] / DAY;
        assert_true(in_day <= PER_DAY);
    }
}

// Ten minutes and more before and after midnight, as the provider would count.
static void run_world(uint64_t seed, bool rude, struct world *w)
{
    *w = (struct world){.random = seed, .rude = rude, .now_us = 20001 * DAY - 2 * TEN_MINUTES};
    w->log = mf_calloc(LOG_MAX, sizeof *w->log);
    w->starts = mf_calloc(STARTS_MAX, sizeof *w->starts);
    ing_budget_init(&w->reference);
    for (int i = 0; i < PROCESSES; i++)
        be_born(w, &w->processes[i]);
    while (w->now_us < 20001 * DAY + 2 * TEN_MINUTES)
        step(w);
    check_starts(w);
}

static void end_world(struct world *w)
{
    for (int i = 0; i < PROCESSES; i++)
        ing_budget_free(&w->processes[i].budget);
    ing_budget_free(&w->reference);
    free(w->log);
    free(w->starts);
}

static void no_window_and_no_day_holds_more(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world w;
        run_world(seed, true, &w);
        assert_true(w.start_count > 0);
        end_world(&w);
    }
}

// Processes that look before they claim, and live on, use most of what there is; and most of it goes to those
// of the highest priority, which want more than there is.
static void little_is_wasted(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world w;
        run_world(seed, false, &w);
        assert_in_range(w.start_count, 2 * PER_DAY * 8 / 10, 2 * PER_DAY);
        assert_true(w.live_starts > w.start_count * 8 / 10);
        end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_holds_what_it_may),
        cmocka_unit_test(without_a_limit_all_is_granted),
        cmocka_unit_test(a_day_ends_at_midnight_utc),
        cmocka_unit_test(a_claim_of_the_last_second_counts_in_both_days),
        cmocka_unit_test(a_hold_stops_everybody),
        cmocka_unit_test(live_goes_before_reconcile_before_backfill),
        cmocka_unit_test(a_want_ends),
        cmocka_unit_test(a_clock_that_is_put_right_frees_nothing),
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(what_no_process_wrote_is_refused),
        cmocka_unit_test(a_key_is_known_by_its_hash_only),
        cmocka_unit_test(no_window_and_no_day_holds_more),
        cmocka_unit_test(little_is_wasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
