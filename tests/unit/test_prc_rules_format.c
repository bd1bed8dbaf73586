// SPDX-License-Identifier: Apache-2.0
// The sentences' printf against the C library's: the same letters, whatever the number.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "services/processor/rules_format.h"

#include <cmocka.h>

#define SAME(...)                                                                      \
    do {                                                                               \
        char ours[2048], theirs[2048];                                                 \
        size_t len = prc_format(ours, sizeof(ours), __VA_ARGS__);                      \
        assert_int_equal(snprintf(theirs, sizeof(theirs), __VA_ARGS__), strlen(ours)); \
        assert_string_equal(ours, theirs);                                             \
        assert_int_equal(len, strlen(ours));                                           \
    } while (0)

// Every conversion that the sentences have.
static void compare(double value)
{
    SAME("%.1f|%.2f|%+.1f|%+.2f|%.0f", value, value, value, value, value);
    SAME("%g|%.4g|%.6g|%.10g|%.15g|%+.3g", value, value, value, value, value, value);
}

static void test_texts_and_whole_numbers(void **state)
{
    (void)state;
    SAME("nothing to convert");
    SAME("%s", "");
    SAME("%s close %u %% of %zu%s", "1m", 4294967295u, SIZE_MAX, ".");
    SAME("%%%u%%", 0u);
}

static const double edges[] = {
    0,
    -0.0,
    1,
    -1,
    0.5,
    1.5,
    2.5,
    0.125,
    0.375,
    0.005,
    0.015,
    0.045,
    0.1,
    0.01,
    0.001,
    0.0001,
    0.00001,
    0.00009999996,
    0.9999996,
    9.9999996,
    99999.95,
    999999,
    999999.5,
    999999.49999,
    1000000,
    9999999,
    0.000999999996,
    9999.5,
    9999.49999,
    123456.789,
    1e9,
    9999999999,
    9999999999.5,
    1e10,
    1e14,
    999999999999999.0,
    1e15,
    1e16,
    1e300,
    5e-324,
    DBL_MAX,
    INFINITY,
    NAN,
    4503599627370495.5,
    0.3,
    2e-5,
    1e-4,
    1.005,
    1.115,
    -2.675,
    1234.565,
    0.0001234567890123456,
};

static void test_numbers_at_the_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(edges); i++) {
        compare(edges[i]);
        compare(-edges[i]);
        compare(nextafter(edges[i], INFINITY));
        compare(nextafter(edges[i], -INFINITY));
    }
}

static void test_random_numbers(void **state)
{
    (void)state;
    uint64_t random = 20240102;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = mf_random_next(&random);
        double value;
        compare((double)(int64_t)bits / 9223372036854775808.0 * pow(10, (double)(i % 24) - 7));
        compare((double)(bits >> 40) / 100); // halves in the last place
        compare((double)(bits >> 40) / 8);
        memcpy(&value, &bits, sizeof(value));
        if (i % 16 == 0)
            compare(value);
    }
}

static void test_what_does_not_fit_is_cut(void **state)
{
    (void)state;
    char out[16];
    for (size_t size = 1; size <= sizeof(out); size++) {
        memset(out, 'x', sizeof(out));
        size_t len = prc_format(out, size, "%s %.2f %u", "ab", 12.345, 7u);
        assert_int_equal(len, size - 1 < 10 ? size - 1 : 10);
        assert_int_equal(strlen(out), len);
        assert_memory_equal(out, "ab 12.35 7", len);
        assert_true(size == sizeof(out) || out[size] == 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_and_whole_numbers),
        cmocka_unit_test(test_numbers_at_the_edges),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
