// SPDX-License-Identifier: Apache-2.0
// The fast way to read a bar against the tables: what it takes they take too, with the same event; what it
// does not take is decoded by them, with their reasons.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/event_table.h"
#include "event_fast_fixture.h"
#include "event_same.h"
#include "event_samples.h"

static int setup(void **state)
{
    static const struct fast_way way = {mf_event_fast_bar, mf_event_fast_read, MF_EVENT_FAST_ID_AT,
                                        same_bar_event};
    return fixture_new(state, &way);
}

static void test_samples_are_taken(void **state)
{
    struct fixture *f = *state;
    static const enum event_sample bars[] = {SAMPLE_BAR, SAMPLE_BAR_BARE, SAMPLE_BAR_DERIVED};
    for (size_t i = 0; i < MF_ARRAY_LEN(bars); i++) {
        event_sample_fill(bars[i], &f->event);
        encode(f);
        assert_true(takes(f, mf_buf_str(&f->text)));
        assert_true(f->slow.bar.has_numbers);
    }
}

static void test_other_types_are_not_taken(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = SAMPLE_OPTION_BAR; sample < SAMPLE_MAX; sample++) {
        event_sample_fill(sample, &f->event);
        encode(f);
        assert_false(takes(f, mf_buf_str(&f->text)));
        assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->text), &f->slow, NULL, &f->err), 0);
    }
}

static void test_a_cut_record_is_never_taken(void **state)
{
    struct fixture *f = *state;
    static const enum event_sample bars[] = {SAMPLE_BAR, SAMPLE_BAR_BARE, SAMPLE_BAR_DERIVED};
    for (size_t i = 0; i < MF_ARRAY_LEN(bars); i++) {
        event_sample_fill(bars[i], &f->event);
        encode(f);
        for (size_t len = 0; len < f->text.len; len++)
            assert_false(takes(f, (struct mf_str){f->text.data, len}));
    }
}

enum outcome {
    TAKEN,  // the fast way, as the tables do
    TABLES, // only the tables
    WRONG   // refused, with the tables' reason
};

struct variation {
    const char *from, *to;
    enum outcome outcome;
};

#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" // 64 bytes

