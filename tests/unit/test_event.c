// SPDX-License-Identifier: Apache-2.0
// Events to JSON and back: the same bytes, whatever the order of members, and every limit at its edge.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/json_writer.h"
#include "event_samples.h"

struct fixture {
    struct mf_json *json;
    struct mf_buf first, second;
    struct mf_event event, decoded;
    struct mf_error err;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->json = mf_json_new();
    mf_buf_init(&f->first, 1024 * 1024);
    mf_buf_init(&f->second, 1024 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_json_free(&f->json);
    mf_buf_free(&f->first);
    mf_buf_free(&f->second);
    free(f);
    return 0;
}

static void encode_to(struct fixture *f, const struct mf_event *event, struct mf_buf *out)
{
    mf_buf_clear(out);
    int result = mf_event_encode(event, out, &f->err);
    if (result != 0)
        print_error("encode: %s: %s\n", f->err.code, f->err.message);
    assert_int_equal(result, 0);
}

static void decode_from(struct fixture *f, struct mf_buf *in)
{
    struct mf_event_problems problems;
    int result = mf_event_decode(f->json, mf_buf_str(in), &f->decoded, &problems, &f->err);
    if (result != 0)
        print_error("decode: %s: %s\n%s\n", f->err.code, f->err.message, mf_buf_c_str(in));
    assert_int_equal(result, 0);
    assert_int_equal(problems.count, 0);
}

static void test_encode_decode_encode_gives_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        event_sample_fill(sample, &f->event);
        encode_to(f, &f->event, &f->first);
        decode_from(f, &f->first);
        assert_int_equal(f->decoded.type, f->event.type);
        encode_to(f, &f->decoded, &f->second);
        assert_string_equal(mf_buf_c_str(&f->second), mf_buf_c_str(&f->first));
    }
}

// Copies a value with the members of every object in reverse; adds one that nobody knows at the top.
static void copy_reversed(struct mf_json_writer *w, const struct mf_json_node *node, bool top)
{
    const struct mf_json_node *children[300];
    size_t count = 0;
    for (const struct mf_json_node *at = mf_json_first(node); at != NULL; at = mf_json_next(at))
        children[count++] = at;
    switch (mf_json_type(node)) {
    case MF_JSON_OBJECT:
        mf_jw_object_begin(w);
        if (top) {
            mf_jw_key(w, "added_in_1_7");
            mf_jw_raw(w, MF_STR("[1,{\"open\":null,\"event_type\":2}]"));
        }
        for (size_t i = count; i-- > 0;) {
            mf_jw_key_str(w, mf_json_key(children[i]));
            copy_reversed(w, children[i], false);
        }
        mf_jw_object_end(w);
        break;
    case MF_JSON_ARRAY:
        mf_jw_array_begin(w);
        for (size_t i = 0; i < count; i++)
            copy_reversed(w, children[i], false);
        mf_jw_array_end(w);
        break;
    case MF_JSON_STRING: mf_jw_string(w, mf_json_text(node)); break;
    case MF_JSON_NUMBER: mf_jw_number_text(w, mf_json_text(node)); break;
    case MF_JSON_BOOL: mf_jw_bool(w, mf_json_bool(node)); break;
    case MF_JSON_NULL: mf_jw_null(w); break;
    }
}

// Feeds and baseline are free maps, written in the order of the struct; every other member has its place.
static bool has_ordered_map(enum event_sample sample)
{
    return sample == SAMPLE_HEARTBEAT || sample == SAMPLE_ALERT || sample == SAMPLE_ALERT_RESOLVED;
}

static void test_order_and_unknown_members_do_not_matter(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        event_sample_fill(sample, &f->event);
        encode_to(f, &f->event, &f->first);
        const struct mf_json_node *root = NULL;
        struct mf_json_limits limits = mf_json_limits_body;
        limits.string_length = MF_DEAD_LETTER_SIZE_MAX;
        assert_int_equal(mf_json_parse(f->json, mf_buf_str(&f->first), &limits, &root, &f->err), 0);
        struct mf_json_writer w;
        mf_buf_clear(&f->second);
        mf_jw_init(&w, &f->second);
        copy_reversed(&w, root, true);
        assert_string_not_equal(mf_buf_c_str(&f->second), mf_buf_c_str(&f->first));
        decode_from(f, &f->second);
        struct mf_buf again;
        mf_buf_init(&again, 1024 * 1024);
        encode_to(f, &f->decoded, &again); // which compares the id
        if (!has_ordered_map(sample))
            assert_string_equal(mf_buf_c_str(&again), mf_buf_c_str(&f->first));
        mf_buf_free(&again);
    }
}

