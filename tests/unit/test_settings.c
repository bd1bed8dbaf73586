// SPDX-License-Identifier: Apache-2.0
// Settings: every type at its limits, unknown names, all problems at once, and the texts made of the tables.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/event.h"
#include "common/settings_internal.h"

#define CANARY "canary-7f3a-secret"
#define KEY_ENTRY "T_KEY=canary-7f3a-secret"

static const char *check_even(const char *text)
{
    return (text[strlen(text) - 1] - '0') % 2 == 0 ? NULL : "is not even";
}

static const char *check_never(const char *text MF_UNUSED)
{
    return "is never right";
}

static const struct mf_setting_def defs[] = {
    {.name = "T_TEXT", .type = MF_SETTING_STRING, .default_value = "fallback", .description = "A text."},
    {.name = "T_OPTIONAL", .type = MF_SETTING_STRING, .optional = true, .description = "May be unset."},
    {.name = "T_COUNT",
     .type = MF_SETTING_INTEGER,
     .default_value = "7",
     .min = -3,
     .max = 512,
     .description = "Count."},
    {.name = "T_ANY", .type = MF_SETTING_INTEGER, .default_value = "0", .description = "Any number."},
    {.name = "T_EVEN",
     .type = MF_SETTING_INTEGER,
     .default_value = "2",
     .description = "Even.",
     .check = check_even},
    {.name = "T_RATIO",
     .type = MF_SETTING_DECIMAL,
     .default_value = "0.5",
     .min = 0,
     .max = 10,
     .description = "Ratio."},
    {.name = "T_FLAG", .type = MF_SETTING_BOOLEAN, .default_value = "no", .description = "Flag."},
    {.name = "T_MODE",
     .type = MF_SETTING_CHOICE,
     .default_value = "all",
     .choices = "all|interesting|none",
     .description = "Mode."},
    {.name = "T_LIST", .type = MF_SETTING_LIST, .default_value = "a, b", .description = "List."},
    {.name = "T_EMPTY_LIST", .type = MF_SETTING_LIST, .default_value = "", .description = "List."},
    {.name = "T_KEY", .type = MF_SETTING_SECRET, .optional = true, .description = "Secret."},
    {.name = "T_LEVEL_INFO",
     .type = MF_SETTING_DECIMAL,
     .default_value = "1.5",
     .per_interval = true,
     .max = 100,
     .description = "Threshold."},
    {.name = "T_LEVEL_1D_INFO",
     .type = MF_SETTING_DECIMAL,
     .default_value = "4",
     .max = 100,
     .description = "Threshold of a day."},
};
static const struct mf_setting_table table = {"Test", defs, MF_ARRAY_LEN(defs)};
static const struct mf_setting_def more_defs[] = {
    {.name = "T_NEEDED", .type = MF_SETTING_STRING, .description = "What is needed."},
    {.name = "T_NEEDED_KEY",
     .type = MF_SETTING_SECRET,
     .description = "The needed key.",
     .check = check_never},
};
static const struct mf_setting_table more_table = {"More", more_defs, MF_ARRAY_LEN(more_defs)};
static const char *const prefixes[] = {"T_", NULL};

struct fixture {
    struct mf_settings *settings;
    struct mf_buf problems;
    struct mf_buf out;
    struct mf_error err;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    mf_buf_init(&f->problems, 65536);
    mf_buf_init(&f->out, 65536);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_settings_free(&f->settings);
    mf_buf_free(&f->problems);
    mf_buf_free(&f->out);
    free(f);
    return 0;
}

static int parse_tables(struct fixture *f, const struct mf_setting_table *tables, size_t count,
                        char *const *env)
{
    mf_settings_free(&f->settings);
    mf_buf_clear(&f->problems);
    memset(&f->err, 0, sizeof f->err);
    return mf_settings_parse(tables, count, env, prefixes, &f->settings, &f->problems, &f->err);
}

// environ-shaped, from literals.
#define ENV(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})
#define NO_ENV ((char *const[]){NULL})