// Of SAMPLE_BAR, its event_id made good again.
static const struct variation variations[] = {
    {"{\"schema", " {\"schema", TABLES},
    {"}", "} ", TABLES},
    {":\"1.0\"", ":\"1.1\"", TABLES},
    {":\"1.0\"", ":\"2.0\"", WRONG},
    {"\"AAPL\"", "\"A\"", TAKEN},
    {"\"AAPL\"", "\"X:BTC-USD_a/b.c\"", TAKEN},
    {"\"AAPL\"", "\"\"", WRONG},
    {"\"AAPL\"", "\"AA PL\"", WRONG},
    {"\"AAPL\"", "\"A\\u0041PL\"", TABLES},
    {"\"AAPL\"", "\"A\303\204PL\"", WRONG},
    {"\"AAPL\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"", TAKEN},
    {"\"AAPL\"", "\"01234567890123456789012345678901234567890123456789012345678901234\"", WRONG},
    {"\"stock\"", "\"crypto\"", TAKEN},
    {"\"stock\"", "\"stocks\"", WRONG},
    {"\"stock\"", "\"stoc\"", WRONG},
    {"\"polygon\"", "\"alpha_vantage\"", TAKEN},
    {"\"polygon\"", "\"nobody\"", WRONG},
    {"\"polygon\"", "\"processor\"", WRONG}, // and the fields of a feed
    {"\"live\"", "\"backfill:2024-01.a_B\"", TAKEN},
    {"\"live\"", "\"backfill:\"", WRONG},
    {"\"live\"", "\"lives\"", WRONG},
    {"\"live\"", "7", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2025-12-31T23:59:59.999Z", TAKEN},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"0001-01-01T00:00:00.000Z", TAKEN},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"0000-01-01T00:00:00.000Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2023-02-29T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-02-29T14:31:02.113Z", TAKEN},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T24:00:00.000Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T14:60:00.000Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T14:31:60.000Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02t14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T14:31:02.113z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T14:31:02.1a3Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T14:31:02Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-02T1 :31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-31T14:31:02.113Z", TAKEN},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-04-31T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-02-30T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-13-01T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-00-01T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-00T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-32T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01:02T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-1a-02T14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"2024-01-0aT14:31:02.113Z", WRONG},
    {"ingest_time\":\"2024-01-02T14:31:02.113Z", "ingest_time\":\"9999-12-31T14:31:02.113Z", TAKEN},
    {"event_time\":\"2024-01-02T14:30:00.000Z", "event_time\":\"2024-01-02T14:30:00.001Z", WRONG},
    {"[\"is_mock\",\"delayed\"]", "[]", TAKEN},
    {"[\"is_mock\",\"delayed\"]",
     "[\"is_mock\",\"warmup\",\"delayed\",\"forming\",\"proxy_vwap\",\"partial\"]", TAKEN},
    {"[\"is_mock\",\"delayed\"]", "[\"delayed\",\"is_mock\"]", WRONG},
    {"[\"is_mock\",\"delayed\"]", "[\"is_mock\",\"is_mock\"]", WRONG},
    {"[\"is_mock\",\"delayed\"]", "[\"is_mock\",]", WRONG},
    {"[\"is_mock\",\"delayed\"]", "[\"is_mock\" ]", TABLES},
    {"[\"is_mock\",\"delayed\"]", "null", WRONG},
    {"\"rest\"", "\"synthetic\"", TAKEN},
    {"\"rest\"", "\"mail\"", WRONG},
    {",\"request_id\":\"a1b2\"", "", TAKEN},
    {"\"a1b2\"", "\"\"", TAKEN},
    {"\"a1b2\"", "\"a b~\x7f\"", TAKEN},
    {"\"a1b2\"", "\"\303\244\"", TABLES},
    {"\"a1b2\"", "\"\\/\"", TABLES},
    {"\"a1b2\"", "\"\t\"", WRONG},
    {"\"a1b2\"", "\"\377\"", WRONG},
    {"\"a1b2\"", "\"" SIXTY_FOUR SIXTY_FOUR "\"", TAKEN},
    {"\"a1b2\"", "\"" SIXTY_FOUR SIXTY_FOUR "8\"", WRONG},
    {",\"page\":0", "", TAKEN},
    {"\"page\":0", "\"page\":123456789012345678", TAKEN},
    {"\"page\":0", "\"page\":1234567890123456789", TABLES},
    {"\"page\":0", "\"page\":01", WRONG},
    {"\"page\":0", "\"page\":-1", WRONG},
    {"\"page\":0", "\"page\":1.0", WRONG},
    {"\"page\":0", "\"page\":0,\"more\":1", TABLES},
    {"\"1m\"", "\"1mo\"", TAKEN}, // a month may be short
    {"\"1m\"", "\"3mo\"", TAKEN},
    {"\"1m\"", "\"1y\"", TAKEN},
    {"\"1m\"", "\"2y\"", WRONG},
    {"\"1m\"", "\"5m\"", WRONG},
    {"\"1m\"", "\"1\"", WRONG},
    {"window_end\":\"2024-01-02T14:31", "window_end\":\"2024-01-02T14:32", WRONG},
    {"session_date\":\"2024-01-02", "session_date\":\"2024-01-01", TAKEN},
    {"session_date\":\"2024-01-02", "session_date\":\"2024-01-04", WRONG},
    {"session_date\":\"2024-01-02", "session_date\":\"2024-1-02", WRONG},
    {"\"regular\"", "\"post\"", TAKEN},
    {"\"regular\"", "\"noon\"", WRONG},
    {":187.15", ":187.150", TAKEN},
    {":187.15", ":187.15e0", WRONG},
    {":187.15", ":\"187.15\"", WRONG},
    {":187.15", ":0187.15", WRONG},
    {":187.15", ":187.", WRONG},
    {":187.15", ":187.4", TAKEN},
    {":187.15", ":187.41", WRONG}, // above high
    {":187.15", ":186.89999999", WRONG},
    {":187.15", ":187.12345678", TAKEN},
    {":187.15", ":187.123456789", WRONG},
    {":186.9", ":0", WRONG},
    {":186.9", ":0.00000000", WRONG},
    {":186.9", ":-186.9", WRONG},
    {":186.9", ":0.00000001", TAKEN},
    {":187.40", ":999999999999999.125", TAKEN},
    {":187.40", ":999999999999999.1250", TABLES}, // 19 digits
    {":187.40", ":1000000000000000", TABLES},
    {":187.40", ":1000000000000000.1", WRONG},
    {":187.22", ":187.41", WRONG},
    {":41203.5", ":0", TAKEN},
    {":41203.5", ":0.0", TAKEN},
    {":41203.5", ":-0", WRONG},
    {":41203.5", ":-1", WRONG},
    {":41203.5", ":12345678", TAKEN},
    {":41203.5", ":123456789.00", TAKEN},
    {":41203.5", ": 41203.5", TABLES},
    {",\"vwap\":187.1712", "", TAKEN},
    {":187.1712", ":0", WRONG},
    {":187.1712", ":1", TAKEN},
    {",\"trade_count\":392", "", TAKEN},
    {":392", ":392.0", WRONG},
    {":392", ":-1", WRONG},
    {":392", ":9223372036854775807", TABLES},
    {":392", ":9223372036854775808", WRONG},
    {"\"split\"", "\"split_div\"", TAKEN},
    {"\"split\"", "\"never\"", WRONG},
    {",\"otc\":false", "", TAKEN},
    {":false", ":true", TAKEN},
    {":false", ":null", WRONG},
    {"\"otc\":false", "\"otc\":false,\"pre_market\":187.5,\"after_hours\":188.125", TABLES},
    {"\"otc\":false", "\"otc\":false,\"after_hours\":0", WRONG},
    {",\"vendor_ms\":1704205800000", "", WRONG},
    {":1704205800000", ":0", TAKEN},
    {":1704205800000", ":-1", TABLES},
    {":1704205800000", ":1e3", WRONG},
    {":1704205800000", ":1704205800000,\"vendor_ms\":1", WRONG},
    {":1704205800000", ":1704205800000,\"later\":[1]", TABLES},
    {":1704205800000", ":1704205800000,\"revision\":0", WRONG},
};