static void test_decoded_values_are_those_that_were_encoded(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_BAR, &f->event);
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    const struct mf_event *d = &f->decoded;
    assert_true(mf_str_eq_c(d->schema_version, "1.0") && mf_str_eq_c(d->symbol, "AAPL"));
    assert_true(d->event_time_us == SAMPLE_OPEN_US &&
                d->bar.window_end_us == SAMPLE_OPEN_US + MF_US_PER_MINUTE);
    assert_int_equal(d->flags, MF_FLAG_IS_MOCK | MF_FLAG_DELAYED);
    assert_true(d->mode == MF_MODE_REST && d->page == 0 && mf_str_eq_c(d->request_id, "a1b2"));
    assert_true(mf_str_eq_c(d->bar.high, "187.40")); // the feed's digits, needless zero and all
    assert_true(d->bar.trade_count == 392 && d->bar.otc == 0 && d->bar.revision == -1);
    assert_true(d->bar.session_date.year == 2024 && d->bar.session == MF_SESSION_REGULAR);

    event_sample_fill(SAMPLE_METRIC, &f->event);
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    assert_true(d->metric.present == (UINT64_C(1) << MF_METRIC_FIELD_MAX) - 1 && d->metric.n_obs == 300);
    assert_true(d->metric.values[MF_METRIC_FIELD_RSI_14] == 100.0 && !d->metric.warmup);
    assert_true(d->metric.values[MF_METRIC_FIELD_RET_1] == -0.14285714); // rounded to 8 decimals, once

    event_sample_fill(SAMPLE_LANE_END, &f->event);
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    assert_true(d->heartbeat.lane_end && d->heartbeat.feed_count == 0 && d->symbol.data == NULL);
}

static void test_a_dead_letter_keeps_its_bytes(void **state)
{
    struct fixture *f = *state;
    static unsigned char bytes[MF_DEAD_LETTER_RAW_MAX];
    const struct mf_dead_letter *d = &f->decoded.dead_letter;
    size_t len = 0;

    event_sample_fill(SAMPLE_DEAD_LETTER, &f->event);
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    assert_true(mf_base64_decode(d->raw, bytes, sizeof bytes, &len));
    assert_true(len == 4 && memcmp(bytes, "\x00\xff{\"", 4) == 0);
    assert_true(d->raw_size == 4 && d->raw_sha256.data == NULL &&
                d->origin.offset == INT64_C(9007199254740993));

    // One byte above the limit: the first 64 KiB with the whole one's size and digest.
    event_sample_fill(SAMPLE_DEAD_LETTER_CUT, &f->event);
    struct mf_str large = f->event.dead_letter.raw;
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    assert_true(mf_base64_decode(d->raw, bytes, sizeof bytes, &len));
    assert_true(len == MF_DEAD_LETTER_RAW_KEPT && memcmp(bytes, large.data, len) == 0);
    char digest[65];
    mf_sha256_hex(large.data, large.len, digest);
    assert_true(d->raw_size == large.len && mf_str_eq_c(d->raw_sha256, digest));

    // At the limit: whole, and larger than any other event may be.
    f->event.dead_letter.raw.len = MF_DEAD_LETTER_RAW_MAX;
    encode_to(f, &f->event, &f->first);
    assert_true(f->first.len > MF_EVENT_SIZE_MAX);
    decode_from(f, &f->first);
    assert_true(mf_base64_decode(d->raw, bytes, sizeof bytes, &len));
    assert_true(len == MF_DEAD_LETTER_RAW_MAX && memcmp(bytes, large.data, len) == 0);
    assert_true(d->raw_size == MF_DEAD_LETTER_RAW_MAX && d->raw_sha256.data == NULL);
}

static void test_no_prefix_of_an_event_is_one(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_ALERT, &f->event);
    encode_to(f, &f->event, &f->first);
    for (size_t len = 0; len < f->first.len; len++) {
        struct mf_str prefix = {f->first.data, len};
        assert_int_equal(mf_event_decode(f->json, prefix, &f->decoded, NULL, &f->err), -1);
        assert_int_equal(f->err.class, MF_ERROR_POISON);
        assert_string_equal(f->err.code, "json_syntax");
    }
}

static char *text_of(size_t len)
{
    char *text = mf_alloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void test_texts_at_their_limits(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_NEWS, &f->event);
    struct mf_news *news = &f->event.news;
    const struct {
        struct mf_str *text;
        size_t max;
    } rows[] = {
        {&f->event.symbol, MF_SYMBOL_MAX},
        {&f->event.request_id, 128},
        {&news->article_id, 256},
        {&news->url, 4096},
        {&news->title, 8192},
        {&news->description, 131072},
        {&news->author, 1024},
        {&news->publisher, 1024},
        {&news->tickers[1], MF_SYMBOL_MAX},
        {&news->keywords[0], 512},
        {&news->sentiment_label, 64},
        {&news->sentiment_reason, 16384},
        {&news->lang, 35},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_str before = *rows[i].text;
        char *text = text_of(rows[i].max + 1);
        *rows[i].text = (struct mf_str){text, rows[i].max};
        encode_to(f, &f->event, &f->first);
        decode_from(f, &f->first);
        *rows[i].text = (struct mf_str){text, rows[i].max + 1};
        mf_buf_clear(&f->first);
        assert_int_equal(mf_event_encode(&f->event, &f->first, &f->err), -1);
        assert_string_equal(f->err.code, "bad_value");
        assert_int_equal(f->first.len, 0);
        *rows[i].text = before;
        free(text);
    }
}