static void expect_ok(struct fixture *f, char *const *env)
{
    int result = parse_tables(f, &table, 1, env);
    assert_string_equal(mf_buf_c_str(&f->problems), "");
    assert_int_equal(result, 0);
}

static void expect_problem(struct fixture *f, char *const *env, const char *problems)
{
    assert_int_equal(parse_tables(f, &table, 1, env), -1);
    assert_string_equal(mf_buf_c_str(&f->problems), problems);
    assert_null(f->settings);
    assert_int_equal(f->err.class, MF_ERROR_CONFIG);
    assert_string_equal(f->err.code, "bad_settings");
}

static void defaults_are_read(void **state)
{
    struct fixture *f = *state;
    expect_ok(f, NO_ENV);
    assert_string_equal(mf_settings_string(f->settings, "T_TEXT"), "fallback");
    assert_null(mf_settings_string(f->settings, "T_OPTIONAL"));
    assert_int_equal(mf_settings_integer(f->settings, "T_COUNT"), 7);
    assert_true(mf_settings_decimal(f->settings, "T_RATIO") == 0.5);
    assert_false(mf_settings_boolean(f->settings, "T_FLAG"));
    assert_string_equal(mf_settings_string(f->settings, "T_MODE"), "all");
    const char *const *items;
    assert_int_equal(mf_settings_list(f->settings, "T_LIST", &items), 2);
    assert_string_equal(items[0], "a");
    assert_string_equal(items[1], "b");
    assert_int_equal(mf_settings_list(f->settings, "T_EMPTY_LIST", &items), 0);
    assert_null(mf_settings_string(f->settings, "T_KEY"));
    for (size_t i = 0; i < table.count; i++)
        assert_false(mf_settings_is_set(f->settings, defs[i].name));
    assert_string_equal(mf_settings_warnings(f->settings), "");
}

static void environment_wins(void **state)
{
    struct fixture *f = *state;
    expect_ok(f,
              ENV("T_TEXT=x=y", "T_COUNT=-3", "T_ANY=-9223372036854775808", "T_RATIO=10", "T_FLAG=Yes",
                  "T_MODE=none", "T_LIST= x ,\ty,z", KEY_ENTRY, "OTHER=1", "no equals sign", "T_OPTIONAL="));
    assert_string_equal(mf_settings_string(f->settings, "T_TEXT"), "x=y");
    assert_int_equal(mf_settings_integer(f->settings, "T_COUNT"), -3);
    assert_true(mf_settings_integer(f->settings, "T_ANY") == INT64_MIN);
    assert_true(mf_settings_decimal(f->settings, "T_RATIO") == 10);
    assert_true(mf_settings_boolean(f->settings, "T_FLAG"));
    assert_string_equal(mf_settings_string(f->settings, "T_MODE"), "none");
    const char *const *items;
    assert_int_equal(mf_settings_list(f->settings, "T_LIST", &items), 3);
    assert_string_equal(items[0], "x");
    assert_string_equal(items[1], "y");
    assert_string_equal(items[2], "z");
    assert_string_equal(mf_settings_string(f->settings, "T_KEY"), CANARY);
    assert_true(mf_settings_is_set(f->settings, "T_KEY"));
    assert_true(mf_settings_is_set(f->settings, "T_COUNT"));
    assert_false(mf_settings_is_set(f->settings, "T_OPTIONAL")); // empty is not given
    assert_null(mf_settings_string(f->settings, "T_OPTIONAL"));
}

