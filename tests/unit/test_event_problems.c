// SPDX-License-Identifier: Apache-2.0
// Every single thing that can be wrong with a field is found, under the right field and code.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/json_writer.h"
#include "event_samples.h"

struct fixture {
    struct mf_json *json, *other; // the second keeps a document alive while the first decodes
    struct mf_buf good, mutated;
    struct mf_event event, decoded;
    struct mf_event_problems problems;
    struct mf_error err;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->json = mf_json_new();
    f->other = mf_json_new();
    mf_buf_init(&f->good, 1024 * 1024);
    mf_buf_init(&f->mutated, 1024 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_json_free(&f->json);
    mf_json_free(&f->other);
    mf_buf_free(&f->good);
    mf_buf_free(&f->mutated);
    free(f);
    return 0;
}

static void encode_sample(struct fixture *f, enum event_sample sample)
{
    event_sample_fill(sample, &f->event);
    mf_buf_clear(&f->good);
    assert_int_equal(mf_event_encode(&f->event, &f->good, &f->err), 0);
}

static int decode_mutated(struct fixture *f)
{
    return mf_event_decode(f->json, mf_buf_str(&f->mutated), &f->decoded, &f->problems, &f->err);
}

static bool has_problem(const struct mf_event_problems *problems, const char *code, const char *field)
{
    for (size_t i = 0; i < problems->count && i < MF_EVENT_PROBLEMS_MAX; i++) {
        if (strcmp(problems->items[i].code, code) == 0 && strcmp(problems->items[i].field, field) == 0)
            return true;
    }
    return false;
}

static void print_problems(const struct fixture *f, const char *what)
{
    print_error("%s: %zu problems in %.*s\n", what, f->problems.count, MF_STR_ARG(mf_buf_str(&f->mutated)));
    for (size_t i = 0; i < f->problems.count && i < MF_EVENT_PROBLEMS_MAX; i++)
        print_error("  %s: %s [%s]\n", f->problems.items[i].field, f->problems.items[i].message,
                    f->problems.items[i].code);
}

static void copy_value(struct mf_json_writer *w, const struct mf_json_node *node);

// Copies an object but for the member `target`, which becomes `text`, or nothing when text is NULL.
static void copy_object(struct mf_json_writer *w, const struct mf_json_node *node,
                        const struct mf_json_node *target, const char *text)
{
    mf_jw_object_begin(w);
    for (const struct mf_json_node *at = mf_json_first(node); at != NULL; at = mf_json_next(at)) {
        if (at == target && text == NULL)
            continue;
        mf_jw_key_str(w, mf_json_key(at));
        if (at == target)
            mf_jw_raw(w, mf_str_of(text));
        else if (mf_json_type(at) == MF_JSON_OBJECT)
            copy_object(w, at, target, text);
        else
            copy_value(w, at);
    }
    mf_jw_object_end(w);
}

static void copy_value(struct mf_json_writer *w, const struct mf_json_node *node)
{
    switch (mf_json_type(node)) {
    case MF_JSON_OBJECT: copy_object(w, node, NULL, NULL); break;
    case MF_JSON_ARRAY:
        mf_jw_array_begin(w);
        for (const struct mf_json_node *at = mf_json_first(node); at != NULL; at = mf_json_next(at))
            copy_value(w, at);
        mf_jw_array_end(w);
        break;
    case MF_JSON_STRING: mf_jw_string(w, mf_json_text(node)); break;
    case MF_JSON_NUMBER: mf_jw_number_text(w, mf_json_text(node)); break;
    case MF_JSON_BOOL: mf_jw_bool(w, mf_json_bool(node)); break;
    case MF_JSON_NULL: mf_jw_null(w); break;
    }
}

static void mutate(struct fixture *f, const struct mf_json_node *root, const struct mf_json_node *target,
                   const char *text)
{
    struct mf_json_writer w;
    mf_buf_clear(&f->mutated);
    mf_jw_init(&w, &f->mutated);
    copy_object(&w, root, target, text);
    assert_false(f->mutated.overflow);
}

// A value of another JSON type than the node's.
static const char *const wrong_types[] = {"null", "true", "7", "\"7\"", "[7]", "{\"x\":7}"};
static const enum mf_json_type wrong_type_of[] = {MF_JSON_NULL,   MF_JSON_BOOL,  MF_JSON_NUMBER,
                                                  MF_JSON_STRING, MF_JSON_ARRAY, MF_JSON_OBJECT};

static size_t mutate_member(struct fixture *f, const struct mf_json_node *root,
                            const struct mf_json_node *member, const char *path)
{
    size_t tried = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(wrong_types); i++) {
        if (wrong_type_of[i] == mf_json_type(member))
            continue;
        mutate(f, root, member, wrong_types[i]);
        if (decode_mutated(f) == 0 || !has_problem(&f->problems, "bad_type", path)) {
            print_problems(f, path);
            fail_msg("%s became %s and was not reported as bad_type", path, wrong_types[i]);
        }
        tried++;
    }
    // Left out: required, or part of the identity, or truly optional.
    mutate(f, root, member, NULL);
    if (decode_mutated(f) != 0) {
        bool named = has_problem(&f->problems, "missing_field", path) ||
                     has_problem(&f->problems, "event_id_mismatch", "event_id") ||
                     has_problem(&f->problems, "bad_value", "origin");
        if (!named) {
            print_problems(f, path);
            fail_msg("%s was left out and something else was reported", path);
        }
    }
    return tried + 1;
}

