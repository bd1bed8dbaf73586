// SPDX-License-Identifier: Apache-2.0
// Writer of bars, a feed's and those that the processor makes. Their numbers are text and stay it: they are
// read once, to be checked and compared, and copied. Pure.
#include "common/event_write.h"

// A number as its text and its value.
struct price {
    struct mf_str text;
    struct mf_decimal_number value;
};

// Text that events may carry, at most 1e15 on either side of 0.
static bool take_number(struct mf_str text, struct price *out)
{
    static const int64_t limits[] = {INT64_C(1000000000000000), INT64_C(10000000000000000),
                                     INT64_C(100000000000000000), INT64_C(1000000000000000000)};
    out->text = text;
    // With more than three decimals, 18 digits cannot pass the limit.
    return mf_decimal_number_parse(text, &out->value) &&
           (out->value.scale >= MF_ARRAY_LEN(limits) || out->value.mantissa <= limits[out->value.scale]);
}

// What the table's rows and check_bar of event_check.c ask for, but for the dates of long windows and prices
// outside the session, which are few and left to them.
static bool bar_ok(const struct mf_event *event, bool made, struct price number[6])
{
    const struct mf_bar *bar = &event->bar;
    const struct mf_str texts[] = {bar->open, bar->high, bar->low, bar->close, bar->volume, bar->vwap};
    bool has_vwap = bar->vwap.data != NULL;
    for (size_t i = 0; i < (has_vwap ? 6u : 5u); i++) {
        if (!take_number(texts[i], &number[i]) || number[i].value.mantissa < (i == 4 ? 0 : 1))
            return false;
    }
    struct mf_decimal_number high = number[1].value, low = number[2].value;
    for (size_t i = 0; i < 4; i++) {
        if (mf_decimal_number_cmp(number[i].value, high) > 0 ||
            mf_decimal_number_cmp(number[i].value, low) < 0)
            return false;
    }
    if ((unsigned)bar->interval > MF_INTERVAL_4H || (unsigned)bar->session >= MF_SESSION_MAX ||
        (unsigned)bar->adjusted >= MF_ADJUSTED_MAX || !mf_write_time_ok(bar->window_end_us) ||
        bar->window_end_us - event->event_time_us != mf_interval_us(bar->interval) || bar->trade_count < -1 ||
        bar->otc < -1 || bar->otc > 1 || bar->pre_market.data != NULL || bar->after_hours.data != NULL)
        return false;
    if (!made)
        return bar->vendor_ms != INT64_MIN && bar->parent_source.data == NULL && bar->revision == -1 &&
               bar->cause.data == NULL;
    return bar->vendor_ms == INT64_MIN && mf_source_is_known(bar->parent_source) && bar->revision >= 0 &&
           mf_write_hex_ok(bar->cause);
}

// A trading date begins at most a day away from the UTC date of its bars.
static bool write_session_date(struct mf_event_writer *w, const struct mf_event *event)
{
    struct mf_date date = event->bar.session_date;
    if (date.year < 1970 || date.year > 9999 || date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    int32_t day = mf_date_to_days(date);
    int64_t away = day - event->event_time_us / MF_US_PER_DAY;
    if (away < -1 || away > 1 || mf_date_cmp(mf_date_from_days(day), date) != 0)
        return false;
    char text[MF_DATE_TEXT_SIZE];
    mf_date_format(date, text);
    mf_write(w, mf_str_of(text));
    return true;
}

// The text as it is; for the hash without zeros at its end, which is its canonical form.
static void write_number(struct mf_event_writer *w, struct mf_str member, struct mf_str name,
                         const struct price *number)
{
    struct mf_str text = number->text;
    mf_write(w, member);
    mf_write(w, text);
    if (number->value.scale > 0) {
        while (text.data[text.len - 1] == '0')
            text.len--;
        if (text.data[text.len - 1] == '.')
            text.len--;
    }
    mf_write_content(w, name, text);
}

static void write_market(struct mf_event_writer *w, const struct mf_bar *bar, const struct price number[6])
{
    write_number(w, MF_STR(",\"open\":"), MF_STR("open"), &number[0]);
    write_number(w, MF_STR(",\"high\":"), MF_STR("high"), &number[1]);
    write_number(w, MF_STR(",\"low\":"), MF_STR("low"), &number[2]);
    write_number(w, MF_STR(",\"close\":"), MF_STR("close"), &number[3]);
    write_number(w, MF_STR(",\"volume\":"), MF_STR("volume"), &number[4]);
    if (bar->vwap.data != NULL)
        write_number(w, MF_STR(",\"vwap\":"), MF_STR("vwap"), &number[5]);
    if (bar->trade_count != -1) {
        mf_write(w, MF_STR(",\"trade_count\":"));
        char *count = w->at;
        mf_write_count(w, bar->trade_count);
        mf_write_content(w, MF_STR("trade_count"), (struct mf_str){count, (size_t)(w->at - count)});
    }
}

static void write_owner(struct mf_event_writer *w, const struct mf_bar *bar)
{
    if (!w->made) {
        mf_write(w, MF_STR(",\"vendor_ms\":"));
        if (bar->vendor_ms < 0)
            mf_write(w, MF_STR("-"));
        mf_write_count(w, bar->vendor_ms < 0 ? -bar->vendor_ms : bar->vendor_ms);
        return;
    }
    mf_write(w, MF_STR(",\"parent_source\":\""));
    mf_write(w, bar->parent_source);
    mf_write(w, MF_STR("\",\"revision\":"));
    mf_write_count(w, bar->revision);
    mf_write(w, MF_STR(",\"cause\":\""));
    mf_write(w, bar->cause);
    mf_write(w, MF_STR("\""));
}

bool mf_write_bar(struct mf_event_writer *w, const struct mf_event *event)
{
    const struct mf_bar *bar = &event->bar;
    struct price number[6];
    if (!bar_ok(event, w->made, number))
        return false;
    mf_write(w, MF_STR(",\"interval\":\""));
    mf_write_name(w, mf_interval_names, bar->interval);
    mf_write(w, MF_STR("\",\"window_end\":\""));
    mf_write_time(w, bar->window_end_us);
    mf_write(w, MF_STR("\",\"session_date\":\""));
    if (!write_session_date(w, event))
        return false;
    mf_write(w, MF_STR("\",\"session\":\""));
    mf_write_name(w, mf_session_names, bar->session);
    mf_write(w, MF_STR("\""));
    write_market(w, bar, number);
    mf_write(w, MF_STR(",\"adjusted\":\""));
    mf_write_name(w, mf_adjusted_names, bar->adjusted);
    mf_write(w, MF_STR("\""));
    if (bar->otc != -1) {
        struct mf_str otc = bar->otc == 1 ? MF_STR("true") : MF_STR("false");
        mf_write(w, MF_STR(",\"otc\":"));
        mf_write(w, otc);
        mf_write_content(w, MF_STR("otc"), otc);
    }
    write_owner(w, bar);
    return true;
}
