// SPDX-License-Identifier: Apache-2.0
// Pages: answers whose rows are broken one by one, texts that leave for logs, places of bars in the market's
// day.
#include "services/ingestor/bar_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

static int parse(struct ing_fixture *f, const char *body, const struct mf_json_node **root,
                 struct mf_error *err)
{
    return ing_page_parse(&f->page, mf_str_of(body), "results", root, err);
}

static void test_broken_rows(void **state)
{
    struct ing_fixture *f = *state;
    const struct mf_json_node *root;
    struct mf_error err;
    assert_int_equal(parse(f,
                           " {\"a\" : 1 , \"results\" : [ {\"x\":1} , {\"x\":NaN} ,{\"x\":\"]},[\\\"\"}, "
                           "-Infinity ], \"b\":{}} ",
                           &root, &err),
                     0);
    assert_int_equal(f->page.count, 2);
    assert_int_equal(f->page.items[0].index, 1);
    assert_true(mf_str_eq_c(f->page.items[0].raw, "{\"x\":NaN}"));
    assert_string_equal(f->page.items[0].reason, "json_syntax");
    assert_int_equal(f->page.items[1].index, 3);
    assert_true(mf_str_eq_c(f->page.items[1].raw, "-Infinity"));
    assert_int_equal(mf_json_count(mf_json_get(root, "results")), 2);
    assert_non_null(mf_json_get(root, "b"));
    // All of them broken: still an answer, with nothing in it
    assert_int_equal(parse(f, "{\"results\":[NaN]}", &root, &err), 0);
    assert_int_equal(f->page.count, 1);
    assert_int_equal(mf_json_count(mf_json_get(root, "results")), 0);
}

static void test_broken_answers(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const bodies[] = {
        "",
        "<html>We will be right back</html>",
        "{\"results\":[{\"x\":1},{\"x\":NaN}", // cut off
        "{\"results\":[{\"x\":NaN}]",          // cut off at the very end
        "{\"results\":[{\"x\":NaN}]} trailing",
        "{\"results\":[{\"x\":NaN]}", // brackets do not match
        "{\"results\":[NaN,]}",
        "{\"results\":[,NaN]}",
        "{\"other\":[NaN]}", // not a row that is broken
        "{\"status\":NaN,\"results\":[NaN]}",
        "{\"status\":1,\"status\":2,\"results\":[NaN]}",
        "{\"results\":[NaN],\"results\":[1]}",
        "{\"results\":{\"x\":NaN}}",
        "[NaN]",
        "{\"results\":[\"x]}",
        "{results:[NaN]}",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(bodies); i++) {
        const struct mf_json_node *root;
        struct mf_error err;
        if (parse(f, bodies[i], &root, &err) == 0)
            fail_msg("accepted: %s", bodies[i]);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_int_equal(f->page.count, 0);
    }
}

static void test_depth_of_rows(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf body;
    mf_buf_init(&body, 4096);
    mf_buf_add_c(&body, "{\"results\":[1,");
    for (int i = 0; i < 50; i++)
        mf_buf_add_char(&body, '[');
    for (int i = 0; i < 50; i++)
        mf_buf_add_char(&body, ']');
    mf_buf_add_c(&body, "]}");
    const struct mf_json_node *root;
    struct mf_error err;
    assert_int_equal(parse(f, mf_buf_c_str(&body), &root, &err), 0);
    assert_int_equal(f->page.count, 1);
    assert_string_equal(f->page.items[0].reason, "json_depth");
    mf_buf_free(&body);
}

static void test_node_write(void **state)
{
    struct ing_fixture *f = *state;
    static const char text[] = "{\"a\":[1.50,true,null,\"q\\\"\\n\"],\"b\":{\"c\":-1E+5},\"d\":{},\"e\":[]}";
    const struct mf_json_node *root;
    struct mf_buf out;
    mf_buf_init(&out, 1000);
    assert_int_equal(parse(f, text, &root, NULL), 0);
    ing_node_write(root, &out);
    assert_string_equal(mf_buf_c_str(&out), text);
    mf_buf_free(&out);
}

static void test_safe_text(void **state)
{
    (void)state;
    char out[ING_DETAIL_SIZE];
    ing_safe_text(MF_STR("a\r\nb\tKEYKEY and KEY"), "KEY", out);
    assert_string_equal(out, "a  b ****** and ***");
    ing_safe_text(MF_STR("no secret"), NULL, out);
    assert_string_equal(out, "no secret");
    ing_safe_text(MF_STR_NULL, "KEY", out);
    assert_string_equal(out, "");
    ing_safe_text(MF_STR("\xff\xfe"), "KEY", out);
    assert_string_equal(out, "");
    char longer[600];
    memset(longer, 'x', sizeof longer);
    memcpy(longer + ING_DETAIL_SIZE - 2, "\xc3\xa9", 2); // a letter of two bytes across the limit
    ing_safe_text((struct mf_str){longer, sizeof longer}, NULL, out);
    assert_int_equal(strlen(out), ING_DETAIL_SIZE - 2);
}