// text with the last `from` replaced; a good id in it, when either way finds nothing else wrong.
static void vary(struct fixture *f, const struct variation *v)
{
    const char *text = mf_buf_c_str(&f->text), *at = NULL;
    for (const char *next = strstr(text, v->from); next != NULL; next = strstr(next + 1, v->from))
        at = next;
    if (at == NULL)
        fail_msg("no %s in %s", v->from, text);
    replace_at(f, at, strlen(v->from), v->to);
    struct mf_event_problems problems;
    if (mf_event_decode_by_table(f->json, mf_buf_str(&f->other), &f->slow, &problems, &f->err) == 0 ||
        problems.count != 1 || strcmp(f->err.code, "event_id_mismatch") != 0) {
        give_id(f, &f->other); // or else the wrong id would hide that the fast way takes it
        return;
    }
    char *old = strstr(f->other.data, "event_id\":\"") + strlen("event_id\":\"");
    memcpy(old, f->err.message + strlen(f->err.message) - 32, 32);
}

static void test_a_variation_is_taken_or_left_to_the_tables(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_BAR, &f->event);
    encode(f);
    for (size_t i = 0; i < MF_ARRAY_LEN(variations); i++) {
        vary(f, &variations[i]);
        struct mf_str bytes = mf_buf_str(&f->other);
        enum outcome outcome = takes(f, bytes) ? TAKEN : TABLES;
        struct mf_error expected = {0}, found = {0};
        int by_table = mf_event_decode_by_table(f->json, bytes, &f->slow, NULL, &expected);
        if (by_table != 0)
            outcome = outcome == TAKEN ? TAKEN : WRONG;
        if (outcome != variations[i].outcome)
            fail_msg("%s for %s: %d %s", variations[i].to, variations[i].from, (int)outcome,
                     expected.message);
        assert_int_equal(mf_event_decode(f->json, bytes, &f->slow, NULL, &found), by_table);
        assert_string_equal(found.code, expected.code);
        assert_string_equal(found.message, expected.message);
    }
}

