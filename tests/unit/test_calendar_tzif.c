// SPDX-License-Identifier: Apache-2.0
// Time zone files: the system's, against the C library's own reading of them; hand-made and broken ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/calendar_tzif.h"
#include "common/clock.h"

static void read_zone(const char *name, struct mf_buf *out)
{
    char path[256];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        fail_msg("%s is missing: install tzdata", path);
    static char bytes[64 * 1024];
    size_t len = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    mf_buf_clear(out);
    assert_int_equal(mf_buf_add(out, bytes, len), 0);
}

static struct mf_tzif *parse_zone(struct mf_buf *bytes)
{
    struct mf_tzif *tz = NULL;
    struct mf_error err = {0};
    if (mf_tzif_parse(mf_buf_str(bytes), &tz, &err) != 0)
        fail_msg("%s", err.message);
    return tz;
}

// A small generator of our own: the same moments on every run.
static uint64_t next_number(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static int32_t library_offset(int64_t time_s)
{
    time_t t = (time_t)time_s;
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    return (int32_t)tm.tm_gmtoff;
}

static void test_offsets_are_those_of_the_c_library(void **state)
{
    (void)state;
    // Zones with rules of every kind: southern, half-hour and quarter-hour, negative and permanent
    // daylight-saving time, none at all, and one that skipped a day.
    static const char *const zones[] = {
        "America/New_York",
        "Europe/London",
        "Europe/Dublin",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Santiago",
        "America/Nuuk",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Asia/Tokyo",
        "America/St_Johns",
        "Asia/Gaza",
        "UTC",
        "Antarctica/Troll",
    };
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    uint64_t seed = 42;
    for (size_t z = 0; z < MF_ARRAY_LEN(zones); z++) {
        read_zone(zones[z], &bytes);
        struct mf_tzif *tz = parse_zone(&bytes);
        setenv("TZ", zones[z], 1);
        tzset();
        for (int i = 0; i < 20000; i++) {
            // 1850 to 2250
            int64_t time_s = INT64_C(-3786912000) + (int64_t)(next_number(&seed) % UINT64_C(12622780800));
            int32_t wanted = library_offset(time_s), got = mf_tzif_offset_s(tz, time_s);
            if (got != wanted)
                fail_msg("%s at %lld: %d instead of %d", zones[z], (long long)time_s, got, wanted);
            // What the clock on the wall showed leads back to a moment at which it showed that.
            int64_t back = mf_tzif_to_utc_s(tz, time_s + got);
            assert_true(back + mf_tzif_offset_s(tz, back) == time_s + got);
        }
        mf_tzif_free(&tz);
    }
    unsetenv("TZ");
    tzset();
    mf_buf_free(&bytes);
}

static void test_times_far_away(void **state)
{
    (void)state;
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    read_zone("America/New_York", &bytes);
    struct mf_tzif *tz = parse_zone(&bytes);
    assert_int_equal(mf_tzif_offset_s(tz, INT64_MIN), -17762); // local mean time
    int32_t last = mf_tzif_offset_s(tz, INT64_MAX);
    assert_true(last == -18000 || last == -14400);
    (void)mf_tzif_to_utc_s(tz, INT64_MIN);
    (void)mf_tzif_to_utc_s(tz, INT64_MAX);
    mf_tzif_free(&tz);
    mf_tzif_free(&tz);
    mf_buf_free(&bytes);
}

static void add_u32(struct mf_buf *out, uint32_t value)
{
    unsigned char b[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                          (unsigned char)(value >> 8), (unsigned char)value};
    mf_buf_add(out, b, sizeof b);
}

static void add_header(struct mf_buf *out, char version, const uint32_t counts[6])
{
    char reserved[15] = {0};
    mf_buf_add(out, "TZif", 4);
    mf_buf_add(out, &version, 1);
    mf_buf_add(out, reserved, sizeof reserved);
    for (int i = 0; i < 6; i++)
        add_u32(out, counts[i]);
}

// The smallest file there can be: one type, no transitions, and the rule of the footer (RFC 8536 appendix
// B.2's shape).
static void small_file(struct mf_buf *out, const char *footer)
{
    static const uint32_t none[6] = {0, 0, 0, 0, 1, 4}, counts[6] = {0, 0, 0, 0, 1, 4};
    mf_buf_clear(out);
    for (int block = 0; block < 2; block++) {
        add_header(out, '2', block == 0 ? none : counts);
        add_u32(out, (uint32_t)-18000);
        mf_buf_add(out, "\0\0EST\0", 6);
    }
    mf_buf_add_c(out, footer);
}

static void test_a_file_with_nothing_but_a_rule(void **state)
{
    (void)state;
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    small_file(&bytes, "\nEST5EDT,M3.2.0,M11.1.0\n");
    struct mf_tzif *tz = parse_zone(&bytes);
    assert_int_equal(mf_tzif_offset_s(tz, INT64_C(1615705199)), -18000); // 2021-03-14T06:59:59Z
    assert_int_equal(mf_tzif_offset_s(tz, INT64_C(1615705200)), -14400);
    assert_int_equal(mf_tzif_offset_s(tz, INT64_C(1636264799)), -14400); // 2021-11-07T05:59:59Z
    assert_int_equal(mf_tzif_offset_s(tz, INT64_C(1636264800)), -18000);
    mf_tzif_free(&tz);
    small_file(&bytes, "\n\n"); // no rule: the last type for ever
    tz = parse_zone(&bytes);
    assert_int_equal(mf_tzif_offset_s(tz, INT64_C(1636264799)), -18000);
    mf_tzif_free(&tz);
    mf_buf_free(&bytes);
}

static const struct {
    const char *rule, *time; // UTC
    int32_t offset_s;
} rules[] = {
    {"UTC0", "2024-06-01T00:00:00Z", 0},
    {"<-0330>3:30", "2024-06-01T00:00:00Z", -12600},
    {"<+0545>-5:45", "2024-06-01T00:00:00Z", 20700},
    {"XXX-1:02:03", "2024-06-01T00:00:00Z", 3723},
    {"EST5EDT4,M3.2.0/2,M11.1.0/2:00:00", "2024-07-01T00:00:00Z", -14400},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-07-01T00:00:00Z", 3600}, // Dublin: standard time in summer
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-12-01T00:00:00Z", 0},
    {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2024-03-31T00:59:59Z", -10800}, // before midnight of its day
    {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2024-03-31T01:00:00Z", -7200},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-01-01T00:00:00Z", 39600},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-06-01T00:00:00Z", 36000},
    {"EST5EDT,0/0,J365/25", "2024-01-01T05:00:00Z", -14400}, // all year
    {"EST5EDT,0/0,J365/25", "2024-12-31T23:59:59Z", -14400},
    {"AAA0BBB,J60/0,J61/0", "2024-03-01T12:00:00Z", 3600}, // J60 is March 1 in every year
    {"AAA0BBB,J60/0,J61/0", "2023-03-01T12:00:00Z", 3600},
    {"AAA0BBB,J60/0,J61/0", "2024-02-29T12:00:00Z", 0},
    {"AAA0BBB,59/0,60/1", "2024-02-29T12:00:00Z", 3600}, // day 59 is February 29 in a leap year
    {"AAA0BBB,59/0,60/1", "2023-03-01T12:00:00Z", 3600},
    {"AAA0BBB,M1.1.1/-167,M6.1.1", "2023-12-30T00:00:00Z",
     3600}, // a week before January 1 is in the old year
};

static void test_footer_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(rules); i++) {
        struct mf_tz_rule rule;
        int64_t time_us = 0;
        assert_true(mf_time_parse(mf_str_of(rules[i].time), &time_us));
        if (!mf_tz_rule_parse(mf_str_of(rules[i].rule), &rule))
            fail_msg("%s was refused", rules[i].rule);
        int32_t got = mf_tz_rule_offset_s(&rule, time_us / MF_US_PER_SECOND);
        if (got != rules[i].offset_s)
            fail_msg("%s at %s: %d instead of %d", rules[i].rule, rules[i].time, got, rules[i].offset_s);
    }
    static const char *const wrong[] = {
        "",
        "E5",
        "EST",
        "EST5EDT",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,M11.1.0,",
        "EST25",
        "EST5:60",
        "EST5EDT,M13.1.0,M1.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,J365",
        "EST5EDT,366,1",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "<EST5",
        "<ES>5",
        "EST5 ",
        "EST5EDT,M3.2.0/,M11.1.0",
        "EST0005",
        "E\xc3\x89T5",
    };
    struct mf_tz_rule rule;
    for (size_t i = 0; i < MF_ARRAY_LEN(wrong); i++) {
        if (mf_tz_rule_parse(mf_str_of(wrong[i]), &rule))
            fail_msg("'%s' was taken for a rule", wrong[i]);
    }
}

