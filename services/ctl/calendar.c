// SPDX-License-Identifier: Apache-2.0
// marketflowctl calendar: the exchange's sessions as CSV. And what the commands share in talking to the
// operator.
#include "services/ctl/ctl.h"

#include <stdarg.h>

int ctl_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "marketflowctl: %s: ", command);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "; see marketflowctl %s --help\n", command);
    return MF_EXIT_CONFIG;
}

int ctl_flush(FILE *out)
{
    return mf_service_flush("marketflowctl", out);
}

int ctl_calendar_print(const struct mf_calendar *calendar, struct mf_date from, struct mf_date to, FILE *out)
{
    struct mf_calendar_session session;
    fprintf(out, "session,open,close,early\n");
    while (mf_calendar_session_from(calendar, from, &session) && mf_date_cmp(session.date, to) <= 0) {
        char date[MF_DATE_TEXT_SIZE], open[MF_TIME_TEXT_SIZE], close[MF_TIME_TEXT_SIZE];
        fprintf(out, "%s,%s,%s,%s\n", mf_date_format(session.date, date),
                mf_time_format_ms(session.open_us, open), mf_time_format_ms(session.close_us, close),
                session.early_close ? "true" : "false");
        from = mf_date_add_days(session.date, 1);
    }
    return ctl_flush(out);
}

int ctl_run_calendar(struct mf_service *service, int argc, char **argv)
{
    (void)service;
    struct mf_date dates[2];
    if (argc != 2)
        return ctl_usage("calendar", "FROM and TO are needed, two dates");
    for (int i = 0; i < 2; i++) {
        if (!mf_date_parse(mf_str_of(argv[i]), &dates[i]))
            return ctl_usage("calendar", "'%.40s' is not a date like 2024-01-02", argv[i]);
        if (dates[i].year < 1990 || dates[i].year > 2100)
            return ctl_usage("calendar", "%s is outside of 1990 to 2100", argv[i]);
    }
    if (mf_date_cmp(dates[0], dates[1]) > 0)
        return ctl_usage("calendar", "%s is after %s", argv[0], argv[1]);
    struct mf_calendar *calendar = NULL;
    struct mf_error err;
    if (mf_calendar_new(&calendar, &err) != 0) {
        fprintf(stderr, "marketflowctl: calendar: %s [%s]\n", err.message, err.code);
        return mf_error_exit_code(&err);
    }
    int result = ctl_calendar_print(calendar, dates[0], dates[1], stdout);
    mf_calendar_free(&calendar);
    return result;
}
