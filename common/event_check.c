// SPDX-License-Identifier: Apache-2.0
// What no single field can tell: values that must fit each other. Pure; every problem has class POISON.
#include "common/event_table.h"

// Windows up to 4h are as long as their name says. A day has 23 to 25 hours, or ends with the session; longer
// ones follow the calendar, and those of quarters and years are told in whole seconds.
bool mf_bar_window_fits(enum mf_interval interval, int64_t start_us, int64_t end_us)
{
    int64_t length = end_us - start_us;
    if (interval <= MF_INTERVAL_4H)
        return length == mf_interval_us(interval);
    bool whole = interval <= MF_INTERVAL_1MO || length % MF_US_PER_SECOND == 0;
    return length > 0 && length <= mf_interval_longest_us(interval) + MF_US_PER_HOUR && whole;
}

// A trading date begins at most a day away from the UTC date of its first bar.
bool mf_bar_session_fits(enum mf_interval interval, int32_t event_day, int32_t session_day)
{
    int64_t apart = (int64_t)session_day - event_day;
    return interval > MF_INTERVAL_1D || (apart >= -1 && apart <= 1);
}

static void check_window(struct mf_event_report *report, const struct mf_event *event,
                         const struct mf_bar *bar)
{
    if (mf_bar_window_fits(bar->interval, event->event_time_us, bar->window_end_us))
        return;
    const char *length = mf_interval_name(bar->interval);
    if (bar->interval <= MF_INTERVAL_4H)
        mf_event_report_add(report, "bad_value", "window_end", "must be event_time plus %s", length);
    else
        mf_event_report_add(report, "bad_value", "window_end",
                            "must be after event_time and at most %s later", length);
}

static bool bar_prices(const struct mf_bar *bar, mf_fixed8 price[4])
{
    return mf_decimal_to_fixed8(bar->open, &price[0]) && mf_decimal_to_fixed8(bar->high, &price[1]) &&
           mf_decimal_to_fixed8(bar->low, &price[2]) && mf_decimal_to_fixed8(bar->close, &price[3]);
}

static void check_bar(struct mf_event_report *report, const struct mf_event *event, const struct mf_bar *bar)
{
    check_window(report, event, bar);
    mf_fixed8 price[4];
    if (bar_prices(bar, price)) {
        mf_fixed8 high = price[1], low = price[2];
        if (low > high)
            mf_event_report_add(report, "ohlc_inconsistent", "low", "is above high");
        else if (price[0] < low || price[0] > high)
            mf_event_report_add(report, "ohlc_inconsistent", "open", "is outside low to high");
        else if (price[3] < low || price[3] > high)
            mf_event_report_add(report, "ohlc_inconsistent", "close", "is outside low to high");
    }
    int32_t event_day = mf_date_to_days(mf_date_of_utc(event->event_time_us));
    if (!mf_bar_session_fits(bar->interval, event_day, mf_date_to_days(bar->session_date)))
        mf_event_report_add(report, "bad_value", "session_date", "is more than a day away from event_time");
}

static void check_option_bar(struct mf_event_report *report, const struct mf_event *event)
{
    const struct mf_option_bar *option = &event->option_bar;
    check_bar(report, event, &option->bar);
    if (!mf_str_eq(option->underlying, event->symbol))
        mf_event_report_add(report, "bad_value", "contract.underlying", "must be the symbol");
    int64_t days = (int64_t)mf_date_to_days(option->expiration) - mf_date_to_days(option->bar.session_date);
    if (option->days_to_expiration != days)
        mf_event_report_add(report, "bad_value", "days_to_expiration", "must be %lld by contract.expiration",
                            (long long)days);
    static const char *const styles[] = {"american", "european", "bermudan", NULL};
    if (mf_name_index(styles, option->exercise) < 0)
        mf_event_report_add(report, "bad_value", "contract.exercise",
                            "must be american, european or bermudan");
    if (option->snapshot.time_us != INT64_MIN && option->bar.interval != MF_INTERVAL_1D)
        mf_event_report_add(report, "bad_value", "snapshot", "has no place when interval is not 1d");
}

static void require(struct mf_event_report *report, struct mf_str value, const char *field, const char *kind)
{
    if (value.data == NULL)
        mf_event_report_add(report, "missing_field", field, "is required for a %s", kind);
}

static void check_corporate_action(struct mf_event_report *report, const struct mf_event *event)
{
    const struct mf_corporate_action *action = &event->corporate_action;
    const char *kind = mf_action_kind_name(action->kind);
    if (action->kind == MF_ACTION_SPLIT) {
        require(report, action->split_from, "split_from", kind);
        require(report, action->split_to, "split_to", kind);
    } else if (action->kind == MF_ACTION_DIVIDEND) {
        require(report, action->cash_amount, "cash_amount", kind);
    } else {
        require(report, action->old_symbol, "old_symbol", kind);
        require(report, action->new_symbol, "new_symbol", kind);
    }
}

