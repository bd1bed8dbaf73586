// SPDX-License-Identifier: Apache-2.0
// Secrets: every source, every file that is refused, and that none of their bytes shows anywhere.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/settings_internal.h"

#define CANARY "canary-7f3a-secret"

static const struct mf_setting_def defs[] = {
    {.name = "T_TEXT", .type = MF_SETTING_STRING, .default_value = "fallback", .description = "A text."},
    {.name = "T_KEY", .type = MF_SETTING_SECRET, .optional = true, .description = "Secret."},
};
static const struct mf_setting_table table = {"Test", defs, MF_ARRAY_LEN(defs)};

struct fixture {
    struct mf_settings *settings;
    struct mf_buf problems;
    struct mf_buf out;
    struct mf_error err;
    char folder[64];
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    mf_buf_init(&f->problems, 65536);
    mf_buf_init(&f->out, 65536);
    snprintf(f->folder, sizeof f->folder, "/tmp/mf-test-settings-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_settings_free(&f->settings);
    mf_buf_free(&f->problems);
    mf_buf_free(&f->out);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static int parse(struct fixture *f, char *const *env)
{
    mf_settings_free(&f->settings);
    mf_buf_clear(&f->problems);
    memset(&f->err, 0, sizeof f->err);
    return mf_settings_parse(&table, 1, env, NULL, &f->settings, &f->problems, &f->err);
}

// environ-shaped, from literals.
#define ENV(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

static void expect_ok(struct fixture *f, char *const *env)
{
    int result = parse(f, env);
    assert_string_equal(mf_buf_c_str(&f->problems), "");
    assert_int_equal(result, 0);
}

static void expect_problem(struct fixture *f, char *const *env, const char *problems)
{
    assert_int_equal(parse(f, env), -1);
    assert_string_equal(mf_buf_c_str(&f->problems), problems);
    assert_null(f->settings);
    assert_int_equal(f->err.class, MF_ERROR_CONFIG);
}

static void write_file(struct fixture *f, const char *name, const char *data, size_t len, mode_t mode,
                       char path[128])
{
    snprintf(path, 128, "%s/%s", f->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

// An environment entry with the path; the caller frees it.
static char *entry_of(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = mf_alloc(size);
    snprintf(entry, size, "%s=%s", name, value);
    return entry;
}

static void secret_from_a_file(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *content;
        const char *secret;
    } rows[] = {
        {CANARY "\n", CANARY},
        {CANARY "\r\n", CANARY},
        {CANARY, CANARY},
        {CANARY "\n\n", CANARY "\n"},
        {"line 1\nline 2\n", "line 1\nline 2"},
    };
    char path[128];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        write_file(f, "key", rows[i].content, strlen(rows[i].content), 0440, path);
        char *entry = entry_of("T_KEY_FILE", path);
        expect_ok(f, ENV(entry));
        assert_string_equal(mf_settings_string(f->settings, "T_KEY"), rows[i].secret);
        free(entry);
        unlink(path);
    }
}

static void secret_files_that_are_refused(void **state)
{
    struct fixture *f = *state;
    char *large = mf_alloc(MF_SETTING_SECRET_MAX + 2);
    memset(large, 'k', MF_SETTING_SECRET_MAX + 2);
    const struct {
        const char *data;
        size_t len;
        mode_t mode;
        const char *wrong;
    } rows[] = {
        {CANARY, strlen(CANARY), 0444, "can be read by everyone"},
        {"", 0, 0400, "is empty"},
        {"\n", 1, 0400, "is empty"},
        {CANARY "\0x", strlen(CANARY) + 2, 0400, "holds a zero byte"},
        {CANARY "\x01", strlen(CANARY) + 1, 0400, "holds a control character"},
        {CANARY "\xff", strlen(CANARY) + 1, 0400, "is not UTF-8"},
        {large, MF_SETTING_SECRET_MAX + 1, 0400, "holds more than 65536 bytes"},
    };
    char path[128];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        write_file(f, "key", rows[i].data, rows[i].len, rows[i].mode, path);
        char *entry = entry_of("T_KEY_FILE", path);
        assert_int_equal(parse(f, ENV(entry)), -1);
        assert_non_null(strstr(mf_buf_c_str(&f->problems), rows[i].wrong));
        assert_null(strstr(mf_buf_c_str(&f->problems), CANARY));
        assert_null(strstr(f->err.message, CANARY));
        free(entry);
        unlink(path);
    }
    // The largest that is allowed, with its newline.
    large[MF_SETTING_SECRET_MAX] = '\n';
    write_file(f, "key", large, MF_SETTING_SECRET_MAX + 1, 0400, path);
    char *entry = entry_of("T_KEY_FILE", path);
    expect_ok(f, ENV(entry));
    assert_int_equal(strlen(mf_settings_string(f->settings, "T_KEY")), MF_SETTING_SECRET_MAX);
    unlink(path);
    free(entry);
    free(large);
}

static void secret_files_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, ENV("T_KEY_FILE=/nonexistent/key")), -1);
    assert_string_equal(mf_buf_c_str(&f->problems),
                        "T_KEY: cannot open /nonexistent/key: No such file or directory\n");
    expect_problem(f, ENV("T_KEY_FILE=/\x1b[2J\xff\n"),
                   "T_KEY: cannot open /\\x1b[2J\\xff\\n: No such file or directory\n");
    char *entry = entry_of("T_KEY_FILE", f->folder);
    assert_int_equal(parse(f, ENV(entry)), -1);
    assert_non_null(strstr(mf_buf_c_str(&f->problems), "is not a regular file"));
    free(entry);
    char path[128];
    snprintf(path, sizeof path, "%s/fifo", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    entry = entry_of("T_KEY_FILE", path);
    assert_int_equal(parse(f, ENV(entry)), -1); // and does not wait for a writer
    assert_non_null(strstr(mf_buf_c_str(&f->problems), "is not a regular file"));
    free(entry);
    unlink(path);
}

