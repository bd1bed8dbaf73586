// SPDX-License-Identifier: Apache-2.0
// Plans of live series (see live_plan.h).
#include "services/ingestor/live_plan.h"

#include "services/ingestor/bar_session.h"
#include "services/ingestor/request_range.h"

enum { DAY_OVERLAP_DAYS = 7 }; // day bars are corrected for days
#define UNKNOWN_WAIT_US MF_US_PER_HOUR
#define DAY_WAIT_MAX_US (6 * MF_US_PER_HOUR)
// Publishers' clocks run ahead a little; what is further ahead is refused anyway.
#define NEWS_AHEAD_US (10 * MF_US_PER_MINUTE)

static int64_t floor_to(int64_t time_us, int64_t interval_us)
{
    int64_t rest = time_us % interval_us;
    return time_us - (rest < 0 ? rest + interval_us : rest);
}

static int64_t lateness_us(const struct ing_config *config)
{
    return (config->settle_ms + config->delay_ms) * MF_US_PER_MS;
}

// ---------------------------------------------------------------- ranges

// Where the session before the current one begins; the current one is the last that has begun.
static int64_t previous_session_us(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                                   int64_t now_us)
{
    struct mf_date today = ing_market_date(calendar, asset_class, now_us);
    if (!ing_market_has_sessions(asset_class))
        return mf_date_utc_midnight_us(mf_date_add_days(today, -1));
    struct mf_calendar_session session;
    bool found = mf_calendar_session_until(calendar, today, &session);
    if (found && session.pre_open_us > now_us)
        found = mf_calendar_session_until(calendar, mf_date_add_days(session.date, -1), &session);
    if (found)
        found = mf_calendar_session_until(calendar, mf_date_add_days(session.date, -1), &session);
    return found ? session.pre_open_us : now_us - 2 * MF_US_PER_DAY;
}

static int64_t sessions_back_us(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                                int64_t day_us, int count)
{
    struct mf_date date = ing_market_date(calendar, asset_class, day_us);
    if (!ing_market_has_sessions(asset_class))
        return mf_date_utc_midnight_us(mf_date_add_days(date, 1 - count));
    struct mf_calendar_session session = {.date = date};
    for (int i = 0; i < count; i++) {
        if (!mf_calendar_session_until(calendar, i == 0 ? date : mf_date_add_days(session.date, -1),
                                       &session))
            break;
    }
    return mf_calendar_midnight_us(calendar, session.date);
}

static void plan_minutes(const struct mf_calendar *calendar, const struct ing_config *config,
                         const struct ing_work *work, const struct ing_mark *mark, int64_t now_us,
                         struct ing_plan *plan)
{
    int64_t length_us = mf_interval_us(ing_timespans[work->timespan].interval);
    int64_t end_us = floor_to(now_us, length_us) + (config->publish_forming ? length_us : 0);
    int64_t overlap_us = config->overlap_ms * MF_US_PER_MS;
    plan->range.to_us = end_us;
    if (mark->status == ING_STATUS_RUNNING && config->warmup) {
        plan->warmup = true;
        plan->range.from_us = previous_session_us(calendar, work->asset_class, now_us);
        bool anew = mark->position_us != 0; // and that is how far it was
        if (mark->last_time_us >= plan->range.from_us ||
            (anew && mark->last_time_us != INT64_MIN)) // goes on, maybe after a stop
            plan->range.from_us = mark->last_time_us + length_us;
        else if (anew && mark->position_us - overlap_us < plan->range.from_us)
            plan->range.from_us = floor_to(mark->position_us - overlap_us, length_us);
    } else if (mark->last_time_us == INT64_MIN) {
        plan->range.from_us =
            mark->position_us != 0 ? mark->position_us : floor_to(end_us - overlap_us, length_us);
    } else {
        plan->range.from_us = floor_to(mark->last_time_us - overlap_us, length_us);
    }
    // What a request may hold counts from what is new: the overlap alone would not get on.
    int64_t ahead_us = plan->range.from_us;
    if (mark->last_time_us != INT64_MIN && mark->last_time_us + length_us > ahead_us)
        ahead_us = mark->last_time_us + length_us;
    plan->range.to_us = ing_request_end_us(calendar, work, ahead_us, end_us);
    plan->more = plan->range.to_us < end_us;
}

