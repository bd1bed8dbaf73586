// SPDX-License-Identifier: Apache-2.0
// The vendor's word about the exchanges' days beside the built-in calendar: announced closures and early
// closes count from then on, differences are said and counted. See live_private.h.
#include <stdio.h>

#include "common/clock.h"
#include "services/ingestor/live_private.h"

enum { SAID_MAX = 16 };
#define STATE_SLACK_US (2 * MF_US_PER_MINUTE) // the exchanges' clocks and ours around an open or a close

static const char *hours(const struct mf_calendar_change *day, char text[32])
{
    if (day->closed)
        return "closed";
    snprintf(text, 32, "%02d:%02d-%02d:%02d", day->open_minute / 60, day->open_minute % 60,
             day->close_minute / 60, day->close_minute % 60);
    return text;
}

static void tell(const struct live *live, const struct ing_holiday_difference *difference)
{
    char date[MF_DATE_TEXT_SIZE];
    char said[32];
    char known[32];
    mf_date_format(difference->announced.date, date);
    MF_LOGF(live->app->service->log, MF_LOG_WARNING, "live", "calendar_differs",
            MF_FIELDS(mf_lf_str("date", date), mf_lf_str("announced", hours(&difference->announced, said)),
                      mf_lf_str("built_in", hours(&difference->rule, known))),
            "the provider and the built-in calendar differ");
}

static bool is_same(const struct live *live, const struct mf_calendar_change *changes, size_t count)
{
    return count == live->change_count && memcmp(changes, live->changes, count * sizeof *changes) == 0;
}

void ing_live_take_holidays(struct live *live, const struct ing_holidays *holidays)
{
    struct mf_calendar_change changes[ING_HOLIDAYS_MAX];
    struct ing_holiday_difference differences[SAID_MAX];
    size_t count = 0;
    memset(changes, 0, sizeof changes);
    struct mf_date today = mf_calendar_local_date(live->app->calendar, mf_clock_real_us());
    size_t differ = ing_holidays_compare(holidays, today, changes, &count, differences, SAID_MAX);
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_CALENDAR_DIFFERENCES]),
                  (double)differ);
    if (differ != live->differences || !is_same(live, changes, count)) {
        for (size_t i = 0; i < differ && i < SAID_MAX; i++)
            tell(live, &differences[i]);
    }
    live->differences = differ;
    if (is_same(live, changes, count))
        return;
    memcpy(live->changes, changes, sizeof changes);
    live->change_count = count;
    mf_calendar_set_changes(live->app->calendar, changes, count);
    ing_live_plan_again(live);
}

static bool is_possible(const struct live *live, enum ing_market_state state, int64_t time_us)
{
    switch (mf_calendar_phase_at(live->app->calendar, time_us)) {
    case MF_PHASE_CLOSED: return state == ING_STATE_CLOSED;
    case MF_PHASE_REGULAR: return state == ING_STATE_OPEN;
    case MF_PHASE_PRE:
    case MF_PHASE_POST: return state == ING_STATE_EXTENDED;
    }
    return false;
}

// Nothing is done about it: a state that is wrong for a moment must not stop the polls.
void ing_live_compare_state(struct live *live, const struct ing_holidays *now)
{
    static const char *const names[] = {"unknown", "closed", "extended-hours", "open"};
    int64_t now_us = mf_clock_real_us();
    bool same = now->state == ING_STATE_UNKNOWN || is_possible(live, now->state, now_us) ||
                is_possible(live, now->state, now_us - STATE_SLACK_US) ||
                is_possible(live, now->state, now_us + STATE_SLACK_US);
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_STATE_DIFFERS]),
                  same ? 0 : 1);
    if (now->server_us != INT64_MIN)
        mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_CLOCK_SKEW]),
                      (double)(now->server_us - now_us) / (double)MF_US_PER_SECOND);
    if (!same)
        MF_LOGF(live->app->service->log, MF_LOG_WARNING, "live", "market_state_differs",
                MF_FIELDS(mf_lf_str("provider", names[now->state])),
                "the provider says that the market is in another state than the calendar has it");
}
