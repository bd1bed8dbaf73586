// SPDX-License-Identifier: Apache-2.0
// The reference page: every field is in it, and the committed page is the generated one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/event_table.h"
#include "common/topics.h"

static struct mf_buf page;

static int setup(void **state)
{
    (void)state;
    mf_buf_init(&page, 256 * 1024);
    mf_events_markdown(&page);
    return page.overflow ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    mf_buf_free(&page);
    return 0;
}

static const char *find_after(const char *from, const char *text)
{
    const char *at = strstr(from, text);
    if (at == NULL)
        fail_msg("the page lacks '%s'", text);
    return at;
}

static void test_every_field_is_described(void **state)
{
    (void)state;
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        const struct mf_event_table *table = mf_event_tables[type];
        char heading[64];
        snprintf(heading, sizeof heading, "\n### %s\n", mf_event_type_name(type));
        const char *section = find_after(mf_buf_c_str(&page), heading);
        for (size_t i = MF_ENVELOPE_FIELD_COUNT; i < table->count; i++) {
            char row[64];
            snprintf(row, sizeof row, "\n| %s | ", table->fields[i].name);
            section = find_after(section, row); // in canonical order
            assert_true(strlen(table->fields[i].description) > 0);
        }
    }
    for (size_t i = 0; i < MF_TOPIC_MAX; i++)
        find_after(mf_buf_c_str(&page), mf_topics[i].default_name);
}

// The tables have one row per struct member of the metric, under the published name.
static void test_every_metric_has_a_row(void **state)
{
    (void)state;
    const struct mf_event_table *table = mf_event_tables[MF_EVENT_METRIC];
    uint64_t found = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].kind != &mf_kind_metric)
            continue;
        assert_string_equal(table->fields[i].name, mf_metric_field_names[table->fields[i].index]);
        found |= UINT64_C(1) << table->fields[i].index;
    }
    assert_true(found == (UINT64_C(1) << MF_METRIC_FIELD_MAX) - 1);
}

static void test_the_envelope_is_the_same_everywhere(void **state)
{
    (void)state;
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        for (size_t i = 0; i < MF_ENVELOPE_FIELD_COUNT; i++)
            assert_string_equal(mf_event_tables[type]->fields[i].name,
                                mf_event_tables[MF_EVENT_BAR]->fields[i].name);
        assert_string_equal(mf_event_tables[type]->fields[MF_ENVELOPE_FIELD_COUNT - 1].name, "provenance");
    }
}

// docs/generate.py puts a title before it.
static void test_the_committed_page_is_the_generated_one(void **state)
{
    (void)state;
    static const char remedy[] = "run docs/generate.py BIN_DIR";
    FILE *in = fopen(MF_SOURCE_DIR "/docs/events.md", "rb");
    if (in == NULL)
        fail_msg("docs/events.md is missing: %s", remedy);
    static char text[256 * 1024];
    size_t len = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    if (len < page.len || memcmp(text + len - page.len, page.data, page.len) != 0)
        fail_msg("docs/events.md is stale: %s", remedy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_is_described),
        cmocka_unit_test(test_every_metric_has_a_row),
        cmocka_unit_test(test_the_envelope_is_the_same_everywhere),
        cmocka_unit_test(test_the_committed_page_is_the_generated_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
