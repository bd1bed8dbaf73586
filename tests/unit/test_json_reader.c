// SPDX-License-Identifier: Apache-2.0
#include "common/json_reader.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "tests/unit/aborts.h"

#include <cmocka.h>

static int set_up(void **state)
{
    *state = mf_json_new();
    return 0;
}

static int tear_down(void **state)
{
    struct mf_json *json = *state;
    mf_json_free(&json);
    assert_null(json);
    mf_json_free(&json);
    mf_json_free(NULL);
    return 0;
}

static const struct mf_json_node *parse(struct mf_json *json, struct mf_str text)
{
    const struct mf_json_node *root = NULL;
    struct mf_error err;
    if (mf_json_parse(json, text, &mf_json_limits_event, &root, &err) != 0)
        fail_msg("%.*s: %s", MF_STR_ARG(text), err.message);
    assert_non_null(root);
    return root;
}

static void check_refused(struct mf_json *json, struct mf_str text, const struct mf_json_limits *limits,
                          const char *code)
{
    const struct mf_json_node *untouched = (const struct mf_json_node *)(const void *)json;
    const struct mf_json_node *root = untouched;
    struct mf_error err;
    if (mf_json_parse(json, text, limits, &root, &err) != -1)
        fail_msg("accepted %.*s", text.len < 80 ? (int)text.len : 80, text.data);
    assert_string_equal(err.code, code);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_true(strlen(err.message) > 0);
    assert_ptr_equal(root, untouched);
    assert_int_equal(mf_json_parse(json, text, limits, &root, NULL), -1);
}

static void a_document_is_walked_in_order(void **state)
{
    const struct mf_json_node *root =
        parse(*state, MF_STR(" {\"s\":\"AAPL\",\"n\":187.10,\"t\":true,\"f\":false,"
                             "\"z\":null,\"a\":[1,[],{\"x\":2}],\"o\":{},\"\":3}\n"));
    assert_int_equal(mf_json_type(root), MF_JSON_OBJECT);
    assert_int_equal(mf_json_count(root), 8);
    static const struct {
        const char *key;
        enum mf_json_type type;
        const char *text;
    } members[] = {
        {"s", MF_JSON_STRING, "AAPL"}, {"n", MF_JSON_NUMBER, "187.10"}, {"t", MF_JSON_BOOL, NULL},
        {"f", MF_JSON_BOOL, NULL},     {"z", MF_JSON_NULL, NULL},       {"a", MF_JSON_ARRAY, NULL},
        {"o", MF_JSON_OBJECT, NULL},   {"", MF_JSON_NUMBER, "3"},
    };
    const struct mf_json_node *member = mf_json_first(root);
    for (size_t i = 0; i < MF_ARRAY_LEN(members); i++, member = mf_json_next(member)) {
        assert_true(mf_str_eq_c(mf_json_key(member), members[i].key));
        assert_ptr_equal(mf_json_get(root, members[i].key), member);
        assert_int_equal(mf_json_type(member), members[i].type);
        assert_int_equal(mf_json_text(member).data == NULL, members[i].text == NULL);
        assert_true(mf_str_eq_c(mf_json_text(member), members[i].text));
    }
    assert_null(member);
    assert_true(mf_json_bool(mf_json_get(root, "t")));
    assert_false(mf_json_bool(mf_json_get(root, "f")));
    const struct mf_json_node *array = mf_json_get(root, "a");
    assert_int_equal(mf_json_count(array), 3);
    const struct mf_json_node *item = mf_json_first(array);
    assert_null(mf_json_key(item).data);
    assert_true(mf_str_eq_c(mf_json_text(item), "1"));
    item = mf_json_next(item);
    assert_int_equal(mf_json_count(item), 0);
    assert_null(mf_json_first(item));
    item = mf_json_next(item);
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(item, "x")), "2"));
    assert_null(mf_json_next(item));
    assert_null(mf_json_next(root));
}

