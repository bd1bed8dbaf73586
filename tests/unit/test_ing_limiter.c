// SPDX-License-Identifier: Apache-2.0
// Two processes' limiters on one topic of a mock cluster: what one is granted the other is not, a hold
// reaches both, another key has another budget.
#include "services/ingestor/limiter_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

enum { WAIT_MS = 20000, PER_MINUTE = 5 };

struct user { // of the key
    struct ing_config config;
    struct ing_publisher *publisher;
    struct ing_limiter *limiter;
    unsigned now, started, wanted;
    int64_t wait_us; // as told last
};

struct fixture {
    struct kafka_world *world;
    struct user users[2];
};

static struct ing_demand demand(void *arg)
{
    const struct user *user = arg;
    return (struct ing_demand){.priority = ING_PRIORITY_LIVE, .now = user->now, .soon = user->now};
}

static void ignore(void *arg)
{
    (void)arg;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static void make_user(struct fixture *f, struct user *user)
{
    struct mf_error err;
    user->now = 1;
    user->config = (struct ing_config){.requests_per_minute = PER_MINUTE,
                                       .rate_window_ms = 60000,
                                       .budget_shared = true,
                                       .api_key = "s3cret",
                                       .topic_budget = "budget"};
    struct ing_publisher_ops publisher = {.on_room = ignore, .on_fatal = on_fatal, .arg = user};
    assert_int_equal(ing_publisher_new(&f->world->kafka, &user->config, &publisher, &user->publisher, &err),
                     0);
    struct ing_limiter_config limiter = {.kafka = &f->world->kafka,
                                         .config = &user->config,
                                         .provider = "polygon",
                                         .publisher = user->publisher,
                                         .on_fatal = on_fatal,
                                         .arg = user};
    user->limiter = ing_limiter_new(&limiter);
    struct ing_limiter_ops ops = {.demand = demand, .on_news = ignore, .arg = user};
    ing_limiter_listen(user->limiter, &ops);
    ing_limiter_start(user->limiter);
}

static int set_up(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->world = kafka_world_new(1, NULL);
    mf_metrics_declare(f->world->metrics, ing_metric_defs, ING_M_MAX);
    kafka_mock_topic(f->world, "budget", 1);
    for (int i = 0; i < 2; i++)
        make_user(f, &f->users[i]);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        ing_limiter_free(&f->users[i].limiter);
        ing_publisher_free(&f->users[i].publisher);
    }
    kafka_world_free(&f->world);
    free(f);
    return 0;
}

// Starts what it may, and says whether it is done: as many as wanted, or told to wait for long.
static bool is_done(void *arg)
{
    struct user *user = arg;
    while (user->started < user->wanted) {
        user->wait_us = ing_limiter_ask(user->limiter, mf_clock_monotonic_us());
        if (user->wait_us > 0)
            return user->wait_us > 10 * MF_US_PER_SECOND;
        ing_limiter_spend(user->limiter);
        user->started++;
    }
    return true;
}

static unsigned start_some(struct fixture *f, struct user *user, unsigned wanted)
{
    user->started = 0;
    user->wanted = wanted;
    assert_true(kafka_world_run(f->world, is_done, user, WAIT_MS));
    return user->started;
}

static void two_share_what_one_has(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start_some(f, &f->users[0], 3), 3);
    assert_int_equal(start_some(f, &f->users[1], 9), PER_MINUTE - 3);
    assert_true(f->users[1].wait_us <= 61 * MF_US_PER_SECOND);
    assert_int_equal(start_some(f, &f->users[0], 1), 0);
    assert_int_equal(ing_limiter_parked_until_us(f->users[0].limiter), 0);
}

static bool has_heard(void *arg)
{
    struct user *user = arg;
    return ing_limiter_ask(user->limiter, mf_clock_monotonic_us()) > 30 * MF_US_PER_SECOND;
}

static void a_hold_reaches_the_other(void **state)
{
    struct fixture *f = *state;
    f->users[1].config.requests_per_minute = 0; // one without a limit hears of it too
    assert_int_equal(start_some(f, &f->users[0], 1), 1);
    assert_int_equal(start_some(f, &f->users[1], 100), 100);
    ing_limiter_hold(f->users[0].limiter, MF_US_PER_MINUTE);
    assert_true(has_heard(&f->users[0])); // at once
    assert_true(kafka_world_run(f->world, has_heard, &f->users[1], WAIT_MS));
}

static void another_key_has_another_budget(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start_some(f, &f->users[0], 9), PER_MINUTE);
    f->users[1].config.api_key = "an0ther";
    ing_limiter_reconfigure(f->users[1].limiter, &f->users[1].config);
    assert_int_equal(start_some(f, &f->users[1], 9), PER_MINUTE);
    f->users[1].config.api_key = "s3cret"; // back: what the first one had is read back
    ing_limiter_reconfigure(f->users[1].limiter, &f->users[1].config);
    assert_int_equal(start_some(f, &f->users[1], 9), 0);
}

static void a_day_that_is_used_up_parks(void **state)
{
    struct fixture *f = *state;
    struct user *user = &f->users[0];
    user->config.requests_per_minute = 0;
    user->config.requests_per_day = 2;
    // In the day's last seconds the new one may come before it is noticed.
    int64_t now_us = mf_clock_real_us();
    if (now_us % MF_US_PER_DAY > MF_US_PER_DAY - MF_US_PER_MINUTE)
        skip();
    assert_int_equal(start_some(f, user, 9), 2);
    assert_int_equal(ing_limiter_parked_until_us(user->limiter),
                     (now_us / MF_US_PER_DAY + 1) * MF_US_PER_DAY);
}

// A broker may lose what it acknowledged. The log goes on, and so does the process.
static void a_claim_that_never_comes_back_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct user *user = &f->users[0];
    assert_int_equal(start_some(f, user, 1), 1);
    struct ing_limiter *limiter = user->limiter;
    int64_t now_us = mf_clock_monotonic_us();
    limiter->held = 0;
    limiter->claimed = true; // one that the log does not hold
    limiter->claim.number++;
    limiter->acked_us = now_us - ING_LIMITER_CLAIM_LOST_US + MF_US_PER_MS;
    assert_true(ing_limiter_ask(limiter, now_us) > 0);
    assert_int_equal(limiter->claim.number, 2); // it is waited for
    limiter->acked_us -= MF_US_PER_MS;
    assert_int_equal(start_some(f, user, 2), 2);
    const char *const lost[] = {"lost", NULL};
    assert_true(
        mf_metric_value(mf_metrics_get(f->world->metrics, &ing_metric_defs[ING_M_BUDGET_CLAIMS], lost)) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_share_what_one_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hold_reaches_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_key_has_another_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_day_that_is_used_up_parks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_that_never_comes_back_is_given_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