static void expect_malformed(struct mf_str bytes, const char *what)
{
    struct mf_tzif *tz = NULL;
    struct mf_error err = {0};
    if (mf_tzif_parse(bytes, &tz, &err) == 0)
        fail_msg("%s was taken for a time zone file", what);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "tz_malformed");
    assert_null(tz);
}

static void test_broken_files(void **state)
{
    (void)state;
    // Offsets in small_file: the second block begins at 44 + 6 + 4.
    enum { SECOND = 54, DATA = SECOND + 44 };
    static const struct {
        const char *what;
        size_t at;
        unsigned char value;
    } rows[] = {
        {"another magic", 0, 'X'},
        {"version 1", 4, 0},
        {"a second version of 1", SECOND + 4, 0},
        {"version 5", SECOND + 4, '5'},
        {"another second magic", SECOND, 'X'},
        {"a block beyond the end", 32, 1},
        {"transitions beyond the end", SECOND + 32, 1},
        {"indicators beyond the types", SECOND + 23, 2},
        {"leap seconds", SECOND + 31, 1},
        {"no types", SECOND + 39, 0},
        {"too many types", SECOND + 38, 2},
        {"no names", SECOND + 43, 0},
        {"an offset of more than a day", DATA, 0x7f},
        {"daylight-saving time twice", DATA + 4, 2},
        {"a name beyond the names", DATA + 5, 4},
        {"no footer", DATA + 10, 'x'},
    };
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        small_file(&bytes, "\nEST5EDT,M3.2.0,M11.1.0\n");
        assert_true(bytes.data[rows[i].at] != (char)rows[i].value);
        bytes.data[rows[i].at] = (char)rows[i].value;
        expect_malformed(mf_buf_str(&bytes), rows[i].what);
    }
    small_file(&bytes, "\nEST5EDT,M3.2.0,M11.1.0\n");
    for (size_t len = 0; len < bytes.len; len++)
        expect_malformed((struct mf_str){bytes.data, len}, "a prefix");
    mf_buf_add_c(&bytes, "more");
    expect_malformed(mf_buf_str(&bytes), "a file with something after the footer");
    small_file(&bytes, "\nnonsense\n");
    expect_malformed(mf_buf_str(&bytes), "a file with no rule in its footer");
    mf_buf_free(&bytes);
}