static void wrong_values_are_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *entry, *problem;
    } rows[] = {
        {"T_COUNT=x", "T_COUNT: 'x' is not a whole number\n"},
        {"T_COUNT=1.0", "T_COUNT: '1.0' is not a whole number\n"},
        {"T_COUNT= 1", "T_COUNT: ' 1' is not a whole number\n"},
        {"T_COUNT=9223372036854775808", "T_COUNT: '9223372036854775808' is not a whole number\n"},
        {"T_COUNT=513", "T_COUNT: '513' is outside -3 to 512\n"},
        {"T_COUNT=-4", "T_COUNT: '-4' is outside -3 to 512\n"},
        // What may be a password is not shown, in whatever is wrong about it.
        {"T_COUNT=http://user:secretpw@host/x", "T_COUNT: 'http://***@host/x' is not a whole number\n"},
        {"T_COUNT=http://u:s@cret/p@host", "T_COUNT: 'http://***@host' is not a whole number\n"},
        {"T_COUNT=user:secretpw@host", "T_COUNT: '***@host' is not a whole number\n"},
        {"T_COUNT=https://host/?apiKey=secret", "T_COUNT: 'https://host/?***' is not a whole number\n"},
        {"T_COUNT=https://u:pw@host/?k=s", "T_COUNT: 'https://***@host/?***' is not a whole number\n"},
        {"T_COUNT=https://host/?to=u@secret", "T_COUNT: 'https://***?***' is not a whole number\n"},
        {"T_EVEN=3", "T_EVEN: '3' is not even\n"},
        {"T_RATIO=1e1", "T_RATIO: '1e1' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_RATIO=0,5", "T_RATIO: '0,5' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_RATIO=.", "T_RATIO: '.' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_RATIO=nan", "T_RATIO: 'nan' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_RATIO=1.234567890123456",
         "T_RATIO: '1.234567890123456' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_RATIO=-0.1", "T_RATIO: '-0.1' is outside 0 to 10\n"},
        {"T_RATIO=10.0001", "T_RATIO: '10.0001' is outside 0 to 10\n"},
        {"T_FLAG=maybe", "T_FLAG: 'maybe' is neither true nor false\n"},
        {"T_MODE=ALL", "T_MODE: 'ALL' is none of all, interesting, none\n"},
        {"T_MODE=all|none", "T_MODE: 'all|none' is none of all, interesting, none\n"},
        {"T_LIST=a,,b", "T_LIST: item 2 of the list is empty\n"},
        {"T_LIST=a, ", "T_LIST: item 2 of the list is empty\n"},
        {"T_TEXT=a\nb", "T_TEXT: holds a control character (byte 0x0a)\n"},
        {"T_TEXT=\x1b[2J", "T_TEXT: holds a control character (byte 0x1b)\n"},
        {"T_TEXT=\xff", "T_TEXT: is not UTF-8 text\n"},
        {"T_LEVEL_5M_INFO=x", "T_LEVEL_5M_INFO: 'x' is not a number such as 2 or 0.5 (at most 15 digits)\n"},
        {"T_LEVEL_5M_INFO=101", "T_LEVEL_5M_INFO: '101' is outside 0 to 100\n"},
        {"T_COUNT=0123456789012345678901234567890123456789012345678901234567890123456789",
         "T_COUNT: '0123456789012345678901234567890123456789012345678901234567890123…' is not a whole "
         "number\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++)
        expect_problem(f, (char *const[]){(char *)rows[i].entry, NULL}, rows[i].problem);
}

static void decimals_are_the_nearest_doubles(void **state MF_UNUSED)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"0", 0.0},
        {"-0", 0.0},
        {"+1", 1.0},
        {"0.1", 0.1},
        {"5.", 5.0},
        {".5", 0.5},
        {"0.000000000000001", 1e-15},
        {"123456789.012345", 123456789.012345},
        {"-2.675", -2.675},
        {"999999999999999", 999999999999999.0},
        {"000000000000000000000001.5", 1.5},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        double value = -1;
        assert_true(mf_setting_decimal_parse(rows[i].text, &value));
        assert_true(value == rows[i].value);
    }
    double value;
    assert_false(mf_setting_decimal_parse("", &value));
    assert_false(mf_setting_decimal_parse("-", &value));
    assert_false(mf_setting_decimal_parse("1.2.3", &value));
    assert_false(mf_setting_decimal_parse("0x1", &value));
    assert_false(mf_setting_decimal_parse("9999999999999999", &value));
}