static size_t mutate_members(struct fixture *f, const struct mf_json_node *root,
                             const struct mf_json_node *object, const char *prefix)
{
    size_t tried = 0;
    for (const struct mf_json_node *at = mf_json_first(object); at != NULL; at = mf_json_next(at)) {
        char path[128];
        snprintf(path, sizeof path, "%s%.*s", prefix, MF_STR_ARG(mf_json_key(at)));
        tried += mutate_member(f, root, at, path);
        // The members of free maps have names of their own choice; the table below has them.
        bool map = strcmp(path, "feeds") == 0 || strcmp(path, "baseline") == 0;
        if (mf_json_type(at) != MF_JSON_OBJECT || map)
            continue;
        char below[132];
        snprintf(below, sizeof below, "%s.", path);
        tried += mutate_members(f, root, at, below);
    }
    return tried;
}

static void test_a_wrong_type_is_found_in_every_field(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        if (sample == SAMPLE_DEAD_LETTER_CUT) // 64 KiB each time; the table below has its rows
            continue;
        encode_sample(f, sample);
        const struct mf_json_node *root = NULL;
        assert_int_equal(mf_json_parse(f->other, mf_buf_str(&f->good), &mf_json_limits_event, &root, &f->err),
                         0);
        size_t tried = mutate_members(f, root, root, "");
        assert_true(tried >= 6 * 11); // at least the envelope
    }
}

// One piece of a sample's text replaced.
struct row {
    enum event_sample sample;
    const char *from, *to;
    const char *code, *field;
};