int64_t ing_plan_refused_wait_us(const struct ing_config *config, const struct ing_work *work,
                                 enum ing_range_end end, bool known, unsigned refusals)
{
    if (end == ING_RANGE_UNKNOWN_TICKER && !known)
        return UNKNOWN_WAIT_US;
    int64_t longest_ms = config->closed_poll_ms;
    if (end == ING_RANGE_PLAN_LIMIT)
        return longest_ms * MF_US_PER_MS;
    int64_t wait_ms = work->feed == ING_FEED_NEWS ? config->news_poll_ms : config->poll_ms;
    for (unsigned i = 1; i < refusals && wait_ms < longest_ms; i++)
        wait_ms *= 2;
    return (wait_ms < longest_ms ? wait_ms : longest_ms) * MF_US_PER_MS;
}

int64_t ing_plan_last_day_us(const struct mf_calendar *calendar, const struct ing_config *config,
                             enum mf_asset_class asset_class, int64_t now_us)
{
    int64_t known_us = now_us - lateness_us(config);
    struct mf_date date = ing_market_date(calendar, asset_class, known_us);
    if (!ing_market_has_sessions(asset_class))
        return mf_date_utc_midnight_us(mf_date_add_days(date, -1));
    struct mf_calendar_session session;
    if (mf_calendar_session_of(calendar, date, &session) && session.close_us <= known_us)
        return mf_calendar_midnight_us(calendar, date);
    if (mf_calendar_session_until(calendar, mf_date_add_days(date, -1), &session))
        return mf_calendar_midnight_us(calendar, session.date);
    return mf_calendar_midnight_us(calendar, mf_date_add_days(date, -1));
}

int64_t ing_plan_round_us(int64_t now_us, unsigned minute)
{
    int64_t place_us = minute * MF_US_PER_MINUTE;
    return floor_to(now_us - place_us, MF_US_PER_DAY) + place_us;
}

bool ing_plan_reconcile(const struct mf_calendar *calendar, const struct ing_config *config,
                        enum mf_asset_class asset_class, int64_t now_us, struct ing_range *session)
{
    int64_t known_us = now_us - lateness_us(config) - config->reconcile_after_ms * MF_US_PER_MS;
    struct mf_date date = ing_market_date(calendar, asset_class, known_us);
    if (!ing_market_has_sessions(asset_class)) {
        int64_t to_us = mf_date_utc_midnight_us(date);
        *session = (struct ing_range){to_us - MF_US_PER_DAY, to_us};
        return true;
    }
    struct mf_calendar_session found;
    if ((!mf_calendar_session_of(calendar, date, &found) || found.post_close_us > known_us) &&
        !mf_calendar_session_until(calendar, mf_date_add_days(date, -1), &found))
        return false;
    *session = (struct ing_range){found.pre_open_us, found.post_close_us};
    return true;
}

static void plan_days(const struct mf_calendar *calendar, const struct ing_config *config,
                      const struct ing_work *work, const struct ing_mark *mark, int64_t now_us,
                      struct ing_plan *plan)
{
    enum mf_asset_class asset_class = work->asset_class;
    int64_t last_us = ing_plan_last_day_us(calendar, config, asset_class, now_us);
    struct mf_date today = ing_market_date(calendar, asset_class, now_us);
    plan->range.to_us = ing_market_midnight_us(calendar, asset_class, mf_date_add_days(today, 1));
    plan->warmup = mark->status == ING_STATUS_RUNNING && config->warmup;
    if (plan->warmup)
        plan->range.from_us = sessions_back_us(calendar, asset_class, last_us, ING_WARMUP_DAYS);
    else if (mark->last_time_us == INT64_MIN)
        plan->range.from_us = mark->position_us != 0 ? mark->position_us : last_us;
    else
        plan->range.from_us = ing_market_midnight_us(
            calendar, asset_class,
            mf_date_add_days(ing_market_date(calendar, asset_class, mark->last_time_us), -DAY_OVERLAP_DAYS));
}