// Transitions that do not ascend, and one of a type that is not there.
static void test_broken_transitions(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t first, second;
        char type;
        bool good;
    } rows[] = {
        {"ascending", 10, 20, 0, true},
        {"equal", 10, 10, 0, false},
        {"descending", 20, 10, 0, false},
        {"of an unknown type", 10, 20, 1, false},
    };
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        static const uint32_t none[6] = {0}, counts[6] = {0, 0, 0, 2, 1, 4};
        mf_buf_clear(&bytes);
        add_header(&bytes, '2', none);
        add_header(&bytes, '2', counts);
        add_u32(&bytes, 0);
        add_u32(&bytes, rows[i].first);
        add_u32(&bytes, 0);
        add_u32(&bytes, rows[i].second);
        mf_buf_add_char(&bytes, 0);
        mf_buf_add(&bytes, &rows[i].type, 1);
        add_u32(&bytes, 3600);
        mf_buf_add(&bytes, "\0\0EST\0\n\n", 8);
        if (!rows[i].good) {
            expect_malformed(mf_buf_str(&bytes), rows[i].what);
            continue;
        }
        struct mf_tzif *tz = parse_zone(&bytes);
        assert_int_equal(mf_tzif_offset_s(tz, 15), 3600);
        mf_tzif_free(&tz);
    }
    mf_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_are_those_of_the_c_library),
        cmocka_unit_test(test_times_far_away),
        cmocka_unit_test(test_a_file_with_nothing_but_a_rule),
        cmocka_unit_test(test_footer_rules),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_broken_transitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
