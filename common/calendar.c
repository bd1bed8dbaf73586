// SPDX-License-Identifier: Apache-2.0
// The exchange's sessions in UTC: rules (calendar_rules.c) on the clock of New York (calendar_tzif.c). The
// file of the time zone is read once, at _new; everything else is pure but for the notices that were set.
// Failure class: CONFIG.
#include "common/calendar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/calendar_rules.h"
#include "common/calendar_tzif.h"

enum {
    PRE_OPEN_MINUTE = 4 * 60,
    POST_CLOSE_MINUTE = 20 * 60,
    EARLY_POST_CLOSE_MINUTE = 17 * 60,
    REGULAR_CLOSE = 16 * 60
};

struct mf_calendar {
    struct mf_tzif *tz;
    struct mf_calendar_notice notices[MF_CALENDAR_NOTICES_MAX];
    size_t notice_count;
};

static int read_file(const char *path, struct mf_buf *out, struct mf_error *err)
{
    int result = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "tz_missing",
                            "%s: %s; is the tz database (tzdata) installed?", path, strerror(errno));
    char chunk[8192];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            mf_error_set(err, MF_ERROR_CONFIG, "tz_missing", "%s: %s", path, strerror(errno));
            break;
        }
        if (got == 0) {
            result = 0;
            break;
        }
        if (mf_buf_add(out, chunk, (size_t)got) != 0) {
            mf_error_set(err, MF_ERROR_CONFIG, "tz_malformed", "%s: larger than a time zone file may be",
                         path);
            break;
        }
    }
    close(fd);
    return result;
}

int mf_calendar_new(struct mf_calendar **calendar, struct mf_error *err)
{
    const char *folder = getenv("TZDIR");
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/America/New_York",
                   folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo");
    struct mf_buf bytes;
    mf_buf_init(&bytes, MF_TZIF_SIZE_MAX);
    struct mf_tzif *tz = NULL;
    int result = read_file(path, &bytes, err);
    if (result == 0) {
        result = mf_tzif_parse(mf_buf_str(&bytes), &tz, err);
        if (result != 0)
            mf_error_prefix(err, "%s", path);
    }
    mf_buf_free(&bytes);
    if (result != 0)
        return -1;
    *calendar = mf_calloc(1, sizeof **calendar);
    (*calendar)->tz = tz;
    return 0;
}

void mf_calendar_free(struct mf_calendar **calendar)
{
    if (*calendar == NULL)
        return;
    mf_tzif_free(&(*calendar)->tz);
    free(*calendar);
    *calendar = NULL;
}

static int64_t floor_seconds(int64_t time_us)
{
    return time_us / MF_US_PER_SECOND - (time_us % MF_US_PER_SECOND < 0);
}

int32_t mf_calendar_utc_offset_s(const struct mf_calendar *calendar, int64_t time_us)
{
    return mf_tzif_offset_s(calendar->tz, floor_seconds(time_us));
}

struct mf_date mf_calendar_local_date(const struct mf_calendar *calendar, int64_t time_us)
{
    return mf_date_of_utc(time_us + mf_calendar_utc_offset_s(calendar, time_us) * MF_US_PER_SECOND);
}

int64_t mf_calendar_local_to_utc(const struct mf_calendar *calendar, struct mf_date date, int hour,
                                 int minute)
{
    int64_t local_s = (int64_t)mf_date_to_days(date) * 86400 + hour * 3600 + minute * 60;
    return mf_tzif_to_utc_s(calendar->tz, local_s) * MF_US_PER_SECOND;
}

int64_t mf_calendar_midnight_us(const struct mf_calendar *calendar, struct mf_date date)
{
    return mf_calendar_local_to_utc(calendar, date, 0, 0);
}

// Few if any, and asked for with every bar: most days are decided by the count alone.
static struct mf_calendar_hours hours_of(const struct mf_calendar *calendar, struct mf_date date)
{
    for (size_t i = 0; i < calendar->notice_count; i++) {
        const struct mf_calendar_notice *notice = &calendar->notices[i];
        if (mf_date_cmp(notice->date, date) == 0)
            return (struct mf_calendar_hours){.closed = notice->closed ? notice->reason : NULL,
                                              .open_minute = notice->open_minute,
                                              .close_minute = notice->close_minute};
    }
    return mf_calendar_rules_of(date);
}