static void plan_news(const struct ing_config *config, const struct ing_mark *mark, int64_t now_us,
                      struct ing_plan *plan)
{
    int64_t base_us =
        mark->last_time_us != INT64_MIN && mark->last_time_us < now_us ? mark->last_time_us : now_us;
    plan->range.from_us = floor_to(base_us - config->news_overlap_ms * MF_US_PER_MS, MF_US_PER_MS);
    if (mark->last_time_us == INT64_MIN && mark->position_us != 0)
        plan->range.from_us = mark->position_us;
    plan->range.to_us = floor_to(now_us, MF_US_PER_MS) + NEWS_AHEAD_US;
}

bool ing_plan_range(const struct mf_calendar *calendar, const struct ing_config *config,
                    const struct ing_work *work, const struct ing_mark *mark, int64_t now_us,
                    struct ing_plan *plan)
{
    *plan = (struct ing_plan){0};
    if (work->feed == ING_FEED_NEWS) {
        plan_news(config, mark, now_us, plan);
    } else if (ing_timespans[work->timespan].interval == MF_INTERVAL_1D) {
        plan_days(calendar, config, work, mark, now_us, plan);
    } else {
        plan_minutes(calendar, config, work, mark, now_us, plan);
    }
    return plan->range.from_us < plan->range.to_us;
}

// ---------------------------------------------------------------- times

// Is the day's bar there? What lies before the series' beginning is waited for by nobody.
static bool has_day(const struct ing_mark *mark, int64_t day_us)
{
    return mark->last_time_us != INT64_MIN ? mark->last_time_us >= day_us : mark->position_us > day_us;
}

// Day bars: when the next session has closed, and once more when its late trading is over. A bar that should
// be there and is not is asked for at the slow pace.
static int64_t wait_for_day(const struct mf_calendar *calendar, const struct ing_config *config,
                            const struct ing_work *work, const struct ing_mark *mark, int64_t good_us,
                            int64_t now_us)
{
    enum mf_asset_class asset_class = work->asset_class;
    int64_t late_us = lateness_us(config);
    int64_t last_us = ing_plan_last_day_us(calendar, config, asset_class, now_us);
    if (!has_day(mark, last_us))
        return config->closed_poll_ms * MF_US_PER_MS;
    struct mf_date last = ing_market_date(calendar, asset_class, last_us);
    int64_t next_us;
    struct mf_calendar_session session;
    if (!ing_market_has_sessions(asset_class)) {
        next_us = mf_date_utc_midnight_us(mf_date_add_days(last, 2)) + late_us;
    } else {
        next_us = mf_calendar_session_from(calendar, mf_date_add_days(last, 1), &session)
                      ? session.close_us + late_us
                      : now_us + DAY_WAIT_MAX_US;
        if (mf_calendar_session_of(calendar, last, &session) && good_us < session.post_close_us + late_us &&
            session.post_close_us + late_us < next_us)
            next_us = session.post_close_us + late_us;
    }
    int64_t wait_us = next_us - now_us;
    return wait_us < MF_US_PER_SECOND  ? MF_US_PER_SECOND
           : wait_us > DAY_WAIT_MAX_US ? DAY_WAIT_MAX_US
                                       : wait_us;
}

struct ing_plan_view ing_plan_view(const struct mf_calendar *calendar, const struct ing_config *config,
                                   enum mf_asset_class asset_class, int64_t now_us)
{
    struct ing_plan_view view = {.now_us = now_us,
                                 .last_day_us = ing_plan_last_day_us(calendar, config, asset_class, now_us)};
    struct mf_calendar_session last;
    if (!ing_market_has_sessions(asset_class) || mf_calendar_phase_at(calendar, now_us) != MF_PHASE_CLOSED)
        return view;
    view.closed = mf_calendar_session_until(calendar, mf_calendar_local_date(calendar, now_us), &last);
    if (view.closed && last.post_close_us > now_us)
        view.closed = mf_calendar_session_until(calendar, mf_date_add_days(last.date, -1), &last);
    if (view.closed)
        view.night_read_us = last.post_close_us + lateness_us(config) + config->overlap_ms * MF_US_PER_MS;
    return view;
}