static const struct row rows[] = {
    // the head
    {SAMPLE_BAR, "\"1.0\"", "\"2.0\"", "unsupported_version", "schema_version"},
    {SAMPLE_BAR, "\"1.0\"", "\"1\"", "unsupported_version", "schema_version"},
    {SAMPLE_BAR, "\"1.0\"", "\"1.x\"", "unsupported_version", "schema_version"},
    {SAMPLE_BAR, "\"1.0\"", "\"1.-1\"", "unsupported_version", "schema_version"},
    {SAMPLE_BAR, "\"1.0\"", "\"10.0\"", "unsupported_version", "schema_version"},
    {SAMPLE_BAR, "\"bar\"", "\"trade\"", "unknown_event_type", "event_type"},
    {SAMPLE_BAR, "\"bar\"", "\"\"", "unknown_event_type", "event_type"},
    {SAMPLE_BAR, "{\"schema", "[{\"schema", "json_syntax", ""},
    {SAMPLE_BAR, "\"flags\"", "\"lane\":\"live\",\"flags\"", "json_duplicate_key", ""},
    {SAMPLE_BAR, "187.22", "NaN", "json_syntax", ""},
    {SAMPLE_BAR, "187.22", "Infinity", "json_syntax", ""},
    // the envelope
    {SAMPLE_BAR_BARE, "\"event_id\":\"", "\"event_id\":\"0", "bad_value", "event_id"},
    {SAMPLE_BAR, "\"AAPL\"", "\"\"", "bad_value", "symbol"},
    {SAMPLE_BAR, "\"AAPL\"", "\"A APL\"", "bad_value", "symbol"},
    {SAMPLE_BAR, "\"AAPL\"", "\"AAPM\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "\"stock\"", "\"bond\"", "bad_value", "asset_class"},
    {SAMPLE_BAR, "\"polygon\"", "\"massive\"", "bad_value", "source"},
    {SAMPLE_BAR, "\"polygon\"", "\"yahoo\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "\"live\"", "\"dead\"", "bad_value", "lane"},
    {SAMPLE_BAR_DERIVED, "\"live\"", "\"backfill:x\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-01-02T14:30:00Z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-01-02T14:30:00.0000Z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-01-02T14:30:00.000z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-01-02 14:30:00.000Z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-02-30T14:30:00.000Z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"event_time\":\"2024-01-02T14:30:00.000Z", "\"event_time\":\"2024-01-02T14:29:60.000Z",
     "bad_time", "event_time"},
    {SAMPLE_BAR, "\"ingest_time\":\"2024", "\"ingest_time\":\"20x4", "bad_time", "ingest_time"},
    {SAMPLE_BAR, "\"is_mock\"", "\"mock\"", "bad_value", "flags"},
    {SAMPLE_BAR, "\"is_mock\"", "\"delayed\"", "bad_value", "flags"},
    {SAMPLE_BAR, "[\"is_mock\",\"delayed\"]", "[\"delayed\",\"is_mock\"]", "bad_value", "flags"},
    {SAMPLE_BAR, "\"is_mock\"", "1", "bad_value", "flags"},
    {SAMPLE_BAR, "\"rest\"", "\"file\"", "bad_value", "provenance.mode"},
    {SAMPLE_BAR, "\"page\":0", "\"page\":-2", "bad_value", "provenance.page"},
    {SAMPLE_BAR, "\"page\":0", "\"page\":0.5", "bad_value", "provenance.page"},
    {SAMPLE_BAR, "\"page\":0", "\"page\":-0", "bad_value", "provenance.page"},
    {SAMPLE_BAR, "\"page\":0", "\"page\":9223372036854775808", "bad_value", "provenance.page"},
    {SAMPLE_BAR, "\"page\":0", "\"page\":-1", "bad_value", "provenance.page"}, // what "left out" is inside
    // bars
    {SAMPLE_BAR, "\"1m\"", "\"2m\"", "bad_value", "interval"},
    {SAMPLE_BAR, "\"1m\"", "\"5m\"", "bad_value", "window_end"},
    {SAMPLE_BAR, "14:31:00.000Z", "14:31:00.001Z", "bad_value", "window_end"},
    {SAMPLE_BAR, "14:31:00.000Z", "14:29:00.000Z", "bad_value", "window_end"},
    {SAMPLE_BAR_BARE, "2024-01-03T05:00:00.000Z", "2024-01-03T06:00:00.001Z", "bad_value", "window_end"},
    {SAMPLE_BAR_BARE, "2024-01-03T05:00:00.000Z", "2024-01-02T05:00:00.000Z", "bad_value", "window_end"},
    {SAMPLE_BAR_BARE, "\"1d\"", "\"1w\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR_BARE, "\"1d\"", "\"1mo\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "\"session_date\":\"2024-01-02\"", "\"session_date\":\"2024-01-04\"", "bad_value",
     "session_date"},
    {SAMPLE_BAR, "\"session_date\":\"2024-01-02\"", "\"session_date\":\"2023-02-29\"", "bad_time",
     "session_date"},
    {SAMPLE_BAR, "\"session_date\":\"2024-01-02\"", "\"session_date\":\"2024-1-2\"", "bad_time",
     "session_date"},
    {SAMPLE_BAR, "\"regular\"", "\"night\"", "bad_value", "session"},
    {SAMPLE_BAR, "187.15", "0", "bad_value", "open"},
    {SAMPLE_BAR, "187.15", "-187.15", "bad_value", "open"},
    {SAMPLE_BAR, "187.15", "1.8715e2", "bad_number", "open"},
    {SAMPLE_BAR, "187.15", "187.150000001", "number_out_of_range", "open"},
    {SAMPLE_BAR, "187.15", "1000000000000001", "number_out_of_range", "open"},
    {SAMPLE_BAR, "187.15", "187.41", "ohlc_inconsistent", "open"},
    {SAMPLE_BAR, "187.15", "186.89", "ohlc_inconsistent", "open"},
    {SAMPLE_BAR, "187.15", "187.16", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "187.40", "187.21", "ohlc_inconsistent", "close"},
    {SAMPLE_BAR, "187.40", "186.8", "ohlc_inconsistent", "low"},
    {SAMPLE_BAR, "187.40", "187.41", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "186.9", "186.91", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "187.22", "187.23", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "187.22", "186.8", "ohlc_inconsistent", "close"},
    {SAMPLE_BAR, "41203.5", "-0.5", "bad_value", "volume"},
    {SAMPLE_BAR, "41203.5", "41203.6", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "187.1712", "0", "bad_value", "vwap"},
    {SAMPLE_BAR, "187.1712", "187.1713", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "392", "393", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "392", "392.0", "bad_value", "trade_count"},
    {SAMPLE_BAR, "\"split\"", "\"none\"", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, "\"split\"", "\"yes\"", "bad_value", "adjusted"},
    {SAMPLE_BAR, "\"otc\":false", "\"otc\":true", "event_id_mismatch", "event_id"},
    {SAMPLE_BAR, ",\"vendor_ms\":1704205800000", "", "missing_field", "vendor_ms"},
    {SAMPLE_BAR, "\"vendor_ms\"", "\"revision\":0,\"vendor_ms\"", "bad_value", "revision"},
    {SAMPLE_BAR, "\"vendor_ms\"", "\"parent_source\":\"polygon\",\"vendor_ms\"", "bad_value",
     "parent_source"},
    {SAMPLE_BAR_DERIVED, "\"revision\":2,", "", "missing_field", "revision"},
    {SAMPLE_BAR_DERIVED, "\"revision\":2", "\"revision\":2147483648", "bad_value", "revision"},
    {SAMPLE_BAR_DERIVED, "\"revision\":2", "\"revision\":2,\"vendor_ms\":1", "bad_value", "vendor_ms"},
    {SAMPLE_BAR_DERIVED, "\"parent_source\":\"polygon\",", "", "missing_field", "parent_source"},
    {SAMPLE_BAR_DERIVED, "\"cause\":\"0", "\"cause\":\"G", "bad_value", "cause"},
    // option bars
    {SAMPLE_OPTION_BAR, "\"underlying\":\"AAPL\"", "\"underlying\":\"MSFT\"", "bad_value",
     "contract.underlying"},
    {SAMPLE_OPTION_BAR, "\"expiration\":\"2024-01-19\"", "\"expiration\":\"2024-01-20\"", "bad_value",
     "days_to_expiration"},
    {SAMPLE_OPTION_BAR, "\"strike\":150", "\"strike\":0", "bad_value", "contract.strike"},
    {SAMPLE_OPTION_BAR, "\"call\"", "\"straddle\"", "bad_value", "contract.type"},
    {SAMPLE_OPTION_BAR, "\"american\"", "\"asian\"", "bad_value", "contract.exercise"},
    {SAMPLE_OPTION_BAR, "C00150000", "C00155000", "event_id_mismatch", "event_id"},
    {SAMPLE_OPTION_BAR, "187.15", "188", "ohlc_inconsistent", "open"},
    {SAMPLE_OPTION_BAR, "\"days_to", "\"snapshot\":{\"time\":\"2024-01-02T21:00:00.000Z\"},\"days_to",
     "bad_value", "snapshot"},
    {SAMPLE_OPTION_SNAPSHOT, "\"time\":\"2024-01-03T21:00:00.123Z\",", "", "missing_field", "snapshot.time"},
    {SAMPLE_OPTION_SNAPSHOT, "\"open_interest\":1543", "\"open_interest\":-1", "bad_value",
     "snapshot.open_interest"},
    {SAMPLE_OPTION_SNAPSHOT, "0.30160000", "-0.1", "bad_value", "snapshot.implied_volatility"},
    {SAMPLE_OPTION_SNAPSHOT, "\"underlying_price\":187.15", "\"underlying_price\":0", "bad_value",
     "snapshot.underlying_price"},
    {SAMPLE_OPTION_SNAPSHOT, "\"delta\":-0.51", "\"delta\":-0.52", "event_id_mismatch", "event_id"},
    // news
    {SAMPLE_NEWS, "\"polygon|4f1c\"", "\"\"", "bad_value", "article_id"},
    {SAMPLE_NEWS, "\"polygon|4f1c\"", "\"polygon|4f1d\"", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "example/a", "example/b", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "9ae1f0c9b6e52a34", "9AE1f0c9b6e52a34", "bad_value", "url_hash"},
    {SAMPLE_NEWS, "9ae1f0c9b6e52a34", "9ae1f0c9b6e52a3", "bad_value", "url_hash"},
    {SAMPLE_NEWS, "pfel", "pfl", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "pfel", "pf\\u0000el", "json_string", ""},
    {SAMPLE_NEWS, "pfel", "pf\\ud800el", "json_string", ""},
    {SAMPLE_NEWS, "pfel", "pf\xc0\xafl", "json_syntax", ""},
    {SAMPLE_NEWS, "\"description\":\"\"", "\"description\":\"x\"", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "A. Writer", "B. Writer", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "Example Wire", "Sample Wire", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "[\"AAPL\",\"MSFT\"]", "[\"AAPL\",7]", "bad_type", "tickers"},
    {SAMPLE_NEWS, "[\"AAPL\",\"MSFT\"]", "[\"AAPL\",\"\"]", "bad_value", "tickers"},
    {SAMPLE_NEWS, "[\"AAPL\",\"MSFT\"]", "[\"MSFT\",\"AAPL\"]", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "[\"earnings\"]", "[]", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "\"positive\"", "\"negative\"", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "-0.350", "-0.351", "event_id_mismatch", "event_id"},
    {SAMPLE_NEWS, "-0.350", "-3.5e-1", "bad_number", "sentiment.score"},
    {SAMPLE_NEWS, "\"relevance\":1", "\"relevance\":-1", "bad_value", "sentiment.relevance"},
    {SAMPLE_NEWS, "Sales grew", "Sales fell", "event_id_mismatch", "event_id"},
    // reference
    {SAMPLE_SYMBOL, "\"symbol\":\"FB\"", "\"symbol\":\"F B\"", "bad_value", "aliases[0].symbol"},
    {SAMPLE_SYMBOL, "\"symbol\":\"META\",", "", "missing_field", "aliases[1].symbol"},
    {SAMPLE_SYMBOL, "\"to\":\"2022-06-08\"", "\"to\":\"2022-06-31\"", "bad_time", "aliases[0].to"},
    {SAMPLE_SYMBOL, "\"to\":\"2022-06-08\"", "\"from\":\"2022-06-08\"", "event_id_mismatch", "event_id"},
    {SAMPLE_SYMBOL, "{\"symbol\":\"META\"", "7,{\"symbol\":\"META\"", "bad_type", "aliases"},
    {SAMPLE_SYMBOL, "\"active\":true", "\"active\":false", "event_id_mismatch", "event_id"},
    {SAMPLE_SYMBOL, "2012-05-18", "2012-05-19", "event_id_mismatch", "event_id"},
    {SAMPLE_SPLIT, ",\"split_to\":4", "", "missing_field", "split_to"},
    {SAMPLE_SPLIT, "\"split_to\":4", "\"split_to\":0", "bad_value", "split_to"},
    {SAMPLE_SPLIT, "\"split_to\":4", "\"split_to\":5", "event_id_mismatch", "event_id"},
    {SAMPLE_SPLIT, "\"kind\":\"split\"", "\"kind\":\"dividend\"", "missing_field", "cash_amount"},
    {SAMPLE_DIVIDEND, "0.24", "-0.24", "bad_value", "cash_amount"},
    {SAMPLE_TICKER_CHANGE, "\"new_symbol\":\"META\"", "\"new_symbol\":\"\"", "bad_value", "new_symbol"},
    {SAMPLE_TICKER_CHANGE, ",\"new_symbol\":\"META\"", "", "missing_field", "new_symbol"},
    {SAMPLE_FEED_STATUS, "\"gap\"", "\"fine\"", "bad_value", "state"},
    {SAMPLE_FEED_STATUS, "\"gap\"", "\"late\"", "event_id_mismatch", "event_id"},
    {SAMPLE_FEED_STATUS, "390", "-390", "bad_value", "expected"},
    {SAMPLE_FEED_STATUS, "14:31:00.000Z\",\"cause", "14:29:00.000Z\",\"cause", "bad_value", "gaps"},
    {SAMPLE_FEED_STATUS, ",\"cause\":\"vendor\"", "", "missing_field", "gaps[0].cause"},
    {SAMPLE_FEED_STATUS, "\"TSLA\"", "\"NVDA\"", "event_id_mismatch", "event_id"},
    {SAMPLE_FEED_STATUS, "\"lag_ms\":-5", "\"lag_ms\":-6", "event_id_mismatch", "event_id"},
    // heartbeats
    {SAMPLE_HEARTBEAT, "\"asset_class\"", "\"symbol\":\"AAPL\",\"asset_class\"", "bad_value", "symbol"},
    {SAMPLE_HEARTBEAT, "\"polygon.news\"", "\"\"", "bad_value", "feeds"},
    {SAMPLE_HEARTBEAT, "\"polygon.news\"", "\"polygon.bars.1m\"", "json_duplicate_key", ""},
    {SAMPLE_HEARTBEAT, "\"polygon.news\":\"2024", "\"polygon.news\":\"2x24", "bad_time", "feeds.time"},
    {SAMPLE_HEARTBEAT, "\"polygon.news\":\"2024", "\"polygon.news\":\"2023", "event_id_mismatch", "event_id"},
    {SAMPLE_HEARTBEAT, "\"polygon.news\"", "\"polygon.newz\"", "event_id_mismatch", "event_id"},
    {SAMPLE_HEARTBEAT, "00.001Z", "00.002Z", "event_id_mismatch", "event_id"},
    {SAMPLE_LANE_END, "\"lane_end\":true", "\"lane_end\":false", "bad_value", "lane_end"},
    // metrics
    {SAMPLE_METRIC, "\"source\":\"processor\"", "\"source\":\"polygon\"", "bad_value", "source"},
    {SAMPLE_METRIC, "\"n_obs\":300", "\"n_obs\":301", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"n_obs\":300", "\"n_obs\":-300", "bad_value", "n_obs"},
    {SAMPLE_METRIC, "\"n_obs\":300", "\"n_obs\":4294967296", "bad_value", "n_obs"},
    {SAMPLE_METRIC, "\"warmup\":false", "\"warmup\":true", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":100.0", "bad_number", "rsi_14"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":1e2", "bad_number", "rsi_14"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":-0", "bad_number", "rsi_14"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":0.123456789", "bad_number", "rsi_14"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":1234567890.123456", "bad_number", "rsi_14"},
    {SAMPLE_METRIC, "\"rsi_14\":100", "\"rsi_14\":100.00000001", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"mtf_strength\":", "\"mtf_strength\":1", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"HIGH\"", "\"LOW\"", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"trend_up\"", "\"range\"", "event_id_mismatch", "event_id"},
    {SAMPLE_METRIC, "\"parent_source\":\"polygon\"", "\"parent_source\":\"yahoo\"", "event_id_mismatch",
     "event_id"},
    // alerts
    {SAMPLE_ALERT, "\"source\":\"processor\"", "\"source\":\"polygon\"", "bad_value", "source"},
    {SAMPLE_ALERT, "\"interval\":\"1m\"", "\"interval\":\"news\"", "missing_field", "article_id"},
    {SAMPLE_ALERT, "\"interval\":\"1m\"", "\"interval\":\"3m\"", "bad_value", "interval"},
    {SAMPLE_ALERT, "\"interval\":\"1m\"", "\"interval\":\"5m\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"rule_id\":\"volume_spike\"", "\"rule_id\":\"gap\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "1.5f2a90c1", "1.5f2a90c2", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"warning\"", "\"critical\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"warning\"", "\"bad\"", "bad_value", "severity"},
    {SAMPLE_ALERT, "\"direction\":\"up\"", "\"direction\":\"down\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"value\":4.2", "\"value\":4.3", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"threshold\":3", "\"threshold\":2", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"threshold\":3", "\"threshold\":3.0", "bad_number", "threshold"},
    {SAMPLE_ALERT, "\"mean\":11000.5", "\"mean\":11000.6", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"mean\":11000.5", "\"average\":11000.5", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"mean\":11000.5", "\"mean\":\"11000.5\"", "bad_type", "baseline.value"},
    {SAMPLE_ALERT, "\"mean\":11000.5", "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1",
     "bad_value", "baseline"},
    {SAMPLE_ALERT, "\"message\":\"1m volume", "\"message\":\"\",\"reason\":\"1m volume", "bad_value",
     "message"},
    {SAMPLE_ALERT, "\"firing\"", "\"resolved\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT, "\"firing\"", "\"firing\",\"resolved_time\":\"2024-01-02T14:33:00.000Z\"", "bad_value",
     "resolved_time"},
    {SAMPLE_ALERT, "\"cause\"", "\"article_id\":\"x\",\"cause\"", "bad_value", "article_id"},
    {SAMPLE_ALERT_NEWS, "polygon|4f1c", "polygon|4f1d", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT_NEWS, "\"cause\"", "\"contract\":\"x\",\"cause\"", "bad_value", "contract"},
    {SAMPLE_ALERT_OPTION, "C00150000", "C00155000", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT_RESOLVED, "\"corrected\"", "\"cleared\"", "event_id_mismatch", "event_id"},
    {SAMPLE_ALERT_RESOLVED, "14:33:00", "14:34:00", "event_id_mismatch", "event_id"},
    // dead letters
    {SAMPLE_DEAD_LETTER, "\"sink\"", "\"load\"", "bad_value", "stage"},
    {SAMPLE_DEAD_LETTER, "\"sink\"", "\"process\"", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER, "\"sink\"", "\"ingest\"", "bad_value", "origin"},
    {SAMPLE_DEAD_LETTER, "json_syntax", "json_depth", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER, "AP97Ig==", "AP97Ig=", "bad_value", "raw"},
    {SAMPLE_DEAD_LETTER, "AP97Ig==", "AP97Ih==", "bad_value", "raw"}, // bits behind the last byte
    {SAMPLE_DEAD_LETTER, "AP97Ig==", "AP97Iw==", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER, "\"attempts\":1", "\"attempts\":-1", "bad_value", "attempts"},
    {SAMPLE_DEAD_LETTER, "\"attempts\"", "\"raw_size\":300000,\"attempts\"", "missing_field", "raw_sha256"},
    {SAMPLE_DEAD_LETTER, "\"partition\":5", "\"partition\":6", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER, "\"partition\":5,", "", "bad_value", "origin"},
    {SAMPLE_DEAD_LETTER, "\"partition\":5", "\"partition\":5,\"provider\":\"polygon\"", "bad_value",
     "origin"},
    {SAMPLE_DEAD_LETTER, "9007199254740993", "9007199254740992", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER_INGEST, "\"index\":17", "\"index\":18", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER_INGEST, "\"feed\":\"polygon.bars.1m\",", "", "bad_value", "origin"},
    {SAMPLE_DEAD_LETTER_INGEST, "\"index\":17", "\"index\":17,\"topic\":\"t\"", "bad_value", "origin"},
    {SAMPLE_DEAD_LETTER_CUT, "\"raw_size\":262145", "\"raw_size\":262144", "bad_value", "raw_size"},
    {SAMPLE_DEAD_LETTER_CUT, "\"raw_size\":262145", "\"raw_size\":262146", "event_id_mismatch", "event_id"},
    {SAMPLE_DEAD_LETTER_CUT, "\"raw_size\":262145,", "", "bad_value", "raw_size"},
    {SAMPLE_DEAD_LETTER_CUT, "\"raw_sha256\":\"", "\"raw_sha256\":\"0", "bad_value", "raw_sha256"},
};