static void all_problems_at_once(void **state)
{
    struct fixture *f = *state;
    const struct mf_setting_table both[] = {table, more_table};
    assert_int_equal(parse_tables(f, both, 2, ENV("T_COUNT=x", "T_FLAG=2", "T_POLL=1")), -1);
    assert_string_equal(mf_buf_c_str(&f->problems), "T_COUNT: 'x' is not a whole number\n"
                                                    "T_FLAG: '2' is neither true nor false\n"
                                                    "T_NEEDED: is required: What is needed.\n"
                                                    "T_NEEDED_KEY: is required: The needed key.\n"
                                                    "T_POLL: no such setting; the nearest is T_MODE\n");
    assert_string_equal(f->err.message,
                        "5 problems in the settings, the first: T_COUNT: 'x' is not a whole number");

    // A check of a secret says what is wrong, not what it holds.
    assert_int_equal(parse_tables(f, both, 2, ENV("T_NEEDED=1", "T_NEEDED_KEY=" CANARY)), -1);
    assert_string_equal(mf_buf_c_str(&f->problems), "T_NEEDED_KEY: is never right\n");
    assert_string_equal(f->err.message, "T_NEEDED_KEY: is never right");
}

static void unknown_names_find_the_nearest(void **state)
{
    struct fixture *f = *state;
    expect_problem(f, ENV("T_COUNTS=1"), "T_COUNTS: no such setting; the nearest is T_COUNT\n");
    expect_problem(f, ENV("T_TXET=1"), "T_TXET: no such setting; the nearest is T_TEXT\n");
    expect_problem(f, ENV("T_COUNT_FILE=/x"), "T_COUNT_FILE: no such setting; the nearest is T_COUNT\n");
    expect_problem(f, ENV("T_LEVEL_2M_INFO=1"),
                   "T_LEVEL_2M_INFO: no such setting; the nearest is T_LEVEL_1D_INFO\n");
    expect_problem(f, ENV("T_LEVEL_2M_INFO="),
                   "T_LEVEL_2M_INFO: no such setting; the nearest is T_LEVEL_1D_INFO\n");
    expect_problem(f, ENV("T_LEVEL_1m_INFO=1"),
                   "T_LEVEL_1m_INFO: no such setting; the nearest is T_LEVEL_1D_INFO\n");
    expect_problem(f, ENV("T_\xff\n=1"), "T_\\xff\\n: no such setting; the nearest is T_ANY\n");
    expect_ok(f, ENV("X_COUNT=1", "t_count=1", "T_LEVEL_1M_INFO=", "T_KEY_FILE="));

    char name[400];
    memset(name, 'N', sizeof name);
    name[0] = 'T';
    name[1] = '_';
    snprintf(name + sizeof name - 3, 3, "=1");
    assert_int_equal(parse_tables(f, &table, 1, ENV(name)), -1);
    assert_non_null(strstr(mf_buf_c_str(&f->problems), "NNN: no such setting; the nearest is"));
}

static void values_per_interval(void **state)
{
    struct fixture *f = *state;
    expect_ok(f, ENV("T_LEVEL_1M_INFO=2.5", "T_LEVEL_1MO_INFO=9"));
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "1m") == 2.5);
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "1mo") == 9);
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "5m") == 1.5);
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "1d") == 4); // its own row's default
    expect_ok(f, ENV("T_LEVEL_1D_INFO=6", "T_LEVEL_INFO=3"));
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "1d") == 6);
    assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", "1h") == 3);
    // Every interval of the event contract may be named.
    for (unsigned i = 0; i < MF_INTERVAL_MAX; i++) {
        const char *interval = mf_interval_name((enum mf_interval)i);
        char entry[MF_SETTING_NAME_MAX + 8];
        assert_true(mf_setting_variant_name("T_LEVEL_INFO", mf_str_of(interval), entry));
        snprintf(entry + strlen(entry), 8, "=42");
        expect_ok(f, ENV(entry));
        assert_true(mf_settings_decimal_for(f->settings, "T_LEVEL_INFO", interval) == 42);
    }
}