// At night, once the last session has been read to the end, corrections included, at the slow pace.
static int64_t wait_for_minute(const struct mf_calendar *calendar, const struct ing_config *config,
                               const struct ing_work *work, int64_t good_us, int64_t now_us)
{
    int64_t poll_us = config->poll_ms * MF_US_PER_MS;
    int64_t closed_us = config->closed_poll_ms * MF_US_PER_MS;
    struct mf_calendar_session next = {0};
    struct ing_plan_view view = ing_plan_view(calendar, config, work->asset_class, now_us);
    if (closed_us <= poll_us || !view.closed || good_us < view.night_read_us)
        return poll_us;
    if (mf_calendar_session_from(calendar, mf_calendar_local_date(calendar, now_us), &next) &&
        next.pre_open_us <= now_us)
        mf_calendar_session_from(calendar, mf_date_add_days(next.date, 1), &next);
    if (next.pre_open_us > now_us && next.pre_open_us - now_us < closed_us)
        closed_us = next.pre_open_us - now_us;
    return closed_us > poll_us ? closed_us : poll_us;
}

int64_t ing_plan_view_read_to_us(const struct ing_plan_view *view, const struct ing_work *work,
                                 const struct ing_mark *mark, int64_t good_us)
{
    if (good_us == 0 || work->feed == ING_FEED_NEWS)
        return good_us;
    bool day = ing_timespans[work->timespan].interval == MF_INTERVAL_1D;
    bool read = day ? has_day(mark, view->last_day_us) : view->closed && good_us >= view->night_read_us;
    return read ? view->now_us : good_us;
}

int64_t ing_plan_read_to_us(const struct mf_calendar *calendar, const struct ing_config *config,
                            const struct ing_work *work, const struct ing_mark *mark, int64_t good_us,
                            int64_t now_us)
{
    struct ing_plan_view view = ing_plan_view(calendar, config, work->asset_class, now_us);
    return ing_plan_view_read_to_us(&view, work, mark, good_us);
}

int64_t ing_plan_phased_us(int64_t now_us, int64_t wait_us, int64_t period_us, uint32_t phase)
{
    if (period_us <= 0)
        return wait_us;
    int64_t place_us = (int64_t)(((uint64_t)period_us * phase) >> 32);
    int64_t least_us = now_us + (wait_us == period_us ? wait_us / 2 : wait_us);
    int64_t due_us = floor_to(least_us - place_us + period_us - 1, period_us) + place_us;
    return due_us - now_us;
}

int64_t ing_plan_wait_us(const struct mf_calendar *calendar, const struct ing_config *config,
                         const struct ing_work *work, const struct ing_mark *mark, int64_t good_us,
                         int64_t now_us)
{
    if (work->feed == ING_FEED_NEWS)
        return config->news_poll_ms * MF_US_PER_MS;
    if (ing_timespans[work->timespan].interval == MF_INTERVAL_1D)
        return wait_for_day(calendar, config, work, mark, good_us, now_us);
    return wait_for_minute(calendar, config, work, good_us, now_us);
}

// ---------------------------------------------------------------- completeness

bool ing_progress_is_excluded(const struct ing_config *config, const struct ing_progress *symbol,
                              int64_t now_monotonic_us)
{
    return symbol->failing_since_us != 0 &&
           now_monotonic_us - symbol->failing_since_us > config->heartbeat_exclude_ms * MF_US_PER_MS;
}

bool ing_complete_to(const struct ing_config *config, const struct ing_progress *symbols, size_t count,
                     int64_t interval_us, int64_t now_monotonic_us, int64_t *complete_to_us, size_t *excluded)
{
    int64_t oldest_us = INT64_MAX;
    *excluded = 0;
    for (size_t i = 0; i < count; i++) {
        if (ing_progress_is_excluded(config, &symbols[i], now_monotonic_us))
            ++*excluded;
        else if (symbols[i].good_us < oldest_us)
            oldest_us = symbols[i].good_us;
    }
    if (oldest_us == INT64_MAX || oldest_us == 0)
        return false;
    *complete_to_us = floor_to(oldest_us - lateness_us(config), interval_us);
    return true;
}