static void what_is_absent_can_be_asked_for(void **state)
{
    const struct mf_json_node *root = parse(*state, MF_STR("{\"abcdefgh1\":[1],\"abcdefgh2\":2}"));
    assert_null(mf_json_get(root, "abcdefgh3"));
    assert_null(mf_json_get(root, ""));
    assert_null(mf_json_get(mf_json_get(root, "abcdefgh1"), "x"));
    assert_null(mf_json_get(mf_json_get(root, "abcdefgh2"), "x"));
    assert_null(mf_json_get(NULL, "x"));
    assert_null(mf_json_first(NULL));
    assert_null(mf_json_next(NULL));
    assert_int_equal(mf_json_count(NULL), 0);
    assert_int_equal(mf_json_count(mf_json_get(root, "abcdefgh2")), 0);
    assert_null(mf_json_text(NULL).data);
    assert_null(mf_json_key(NULL).data);
    assert_null(mf_json_key(root).data);
}

static void every_kind_of_value_may_be_the_top(void **state)
{
    static const struct {
        const char *text;
        enum mf_json_type type;
        const char *name;
    } cases[] = {
        {"null", MF_JSON_NULL, "null"},
        {"true", MF_JSON_BOOL, "boolean"},
        {"-1.5e-3", MF_JSON_NUMBER, "number"},
        {"\"x\"", MF_JSON_STRING, "string"},
        {"[]", MF_JSON_ARRAY, "array"},
        {"{}", MF_JSON_OBJECT, "object"},
        {"\t\r\n 1 \n", MF_JSON_NUMBER, "number"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        const struct mf_json_node *root = parse(*state, mf_str_of(cases[i].text));
        assert_int_equal(mf_json_type(root), cases[i].type);
        assert_string_equal(mf_json_type_name(cases[i].type), cases[i].name);
    }
    assert_string_equal(mf_json_type_name((enum mf_json_type)99), "unknown");
}

static void numbers_keep_their_text(void **state)
{
    static const char *const cases[] = {
        "0",
        "-0",
        "190.5500",
        "1e5",
        "1E+05",
        "-0.0e-0",
        "123456789012345678901234567890.5",
        "1.0000000000000000001",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        assert_true(mf_str_eq_c(mf_json_text(parse(*state, mf_str_of(cases[i]))), cases[i]));
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"caf\xc3\xa9\"", "caf\xc3\xa9"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\udcc8\"", "\xf0\x9f\x93\x88"},
        {"\"\\uD800\\uDC00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"},
        {"\"\\\\u0000\"", "\\u0000"},       // an escaped backslash, not a NUL
        {"\"\\\\\\\\ud800\"", "\\\\ud800"}, // two of them
        {"\"\x7f\"", "\x7f"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_str text = mf_json_text(parse(*state, mf_str_of(cases[i].json)));
        assert_non_null(text.data);
        if (!mf_str_eq_c(text, cases[i].text))
            fail_msg("%s: %.*s", cases[i].json, MF_STR_ARG(text));
    }
    // Many in one document, keys included: none may overwrite another.
    const struct mf_json_node *root =
        parse(*state, MF_STR("{\"\\u0061\":\"\\n1\",\"b\":[\"\\t\",\"\\u0062\",\"\"],\"\\\"\":\"x\"}"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "a")), "\n1"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_first(mf_json_get(root, "b"))), "\t"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_next(mf_json_first(mf_json_get(root, "b")))), "b"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "\"")), "x"));
}