bool mf_calendar_session_of(const struct mf_calendar *calendar, struct mf_date date,
                            struct mf_calendar_session *session)
{
    struct mf_calendar_hours hours = hours_of(calendar, date);
    if (hours.closed != NULL)
        return false;
    bool early = hours.close_minute < REGULAR_CLOSE;
    // New York changes its clock on Sunday nights, so one offset holds for the whole session.
    int64_t open_us = mf_calendar_local_to_utc(calendar, date, 0, hours.open_minute);
    int64_t midnight_us = open_us - hours.open_minute * MF_US_PER_MINUTE;
    *session = (struct mf_calendar_session){
        .date = date,
        .pre_open_us = midnight_us + PRE_OPEN_MINUTE * MF_US_PER_MINUTE,
        .open_us = open_us,
        .close_us = midnight_us + hours.close_minute * MF_US_PER_MINUTE,
        .post_close_us =
            midnight_us + (early ? EARLY_POST_CLOSE_MINUTE : POST_CLOSE_MINUTE) * MF_US_PER_MINUTE,
        .early_close = early,
    };
    return true;
}

// By the rules no break is longer than a week (September 2001: four days and a weekend); notices may add to
// it, with the weekends between them.
enum { LONGEST_BREAK_DAYS = 10 };

static bool find_session(const struct mf_calendar *calendar, struct mf_date date, int step,
                         struct mf_calendar_session *session)
{
    struct mf_date first = {MF_CALENDAR_FIRST_YEAR, 1, 1}, last = {MF_CALENDAR_LAST_YEAR, 12, 31};
    // From outside, the first step is onto the calendar's edge.
    if (step > 0 && mf_date_cmp(date, first) < 0)
        date = first;
    if (step < 0 && mf_date_cmp(date, last) > 0)
        date = last;
    for (size_t i = 0; i < LONGEST_BREAK_DAYS + 2 * calendar->notice_count; i++) {
        if (mf_date_cmp(date, first) < 0 || mf_date_cmp(date, last) > 0)
            return false;
        if (mf_calendar_session_of(calendar, date, session))
            return true;
        date = mf_date_add_days(date, step);
    }
    return false;
}

bool mf_calendar_session_from(const struct mf_calendar *calendar, struct mf_date date,
                              struct mf_calendar_session *session)
{
    return find_session(calendar, date, 1, session);
}

bool mf_calendar_session_until(const struct mf_calendar *calendar, struct mf_date date,
                               struct mf_calendar_session *session)
{
    return find_session(calendar, date, -1, session);
}

enum mf_calendar_phase mf_calendar_phase_at(const struct mf_calendar *calendar, int64_t time_us)
{
    struct mf_calendar_session session;
    if (!mf_calendar_session_of(calendar, mf_calendar_local_date(calendar, time_us), &session))
        return MF_PHASE_CLOSED;
    if (time_us < session.pre_open_us || time_us >= session.post_close_us)
        return MF_PHASE_CLOSED;
    if (time_us < session.open_us)
        return MF_PHASE_PRE;
    return time_us < session.close_us ? MF_PHASE_REGULAR : MF_PHASE_POST;
}

const char *mf_calendar_closure_reason(const struct mf_calendar *calendar, struct mf_date date)
{
    return hours_of(calendar, date).closed;
}

// ---------------------------------------------------------------- notices

const char *mf_calendar_difference_name(enum mf_calendar_difference difference)
{
    static const char *const names[MF_CALENDAR_DIFFERENCE_MAX] = {[MF_CALENDAR_SAME] = "same",
                                                                  [MF_CALENDAR_CLOSED] = "closed",
                                                                  [MF_CALENDAR_OTHER_HOURS] = "other_hours",
                                                                  [MF_CALENDAR_OPENED] = "opened"};
    assert(difference < MF_CALENDAR_DIFFERENCE_MAX);
    return names[difference];
}

enum mf_calendar_difference mf_calendar_compare(const struct mf_calendar_notice *notice)
{
    struct mf_calendar_hours rules = mf_calendar_rules_of(notice->date);
    if (rules.closed != NULL)
        return notice->closed ? MF_CALENDAR_SAME : MF_CALENDAR_OPENED;
    if (notice->closed)
        return MF_CALENDAR_CLOSED;
    return notice->open_minute == rules.open_minute && notice->close_minute == rules.close_minute
               ? MF_CALENDAR_SAME
               : MF_CALENDAR_OTHER_HOURS;
}

void mf_calendar_set_notices(struct mf_calendar *calendar, const struct mf_calendar_notice *notices,
                             size_t count)
{
    assert(count <= MF_CALENDAR_NOTICES_MAX);
    calendar->notice_count = count;
    for (size_t i = 0; i < count; i++) {
        calendar->notices[i] = notices[i];
        for (size_t other = 0; other < i; other++)
            assert(mf_date_cmp(notices[i].date, notices[other].date) != 0);
    }
}
