// SPDX-License-Identifier: Apache-2.0
// The headers that name a dead letter's record.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_origin.h"

#include <cmocka.h>

static void expect(const struct mf_kafka_header *header, const char *name, const char *value)
{
    assert_string_equal(header->name, name);
    if (!mf_str_eq_c(header->value, value))
        fail_msg("%s: %.*s, not %s", name, (int)header->value.len, header->value.data, value);
}

static void an_origin_is_four_headers(void **state)
{
    (void)state;
    const struct mf_origin origin = {
        .topic = MF_STR("market.raw"), .partition = 3, .offset = 4711, .timestamp_ms = 1704205862113};
    struct mf_origin_texts texts = {0};
    struct mf_kafka_header headers[MF_ORIGIN_HEADERS];
    mf_kafka_origin_headers(&origin, &texts, headers);
    expect(&headers[0], "mf-origin-topic", "market.raw");
    expect(&headers[1], "mf-origin-partition", "3");
    expect(&headers[2], "mf-origin-offset", "4711");
    expect(&headers[3], "mf-origin-timestamp", "1704205862113");
}

static void numbers_of_any_size_fit(void **state)
{
    (void)state;
    const struct mf_origin origin = {
        .topic = MF_STR("t"), .partition = INT64_MAX, .offset = INT64_MIN, .timestamp_ms = 0};
    struct mf_origin_texts texts = {0};
    struct mf_kafka_header headers[MF_ORIGIN_HEADERS];
    mf_kafka_origin_headers(&origin, &texts, headers);
    expect(&headers[1], "mf-origin-partition", "9223372036854775807");
    expect(&headers[2], "mf-origin-offset", "-9223372036854775808");
    expect(&headers[3], "mf-origin-timestamp", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_four_headers),
        cmocka_unit_test(numbers_of_any_size_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