static const struct mf_str not_json[] = {
    MF_STR(""),
    MF_STR(" "),
    MF_STR("{"),
    MF_STR("}"),
    MF_STR("["),
    MF_STR("[1"),
    MF_STR("[1,"),
    MF_STR("[1,]"),
    MF_STR("[,1]"),
    MF_STR("[1 2]"),
    MF_STR("{\"a\"}"),
    MF_STR("{\"a\":}"),
    MF_STR("{\"a\":1,}"),
    MF_STR("{a:1}"),
    MF_STR("{1:1}"),
    MF_STR("{\"a\" 1}"),
    MF_STR("{\"a\":1 \"b\":2}"),
    MF_STR("{\"a\":1]"),
    MF_STR("[1}"),
    MF_STR("{} {}"),
    MF_STR("1 2"),
    MF_STR("[]x"),
    MF_STR("01"),
    MF_STR("-"),
    MF_STR("+1"),
    MF_STR("1."),
    MF_STR(".5"),
    MF_STR("1e"),
    MF_STR("1e+"),
    MF_STR("0x10"),
    MF_STR("NaN"),
    MF_STR("Infinity"),
    MF_STR("-Infinity"),
    MF_STR("nul"),
    MF_STR("nullx"),
    MF_STR("True"),
    MF_STR("'a'"),
    MF_STR("\"a"),
    MF_STR("\"\\x\""),
    MF_STR("\"\\u12\""),
    MF_STR("\"\\u12g4\""),
    MF_STR("\"\\\""),
    MF_STR("\"a\nb\""),
    MF_STR("\"a\tb\""),
    MF_STR("\"a\0b\""),
    MF_STR("\0"),
    MF_STR("1\0"),
    MF_STR("// x\n1"),
    MF_STR("/* x */1"),
    MF_STR("\xef\xbb\xbf{}"),
    MF_STR("\xc2\xa0{}"),
    // Not UTF-8, inside and outside of strings.
    MF_STR("\"\xff\""),
    MF_STR("\"\xc0\x80\""),
    MF_STR("\"\xed\xa0\x80\""),
    MF_STR("\"\xf4\x90\x80\x80\""),
    MF_STR("\"\xe2\x82\""),
    MF_STR("\xff"),
    MF_STR("<html>"),
};

static void what_is_not_json_is_refused(void **state)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(not_json); i++)
        check_refused(*state, not_json[i], &mf_json_limits_event, "json_syntax");
    check_refused(*state, MF_STR_NULL, &mf_json_limits_event, "json_syntax");
}

// Who cut a file looks at its end, and whom a letter is one too many for, at the letter.
static void a_refusal_says_where(void **state)
{
    struct {
        struct mf_str text;
        const char *where;
    } cases[] = {{MF_STR("{\"metadata\":"), "near byte 12:"},
                 {MF_STR("[1, 2, 3"), "near byte 8:"},
                 {MF_STR("[1, 2] x"), "near byte 8:"}};
    const struct mf_json_node *root = NULL;
    struct mf_error err;
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        assert_int_equal(mf_json_parse(*state, cases[i].text, &mf_json_limits_event, &root, &err), -1);
        if (strncmp(err.message, cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("%s, not %s", err.message, cases[i].where);
    }
}

static void strings_that_hide_something_are_refused(void **state)
{
    static const char *const cases[] = {
        "\"\\u0000\"",        "{\"a\\u0000\":1}",          "[\"\\n\",\"x\\u0000y\"]",
        "\"\\ud800\"",        "\"\\udc00\\udc00\"",        "\"\\udbff.\"",
        "\"\\udc00\"",        "\"\\udfff\\ud800\"",        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\\udc00\"", "\"\\uD83D\\uE000\"",
        "{\"\\ud800\":1}",    "\"\\ud83d\\udcc8\\udcc8\"",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        check_refused(*state, mf_str_of(cases[i]), &mf_json_limits_event, "json_string");
}

static void a_key_comes_once_in_an_object(void **state)
{
    static const char *const cases[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":{\"c\":[1,2,3]},\"a\":2}",
        "{\"\":1,\"\":1}",
        "[{\"x\":{\"open\":1,\"high\":2,\"open\":3}}]",
        "{\"a\":1,\"\\u0061\":2}", // the same once decoded
        "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
        "{\"a long key, longer than 16 bytes\":1,\"b\":2,\"a long key, longer than 16 bytes\":3}",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        check_refused(*state, mf_str_of(cases[i]), &mf_json_limits_event, "json_duplicate_key");
    // Alike but not the same, and the same in different objects.
    parse(*state, MF_STR("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]},\"A\":1,\"aa\":1,\"aaa\":1,\"\":1}"));
    parse(*state, MF_STR("{\"12345678x12345678\":1,\"12345678y12345678\":2}")); // the same ends
    parse(*state, MF_STR("{\"caf\xc3\xa9\":1,\"cafe\\u0301\":2}"));             // alike to the eye only
}

// Writes an object of count different keys into text; `again` repeats one of them at the end.
static struct mf_str many_keys(struct mf_buf *text, unsigned count, int again)
{
    mf_buf_clear(text);
    for (unsigned i = 0; i < count; i++)
        mf_buf_addf(text, "%s\"k%u\":%u", i == 0 ? "{" : ",", i, i);
    if (again >= 0)
        mf_buf_addf(text, ",\"k%d\":0", again);
    mf_buf_add_c(text, count == 0 ? "{}" : "}");
    return mf_buf_str(text);
}

static void each_of_many_keys_is_known(void **state)
{
    struct mf_buf text;
    mf_buf_init(&text, 1 << 16);
    for (int again = 0; again < 255; again++)
        check_refused(*state, many_keys(&text, 255, again), &mf_json_limits_event, "json_duplicate_key");
    const struct mf_json_node *root = parse(*state, many_keys(&text, 256, -1));
    for (unsigned i = 0; i < 256; i++) {
        char key[8];
        char value[8];
        snprintf(key, sizeof key, "k%u", i);
        snprintf(value, sizeof value, "%u", i);
        assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, key)), value));
    }
    mf_buf_free(&text);
}

