// SPDX-License-Identifier: Apache-2.0
#include "common/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// cmocka wants the three headers above before it
#include <cmocka.h>

struct seen {
    struct mf_buf text; // "1:a 3:b "
    size_t stop_after, count;
};

static bool on_line(void *arg, const struct mf_line *line)
{
    struct seen *seen = arg;
    mf_buf_addf(&seen->text, "%llu:%.*s%s ", (unsigned long long)line->number, MF_STR_ARG(line->text),
                line->too_large ? "!" : "");
    return ++seen->count != seen->stop_after;
}

static char *lines_of(const char *content, size_t size, size_t limit, size_t stop_after, uint64_t *lines)
{
    char path[] = "/tmp/test_lines_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, content, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    assert_int_equal(unlink(path), 0);
    struct seen seen = {.stop_after = stop_after};
    mf_buf_init(&seen.text, 4096);
    assert_int_equal(mf_lines_read(fd, limit, on_line, &seen, lines), 0);
    mf_lines_close(fd);
    char *text = mf_strdup(mf_buf_c_str(&seen.text));
    mf_buf_free(&seen.text);
    return text;
}

static void check(const char *content, size_t limit, size_t stop_after, const char *wanted,
                  uint64_t wanted_lines)
{
    uint64_t lines = 0;
    char *text = lines_of(content, strlen(content), limit, stop_after, &lines);
    assert_string_equal(text, wanted);
    assert_int_equal(lines, wanted_lines);
    free(text);
}

static void test_lines(void **state)
{
    (void)state;
    check("", 10, 0, "", 0);
    check("a\n\n \t\r\nb", 10, 0, "1:a 4:b ", 4); // blank ones are counted, not handed out
    check("a\nb\n", 10, 0, "1:a 2:b ", 2);
    check("0123456789\n01234567890\nc\n", 10, 0, "1:0123456789 2:! 3:c ", 3);
    check("a\nb\nc\n", 10, 2, "1:a 2:b ", 2);
    check("\xEF\xBB\xBF"
          "a\r\nb\r\r\n\xEF\xBB\xBF"
          "c",
          10, 0,
          "1:a 2:b\r 3:\xEF\xBB\xBF"
          "c ",
          3);
    check("\xEF\xBB\xBF\r\n", 10, 0, "", 1);
}

static void test_a_line_across_reads(void **state)
{
    (void)state;
    size_t size = 200000;
    char *content = mf_alloc(size);
    memset(content, 'x', size);
    content[size - 1] = '\n';
    uint64_t lines = 0;
    char *text = lines_of(content, size, 1000, 0, &lines);
    assert_string_equal(text, "1:! ");
    assert_int_equal(lines, 1);
    free(text);
    free(content);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct mf_error err;
    int fd = -1;
    assert_int_equal(mf_lines_open("/no/such/file", &fd, &err), -1);
    assert_string_equal(err.code, "bad_file");
    assert_non_null(strstr(err.message, "/no/such/file"));
    assert_int_equal(mf_lines_open("/", &fd, &err), -1);
    assert_int_equal(mf_lines_open("-", &fd, &err), 0);
    assert_int_equal(fd, STDIN_FILENO);
    uint64_t lines = 0;
    struct seen seen = {0};
    assert_int_equal(mf_lines_read(-1, 10, on_line, &seen, &lines), EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_line_across_reads),
        cmocka_unit_test(test_files_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
