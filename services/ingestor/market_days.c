// SPDX-License-Identifier: Apache-2.0
// Announced days beside the calendar (see market_days.h).
#include "services/ingestor/market_days.h"

#include "common/json_reader.h"
#include "common/json_writer.h"

// The longest time that somebody asks back for a session: an outage, the days of an overlap.
enum { KEPT_DAYS = 30 };
enum { OPEN = 9 * 60 + 30, CLOSE = 16 * 60 };
// The provider's clock and ours, a late opening, a state that is minutes old.
#define MARGIN_US (15 * MF_US_PER_MINUTE)

const char ing_market_days_key[] = "market|us_equities";

const char *ing_market_state_name(enum ing_market_state state)
{
    static const char *const names[ING_MARKET_STATE_MAX] = {[ING_MARKET_UNSAID] = "unsaid",
                                                            [ING_MARKET_CLOSED] = "closed",
                                                            [ING_MARKET_EXTENDED] = "extended-hours",
                                                            [ING_MARKET_OPEN] = "open"};
    assert(state < ING_MARKET_STATE_MAX);
    return names[state];
}

static struct mf_calendar_notice *find(struct ing_market_days *days, struct mf_date date)
{
    for (size_t i = 0; i < days->count; i++) {
        if (mf_date_cmp(days->notices[i].date, date) == 0)
            return &days->notices[i];
    }
    return NULL;
}

static bool is_same(const struct mf_calendar_notice *a, const struct mf_calendar_notice *b)
{
    return a->closed == b->closed &&
           (a->closed || (a->open_minute == b->open_minute && a->close_minute == b->close_minute));
}

static void drop(struct ing_market_days *days, struct mf_calendar_notice *notice)
{
    size_t at = (size_t)(notice - days->notices);
    memmove(notice, notice + 1, (days->count - at - 1) * sizeof *notice);
    days->count--;
}

// One day, as it was announced last. True when that is a change. Where there is no room the rules stand.
static bool set_day(struct ing_market_days *days, const struct mf_calendar_notice *notice,
                    struct ing_market_change *change)
{
    struct mf_calendar_notice *known = find(days, notice->date);
    if (mf_calendar_compare(notice) == MF_CALENDAR_SAME) {
        if (known == NULL)
            return false;
        *change = (struct ing_market_change){.notice = *known, .withdrawn = true};
        drop(days, known);
        return true;
    }
    if (known == NULL && days->count == MF_CALENDAR_NOTICES_MAX)
        return false;
    if (known != NULL && is_same(known, notice))
        return false;
    if (known == NULL)
        known = &days->notices[days->count++];
    *known = *notice;
    *change = (struct ing_market_change){.notice = *notice};
    return true;
}

static bool says(const struct ing_market_said *said, struct mf_date date)
{
    for (size_t i = 0; i < said->count; i++) {
        if (mf_date_cmp(said->days[i].date, date) == 0)
            return true;
    }
    return false;
}

size_t ing_market_days_take(struct ing_market_days *days, const struct ing_market_said *said,
                            struct mf_date today, struct ing_market_change changes[ING_MARKET_CHANGES_MAX])
{
    size_t count = 0;
    struct mf_date oldest = mf_date_add_days(today, -KEPT_DAYS);
    for (size_t i = days->count; i-- > 0;) {
        struct mf_calendar_notice *notice = &days->notices[i];
        if (mf_date_cmp(notice->date, oldest) < 0) {
            drop(days, notice);
        } else if (mf_date_cmp(notice->date, today) > 0 && !says(said, notice->date)) {
            changes[count++] = (struct ing_market_change){.notice = *notice, .withdrawn = true};
            drop(days, notice);
        }
    }
    for (size_t i = 0; i < said->count; i++) {
        if (mf_date_cmp(said->days[i].date, today) >= 0 && mf_date_cmp(said->days[i].date, days->stated) != 0)
            count += set_day(days, &said->days[i], &changes[count]);
    }
    return count;
}

static bool is_inside(const struct mf_calendar_session *session, int64_t time_us)
{
    return time_us >= session->open_us + MARGIN_US && time_us < session->close_us - MARGIN_US;
}

