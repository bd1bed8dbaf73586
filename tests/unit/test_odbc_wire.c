// SPDX-License-Identifier: Apache-2.0
// The test driver's side of its wire: what is written can be read back, and nothing else is taken for a
// reply.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/odbc/wire.h"

#define ROUNDS 2000

// A fixed sequence: a failure can be repeated.
static uint64_t state_of_random = 88172645463325252u;
static unsigned below(unsigned limit)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (unsigned)(state_of_random % limit);
}

// Any bytes but NUL, which ends a text.
static char *any_text(void)
{
    size_t len = below(30);
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(1 + below(255));
    text[len] = '\0';
    return text;
}

static void add_cells(struct wire_text *json, char **cells, size_t columns, size_t rows)
{
    wire_add(json, ",\"data\":[");
    for (size_t row = 0; row < rows; row++) {
        wire_add(json, row > 0 ? ", [" : "[");
        for (size_t column = 0; column < columns; column++) {
            char *cell = below(5) > 0 ? any_text() : NULL;
            cells[row * columns + column] = cell;
            if (column > 0)
                wire_add(json, " , ");
            wire_add_string(json, cell, cell != NULL ? strlen(cell) : 0);
        }
        wire_add(json, "]");
    }
    wire_add(json, "]");
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct wire_text json = {0};
        struct wire_reply reply;
        char *cells[WIRE_COLUMNS_MAX * 4];
        char head[128];
        size_t columns = 1 + below(WIRE_COLUMNS_MAX);
        size_t rows = below(4);
        int64_t touched = (int64_t)below(100000) - 1;
        snprintf(head, sizeof head, "{\"ok\":true,\"rows\":%lld,\"columns\":%zu", (long long)touched,
                 columns);
        wire_add(&json, head);
        add_cells(&json, cells, columns, rows);
        wire_add(&json, "}");
        assert_true(wire_parse(json.data, json.len, &reply));
        assert_true(reply.ok && !reply.crash);
        assert_int_equal(reply.rows, touched);
        assert_int_equal(reply.columns, columns);
        assert_int_equal(reply.row_count, rows);
        for (size_t i = 0; i < rows * columns; i++) {
            assert_int_equal(reply.cells[i] == NULL, cells[i] == NULL);
            if (cells[i] != NULL)
                assert_string_equal(reply.cells[i], cells[i]);
            free(cells[i]);
        }
        wire_reply_free(&reply);
        // No part of it is a reply.
        assert_false(wire_parse(json.data, below((unsigned)json.len), &reply));
        wire_text_free(&json);
    }
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"{}", true},
        {" { \"ok\":false , \"state\":\"08S01\", \"native\":-7,\"message\":\"a\\nb\\u001fc\" } ", true},
        {"{\"crash\":true}", true},
        {"{\"ok\":1}", false},
        {"{\"rows\":}", false},
        {"{\"rows\":1}x", false},
        {"{\"other\":1}", false},
        {"{\"ok\":true", false},
        {"{\"ok\":true,}", false},
        {"[]", false},
        {"", false},
        {"{\"columns\":17}", false},
        {"{\"columns\":-1}", false},
        {"{\"data\":[[]]}", false}, // of how many columns?
        {"{\"columns\":1,\"data\":[]}", true},
        {"{\"columns\":1,\"data\":[[null]]}", true},
        {"{\"columns\":1,\"data\":[[null],]}", false},
        {"{\"columns\":2,\"data\":[[null]]}", false},
        {"{\"columns\":1,\"data\":[[null,null]]}", false},
        {"{\"columns\":1,\"data\":[[\"a\"]],\"data\":[[\"b\"]]}", false},
        {"{\"columns\":1,\"data\":[[\"a]]}", false},
        {"{\"columns\":1,\"data\":[[\"\\u0000\"]]}", false},
        {"{\"columns\":1,\"data\":[[\"\\ud800\"]]}", false},
        {"{\"columns\":1,\"data\":[[\"\\x\"]]}", false},
        {"{\"columns\":1,\"data\":[[\"a\nb\"]]}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wire_reply reply;
        bool good = wire_parse(rows[i].text, strlen(rows[i].text), &reply);
        if (good != rows[i].good)
            fail_msg("%s", rows[i].text);
        if (good)
            wire_reply_free(&reply);
    }
}

static void test_an_error_is_taken_whole(void **state)
{
    (void)state;
    static const char text[] =
        "{\"ok\":false,\"state\":\"57014\",\"native\":625,\"message\":\"too many \xc3\xa4 waiters\","
        "\"query_id\":\"01a-b\"}";
    struct wire_reply reply;
    assert_true(wire_parse(text, sizeof text - 1, &reply));
    assert_false(reply.ok);
    assert_string_equal(reply.state, "57014");
    assert_int_equal(reply.native, 625);
    assert_string_equal(reply.message, "too many \xc3\xa4 waiters");
    assert_string_equal(reply.query_id, "01a-b");
    assert_int_equal(reply.rows, -1); // not said
    wire_reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_an_error_is_taken_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
