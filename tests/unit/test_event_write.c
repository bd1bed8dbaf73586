// SPDX-License-Identifier: Apache-2.0
// The writers against the field tables: the same answer, the same bytes, the same identity, whatever the
// event.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/event_write.h"

#include <cmocka.h>

#include "event_samples.h"

struct fixture {
    struct mf_event event;
    struct mf_buf table, fast;
    struct mf_error table_err, fast_err;
    char room[8][160]; // texts of a random event
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    mf_buf_init(&f->table, MF_EVENT_SIZE_MAX);
    mf_buf_init(&f->fast, MF_EVENT_SIZE_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_buf_free(&f->table);
    mf_buf_free(&f->fast);
    free(f);
    return 0;
}

// Both ways give the same. Returns whether the event is a good one.
static bool compare(struct fixture *f)
{
    mf_buf_clear(&f->table);
    mf_buf_clear(&f->fast);
    int by_table = mf_event_encode_by_table(&f->event, &f->table, &f->table_err);
    int fast = mf_event_encode(&f->event, &f->fast, &f->fast_err);
    assert_int_equal(fast, by_table);
    if (by_table != 0)
        assert_string_equal(f->fast_err.message, f->table_err.message);
    if (!mf_str_eq(mf_buf_str(&f->fast), mf_buf_str(&f->table)))
        fail_msg("written:  %s\nby table: %s", mf_buf_c_str(&f->fast), mf_buf_c_str(&f->table));
    return by_table == 0;
}

// Does the writer itself take it?
static bool taken(struct fixture *f)
{
    mf_buf_clear(&f->fast);
    return mf_event_write(&f->event, &f->fast);
}

static bool has_writer(enum mf_event_type type)
{
    return type == MF_EVENT_METRIC || type == MF_EVENT_BAR || type == MF_EVENT_ALERT;
}

static void every_sample_is_written_as_by_table(void **state)
{
    struct fixture *f = *state;
    int by_writer = 0;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        event_sample_fill(sample, &f->event);
        assert_true(compare(f));
        // A day's window may have any length, so day bars are left to the tables.
        bool wanted = has_writer(f->event.type) && sample != SAMPLE_BAR_BARE;
        if (taken(f) != wanted)
            fail_msg("%s: taken %d", event_sample_name(sample), !wanted);
        by_writer += wanted;
    }
    assert_int_equal(by_writer, 8);
}

// The short way of making an event "absent" against the walk over all rows, on memory that was used before.
static void init_leaves_every_row_absent(void **state)
{
    (void)state;
    static struct mf_event made, walked;
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        const struct mf_event_table *table = mf_event_tables[type];
        memset(&made, 0xa5, sizeof made);
        mf_event_init(&made, type);
        memset(&walked, 0, sizeof walked);
        mf_fields_clear(table->fields, table->count, &walked);
        walked.type = type;
        size_t size = type == MF_EVENT_METRIC ? offsetof(struct mf_event, metric.values)
                                              : offsetof(struct mf_event, bar) + table->size;
        assert_memory_equal(&made, &walked, size);
        for (size_t row = 0; row < table->count; row++) {
            const struct mf_event_field *field = &table->fields[row];
            if (field->kind->present(field, &made) != field->kind->present(field, &walked))
                fail_msg("%s: %s", mf_event_type_name(type), field->name);
        }
    }
}

// The order of the table's rows, their names and which of them count for the identity are the writer's.
static void each_metric_field_has_the_place_of_its_row(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_METRIC, &f->event);
    struct mf_metric_event *metric = &f->event.metric;
    const uint64_t all = metric->present;
    assert_true(all == (UINT64_C(1) << MF_METRIC_FIELD_MAX) - 1);
    assert_true(compare(f) && taken(f));
    for (unsigned field = 0; field < MF_METRIC_FIELD_MAX; field++) {
        char member[64];
        snprintf(member, sizeof member, ",\"%s\":", mf_metric_field_names[field]);
        metric->present = UINT64_C(1) << field;
        assert_true(compare(f) && taken(f));
        assert_non_null(strstr(mf_buf_c_str(&f->fast), member));
        metric->present = all & ~metric->present;
        assert_true(compare(f) && taken(f));
        assert_null(strstr(mf_buf_c_str(&f->fast), member));
    }
    const struct mf_event_table *table = mf_event_tables[MF_EVENT_METRIC];
    unsigned rows = 0;
    for (size_t row = 0; row < table->count; row++)
        rows += table->fields[row].kind == &mf_kind_metric;
    assert_int_equal(rows, MF_METRIC_FIELD_MAX);
}

