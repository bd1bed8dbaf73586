// SPDX-License-Identifier: Apache-2.0
// For tests of option bars: events of contracts. Include after prc_fold_fixture.h.
#ifndef MF_TESTS_PRC_OPTION_SUPPORT_H
#define MF_TESTS_PRC_OPTION_SUPPORT_H

#include "tests/unit/prc_fold_fixture.h"

#define OPTION_STEP_US (30 * MF_US_PER_MINUTE) // of the interval that no roll-up is made from

static MF_UNUSED struct mf_date day_of(int64_t time_us)
{
    return mf_date_from_days((int32_t)(time_us / MF_US_PER_DAY));
}

// A 30-minute bar of a contract on AAPL that expires on `expiration` and knows one price.
static MF_UNUSED struct mf_event make_option(const char *ticker, struct mf_date expiration, int step,
                                             const char *price)
{
    struct mf_event event = make_event(MF_EVENT_OPTION_BAR, "AAPL", "live", OPEN_US + step * OPTION_STEP_US);
    struct mf_event bar = make_bar_at("AAPL", "live", MF_INTERVAL_30M, event.event_time_us, price);
    event.asset_class = MF_ASSET_OPTION;
    event.ingest_time_us = bar.ingest_time_us;
    event.option_bar = (struct mf_option_bar){.bar = bar.bar,
                                              .ticker = mf_str_of(ticker),
                                              .underlying = event.symbol,
                                              .expiration = expiration,
                                              .strike = MF_STR("150"),
                                              .type = MF_OPTION_CALL,
                                              .shares_per_contract = MF_STR("100"),
                                              .exercise = MF_STR("american"),
                                              .snapshot = {.time_us = INT64_MIN}}; // none
    event.option_bar.bar.session_date = day_of(event.event_time_us);
    event.option_bar.days_to_expiration =
        mf_date_to_days(expiration) - mf_date_to_days(event.option_bar.bar.session_date);
    return event;
}

#define LATE_2024 ((struct mf_date){2024, 12, 20})
static MF_UNUSED struct mf_event make_call(int step, const char *price)
{
    return make_option("O:AAPL241220C00150000", LATE_2024, step, price);
}

#endif