static void replace_once(struct fixture *f, const struct row *row)
{
    struct mf_str text = mf_buf_str(&f->good);
    const char *at = memmem(text.data, text.len, row->from, strlen(row->from));
    if (at == NULL)
        fail_msg("'%s' is not in the sample %s", row->from, event_sample_name(row->sample));
    mf_buf_clear(&f->mutated);
    mf_buf_add(&f->mutated, text.data, (size_t)(at - text.data));
    mf_buf_add_c(&f->mutated, row->to);
    mf_buf_add_c(&f->mutated, at + strlen(row->from));
}

static void test_every_bad_value_is_found(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        encode_sample(f, rows[i].sample);
        replace_once(f, &rows[i]);
        int result = decode_mutated(f);
        if (result == 0 || !has_problem(&f->problems, rows[i].code, rows[i].field)) {
            print_problems(f, event_sample_name(rows[i].sample));
            fail_msg("'%s' → '%s' was not reported as %s [%s]", rows[i].from, rows[i].to, rows[i].field,
                     rows[i].code);
        }
        // The error is the first of the problems.
        assert_int_equal(f->err.class, MF_ERROR_POISON);
        assert_string_equal(f->err.code, f->problems.items[0].code);
        assert_true(f->problems.count == 1 || strcmp(rows[i].code, "bad_value") == 0);
    }
}