static struct mf_str repeated(struct mf_buf *text, const char *open, const char *unit, size_t count,
                              const char *close)
{
    mf_buf_clear(text);
    mf_buf_add_c(text, open);
    for (size_t i = 0; i < count; i++)
        mf_buf_add_c(text, unit);
    mf_buf_add_c(text, close);
    assert_false(text->overflow);
    return mf_buf_str(text);
}

static void parse_at_limit(struct mf_json *json, struct mf_str text, const struct mf_json_limits *limits)
{
    const struct mf_json_node *root = NULL;
    struct mf_error err;
    if (mf_json_parse(json, text, limits, &root, &err) != 0)
        fail_msg("%s", err.message);
}

static void every_limit_is_exact(void **state)
{
    const struct mf_json_limits limits = {.size = 10000,
                                          .depth = 5,
                                          .string_length = 100,
                                          .object_keys = 20,
                                          .array_items = 30,
                                          .number_length = 12};
    struct mf_buf text;
    mf_buf_init(&text, 1 << 16);
    parse_at_limit(*state, repeated(&text, "1", " ", 9999, ""), &limits);
    check_refused(*state, repeated(&text, "1", " ", 10000, ""), &limits, "json_size");
    parse_at_limit(*state, repeated(&text, "[[[[[", "", 0, "]]]]]"), &limits);
    check_refused(*state, repeated(&text, "[[[[[[", "", 0, "]]]]]]"), &limits, "json_depth");
    check_refused(*state, MF_STR("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}"), &limits, "json_depth");
    parse_at_limit(*state, MF_STR("[[[[[]]]],[[[[]]]],{\"a\":[{\"a\":[]}]}]"), &limits); // depth, not count
    check_refused(*state, repeated(&text, "", "[", 10000, ""), &limits, "json_depth");
    parse_at_limit(*state, repeated(&text, "\"", "x", 100, "\""), &limits);
    check_refused(*state, repeated(&text, "\"", "x", 101, "\""), &limits, "json_string_length");
    parse_at_limit(*state, repeated(&text, "{\"", "x", 100, "\":1}"), &limits);
    check_refused(*state, repeated(&text, "{\"", "x", 101, "\":1}"), &limits, "json_string_length");
    parse_at_limit(*state, repeated(&text, "\"", "\\u20ac", 33, "\""), &limits); // decoded bytes count
    check_refused(*state, repeated(&text, "\"", "\\u20ac", 34, "\""), &limits, "json_string_length");
    check_refused(*state, repeated(&text, "{\"", "\\n", 101, "\":1}"), &limits, "json_string_length");
    parse_at_limit(*state, many_keys(&text, 20, -1), &limits);
    check_refused(*state, many_keys(&text, 21, -1), &limits, "json_keys");
    parse_at_limit(*state, repeated(&text, "[", "1,", 29, "1]"), &limits);
    check_refused(*state, repeated(&text, "[", "1,", 30, "1]"), &limits, "json_items");
    check_refused(*state, repeated(&text, "[", "[],", 30, "[]]"), &limits, "json_items");
    parse_at_limit(*state, repeated(&text, "", "1", 12, ""), &limits);
    check_refused(*state, repeated(&text, "", "1", 13, ""), &limits, "json_number_length");
    check_refused(*state, repeated(&text, "[-1.5e0", "0", 7, "]"), &limits, "json_number_length");
    mf_buf_free(&text);
}