static void metrics_of_every_size_have_room(void **state)
{
    struct fixture *f = *state;
    static const double widest[] = {
        -999999.99999999, -9999999.5, 9999999.99999999, -123456789.123456, -999999999999999.0, 0, -0.0,
        5e-324,           99999.5};
    event_sample_fill(SAMPLE_METRIC, &f->event);
    memset(f->room, 'x', sizeof f->room);
    f->event.symbol = (struct mf_str){f->room[0], MF_SYMBOL_MAX};
    f->event.request_id = (struct mf_str){f->room[0], 128};
    f->event.page = INT64_MAX;
    f->event.flags = MF_FLAG_ALL;
    f->event.asset_class = MF_ASSET_CRYPTO;
    f->event.mode = MF_MODE_SYNTHETIC;
    f->event.metric.n_obs = f->event.metric.revision = INT32_MAX;
    f->event.metric.parent_source = MF_STR("alpha_vantage");
    f->event.metric.vol_regime = f->event.metric.market_regime = (struct mf_str){f->room[0], 32};
    memcpy(f->room[1], "backfill:", 9);
    f->event.lane = (struct mf_str){f->room[1], 9 + MF_RUN_ID_MAX};
    size_t longest = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(widest); i++) {
        for (unsigned field = 0; field < MF_METRIC_FIELD_MAX; field++)
            f->event.metric.values[field] = widest[i];
        assert_true(compare(f) && taken(f));
        longest = f->fast.len > longest ? f->fast.len : longest;
    }
    assert_in_range(longest, 2000, MF_WRITE_ROOM - 64);
}

// ---- one thing wrong at a time

static void spoil(struct mf_event *event, unsigned how)
{
    struct mf_metric_event *metric = &event->metric;
    switch (how) {
    case 0: event->symbol = MF_STR("A B"); break;
    case 1: event->symbol = MF_STR_NULL; break;
    case 2: event->asset_class = MF_ASSET_CLASS_MAX; break;
    case 3: event->source = MF_STR("polygon"); break;
    case 4: event->lane = MF_STR("backfill:"); break;
    case 5: event->event_time_us += 1; break;
    case 6: event->ingest_time_us = INT64_MIN; break;
    case 7: event->flags = MF_FLAG_ALL + 1; break;
    case 8: event->mode = MF_MODE_MAX; break;
    case 9: event->page = -2; break;
    case 10: event->request_id = MF_STR("\xff"); break;
    case 11: event->schema_version = MF_STR("2.0"); break;
    case 12: event->event_id = MF_STR("0123456789abcdef0123456789abcdef"); break;
    case 13: metric->interval = MF_INTERVAL_MAX; break;
    case 14: metric->adjusted = (enum mf_adjusted)77; break;
    case 15: metric->bar_time_us = INT64_MAX / 1000 * 1000; break;
    case 16: metric->revision = -1; break;
    case 17: metric->parent_source = MF_STR("else"); break;
    case 18: metric->cause = MF_STR("0123456789abcdef0123456789abcdeF"); break;
    case 19: metric->cause = MF_STR("0123456789abcdef"); break;
    case 20: metric->n_obs = UINT32_C(1) << 31; break;
    case 21: metric->values[MF_METRIC_FIELD_RET_1] = NAN; break;
    case 22: metric->values[MF_METRIC_FIELD_MTF_STRENGTH] = 1e15; break;
    case 23: metric->vol_regime = MF_STR("a regime whose name has 33 bytes.."); break;
    case 24: metric->market_regime = MF_STR("\x80"); break;
    case 25: metric->parent_source = MF_STR_NULL; break;
    case 26: metric->values[MF_METRIC_FIELD_SMA_5] = -HUGE_VAL; break;
    case 27: event->source = MF_STR_NULL; break;
    case 28: event->lane = MF_STR_NULL; break;
    default: metric->cause = MF_STR_NULL; break;
    }
}