static void test_values_outside_the_identity_may_differ(void **state)
{
    struct fixture *f = *state;
    static const struct row fine[] = {
        {.sample = SAMPLE_BAR, .from = "\"1.0\"", .to = "\"1.17\""},
        {.sample = SAMPLE_BAR, .from = "\"ingest_time\":\"2024", .to = "\"ingest_time\":\"2025"},
        {.sample = SAMPLE_BAR, .from = "[\"is_mock\",\"delayed\"]", .to = "[]"},
        {.sample = SAMPLE_BAR, .from = "\"rest\"", .to = "\"ws\""},
        {.sample = SAMPLE_BAR, .from = "\"live\"", .to = "\"backfill:x\""},
        {.sample = SAMPLE_BAR, .from = "187.40", .to = "187.4"},
        {.sample = SAMPLE_BAR, .from = "\"vendor_ms\":1704205800000", .to = "\"vendor_ms\":1704205800001"},
        {.sample = SAMPLE_METRIC, .from = "\"revision\":1", .to = "\"revision\":2"},
        {.sample = SAMPLE_ALERT, .from = "1m volume", .to = "One-minute volume"},
        {.sample = SAMPLE_DEAD_LETTER, .from = "lexical error", .to = "no JSON"},
        {.sample = SAMPLE_DEAD_LETTER, .from = "\"attempts\":1", .to = "\"attempts\":2"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(fine); i++) {
        encode_sample(f, fine[i].sample);
        replace_once(f, &fine[i]);
        if (decode_mutated(f) != 0) {
            print_problems(f, fine[i].from);
            fail_msg("'%s' → '%s' was refused", fine[i].from, fine[i].to);
        }
    }
}

static void test_all_problems_are_listed_and_bounded(void **state)
{
    struct fixture *f = *state;
    mf_buf_clear(&f->mutated);
    mf_buf_add_c(&f->mutated,
                 "{\"schema_version\":\"1.0\",\"event_type\":\"metric\",\"symbol\":7,\"lane\":\"x\"");
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++)
        mf_buf_addf(&f->mutated, ",\"%s\":null", mf_metric_field_names[i]);
    mf_buf_add_c(&f->mutated, "}");
    assert_int_equal(decode_mutated(f), -1);
    assert_string_equal(f->err.code, "bad_type");
    assert_string_equal(f->err.message, "symbol: must be a string, not number");
    assert_true(f->problems.count > MF_METRIC_FIELD_MAX); // more than the list holds
    assert_true(has_problem(&f->problems, "bad_type", "symbol"));
    assert_true(has_problem(&f->problems, "bad_type", "ret_1"));
    // Without a list, and without an error, the answer is the same.
    assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->mutated), &f->decoded, NULL, NULL), -1);
}