static void printing_masks_secrets(void **state)
{
    struct fixture *f = *state;
    expect_ok(f, ENV(KEY_ENTRY, "T_COUNT=8", "T_LEVEL_1M_INFO=2"));
    mf_settings_print(f->settings, &f->out);
    assert_string_equal(mf_buf_c_str(&f->out), "T_TEXT=fallback  # default\n"
                                               "T_OPTIONAL=(unset)  # default\n"
                                               "T_COUNT=8  # environment\n"
                                               "T_ANY=0  # default\n"
                                               "T_EVEN=2  # default\n"
                                               "T_RATIO=0.5  # default\n"
                                               "T_FLAG=no  # default\n"
                                               "T_MODE=all  # default\n"
                                               "T_LIST=a, b  # default\n"
                                               "T_EMPTY_LIST=  # default\n"
                                               "T_KEY=********  # environment\n"
                                               "T_LEVEL_INFO=1.5  # default\n"
                                               "T_LEVEL_1M_INFO=2  # environment\n"
                                               "T_LEVEL_1D_INFO=4  # default\n");
}

static void digest_follows_values_but_not_secrets(void **state)
{
    struct fixture *f = *state;
    char first[17], other[17];
    expect_ok(f, ENV("T_COUNT=8", "T_LEVEL_1M_INFO=2", "T_LEVEL_5M_INFO=3"));
    mf_settings_digest(f->settings, first);
    assert_int_equal(strlen(first), 16);
    assert_int_equal(strspn(first, "0123456789abcdef"), 16);
    static const char *const same[][5] = {
        {"T_LEVEL_5M_INFO=3", "T_LEVEL_1M_INFO=2", "T_COUNT=8"},
        {"T_COUNT=8", "T_LEVEL_1M_INFO=2", "T_LEVEL_5M_INFO=3", KEY_ENTRY},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(same); i++) {
        expect_ok(f, (char *const *)same[i]);
        mf_settings_digest(f->settings, other);
        assert_string_equal(first, other);
    }
    static const char *const different[][5] = {
        {"T_COUNT=9", "T_LEVEL_1M_INFO=2", "T_LEVEL_5M_INFO=3"},
        {"T_COUNT=8", "T_LEVEL_1M_INFO=3", "T_LEVEL_5M_INFO=2"},
        {"T_COUNT=8", "T_LEVEL_1M_INFO=2"},
        {"T_COUNT=8", "T_LEVEL_1M_INFO=2", "T_LEVEL_5M_INFO=3", "T_OPTIONAL=x"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(different); i++) {
        expect_ok(f, (char *const *)different[i]);
        mf_settings_digest(f->settings, other);
        assert_string_not_equal(first, other);
    }
}

static void limits_of_values(void **state)
{
    struct fixture *f = *state;
    size_t size = MF_SETTING_VALUE_MAX + 16;
    char *entry = mf_alloc(size);
    memset(entry, 'v', size);
    memcpy(entry, "T_TEXT=", 7);
    entry[7 + MF_SETTING_VALUE_MAX] = '\0';
    expect_ok(f, ENV(entry));
    entry[7 + MF_SETTING_VALUE_MAX] = 'v';
    entry[8 + MF_SETTING_VALUE_MAX] = '\0';
    expect_problem(f, ENV(entry), "T_TEXT: is longer than 65536 bytes\n");
    free(entry);

    enum { ITEMS = MF_SETTING_ITEMS_MAX };
    char *list = mf_alloc(7 + 2 * ITEMS + 2);
    memcpy(list, "T_LIST=", 7);
    for (size_t i = 0; i <= ITEMS; i++)
        memcpy(list + 7 + 2 * i, "i,", 2);
    list[7 + 2 * ITEMS - 1] = '\0';
    expect_ok(f, ENV(list));
    const char *const *items;
    assert_int_equal(mf_settings_list(f->settings, "T_LIST", &items), ITEMS);
    assert_string_equal(items[ITEMS - 1], "i");
    list[7 + 2 * ITEMS - 1] = ',';
    list[7 + 2 * ITEMS + 1] = '\0';
    expect_problem(f, ENV(list), "T_LIST: has more than 20000 items\n");
    free(list);
}

static void host_name_is_a_default(void **state)
{
    struct fixture *f = *state;
    static const struct mf_setting_def def = {.name = "T_HOST",
                                              .type = MF_SETTING_STRING,
                                              .default_value = MF_SETTING_HOST_NAME,
                                              .description = "Host."};
    const struct mf_setting_table hosts = {"Hosts", &def, 1};
    assert_int_equal(parse_tables(f, &hosts, 1, NO_ENV), 0);
    const char *name = mf_settings_string(f->settings, "T_HOST");
    assert_true(strlen(name) > 0 && strlen(name) <= 100);
    assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"),
                     strlen(name));
    assert_false(mf_settings_is_set(f->settings, "T_HOST"));
}