static void spoil_alert(struct mf_event *event, unsigned how)
{
    struct mf_alert *alert = &event->alert;
    switch (how) {
    case 0: event->source = MF_STR("polygon"); break;
    case 1: alert->rule_id = MF_STR(""); break;
    case 2: alert->rule_version = MF_STR_NULL; break;
    case 3: alert->interval = MF_STR("1x"); break;
    case 4: alert->interval = MF_STR("news"); break;
    case 5: alert->article_id = MF_STR("polygon|1"); break;
    case 6: alert->adjusted = (enum mf_adjusted)(MF_ADJUSTED_MAX + 1); break;
    case 7: alert->severity = MF_SEVERITY_MAX; break;
    case 8: alert->direction = MF_DIRECTION_MAX; break;
    case 9: alert->value = NAN; break;
    case 10: alert->threshold = -1e15; break;
    case 11: alert->baseline[1].name = alert->baseline[0].name; break;
    case 12: alert->baseline[1].name = MF_STR(""); break;
    case 13: alert->baseline[1].value = HUGE_VAL; break;
    case 14: alert->baseline_count = MF_ALERT_BASELINE_MAX + 1; break;
    case 15: alert->message = MF_STR(""); break;
    case 16: alert->message = MF_STR("\xff"); break;
    case 17: alert->state = MF_ALERT_STATE_MAX; break;
    case 18: alert->resolved_time_us = event->event_time_us; break;
    case 19: alert->cooldown_until_us = 1; break;
    case 20: alert->revision = -1; break;
    case 21: alert->parent_source = MF_STR("nobody"); break;
    case 22: alert->cause = MF_STR("0123456789abcdef0123456789abcde"); break;
    case 23: alert->contract = (struct mf_str){(const char *)alert->baseline, MF_SYMBOL_MAX + 1}; break;
    default: alert->interval = MF_STR_NULL; break;
    }
}

static void refused_by_both(struct fixture *f, const char *what, unsigned how)
{
    if (compare(f))
        fail_msg("%s %u was written: %s", what, how, mf_buf_c_str(&f->fast));
    mf_buf_add_c(&f->fast, "before");
    assert_false(mf_event_write(&f->event, &f->fast));
    assert_string_equal(mf_buf_c_str(&f->fast), "before");
    mf_buf_clear(&f->fast);
}

static void what_is_wrong_is_refused_as_by_table(void **state)
{
    struct fixture *f = *state;
    for (unsigned how = 0; how < 30; how++) {
        event_sample_fill(SAMPLE_METRIC, &f->event);
        spoil(&f->event, how);
        refused_by_both(f, "metric", how);
    }
    for (unsigned how = 0; how < 25; how++) {
        event_sample_fill(SAMPLE_ALERT, &f->event);
        assert_true(taken(f));
        spoil_alert(&f->event, how);
        refused_by_both(f, "alert", how);
    }
}

// The longest of everything, so that the writer's own buffers are shown to be large enough.
static void alerts_of_every_size_have_room(void **state)
{
    struct fixture *f = *state;
    struct mf_alert *alert = &f->event.alert;
    static char long_text[1024], run[9 + MF_RUN_ID_MAX], names[MF_ALERT_BASELINE_MAX][128];
    memset(long_text, 'x', sizeof long_text);
    memset(run, 'r', sizeof run);
    memcpy(run, "backfill:", 9);
    event_sample_fill(SAMPLE_ALERT_NEWS, &f->event);
    f->event.symbol = (struct mf_str){long_text, MF_SYMBOL_MAX};
    f->event.lane = (struct mf_str){run, sizeof run};
    f->event.request_id = (struct mf_str){long_text, MF_REQUEST_ID_MAX};
    f->event.page = INT64_MAX;
    f->event.flags = MF_FLAG_ALL;
    alert->rule_id = alert->rule_version = alert->reason = (struct mf_str){long_text, 64};
    alert->message = (struct mf_str){long_text, 1024};
    alert->article_id = alert->symbol_name = (struct mf_str){long_text, 256};
    alert->exchange = alert->symbol_type = alert->reason;
    alert->parent_source = MF_STR("alpha_vantage");
    alert->value = alert->threshold = -123456789.123456;
    alert->revision = INT32_MAX;
    alert->adjusted = MF_ADJUSTED_SPLIT_DIV;
    for (alert->baseline_count = 0; alert->baseline_count < MF_ALERT_BASELINE_MAX; alert->baseline_count++) {
        char *name = names[alert->baseline_count];
        memset(name, 'n', sizeof names[0]);
        name[127] = (char)('z' - alert->baseline_count); // from the last to the first
        alert->baseline[alert->baseline_count].name = (struct mf_str){name, sizeof names[0]};
        alert->baseline[alert->baseline_count].value = -9999999.99999999;
    }
    assert_true(compare(f) && taken(f));
    assert_in_range(f->fast.len, 3500, MF_WRITE_ROOM - 64);
    alert->rule_id.len++;
    refused_by_both(f, "long alert", 0);
    alert->rule_id.len--;
    alert->symbol_name.len++; // the tables take up to 1024 bytes
    assert_true(compare(f) && !taken(f));
}