static void test_places(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *time, *date;
        enum mf_asset_class asset_class;
        enum mf_session session;
    } cases[] = {
        {"2021-03-12T14:30:00Z", "2021-03-12", MF_ASSET_STOCK, MF_SESSION_REGULAR}, // N22: before DST
        {"2021-03-15T13:30:00Z", "2021-03-15", MF_ASSET_STOCK, MF_SESSION_REGULAR}, // and after
        {"2021-03-15T13:29:00Z", "2021-03-15", MF_ASSET_STOCK, MF_SESSION_PRE},
        {"2021-11-05T13:30:00Z", "2021-11-05", MF_ASSET_STOCK, MF_SESSION_REGULAR},
        {"2021-11-08T13:30:00Z", "2021-11-08", MF_ASSET_STOCK, MF_SESSION_PRE},
        {"2021-11-08T14:30:00Z", "2021-11-08", MF_ASSET_STOCK, MF_SESSION_REGULAR},
        {"2024-01-03T00:30:00Z", "2024-01-02", MF_ASSET_STOCK, MF_SESSION_POST}, // N23: 19:30 in New York
        {"2024-01-03T00:30:00Z", "2024-01-03", MF_ASSET_CRYPTO, MF_SESSION_FULL},
        {"2020-11-27T18:00:00Z", "2020-11-27", MF_ASSET_STOCK, MF_SESSION_POST}, // N24: closed at 13:00
        {"2020-11-27T17:59:00Z", "2020-11-27", MF_ASSET_STOCK, MF_SESSION_REGULAR},
        {"2018-12-05T15:00:00Z", "2018-12-05", MF_ASSET_STOCK, MF_SESSION_PRE}, // N25: a day of mourning
        {"2018-12-05T18:00:00Z", "2018-12-05", MF_ASSET_STOCK, MF_SESSION_POST},
        {"2021-11-07T06:30:00Z", "2021-11-07", MF_ASSET_FX, MF_SESSION_FULL}, // N26: 01:30, the second time
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_bar_place place;
        char date[MF_DATE_TEXT_SIZE];
        assert_true(ing_bar_place(f->calendar, cases[i].asset_class, MF_INTERVAL_1M, ing_time(cases[i].time),
                                  &place));
        if (place.session != cases[i].session ||
            strcmp(mf_date_format(place.session_date, date), cases[i].date) != 0)
            fail_msg("%s: %s %s", cases[i].time, date, mf_session_name(place.session));
        assert_int_equal(place.event_time_us, ing_time(cases[i].time));
        assert_int_equal(place.window_end_us - place.event_time_us, MF_US_PER_MINUTE);
    }
    struct ing_bar_place place;
    assert_false(
        ing_bar_place(f->calendar, MF_ASSET_STOCK, MF_INTERVAL_1M, ing_time("2024-01-02T14:30:01Z"), &place));
}

static void test_day_places(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *stamp, *from, *to;
        enum mf_asset_class asset_class;
    } cases[] = {
        {"2024-01-02T05:00:00Z", "2024-01-02T05:00:00Z", "2024-01-02T21:00:00Z", MF_ASSET_STOCK},
        {"2024-01-02T21:00:00Z", "2024-01-02T05:00:00Z", "2024-01-02T21:00:00Z",
         MF_ASSET_STOCK}, // stamped at the close
        {"2020-11-27T05:00:00Z", "2020-11-27T05:00:00Z", "2020-11-27T18:00:00Z", MF_ASSET_STOCK},
        {"2024-03-10T05:00:00Z", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z",
         MF_ASSET_STOCK}, // a Sunday of 23 hours
        {"2024-01-02T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", MF_ASSET_CRYPTO},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_bar_place place;
        assert_true(ing_bar_place(f->calendar, cases[i].asset_class, MF_INTERVAL_1D, ing_time(cases[i].stamp),
                                  &place));
        assert_int_equal(place.event_time_us, ing_time(cases[i].from));
        assert_int_equal(place.window_end_us, ing_time(cases[i].to));
        assert_int_equal(place.session, MF_SESSION_FULL);
    }
}

static void test_expected_sessions(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *from, *to;
        enum mf_asset_class asset_class;
        bool expected;
    } cases[] = {
        {"2024-01-02T05:00:00Z", "2024-01-03T05:00:00Z", MF_ASSET_STOCK, true},
        {"2024-01-02T05:00:00Z", "2024-01-02T20:59:00Z", MF_ASSET_STOCK, false},
        {"2024-01-02T15:00:00Z", "2024-01-03T05:00:00Z", MF_ASSET_STOCK, false}, // the session had begun
        {"2024-01-02T15:00:00Z", "2024-01-04T05:00:00Z", MF_ASSET_STOCK, true},
        {"2023-12-30T05:00:00Z", "2024-01-02T05:00:00Z", MF_ASSET_STOCK, false}, // N51: a long weekend
        {"2023-12-30T05:00:00Z", "2024-01-02T05:00:00Z", MF_ASSET_CRYPTO, true},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        bool expected = ing_session_expected(f->calendar, cases[i].asset_class, ing_time(cases[i].from),
                                             ing_time(cases[i].to));
        if (expected != cases[i].expected)
            fail_msg("%s to %s", cases[i].from, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_rows),   cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_depth_of_rows), cmocka_unit_test(test_node_write),
        cmocka_unit_test(test_safe_text),     cmocka_unit_test(test_places),
        cmocka_unit_test(test_day_places),    cmocka_unit_test(test_expected_sessions),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