// A message that quotes the record is text again: it goes into dead letters and onto terminals.
// Who leaves out the event_id, to have it computed, hears what else is wrong.
static void test_a_missing_event_id_is_told_last(void **state)
{
    struct fixture *f = *state;
    mf_buf_clear(&f->mutated);
    mf_buf_add_str(&f->mutated, MF_STR("{\"schema_version\":\"1.0\",\"event_type\":\"heartbeat\"}"));
    assert_int_equal(decode_mutated(f), -1);
    assert_true(has_problem(&f->problems, "missing_field", "event_id"));
    assert_null(strstr(f->err.message, "event_id"));

    struct mf_error err;
    const struct mf_json_node *root = NULL;
    encode_sample(f, SAMPLE_HEARTBEAT);
    assert_int_equal(mf_json_parse(f->other, mf_buf_str(&f->good), &mf_json_limits_event, &root, &err), 0);
    mutate(f, root, mf_json_get(root, "event_id"), NULL);
    assert_int_equal(decode_mutated(f), -1);
    assert_string_equal(f->err.message, "event_id: is required");
}

static void test_messages_are_text_whatever_they_quote(void **state)
{
    struct fixture *f = *state;
    for (size_t ascii = 30; ascii < 45; ascii++) { // the quoted part ends inside of a character somewhere
        mf_buf_clear(&f->mutated);
        mf_buf_add_c(&f->mutated, "{\"schema_version\":\"1.0\",\"event_type\":\"");
        for (size_t i = 0; i < ascii; i++)
            mf_buf_add_char(&f->mutated, 'a');
        for (size_t i = 0; i < 40; i++)
            mf_buf_add_c(&f->mutated, "\xf0\x9f\x8d\x8e\\u001b");
        mf_buf_add_c(&f->mutated, "\"}");
        assert_int_equal(decode_mutated(f), -1);
        assert_string_equal(f->err.code, "unknown_event_type");
        assert_true(mf_str_is_utf8(mf_str_of(f->err.message)));
        assert_true(mf_str_is_utf8(mf_str_of(f->problems.items[0].message)));
        assert_null(strchr(f->err.message, '\x1b'));
        // So it can always be the detail of a dead letter.
        event_sample_fill(SAMPLE_DEAD_LETTER, &f->event);
        f->event.dead_letter.detail = mf_str_of(f->err.message);
        mf_buf_clear(&f->good);
        assert_int_equal(mf_event_encode(&f->event, &f->good, NULL), 0);
    }
}