// Good events that have what a writer does not know.
static void what_is_rare_is_left_to_the_table(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_METRIC, &f->event);
    f->event.request_id = MF_STR("a \"quoted\" id");
    assert_true(compare(f) && !taken(f));
    f->event.request_id = MF_STR("caf\xc3\xa9");
    assert_true(compare(f) && !taken(f));
    f->event.request_id = MF_STR("");
    assert_true(compare(f) && taken(f));
    f->event.event_time_us = f->event.metric.bar_time_us = -MF_US_PER_MS; // 1969
    assert_true(compare(f) && !taken(f));
    event_sample_fill(SAMPLE_METRIC, &f->event);
    f->event.schema_version = MF_STR("1.0");
    assert_true(compare(f) && !taken(f));
    event_sample_fill(SAMPLE_METRIC, &f->event);
    f->event.metric.with_text = UINT64_C(1) << MF_METRIC_FIELD_RSI_14;
    f->event.metric.texts[MF_METRIC_FIELD_RSI_14] = MF_STR("12.5");
    assert_true(compare(f) && !taken(f));
    assert_non_null(strstr(mf_buf_c_str(&f->table), "\"rsi_14\":12.5,"));
}

static void a_given_id_must_be_the_one(void **state)
{
    struct fixture *f = *state;
    char id[MF_EVENT_ID_SIZE];
    event_sample_fill(SAMPLE_METRIC, &f->event);
    assert_int_equal(mf_event_id(&f->event, id, NULL), 0);
    f->event.event_id = mf_str_of(id);
    assert_true(compare(f) && taken(f));
    id[31] = id[31] == '0' ? '1' : '0';
    assert_false(compare(f) || taken(f));
    assert_string_equal(f->fast_err.code, "event_id_mismatch");
}

// With less room than a writer asks for, the tables find out whether it is enough.
static void a_buffer_at_its_limit(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_METRIC, &f->event);
    assert_true(compare(f));
    for (size_t max = f->table.len - 1; max <= f->table.len + 1; max++) {
        struct mf_buf small;
        mf_buf_init(&small, max);
        bool fits = max >= f->table.len;
        assert_int_equal(mf_event_encode(&f->event, &small, &f->fast_err), fits ? 0 : -1);
        assert_int_equal(small.len, fits ? f->table.len : 0);
        assert_false(mf_event_write(&f->event, &small));
        mf_buf_free(&small);
    }
    // Behind something that was there before.
    mf_buf_clear(&f->fast);
    mf_buf_add_c(&f->fast, "before");
    assert_int_equal(mf_event_encode(&f->event, &f->fast, NULL), 0);
    assert_int_equal(f->fast.len, 6 + f->table.len);
    assert_memory_equal(f->fast.data + 6, f->table.data, f->table.len + 1);
}

// ---- random events

static uint64_t below(uint64_t *random, uint64_t end)
{
    return mf_random_next(random) % end;
}

static bool one_in(uint64_t *random, uint64_t n)
{
    return below(random, n) == 0;
}

static struct mf_str pick(uint64_t *random, const char *const *from, size_t count)
{
    return mf_str_of(from[below(random, count)]);
}