static void all_values_together_have_a_limit(void **state)
{
    struct mf_buf text;
    mf_buf_init(&text, 4 << 20);
    // 20 arrays of 49 998 numbers each, the arrays and the outer one: 999 981 values, and then up to the
    // limit.
    for (int beyond = 0; beyond < 2; beyond++) {
        mf_buf_clear(&text);
        mf_buf_add_char(&text, '[');
        for (int i = 0; i < 20; i++) {
            mf_buf_add_c(&text, i == 0 ? "[1" : ",[1");
            for (int j = 1; j < 49998; j++)
                mf_buf_add_c(&text, ",1");
            mf_buf_add_char(&text, ']');
        }
        for (int i = 0; i < MF_JSON_NODES_MAX - 999981 + beyond; i++)
            mf_buf_add_c(&text, ",1");
        mf_buf_add_char(&text, ']');
        assert_false(text.overflow);
        if (beyond == 0)
            parse_at_limit(*state, mf_buf_str(&text), &mf_json_limits_body);
        else
            check_refused(*state, mf_buf_str(&text), &mf_json_limits_body, "json_items");
    }
    mf_buf_free(&text);
}

static void ask_for_too_deep_a_limit(void)
{
    struct mf_json_limits limits = mf_json_limits_event;
    limits.depth = MF_JSON_DEPTH_MAX + 1;
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    (void)mf_json_parse(json, MF_STR("1"), &limits, &root, NULL);
    mf_json_free(&json);
}

static void the_deepest_limit_works(void **state)
{
    struct mf_json_limits limits = mf_json_limits_event;
    limits.depth = MF_JSON_DEPTH_MAX;
    char text[2 * MF_JSON_DEPTH_MAX + 2];
    memset(text, '[', MF_JSON_DEPTH_MAX + 1);
    memset(text + MF_JSON_DEPTH_MAX, ']', MF_JSON_DEPTH_MAX);
    parse_at_limit(*state, (struct mf_str){text, (size_t)2 * MF_JSON_DEPTH_MAX}, &limits);
    memset(text, '[', MF_JSON_DEPTH_MAX + 1);
    memset(text + MF_JSON_DEPTH_MAX + 1, ']', MF_JSON_DEPTH_MAX + 1);
    check_refused(*state, (struct mf_str){text, sizeof text}, &limits, "json_depth");
    check_refused(*state, (struct mf_str){text, sizeof text}, &mf_json_limits_event, "json_depth");
    assert_true(aborts(ask_for_too_deep_a_limit));
}

static void the_limits_are_those_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        const struct mf_json_limits *limits;
        size_t size, string_length;
    } cases[] = {
        {&mf_json_limits_event, 262144, 262144},
        {&mf_json_limits_dead_letter, 393216, 393216},
        {&mf_json_limits_body, 8388608, 262144},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        assert_int_equal(cases[i].limits->size, cases[i].size);
        assert_int_equal(cases[i].limits->depth, 32);
        assert_int_equal(cases[i].limits->string_length, cases[i].string_length);
        assert_int_equal(cases[i].limits->object_keys, 256);
        assert_int_equal(cases[i].limits->array_items, 50000);
        assert_int_equal(cases[i].limits->number_length, 64);
    }
}

static void the_document_owns_its_views(void **state)
{
    char input[] = "{\"symbol\":\"AAPL\",\"n\":187.10,\"e\":\"a\\nb\"}";
    const struct mf_json_node *root = parse(*state, mf_str_of(input));
    memset(input, '#', sizeof input - 1); // the caller's bytes are gone
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "symbol")), "AAPL"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "n")), "187.10"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "e")), "a\nb"));
}

