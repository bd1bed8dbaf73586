// SPDX-License-Identifier: Apache-2.0
#include "common/json_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/json_reader.h"
#include "tests/unit/aborts.h"

#include <cmocka.h>

static void values_of_every_kind_in_call_order(void **state)
{
    (void)state;
    struct mf_buf out;
    struct mf_json_writer w;
    mf_buf_init(&out, 1000);
    mf_jw_init(&w, &out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "s");
    mf_jw_string(&w, MF_STR("AAPL"));
    mf_jw_key_str(&w, MF_STR("c"));
    mf_jw_c_string(&w, "x");
    mf_jw_key(&w, "n");
    mf_jw_number_text(&w, MF_STR("187.10"));
    mf_jw_key(&w, "a");
    mf_jw_array_begin(&w);
    mf_jw_i64(&w, INT64_MIN);
    mf_jw_i64(&w, INT64_MAX);
    mf_jw_i64(&w, 0);
    mf_jw_i64(&w, -1);
    mf_jw_u64(&w, UINT64_MAX);
    mf_jw_bool(&w, true);
    mf_jw_bool(&w, false);
    mf_jw_null(&w);
    mf_jw_raw(&w, MF_STR("{\"raw\":[]}"));
    mf_jw_array_begin(&w);
    mf_jw_array_end(&w);
    mf_jw_object_begin(&w);
    mf_jw_object_end(&w);
    mf_jw_array_end(&w);
    mf_jw_key(&w, "");
    mf_jw_string(&w, MF_STR_NULL);
    mf_jw_key(&w, "o");
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "in");
    mf_jw_object_begin(&w);
    mf_jw_object_end(&w);
    mf_jw_key(&w, "after");
    mf_jw_bool(&w, true);
    mf_jw_object_end(&w);
    mf_jw_object_end(&w);
    assert_string_equal(
        mf_buf_c_str(&out),
        "{\"s\":\"AAPL\",\"c\":\"x\",\"n\":187.10,\"a\":[-9223372036854775808,9223372036854775807,0,-1,"
        "18446744073709551615,true,false,null,{\"raw\":[]},[],{}],\"\":\"\",\"o\":{\"in\":{},"
        "\"after\":true}}");
    assert_int_equal(w.depth, 0);
    mf_buf_free(&out);
}

static void what_must_be_escaped_is(void **state)
{
    (void)state;
    static const struct {
        struct mf_str text;
        const char *json;
    } cases[] = {
        {MF_STR(""), "\"\""},
        {MF_STR("plain/text"), "\"plain/text\""},
        {MF_STR("say \"no\""), "\"say \\\"no\\\"\""},
        {MF_STR("\\"), "\"\\\\\""},
        {MF_STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {MF_STR("a\0b"), "\"a\\u0000b\""},
        {MF_STR("\x01\x0b\x1f\x7f"), "\"\\u0001\\u000b\\u001f\x7f\""},
        {MF_STR("caf\xc3\xa9 \xf0\x9f\x93\x88"), "\"caf\xc3\xa9 \xf0\x9f\x93\x88\""},
        {MF_STR("\n"), "\"\\n\""},
        {MF_STR("x\n"), "\"x\\n\""},
        {MF_STR("\nx"), "\"\\nx\""},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf out;
        struct mf_json_writer w;
        mf_buf_init(&out, 1000);
        mf_jw_init(&w, &out);
        mf_jw_string(&w, cases[i].text);
        assert_string_equal(mf_buf_c_str(&out), cases[i].json);
        mf_buf_clear(&out);
        mf_jw_init(&w, &out);
        mf_jw_object_begin(&w);
        mf_jw_key_str(&w, cases[i].text);
        mf_jw_null(&w);
        mf_jw_object_end(&w);
        char wanted[100];
        snprintf(wanted, sizeof wanted, "{%s:null}", cases[i].json);
        assert_string_equal(mf_buf_c_str(&out), wanted);
        mf_buf_free(&out);
    }
}

static void every_byte_comes_back_through_the_reader(void **state)
{
    (void)state;
    char text[127];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i + 1); // all of ASCII but NUL, which the reader refuses
    struct mf_buf out;
    struct mf_json_writer w;
    mf_buf_init(&out, 1000);
    mf_jw_init(&w, &out);
    mf_jw_string(&w, (struct mf_str){text, sizeof text});
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    assert_int_equal(mf_json_parse(json, mf_buf_str(&out), &mf_json_limits_event, &root, NULL), 0);
    assert_true(mf_str_eq(mf_json_text(root), (struct mf_str){text, sizeof text}));
    mf_json_free(&json);
    mf_buf_free(&out);
}

// Each byte at each place of a text that fills words and not: what comes back through the reader is the same
// text.
static void escapes_are_found_at_every_place(void **state)
{
    (void)state;
    struct mf_buf out;
    struct mf_json_writer w;
    struct mf_json *json = mf_json_new();
    mf_buf_init(&out, 1000);
    for (int byte = 1; byte < 0x80; byte++) {
        for (size_t at = 0; at < 19; at++) {
            char text[19];
            memset(text, byte % 2 == 0 ? 'x' : '\\', sizeof text);
            text[at] = (char)byte;
            mf_buf_clear(&out);
            mf_jw_init(&w, &out);
            mf_jw_string(&w, (struct mf_str){text, sizeof text});
            const struct mf_json_node *root = NULL;
            assert_int_equal(mf_json_parse(json, mf_buf_str(&out), &mf_json_limits_event, &root, NULL), 0);
            assert_true(mf_str_eq(mf_json_text(root), (struct mf_str){text, sizeof text}));
            // No byte is escaped without need.
            size_t wanted = sizeof text + 2;
            for (size_t i = 0; i < sizeof text; i++)
                wanted += text[i] == '"' || text[i] == '\\' ? 1
                          : text[i] >= ' '                  ? 0
                          : strchr("\b\f\n\r\t", text[i])   ? 1
                                                            : 5;
            assert_int_equal(out.len, wanted);
        }
    }
    mf_json_free(&json);
    mf_buf_free(&out);
}