static void secret_from_the_credentials_directory(void **state)
{
    struct fixture *f = *state;
    char path[128];
    write_file(f, "t_key", CANARY "\n", strlen(CANARY) + 1, 0444, path); // guarded by its folder
    char *folder = entry_of("CREDENTIALS_DIRECTORY", f->folder);
    expect_ok(f, ENV(folder));
    assert_string_equal(mf_settings_string(f->settings, "T_KEY"), CANARY);
    mf_settings_print(f->settings, &f->out);
    assert_non_null(strstr(mf_buf_c_str(&f->out), "T_KEY=********  # credential\n"));

    // Two sources are an error, whichever they are; the same file named twice is one.
    expect_problem(f, ENV(folder, "T_KEY=" CANARY),
                   "T_KEY: is given more than once: a credential file the variable itself; keep one\n");
    expect_problem(f, ENV(folder, "T_KEY_FILE=/x"),
                   "T_KEY: is given more than once: T_KEY_FILE a credential file; keep one\n");
    expect_problem(f, ENV("T_KEY_FILE=/x", "T_KEY=" CANARY),
                   "T_KEY: is given more than once: T_KEY_FILE the variable itself; keep one\n");
    char *file = entry_of("T_KEY_FILE", path);
    expect_ok(f, ENV(folder, file));
    assert_string_equal(mf_settings_string(f->settings, "T_KEY"), CANARY);
    free(file);
    free(folder);
    unlink(path);
    expect_ok(f, ENV("CREDENTIALS_DIRECTORY=/nonexistent"));
}

static void secrets_are_wiped_on_request(void **state)
{
    struct fixture *f = *state;
    expect_ok(f, ENV("T_KEY=" CANARY));
    const char *secret = mf_settings_string(f->settings, "T_KEY");
    mf_settings_wipe_secrets(f->settings);
    for (size_t i = 0; i < strlen(CANARY); i++)
        assert_int_equal(secret[i], '\0');
    assert_string_equal(mf_settings_string(f->settings, "T_TEXT"), "fallback");
}

#define SECRET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SECRET_TEST(secret_from_a_file),
        SECRET_TEST(secret_files_that_are_refused),
        SECRET_TEST(secret_files_that_cannot_be_read),
        SECRET_TEST(secret_from_the_credentials_directory),
        SECRET_TEST(secrets_are_wiped_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