// Documents of every size one after another, failures between them: nothing of one shows in the next.
static void a_document_is_reused(void **state)
{
    struct mf_buf text;
    mf_buf_init(&text, 1 << 20);
    for (size_t round = 0; round < 60; round++) {
        size_t count = round * 37 % 61 * 100;
        const struct mf_json_node *root =
            parse(*state, repeated(&text, "[", "\"\\u20ac\",", count, "\"end\"]"));
        assert_int_equal(mf_json_count(root), count + 1);
        size_t seen = 0;
        for (const struct mf_json_node *at = mf_json_first(root); at != NULL; at = mf_json_next(at), seen++)
            assert_true(mf_str_eq_c(mf_json_text(at), seen < count ? "\xe2\x82\xac" : "end"));
        assert_int_equal(seen, count + 1);
        check_refused(*state, repeated(&text, "[", "{\"a\":[\"\\n\",", round % 15, ""), &mf_json_limits_event,
                      "json_syntax");
        check_refused(*state, MF_STR("[\"\\n\",\"\\ud800\"]"), &mf_json_limits_event, "json_string");
        parse(*state, MF_STR("{\"plain\":1}"));
        if (round % 7 == 0)
            mf_json_trim(*state, round % 2 == 0 ? 0 : 10000);
    }
    // One long string with escapes: yajl decodes it in memory that must grow several times.
    const struct mf_json_node *root = parse(*state, repeated(&text, "\"", "0123456789\\n", 20000, "\""));
    struct mf_str decoded = mf_json_text(root);
    assert_int_equal(decoded.len, 220000);
    for (size_t i = 0; i < decoded.len; i++)
        assert_int_equal(decoded.data[i], i % 11 == 10 ? '\n' : '0' + (int)(i % 11));
    mf_buf_free(&text);
}

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void memory_of_a_large_document_is_given_back(void **state)
{
    (void)state;
    if (memory_in_use() == 0) {
        print_message("SKIPPED: this allocator does not tell how much is in use\n");
        skip();
    }
    struct mf_buf text;
    mf_buf_init(&text, 1 << 20);
    repeated(&text, "[\"", "0123456789\\n", 10000, "\"");
    for (int i = 0; i < 20000; i++)
        mf_buf_add_c(&text, ",\"\\n\"");
    mf_buf_add_char(&text, ']');
    size_t before = memory_in_use();
    struct mf_json *json = mf_json_new();
    parse(json, mf_buf_str(&text));
    size_t large = memory_in_use();
    assert_true(large - before > 3 * text.len); // text, decoded strings, tape
    mf_json_trim(json, 4 << 20);
    assert_int_equal(memory_in_use(), large); // nothing is above what may be kept
    mf_json_trim(json, 16384);
    assert_true(memory_in_use() - before < 16384 + 8192); // and the document itself
    parse(json, mf_buf_str(&text));
    assert_true(memory_in_use() - before > 3 * text.len);
    mf_json_trim(json, 0);
    mf_json_free(&json);
    assert_int_equal(memory_in_use(), before);
    mf_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_walked_in_order),
        cmocka_unit_test(what_is_absent_can_be_asked_for),
        cmocka_unit_test(every_kind_of_value_may_be_the_top),
        cmocka_unit_test(numbers_keep_their_text),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(a_refusal_says_where),
        cmocka_unit_test(strings_that_hide_something_are_refused),
        cmocka_unit_test(a_key_comes_once_in_an_object),
        cmocka_unit_test(each_of_many_keys_is_known),
        cmocka_unit_test(every_limit_is_exact),
        cmocka_unit_test(all_values_together_have_a_limit),
        cmocka_unit_test(the_deepest_limit_works),
        cmocka_unit_test(the_limits_are_those_of_the_contract),
        cmocka_unit_test(the_document_owns_its_views),
        cmocka_unit_test(a_document_is_reused),
        cmocka_unit_test(memory_of_a_large_document_is_given_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