static void check_feed_status(struct mf_event_report *report, const struct mf_event *event)
{
    const struct mf_feed_status *status = &event->feed_status;
    for (size_t i = 0; i < status->gap_count; i++) {
        if (status->gaps[i].to_us >= status->gaps[i].from_us)
            continue;
        mf_event_report_add(report, "bad_value", "gaps", "item %zu ends before it begins", i);
        return;
    }
}

static void check_alert(struct mf_event_report *report, const struct mf_event *event)
{
    const struct mf_alert *alert = &event->alert;
    bool of_news = mf_str_eq_c(alert->interval, "news");
    if (of_news && alert->article_id.data == NULL)
        mf_event_report_add(report, "missing_field", "article_id", "is required when interval is news");
    if (!of_news && alert->article_id.data != NULL)
        mf_event_report_add(report, "bad_value", "article_id", "has no place when interval is not news");
    if (of_news && alert->contract.data != NULL)
        mf_event_report_add(report, "bad_value", "contract", "has no place when interval is news");
    if (alert->state == MF_ALERT_FIRING && alert->resolved_time_us != 0)
        mf_event_report_add(report, "bad_value", "resolved_time", "has no place in a firing alert");
}

static void check_dead_letter(struct mf_event_report *report, const struct mf_event *event)
{
    static const char *const stages[] = {"ingest", "process", "sink", NULL};
    const struct mf_dead_letter *letter = &event->dead_letter;
    const struct mf_origin *origin = &letter->origin;
    int stage = mf_name_index(stages, letter->stage);
    if (stage < 0)
        mf_event_report_add(report, "bad_value", "stage", "must be ingest, process or sink");
    bool has_kafka = origin->topic.data != NULL || origin->partition != -1 || origin->offset != -1;
    bool has_answer = origin->provider.data != NULL || origin->feed.data != NULL ||
                      origin->request_id.data != NULL || origin->page != -1 || origin->index != -1;
    bool whole_kafka = origin->topic.len > 0 && origin->partition >= 0 && origin->offset >= 0;
    bool whole_answer = origin->provider.len > 0 && origin->feed.len > 0;
    bool wants_answer = stage == 0;
    if (wants_answer && (has_kafka || !whole_answer))
        mf_event_report_add(report, "bad_value", "origin",
                            "must have provider and feed, and no Kafka offset");
    if (!wants_answer && (has_answer || !whole_kafka))
        mf_event_report_add(report, "bad_value", "origin",
                            "must have topic, partition and offset, and no provider");
}

static void check_consistency(struct mf_event_report *report, const struct mf_event *event)
{
    switch (event->type) {
    case MF_EVENT_BAR: check_bar(report, event, &event->bar); break;
    case MF_EVENT_OPTION_BAR: check_option_bar(report, event); break;
    case MF_EVENT_CORPORATE_ACTION: check_corporate_action(report, event); break;
    case MF_EVENT_FEED_STATUS: check_feed_status(report, event); break;
    case MF_EVENT_ALERT: check_alert(report, event); break;
    case MF_EVENT_DEAD_LETTER: check_dead_letter(report, event); break;
    case MF_EVENT_HEARTBEAT:
        if (event->symbol.data != NULL)
            mf_event_report_add(report, "bad_value", "symbol", "has no place in a heartbeat");
        break;
    case MF_EVENT_NEWS:
    case MF_EVENT_SYMBOL:
    case MF_EVENT_METRIC:
    case MF_EVENT_TYPE_MAX: break;
    }
    bool made_type = event->type == MF_EVENT_METRIC || event->type == MF_EVENT_ALERT;
    if (made_type && !mf_event_is_made(event))
        mf_event_report_add(report, "bad_value", "source", "must be processor");
}

void mf_event_check_fields(struct mf_event_report *report, const struct mf_event *event, uint64_t skip)
{
    const struct mf_event_table *table = mf_event_tables[event->type];
    mf_fields_check(report, table->fields, table->count, event, mf_event_is_made(event), skip);
    // Values that are missing or out of range would only be reported twice.
    if (report->count == 0)
        check_consistency(report, event);
}

int mf_event_check(const struct mf_event *event, struct mf_event_problems *problems, struct mf_error *err)
{
    if (problems != NULL)
        problems->count = 0;
    struct mf_event_report report = {.problems = problems, .err = err};
    if ((unsigned)event->type >= MF_EVENT_TYPE_MAX)
        mf_event_report_add(&report, "unknown_event_type", "event_type",
                            "is none of schema " MF_EVENT_SCHEMA_VERSION);
    else
        mf_event_check_fields(&report, event, 0);
    return report.count > 0 ? -1 : 0;
}