static void test_numbers_beyond_a_word_are_still_decoded(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_BAR, &f->event);
    f->event.bar.volume = MF_STR("123456789012.12345678");
    encode(f);
    assert_false(takes(f, mf_buf_str(&f->text)));
    assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->text), &f->slow, NULL, &f->err), 0);
    assert_false(f->slow.bar.has_numbers);
    assert_true(mf_str_eq_c(f->slow.bar.volume, "123456789012.12345678"));
}

// ---- random bars

static struct mf_str random_text(uint64_t *random, const char *letters, size_t most, char *out)
{
    size_t len = 1 + below(random, most), count = strlen(letters);
    for (size_t i = 0; i < len; i++)
        out[i] = letters[below(random, count)];
    return (struct mf_str){out, len};
}

// whole.fraction with up to `decimals` digits, zeros at the end included.
static struct mf_str random_number(uint64_t *random, uint64_t least, uint64_t range, char out[32])
{
    static const char digits[] = "0123456789";
    int len = snprintf(out, 32, "%" PRIu64, least + below(random, range));
    unsigned decimals = (unsigned)below(random, 9);
    if (decimals > 0)
        out[len++] = '.';
    for (unsigned i = 0; i < decimals; i++)
        out[len++] = digits[below(random, 10)];
    return (struct mf_str){out, (size_t)len};
}

struct texts {
    char symbol[MF_SYMBOL_MAX], run[32], request[64], number[6][32];
};

static void random_window(uint64_t *random, struct mf_event *event)
{
    struct mf_bar *bar = &event->bar;
    int64_t minutes = (int64_t)below(random, 60LL * 24 * 365 * 100); // 1970 to 2069
    event->event_time_us = minutes * MF_US_PER_MINUTE + (int64_t)below(random, 3) * MF_US_PER_MS;
    event->ingest_time_us = event->event_time_us + (int64_t)below(random, 86400000) * MF_US_PER_MS;
    bar->interval = (enum mf_interval)below(random, MF_INTERVAL_MAX);
    int64_t length = mf_interval_us(bar->interval);
    bar->window_end_us = event->event_time_us + (length > 0 ? length : 28 * MF_US_PER_DAY);
    bar->session_date = mf_date_add_days(mf_date_of_utc(event->event_time_us), (int32_t)below(random, 3) - 1);
    bar->session_date.year += bar->session_date.year < 1970; // a day before the first one
    bar->session = (enum mf_session)below(random, MF_SESSION_MAX);
}