// What only a program can get wrong, because JSON could not say it.
static void test_structs_that_no_payload_could_hold(void **state)
{
    struct fixture *f = *state;
    static const char *const codes[] = {"bad_time",  "bad_value", "bad_value", "number_out_of_range",
                                        "bad_value", "bad_value"};
    for (size_t i = 0; i < MF_ARRAY_LEN(codes); i++) {
        event_sample_fill(i == 3 || i == 4 ? SAMPLE_ALERT
                          : i == 5         ? SAMPLE_HEARTBEAT
                                           : SAMPLE_BAR,
                          &f->event);
        switch (i) {
        case 0: f->event.event_time_us += 1; break;
        case 1: f->event.flags = MF_FLAG_ALL + 1; break;
        case 2: f->event.symbol = MF_STR("A\0B"); break;
        case 3: f->event.alert.value = 1e15; break;
        case 4: f->event.alert.baseline[1].name = f->event.alert.baseline[0].name; break;
        default: f->event.heartbeat.feed_count = MF_HEARTBEAT_FEEDS_MAX + 1; break;
        }
        assert_int_equal(mf_event_check(&f->event, &f->problems, &f->err), -1);
        assert_string_equal(f->err.code, codes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_wrong_type_is_found_in_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_bad_value_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_outside_the_identity_may_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_problems_are_listed_and_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_event_id_is_told_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_are_text_whatever_they_quote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_structs_that_no_payload_could_hold, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