static double random_value(uint64_t *random)
{
    static const double scales[] = {1e-7, 0.01, 1, 100, 10000, 1e7, 1e9, 1e15};
    double value = (double)(int64_t)mf_random_next(random) / 9223372036854775808.0;
    value *= scales[below(random, MF_ARRAY_LEN(scales))];
    if (one_in(random, 5))
        value = round(value * 100) / 100;
    if (one_in(random, 400)) {
        uint64_t bits = mf_random_next(random);
        memcpy(&value, &bits, sizeof value);
    }
    return value;
}

static int64_t random_time(uint64_t *random)
{
    int64_t time_us = (int64_t)below(random, UINT64_C(4102444800000)) * MF_US_PER_MS;
    if (one_in(random, 100))
        return (int64_t)mf_random_next(random) / (int64_t)(1 + below(random, 64));
    return time_us;
}

static void random_envelope(struct fixture *f, enum mf_event_type type, uint64_t *random)
{
    static const char *const symbols[] = {"AAPL", "BRK.B", "X:BTC-USD", "C:EUR/USD", "A", "SYM00001", "a_b"};
    static const char *const odd[] = {"",    "A B",         "\xc3\xa9", "tab\there",
                                      "q\"", "back\\slash", "del\x7f",  "plain-id"};
    struct mf_event *event = &f->event;
    mf_event_init(event, type);
    event->symbol = one_in(random, 50) ? pick(random, odd, MF_ARRAY_LEN(odd))
                                       : pick(random, symbols, MF_ARRAY_LEN(symbols));
    event->asset_class = (enum mf_asset_class)below(random, MF_ASSET_CLASS_MAX + one_in(random, 50));
    bool made = type == MF_EVENT_METRIC || one_in(random, 2);
    event->source = one_in(random, 50) ? MF_STR("polygon") : made ? MF_STR("processor") : MF_STR("yahoo");
    event->lane = one_in(random, 50)  ? pick(random, odd, MF_ARRAY_LEN(odd))
                  : one_in(random, 3) ? MF_STR("backfill:run-1")
                                      : MF_STR("live");
    event->event_time_us = random_time(random);
    event->ingest_time_us =
        one_in(random, 3) ? random_time(random) : event->event_time_us + 61 * MF_US_PER_SECOND;
    event->flags = (unsigned)below(random, one_in(random, 50) ? 256 : MF_FLAG_ALL + 1);
    event->mode = (enum mf_provenance_mode)below(random, MF_MODE_MAX + one_in(random, 50));
    if (one_in(random, 3))
        event->request_id = pick(random, odd, MF_ARRAY_LEN(odd));
    if (one_in(random, 3))
        event->page = (int64_t)(mf_random_next(random) >> below(random, 64));
}

static struct mf_str random_hex(char *out, uint64_t *random)
{
    mf_hash128_hex((struct mf_hash128){mf_random_next(random), mf_random_next(random)}, out);
    if (one_in(random, 50))
        out[below(random, 32)] = (char)below(random, 256);
    return (struct mf_str){out, 32 - one_in(random, 100)};
}

static void random_metric(struct fixture *f, uint64_t *random)
{
    random_envelope(f, MF_EVENT_METRIC, random);
    struct mf_metric_event *metric = &f->event.metric;
    static const char *const regimes[] = {"HIGH", "NORMAL", "trend_up", "", "a\nb", "r\xc3\xa9gime"};
    metric->interval = (enum mf_interval)below(random, MF_INTERVAL_MAX + one_in(random, 50));
    metric->adjusted = (enum mf_adjusted)below(random, MF_ADJUSTED_MAX + one_in(random, 50));
    metric->bar_time_us = one_in(random, 20) ? random_time(random) : f->event.event_time_us;
    metric->revision = (int)below(random, 100) - one_in(random, 50);
    metric->parent_source = one_in(random, 50) ? MF_STR("none") : MF_STR("coinbase");
    metric->cause = random_hex(f->room[0], random);
    metric->n_obs = (uint32_t)(mf_random_next(random) >> (33 + below(random, 31)));
    metric->warmup = one_in(random, 2);
    metric->present = mf_random_next(random) >> (64 - MF_METRIC_FIELD_MAX);
    metric->present |= one_in(random, 2) ? mf_random_next(random) >> (64 - MF_METRIC_FIELD_MAX) : 0;
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++)
        metric->values[i] = random_value(random);
    static const char *const names[] = {"Apple Inc.", "caf\xc3\xa9 \"x\""};
    if (one_in(random, 3))
        metric->symbol_name = pick(random, names, MF_ARRAY_LEN(names));
    if (one_in(random, 3))
        metric->exchange = MF_STR("XNAS");
    if (one_in(random, 3))
        metric->symbol_type = MF_STR("CS");
    if (one_in(random, 2))
        metric->vol_regime = pick(random, regimes, one_in(random, 20) ? MF_ARRAY_LEN(regimes) : 3);
    if (one_in(random, 2))
        metric->market_regime = pick(random, regimes, one_in(random, 20) ? MF_ARRAY_LEN(regimes) : 3);
}

