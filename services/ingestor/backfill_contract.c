// SPDX-License-Identifier: Apache-2.0
// Options: what their series are, and single contracts. A contract that was given by name is a series like
// any other, but for what its bars say about it, which the provider is asked for first. See
// backfill_private.h.
#include "common/clock.h"
#include "services/ingestor/backfill_private.h"
#include "services/ingestor/bar_session.h"

bool ing_options_is_walk(const struct backfill_series *series)
{
    return series->base.work.feed == ING_FEED_CONTRACTS && !ing_work_is_of_contract(&series->base.work);
}

// Nothing is asked for behind the contract's last day.
void ing_options_set_range(const struct backfill *backfill, struct backfill_series *series)
{
    const struct mf_calendar *calendar = backfill->app->calendar;
    int64_t now_us = mf_clock_real_us();
    struct mf_date last = backfill->args.to;
    if (mf_date_cmp(series->contract.expiration, last) < 0)
        last = series->contract.expiration;
    struct mf_date today = ing_market_date(calendar, MF_ASSET_OPTION, now_us);
    const struct ing_work *work = &series->base.work;
    series->mark.range.to_us = ing_backfill_range_of(calendar, work, backfill->args.from, last).to_us;
    series->open_ended = mf_date_cmp(last, today) >= 0;
    series->end_us = ing_backfill_range_end(backfill, series, now_us);
}

// Two passes over the list: what has expired by the day that the contracts are listed as of, and what has
// not.
static unsigned first_pass(const struct ing_contract_filter *filter)
{
    bool none_expired = mf_date_cmp(filter->as_of, filter->expiration_from) < 0;
    return none_expired ? ING_PASS_ACTIVE : ING_PASS_DELISTED;
}

// The work is made, the watermark not yet read.
void ing_options_prepare(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_work *work = &series->base.work;
    const struct ing_backfill_args *args = &backfill->args;
    work->adjusted = MF_ADJUSTED_NONE;
    if (work->asset_class == MF_ASSET_OPTION)
        return;
    work->feed = ING_FEED_CONTRACTS;
    work->limit = backfill->app->config.reference_page_limit;
    series->mark.pass = first_pass(&args->filter);
    series->base.page_by_page = true;
}

// The watermark is read.
void ing_options_made(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_occ occ;
    if (!ing_options_is_walk(series)) {
        int result = ing_occ_parse(mf_str_of(series->base.work.symbol), &occ, NULL);
        assert(result == 0); // the arguments were checked
        (void)result;
        series->contract.expiration = occ.expiration;
        ing_options_set_range(backfill, series);
        return;
    }
    // As long as contracts may be listed and traded, the list is walked anew by every start.
    const struct mf_date *last = &backfill->args.filter.expiration_to;
    struct mf_date today = ing_market_date(backfill->app->calendar, MF_ASSET_OPTION, mf_clock_real_us());
    series->open_ended = series->open_ended && (last->year == 0 || mf_date_cmp(*last, today) >= 0);
}

// What a bar says about its contract is asked for by every start: it is kept nowhere.
static void ask_details(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_work *work = &series->base.work;
    work->feed = ING_FEED_CONTRACTS;
    work->from_us = series->mark.range.from_us;
    work->to_us = series->mark.range.to_us;
    series->base.expect_data = series->base.may_be_unknown = false;
    ing_engine_begin(backfill->app->engine, &series->base, NULL, 0, INT64_MIN, 0);
}

bool ing_options_go_on(struct backfill *backfill, struct backfill_series *series)
{
    const struct ing_work *work = &series->base.work;
    if (ing_options_is_walk(series)) {
        ing_options_settle(backfill);
        return true;
    }
    bool asks = series->retrying || series->mark.position_us < series->end_us;
    if (work->feed != ING_FEED_OPTIONS || work->contract != NULL || !asks)
        return false;
    ask_details(backfill, series);
    return true;
}

static void end_with(struct backfill *backfill, struct backfill_series *series, enum ing_status status)
{
    series->mark.status = status;
    ing_backfill_save(backfill, series);
    ing_backfill_end_series(backfill, series);
}

// N49: nothing, or the details of another contract, is what the vendor has for a name that it does not know.
void ing_options_details_done(struct backfill *backfill, struct backfill_series *series,
                              enum ing_range_end end)
{
    series->base.work.feed = ING_FEED_OPTIONS; // under which its watermark is kept
    switch (end) {
    case ING_RANGE_COMPLETE:
        if (series->base.work.contract != NULL)
            ing_backfill_go_on(backfill, series);
        else if (series->error.code[0] != '\0')
            end_with(backfill, series, ING_STATUS_REFUSED);
        else
            end_with(backfill, series, ING_STATUS_UNKNOWN_TICKER);
        break;
    case ING_RANGE_PLAN_LIMIT: end_with(backfill, series, ING_STATUS_PARTIAL); break;
    case ING_RANGE_REFUSED: end_with(backfill, series, ING_STATUS_REFUSED); break;
    case ING_RANGE_UNKNOWN_TICKER: end_with(backfill, series, ING_STATUS_UNKNOWN_TICKER); break;
    case ING_RANGE_GAVE_UP: ing_backfill_end_series(backfill, series); break;
    case ING_RANGE_END_MAX: break;
    }
}

void ing_options_details_read(struct backfill_series *series, const struct ing_page *page)
{
    if (page->contract_count > 0) {
        series->contract = page->contracts[0];
        series->contract.row = NULL;
        series->base.work.contract = &series->contract;
    } else if (page->count > 0) {
        mf_error_set(&series->error, MF_ERROR_POISON, page->items[0].reason,
                     "the provider's details of the contract were refused: %s", page->items[0].reason);
    }
}