bool ing_market_days_take_state(struct ing_market_days *days, const struct mf_calendar *calendar,
                                const struct ing_market_said *said, bool traded,
                                struct ing_market_change *change)
{
    int64_t time_us = said->server_time_us;
    struct mf_calendar_session session;
    struct mf_calendar_notice notice = {.date = mf_calendar_local_date(calendar, time_us),
                                        .open_minute = OPEN,
                                        .close_minute = CLOSE,
                                        .reason = "the state of the market"};
    bool expected = mf_calendar_session_of(calendar, notice.date, &session);
    if (said->state == ING_MARKET_CLOSED) {
        notice.closed = true;
        if (!expected || traded || !is_inside(&session, time_us))
            return false;
        days->stated = notice.date;
        return set_day(days, &notice, change);
    }
    int weekday = mf_date_weekday(notice.date); // weekends are nobody's announcement
    if (said->state != ING_MARKET_OPEN || weekday == 0 || weekday == 6)
        return false;
    // An announced closure, or early close, that does not take place.
    days->stated = notice.date;
    bool beside = !expected || time_us >= session.close_us + MARGIN_US;
    return beside && set_day(days, &notice, change);
}

// ---------------------------------------------------------------- kept

void ing_market_days_encode(const struct ing_market_days *days, struct mf_buf *out)
{
    struct mf_json_writer w;
    char text[MF_DATE_TEXT_SIZE];
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "version");
    mf_jw_i64(&w, 1);
    mf_jw_key(&w, "days");
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < days->count; i++) {
        const struct mf_calendar_notice *notice = &days->notices[i];
        mf_jw_object_begin(&w);
        mf_jw_member_text(&w, "date", mf_date_format(notice->date, text));
        if (!notice->closed) {
            mf_jw_member_u64(&w, "open_minute", (uint64_t)notice->open_minute);
            mf_jw_member_u64(&w, "close_minute", (uint64_t)notice->close_minute);
        }
        mf_jw_member_text(&w, "reason", notice->reason);
        mf_jw_object_end(&w);
    }
    mf_jw_array_end(&w);
    mf_jw_object_end(&w);
}

static struct mf_str text_of(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    return node != NULL && mf_json_type(node) == MF_JSON_STRING ? mf_json_text(node) : MF_STR_NULL;
}

// A minute of the day; false when there is one and it is none.
static bool read_minute(const struct mf_json_node *object, const char *key, int *minute)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    int64_t number = 0;
    if (node != NULL && (mf_json_type(node) != MF_JSON_NUMBER ||
                         !mf_str_to_i64(mf_json_text(node), &number) || number < 0 || number > 24 * 60))
        return false;
    *minute = (int)number;
    return true;
}

static bool read_day(const struct mf_json_node *object, struct mf_calendar_notice *notice)
{
    *notice = (struct mf_calendar_notice){.closed = mf_json_get(object, "close_minute") == NULL};
    struct mf_str reason = text_of(object, "reason");
    return mf_date_parse(text_of(object, "date"), &notice->date) &&
           read_minute(object, "open_minute", &notice->open_minute) &&
           read_minute(object, "close_minute", &notice->close_minute) &&
           (notice->closed || notice->open_minute < notice->close_minute) &&
           (reason.data == NULL || mf_str_copy(notice->reason, sizeof notice->reason, reason));
}

int ing_market_days_decode(struct mf_json *json, struct mf_str text, struct ing_market_days *days,
                           struct mf_error *err)
{
    const struct mf_json_node *root;
    struct ing_market_days found = {.count = 0};
    struct ing_market_change change;
    if (mf_json_parse(json, text, &mf_json_limits_event, &root, err) < 0)
        return mf_error_set(err, MF_ERROR_POISON, "bad_market_days", "stored market days are not JSON");
    const struct mf_json_node *version = mf_json_get(root, "version");
    if (version == NULL || !mf_str_eq_c(mf_json_text(version), "1"))
        return mf_error_set(err, MF_ERROR_POISON, "bad_market_days",
                            "market days were stored by another version of the ingestor");
    const struct mf_json_node *list = mf_json_get(root, "days");
    for (const struct mf_json_node *item = list != NULL ? mf_json_first(list) : NULL; item != NULL;
         item = mf_json_next(item)) {
        struct mf_calendar_notice notice;
        if (!read_day(item, &notice))
            return mf_error_set(err, MF_ERROR_POISON, "bad_market_days", "a stored market day is none");
        set_day(&found, &notice, &change);
    }
    *days = found;
    return 0;
}