static void random_alert(struct fixture *f, uint64_t *random)
{
    static const char *const intervals[] = {"1m", "5m", "1h", "1mo", "1d", "news", "1"};
    static const char *const names[] = {"mean",           "sd",  "n",    "close",
                                        "previous_close", "mea", "x\"y", "volume"};
    static const char *const texts[] = {"1m close 12.5 moved +2.00 % (threshold 2 %)", "cleared",
                                        "an \"odd\" one", "caf\xc3\xa9"};
    random_envelope(f, MF_EVENT_ALERT, random);
    struct mf_alert *alert = &f->event.alert;
    alert->rule_id = MF_STR("price_move_z");
    alert->rule_version = MF_STR("1.5f2a90c1");
    alert->interval = pick(random, intervals, MF_ARRAY_LEN(intervals) - !one_in(random, 50));
    if (mf_str_eq_c(alert->interval, "news") != one_in(random, 100))
        alert->article_id = pick(random, texts, 2 + one_in(random, 20));
    if (one_in(random, alert->article_id.data != NULL ? 100 : 2))
        alert->contract = pick(random, texts, 2 + one_in(random, 20));
    alert->adjusted = (enum mf_adjusted)below(random, MF_ADJUSTED_MAX + 1 + one_in(random, 50));
    alert->severity = (enum mf_severity)below(random, MF_SEVERITY_MAX + one_in(random, 50));
    alert->direction = (enum mf_direction)below(random, MF_DIRECTION_MAX + one_in(random, 50));
    alert->value = random_value(random);
    alert->threshold = (double)below(random, 9);
    size_t first = below(random, MF_ARRAY_LEN(names));
    alert->baseline_count = below(random, 5);
    for (size_t i = 0; i < alert->baseline_count; i++) {
        alert->baseline[i].name =
            mf_str_of(names[one_in(random, 50) ? first : (first + i) % MF_ARRAY_LEN(names)]);
        alert->baseline[i].value = random_value(random);
    }
    alert->message = pick(random, texts, one_in(random, 10) ? MF_ARRAY_LEN(texts) : 2);
    alert->state = (enum mf_alert_state)below(random, MF_ALERT_STATE_MAX + one_in(random, 50));
    if (one_in(random, 2))
        alert->reason = pick(random, texts, one_in(random, 10) ? MF_ARRAY_LEN(texts) : 2);
    if (alert->state == MF_ALERT_RESOLVED || one_in(random, 50))
        alert->resolved_time_us = one_in(random, 50) ? INT64_MIN : random_time(random);
    alert->cooldown_until_us = one_in(random, 3) ? 0 : random_time(random);
    alert->revision = (int)below(random, 9) - one_in(random, 50);
    alert->parent_source = one_in(random, 3) ? MF_STR_NULL : MF_STR("oanda");
    alert->cause = random_hex(f->room[0], random);
    alert->symbol_name = one_in(random, 2) ? MF_STR_NULL : MF_STR("Apple Inc.");
    alert->exchange = one_in(random, 2) ? MF_STR_NULL : MF_STR("XNAS");
}

static struct mf_str random_number(char out[160], uint64_t base, uint64_t *random)
{
    static const char *const odd[] = {"",
                                      "-1",
                                      "0",
                                      "0.0",
                                      "1e3",
                                      "01",
                                      "1.123456789",
                                      "1000000000000000.1",
                                      "1000000000000000.00",
                                      "12345678901234567890",
                                      "x",
                                      "-0"};
    unsigned scale = (unsigned)below(random, 9);
    int used = snprintf(out, 160, "%llu", (unsigned long long)base);
    if (scale > 0)
        snprintf(out + used, 160 - (size_t)used, ".%0*llu", (int)scale,
                 one_in(random, 3) ? 0ULL : (unsigned long long)below(random, 10));
    return one_in(random, 150) ? pick(random, odd, MF_ARRAY_LEN(odd)) : mf_str_of(out);
}

