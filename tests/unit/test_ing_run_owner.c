// SPDX-License-Identifier: Apache-2.0
// Whose run it is, from the claims in the order of the topic.
#include "services/ingestor/run_owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

static void add(struct ing_claims *claims, const char *id, bool released)
{
    struct ing_claim claim = {.released = released};
    struct mf_json *json = mf_json_new();
    struct mf_buf text;
    mf_buf_init(&text, 1024);
    snprintf(claim.id, sizeof claim.id, "%s", id);
    snprintf(claim.at, sizeof claim.at, "host:%s", id);
    ing_claim_encode(&claim, &text);
    ing_claims_add(claims, json, mf_buf_str(&text));
    mf_buf_free(&text);
    mf_json_free(&json);
}

static void add_text(struct ing_claims *claims, struct mf_str text)
{
    struct mf_json *json = mf_json_new();
    ing_claims_add(claims, json, text);
    mf_json_free(&json);
}

static void test_alone(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me"};
    assert_false(claims.seen);
    add(&claims, "me", false);
    assert_true(claims.seen);
    assert_int_equal(claims.count, 0);
    assert_false(claims.lost);
}

static void test_others_before(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me"};
    add(&claims, "first", false);
    add(&claims, "second", false);
    add(&claims, "first", true); // gave it up, the second one did not
    add(&claims, "me", false);
    assert_int_equal(claims.count, 1);
    assert_string_equal(claims.others[0].id, "second");
    assert_string_equal(claims.others[0].at, "host:second");
    add(&claims, "second", true); // noticed, and left
    assert_int_equal(claims.count, 0);
    assert_false(claims.lost);
}

static void test_newer_one(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me"};
    add(&claims, "me", false);
    add(&claims, "newer", false);
    assert_true(claims.lost);
    assert_string_equal(claims.newer.at, "host:newer");
    add(&claims, "newer", true); // it ended: what it left behind is not what this process knows
    assert_true(claims.lost);
}

static void test_a_run_that_was_over(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me"};
    add(&claims, "killed", false);
    add_text(&claims, MF_STR_NULL);
    add(&claims, "me", false);
    assert_int_equal(claims.count, 0);
    assert_false(claims.lost);
}

static void test_what_is_no_claim(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me", .seen = true};
    add_text(&claims, MF_STR("not JSON"));
    add_text(&claims, MF_STR("{}"));
    add_text(&claims, MF_STR("{\"owner\":\"\",\"at\":\"host:1\"}"));
    add_text(&claims, MF_STR("{\"owner\":\"longer than any id that was ever written\"}"));
    assert_false(claims.lost);
}

static void test_many_others(void **state)
{
    (void)state;
    struct ing_claims claims = {.mine.id = "me"};
    for (int i = 0; i <= ING_OWNERS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        add(&claims, id, false);
    }
    assert_int_equal(claims.count, ING_OWNERS_MAX);
    assert_string_equal(claims.others[0].id, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_others_before),
        cmocka_unit_test(test_newer_one),
        cmocka_unit_test(test_a_run_that_was_over),
        cmocka_unit_test(test_what_is_no_claim),
        cmocka_unit_test(test_many_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