static void test_lists_at_their_limits(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_NEWS_BARE, &f->event);
    for (size_t i = 0; i < MF_NEWS_TICKERS_MAX; i++)
        f->event.news.tickers[i] = f->event.news.keywords[i] = MF_STR("A");
    f->event.news.ticker_count = f->event.news.keyword_count = MF_NEWS_TICKERS_MAX;
    encode_to(f, &f->event, &f->first);
    decode_from(f, &f->first);
    assert_int_equal(f->decoded.news.ticker_count, MF_NEWS_TICKERS_MAX);

    // One more, which the struct cannot hold, can only come from outside.
    struct mf_str text = mf_buf_str(&f->first);
    char *at = memmem(text.data, text.len, "\"tickers\":[", 11);
    assert_non_null(at);
    mf_buf_clear(&f->second);
    mf_buf_add(&f->second, text.data, (size_t)(at - text.data) + 11);
    mf_buf_add_c(&f->second, "\"B\",");
    mf_buf_add_c(&f->second, at + 11);
    assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->second), &f->decoded, NULL, &f->err), -1);
    assert_string_equal(f->err.code, "bad_value");
    assert_string_equal(f->err.message, "tickers: has 257 items, at most 256 are allowed");
}

// Every field within its own limit, and yet too much together.
static void test_an_event_that_is_too_large_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_NEWS_BARE, &f->event);
    char *description = text_of(131072), *keyword = text_of(512);
    f->event.news.description = mf_str_of(description);
    for (size_t i = 0; i < MF_NEWS_KEYWORDS_MAX; i++)
        f->event.news.keywords[i] = mf_str_of(keyword);
    f->event.news.keyword_count = MF_NEWS_KEYWORDS_MAX;
    mf_buf_clear(&f->first);
    mf_buf_add_c(&f->first, "before");
    assert_int_equal(mf_event_encode(&f->event, &f->first, &f->err), -1);
    assert_string_equal(f->err.code, "event_too_large");
    assert_string_equal(mf_buf_c_str(&f->first), "before");

    // The same from outside, and a buffer that has no room for an event of any size.
    char *spaces = text_of(MF_EVENT_SIZE_MAX);
    memset(spaces, ' ', MF_EVENT_SIZE_MAX);
    event_sample_fill(SAMPLE_BAR, &f->event);
    encode_to(f, &f->event, &f->first);
    mf_buf_add(&f->first, spaces, MF_EVENT_SIZE_MAX - f->first.len);
    decode_from(f, &f->first);
    mf_buf_add_char(&f->first, ' ');
    assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->first), &f->decoded, NULL, &f->err), -1);
    assert_string_equal(f->err.code, "json_size");
    struct mf_buf small;
    mf_buf_init(&small, 300);
    assert_int_equal(mf_event_encode(&f->event, &small, &f->err), -1);
    assert_string_equal(f->err.code, "event_too_large");
    assert_true(small.len == 0 && !small.overflow);
    mf_buf_free(&small);
    free(spaces);
    free(description);
    free(keyword);
}

static void test_an_event_begins_with_nothing(void **state)
{
    struct fixture *f = *state;
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        memset(&f->event, 0xa5, sizeof f->event);
        mf_event_init(&f->event, type);
        struct mf_event_problems problems;
        assert_int_equal(mf_event_check(&f->event, &problems, &f->err), -1);
        assert_string_equal(f->err.code, "missing_field");
        for (size_t i = 0; i < problems.count && i < MF_EVENT_PROBLEMS_MAX; i++)
            assert_string_equal(problems.items[i].code, "missing_field");
        mf_buf_clear(&f->first);
        assert_int_equal(mf_event_encode(&f->event, &f->first, &f->err), -1);
        assert_int_equal(f->first.len, 0);
    }
    f->event.type = MF_EVENT_TYPE_MAX;
    assert_int_equal(mf_event_check(&f->event, NULL, &f->err), -1);
    assert_string_equal(f->err.code, "unknown_event_type");
}

static void test_a_given_event_id_must_be_the_computed_one(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_BAR, &f->event);
    char id[MF_EVENT_ID_SIZE];
    assert_int_equal(mf_event_id(&f->event, id, &f->err), 0);
    f->event.event_id = mf_str_of(id);
    encode_to(f, &f->event, &f->first);
    assert_non_null(strstr(mf_buf_c_str(&f->first), id));
    id[31] = id[31] == '0' ? '1' : '0';
    mf_buf_clear(&f->first);
    assert_int_equal(mf_event_encode(&f->event, &f->first, &f->err), -1);
    assert_string_equal(f->err.code, "event_id_mismatch");
    assert_int_equal(f->first.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_encode_decode_encode_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_and_unknown_members_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decoded_values_are_those_that_were_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_dead_letter_keeps_its_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_prefix_of_an_event_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts_at_their_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_at_their_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_that_is_too_large_is_refused_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_begins_with_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_given_event_id_must_be_the_computed_one, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