static void references_are_exact(void **state)
{
    struct fixture *f = *state;
    static const struct mf_setting_def few[] = {
        {.name = "A_COUNT",
         .type = MF_SETTING_INTEGER,
         .default_value = "8",
         .min = 1,
         .max = 512,
         .description = "A | count."},
        {.name = "A_MODE",
         .type = MF_SETTING_CHOICE,
         .default_value = "x",
         .choices = "x|y",
         .description = "Mode."},
        {.name = "A_KEY", .type = MF_SETTING_SECRET, .optional = true, .description = "Key."},
        {.name = "A_NEED", .type = MF_SETTING_STRING, .description = "Needed."},
        {.name = "A_GAP_INFO",
         .type = MF_SETTING_DECIMAL,
         .default_value = "1.5",
         .per_interval = true,
         .description = "Gap."},
    };
    const struct mf_setting_table one = {"One", few, MF_ARRAY_LEN(few)};
    mf_settings_markdown(&one, 1, &f->out);
    assert_string_equal(
        mf_buf_c_str(&f->out),
        "## One\n\n"
        "| setting | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n"
        "| `A_COUNT` | whole number | `8` | 1 to 512 | A \\| count. |\n"
        "| `A_MODE` | choice | `x` | x, y | Mode. |\n"
        "| `A_KEY` | secret | unset |  | Key. |\n"
        "| `A_NEED` | text | **required** |  | Needed. |\n"
        "| `A_GAP_INFO` | number | `1.5` |  | Gap. Also per bar interval: `A_GAP_1M_INFO`. |\n");
    mf_buf_clear(&f->out);
    mf_settings_env_example(&one, 1, &f->out);
    assert_string_equal(mf_buf_c_str(&f->out),
                        "# ---- One\n# A | count.\n#A_COUNT=8\n# Mode.\n#A_MODE=x\n# Key.\n"
                        "#A_KEY_FILE=\n# Needed.\n#A_NEED=\n# Gap.\n#A_GAP_INFO=1.5\n");
    mf_buf_clear(&f->out);
    mf_settings_help(&one, 1, &f->out);
    assert_string_equal(mf_buf_c_str(&f->out),
                        "Settings (environment variables):\n\n  One\n"
                        "    A_COUNT=8  [1 to 512]\n      A | count.\n"
                        "    A_MODE=x  [x, y]\n      Mode.\n"
                        "    A_KEY=(unset)  [secret: also A_KEY_FILE, or a credential file]\n      Key.\n"
                        "    A_NEED=(required)\n      Needed.\n"
                        "    A_GAP_INFO=1.5\n      Gap.\n");
}

#define SETTINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(defaults_are_read),
        SETTINGS_TEST(environment_wins),
        SETTINGS_TEST(wrong_values_are_named),
        cmocka_unit_test(decimals_are_the_nearest_doubles),
        SETTINGS_TEST(all_problems_at_once),
        SETTINGS_TEST(unknown_names_find_the_nearest),
        SETTINGS_TEST(values_per_interval),
        SETTINGS_TEST(printing_masks_secrets),
        SETTINGS_TEST(digest_follows_values_but_not_secrets),
        SETTINGS_TEST(limits_of_values),
        SETTINGS_TEST(host_name_is_a_default),
        SETTINGS_TEST(references_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