static void random_bar(struct fixture *f, uint64_t *random)
{
    random_envelope(f, MF_EVENT_BAR, random);
    struct mf_bar *bar = &f->event.bar;
    uint64_t low = 1 + (mf_random_next(random) >> (24 + below(random, 38))), range = below(random, 100);
    bar->interval =
        (enum mf_interval)below(random, one_in(random, 20) ? MF_INTERVAL_MAX + 1 : MF_INTERVAL_1D);
    bar->window_end_us = f->event.event_time_us - one_in(random, 50) * MF_US_PER_MS;
    if (bar->interval < MF_INTERVAL_MAX)
        bar->window_end_us += mf_interval_us(bar->interval);
    bar->session_date = mf_date_of_utc(f->event.event_time_us);
    bar->session_date.day += one_in(random, 10) ? (int)below(random, 5) - 2 : 0;
    bar->session = (enum mf_session)below(random, MF_SESSION_MAX + one_in(random, 50));
    bar->open = random_number(f->room[1], low + below(random, range + 1), random);
    bar->high = random_number(f->room[2], low + range + 1 - one_in(random, 20), random);
    bar->low = random_number(f->room[3], low - (low > 1 && !one_in(random, 20)), random);
    bar->close = random_number(f->room[4], low + below(random, range + 1), random);
    bar->volume = random_number(f->room[5], below(random, 100000), random);
    if (one_in(random, 2))
        bar->vwap = random_number(f->room[6], low, random);
    bar->trade_count = one_in(random, 3) ? -1 - one_in(random, 10) : (int64_t)(mf_random_next(random) >> 1);
    bar->adjusted = (enum mf_adjusted)below(random, MF_ADJUSTED_MAX + one_in(random, 50));
    bar->otc = (int)below(random, one_in(random, 50) ? 4 : 3) - 1;
    if (mf_event_is_made(&f->event) != one_in(random, 50)) {
        bar->parent_source = one_in(random, 50) ? MF_STR("processed") : MF_STR("polygon");
        bar->revision = (int)below(random, 9) - one_in(random, 50);
        bar->cause = random_hex(f->room[0], random);
    } else {
        bar->vendor_ms = (int64_t)mf_random_next(random) >> below(random, 63);
    }
}

static void random_events_are_the_same_as_by_table(void **state)
{
    struct fixture *f = *state;
    static void (*const fill[])(struct fixture *, uint64_t *) = {random_metric, random_bar, random_alert};
    enum { EVENTS = 60000 };
    const char *given = getenv("MF_TEST_SEED");
    int64_t seed = 20240102;
    if (given != NULL)
        assert_true(mf_str_to_i64(mf_str_of(given), &seed));
    print_message("seed %lld (MF_TEST_SEED)\n", (long long)seed);
    for (size_t kind = 0; kind < MF_ARRAY_LEN(fill); kind++) {
        uint64_t random = (uint64_t)seed + kind;
        int good = 0, by_writer = 0;
        for (int i = 0; i < EVENTS; i++) {
            fill[kind](f, &random);
            bool is_good = compare(f), is_taken = taken(f);
            assert_true(is_good || !is_taken);
            good += is_good;
            by_writer += is_taken;
        }
        // Neither all good nor all broken; and most of the good ones are the writer's.
        assert_in_range(good, EVENTS / 5, EVENTS * 9 / 10);
        assert_in_range(by_writer, good / 2, good - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_sample_is_written_as_by_table, setup, teardown),
        cmocka_unit_test(init_leaves_every_row_absent),
        cmocka_unit_test_setup_teardown(each_metric_field_has_the_place_of_its_row, setup, teardown),
        cmocka_unit_test_setup_teardown(metrics_of_every_size_have_room, setup, teardown),
        cmocka_unit_test_setup_teardown(alerts_of_every_size_have_room, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_as_by_table, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_rare_is_left_to_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(a_given_id_must_be_the_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_at_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(random_events_are_the_same_as_by_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