static void random_bar(uint64_t *random, struct mf_event *event, struct texts *texts)
{
    mf_event_init(event, MF_EVENT_BAR);
    struct mf_bar *bar = &event->bar;
    bool made = below(random, 4) == 0;
    event->symbol = random_text(random, "ABCXYZabz019.:_/-", MF_SYMBOL_MAX, texts->symbol);
    event->asset_class = (enum mf_asset_class)below(random, MF_ASSET_CLASS_MAX);
    event->source = made ? MF_STR("processor") : mf_str_of(mf_source_names[below(random, 5)]);
    int run =
        snprintf(texts->run, sizeof texts->run, "backfill:%llx", (unsigned long long)below(random, 1u << 30));
    event->lane = below(random, 2) == 0 ? MF_STR("live") : (struct mf_str){texts->run, (size_t)run};
    event->flags = (unsigned)below(random, MF_FLAG_ALL + 1u);
    event->mode = (enum mf_provenance_mode)below(random, MF_MODE_MAX);
    if (below(random, 2) == 0)
        event->request_id =
            random_text(random, "0123456789abcdef-{}: ,", sizeof texts->request, texts->request);
    event->page = (int64_t)below(random, 1000) - 1;
    random_window(random, event);
    uint64_t scale = below(random, 2) == 0 ? 300 : 1000000;
    bar->low = random_number(random, 1, scale, texts->number[0]);
    bar->open = random_number(random, 1 + scale, scale, texts->number[1]);
    bar->close = random_number(random, 1 + scale, scale, texts->number[2]);
    bar->high = random_number(random, 1 + 2 * scale, scale, texts->number[3]);
    bar->volume = random_number(random, 0, 9999999999, texts->number[4]);
    if (below(random, 2) == 0)
        bar->vwap = random_number(random, 1, scale, texts->number[5]);
    bar->trade_count =
        (int64_t)(below(random, 2) == 0 ? 0 : mf_random_next(random) >> (5 + below(random, 50))) - 1;
    bar->adjusted = (enum mf_adjusted)below(random, MF_ADJUSTED_MAX);
    bar->otc = (int)below(random, 3) - 1;
    if (made) {
        bar->parent_source = mf_str_of(mf_source_names[below(random, 5)]);
        bar->revision = (int)below(random, INT32_MAX);
        bar->cause = MF_STR("0123456789abcdef0123456789abcdef");
    } else {
        bar->vendor_ms = (int64_t)(mf_random_next(random) >> (5 + below(random, 50)));
    }
}

enum { BARS = 4000, MUTATIONS = 8 };

static void test_random_bars_are_taken(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = mf_random_seed(), random = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    struct texts texts;
    int good = 0;
    for (int i = 0; i < BARS; i++) {
        random_bar(&random, &f->event, &texts);
        if (mf_event_check(&f->event, NULL, NULL) != 0)
            continue;
        good++;
        encode(f);
        if (!takes(f, mf_buf_str(&f->text)))
            fail_msg("seed %llu: not taken: %s", (unsigned long long)seed, mf_buf_c_str(&f->text));
    }
    assert_true(good > BARS / 2);
    printf("%d of %d\n", good, BARS);
}

static void test_mutated_bars_are_never_taken_wrongly(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = mf_random_seed(), random = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    struct texts texts;
    unsigned taken = 0;
    for (int i = 0; i < BARS; i++) {
        random_bar(&random, &f->event, &texts);
        if (mf_event_check(&f->event, NULL, NULL) != 0)
            continue;
        encode(f);
        for (int j = 0; j < MUTATIONS; j++) {
            mutate(&random, &f->text, &f->other);
            takes(f, mf_buf_str(&f->other));
            if (!give_id(f, &f->other))
                continue;
            taken++;
            if (!takes(f, mf_buf_str(&f->other)))
                fail_msg("seed %llu: its own id is not taken: %s", (unsigned long long)seed,
                         mf_buf_c_str(&f->other));
        }
    }
    assert_true(taken > BARS / 10); // digits became other digits
}

// ---- what identities are hashed with

static void test_a_text_in_pieces_hashes_as_the_whole(void **state)
{
    (void)state;
    static char text[20000];
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)mf_random_next(&random);
    static struct mf_hash_text hash;
    for (int round = 0; round < 200; round++) {
        size_t most = (size_t)1 << below(&random, 14), used = 0, end = below(&random, sizeof text);
        mf_hash_text_begin(&hash);
        while (used < end) {
            size_t len = below(&random, most) + 1;
            len = len < end - used ? len : end - used;
            mf_hash_text_add(&hash, (struct mf_str){text + used, len});
            used += len;
        }
        struct mf_hash128 pieces = mf_hash_text_end(&hash), whole = mf_hash128(text, end);
        assert_true(pieces.high == whole.high && pieces.low == whole.low);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_types_are_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cut_record_is_never_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_variation_is_taken_or_left_to_the_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_beyond_a_word_are_still_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_bars_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutated_bars_are_never_taken_wrongly, setup, teardown),
        cmocka_unit_test(test_a_text_in_pieces_hashes_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