static void nest(struct mf_json_writer *w, unsigned levels)
{
    for (unsigned i = 0; i < levels; i++) {
        if (i % 2 == 0) {
            mf_jw_array_begin(w);
            mf_jw_i64(w, 1);
        } else {
            mf_jw_object_begin(w);
            mf_jw_key(w, "k");
        }
    }
}

static void the_deepest_level_works(void **state)
{
    (void)state;
    struct mf_buf out;
    struct mf_json_writer w;
    mf_buf_init(&out, 1000);
    mf_jw_init(&w, &out);
    nest(&w, MF_JSON_WRITER_DEPTH);
    mf_jw_null(&w);
    for (unsigned i = MF_JSON_WRITER_DEPTH; i > 0; i--) {
        if (i % 2 == 0)
            mf_jw_object_end(&w);
        else
            mf_jw_array_end(&w);
    }
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    struct mf_error err;
    if (mf_json_parse(json, mf_buf_str(&out), &mf_json_limits_event, &root, &err) != 0)
        fail_msg("%s: %s", mf_buf_c_str(&out), err.message);
    assert_int_equal(mf_json_count(root), 2);
    mf_json_free(&json);
    mf_buf_free(&out);
}

// With any maximum the text is either whole or marked as overflown, and never longer than the maximum.
static void overflow_is_seen_at_the_end(void **state)
{
    (void)state;
    static const char whole[] = "{\"key\":[\"a\\nb\",-12],\"x\":{\"y\":true}}";
    for (size_t max = 0; max <= sizeof whole; max++) {
        struct mf_buf out;
        struct mf_json_writer w;
        mf_buf_init(&out, max);
        mf_jw_init(&w, &out);
        mf_jw_object_begin(&w);
        mf_jw_key(&w, "key");
        mf_jw_array_begin(&w);
        mf_jw_string(&w, MF_STR("a\nb"));
        mf_jw_i64(&w, -12);
        mf_jw_array_end(&w);
        mf_jw_key(&w, "x");
        mf_jw_object_begin(&w);
        mf_jw_key(&w, "y");
        mf_jw_bool(&w, true);
        mf_jw_object_end(&w);
        mf_jw_object_end(&w);
        assert_int_equal(out.overflow, max < sizeof whole - 1);
        assert_true(out.len <= max);
        assert_memory_equal(mf_buf_c_str(&out), whole, out.len);
        mf_buf_free(&out);
    }
}

static struct mf_json_writer misused;

static void start_misuse(void)
{
    static struct mf_buf buffer;
    mf_buf_init(&buffer, 10000);
    mf_jw_init(&misused, &buffer);
}

static void value_where_a_key_is_due(void)
{
    mf_jw_object_begin(&misused);
    mf_jw_i64(&misused, 1);
}

static void object_where_a_key_is_due(void)
{
    mf_jw_object_begin(&misused);
    mf_jw_object_begin(&misused);
}

static void key_in_an_array(void)
{
    mf_jw_array_begin(&misused);
    mf_jw_key(&misused, "k");
}

static void key_at_the_top(void)
{
    mf_jw_key(&misused, "k");
}

static void two_keys(void)
{
    mf_jw_object_begin(&misused);
    mf_jw_key(&misused, "k");
    mf_jw_key(&misused, "l");
}

static void end_with_a_key_pending(void)
{
    mf_jw_object_begin(&misused);
    mf_jw_key(&misused, "k");
    mf_jw_object_end(&misused);
}

static void wrong_end(void)
{
    mf_jw_array_begin(&misused);
    mf_jw_object_end(&misused);
}

static void end_of_nothing(void)
{
    mf_jw_array_end(&misused);
}

static void one_level_too_many(void)
{
    nest(&misused, MF_JSON_WRITER_DEPTH + 1);
}

static void no_number(void)
{
    mf_jw_number_text(&misused, MF_STR_NULL);
}

static void misuse_is_caught_at_once(void **state)
{
    (void)state;
    static void (*const misuses[])(void) = {
        value_where_a_key_is_due,
        object_where_a_key_is_due,
        key_in_an_array,
        key_at_the_top,
        two_keys,
        end_with_a_key_pending,
        wrong_end,
        end_of_nothing,
        one_level_too_many,
        no_number,
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(misuses); i++) {
        start_misuse();
        if (!aborts(misuses[i]))
            fail_msg("misuse %zu went unnoticed", i);
        mf_buf_free(misused.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_kind_in_call_order),
        cmocka_unit_test(what_must_be_escaped_is),
        cmocka_unit_test(every_byte_comes_back_through_the_reader),
        cmocka_unit_test(escapes_are_found_at_every_place),
        cmocka_unit_test(the_deepest_level_works),
        cmocka_unit_test(overflow_is_seen_at_the_end),
        cmocka_unit_test(misuse_is_caught_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
