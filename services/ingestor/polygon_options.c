// SPDX-License-Identifier: Apache-2.0
// Polygon options: which contracts there are (rows to struct ing_contract), and what a bar of one carries
// beside its prices. A contract's ticker says expiration, type and strike once more: a row that contradicts
// it is refused. Pure.
#include <stdlib.h>

#include "common/url.h"
#include "services/ingestor/polygon.h"

// No exchange lists a contract longer before its last day than 180 months; 15 years and a bit.
enum { LIFE_DAYS_MAX = 15 * 366 };

// Index options are listed under the bare name of the index (SPX), whose own bars are those of I:SPX.
struct mf_str ing_polygon_underlying(struct mf_str symbol)
{
    return mf_str_starts_with(symbol, "I:") ? (struct mf_str){symbol.data + 2, symbol.len - 2} : symbol;
}

// ---------------------------------------------------------------- requests

static void add_date(struct mf_buf *url, const char *name, struct mf_date date)
{
    char text[MF_DATE_TEXT_SIZE];
    if (date.year > 0)
        mf_url_add_query(url, name, mf_str_of(mf_date_format(date, text)));
}

static void add_text(struct mf_buf *url, const char *name, const char *text)
{
    if (text[0] != '\0')
        mf_url_add_query(url, name, mf_str_of(text));
}

void ing_polygon_add_filter(const struct ing_contract_filter *filter, struct mf_buf *url)
{
    if (filter->type != MF_OPTION_TYPE_MAX)
        add_text(url, "contract_type", mf_option_type_name(filter->type));
    add_date(url, "expiration_date.gte", filter->expiration_from);
    add_date(url, "expiration_date.lte", filter->expiration_to);
    add_text(url, "strike_price.gte", filter->strike_from);
    add_text(url, "strike_price.lte", filter->strike_to);
}

void ing_polygon_add_contracts_path(const struct ing_provider_config *config, const struct ing_work *work,
                                    struct mf_buf *url)
{
    static const struct ing_contract_filter all = {.type = MF_OPTION_TYPE_MAX};
    const struct ing_contract_filter *filter = work->filter != NULL ? work->filter : &all;
    (void)config;
    mf_buf_add_c(url, "/v3/reference/options/contracts");
    if (ing_work_is_of_contract(work)) {
        mf_url_add_path_segment(url, mf_str_of(work->symbol));
        add_date(url, "as_of", filter->as_of);
        return;
    }
    mf_url_add_query(url, "underlying_ticker", ing_polygon_underlying(mf_str_of(work->symbol)));
    ing_polygon_add_filter(filter, url);
    add_date(url, "as_of", filter->as_of);
    mf_url_add_query(url, "expired", work->pass == ING_PASS_DELISTED ? MF_STR("true") : MF_STR("false"));
    // By ticker: a page that does not begin behind the one before it is a page again.
    mf_url_add_query(url, "sort", MF_STR("ticker"));
    mf_url_add_query(url, "order", MF_STR("asc"));
}

// ---------------------------------------------------------------- contracts

static bool take_number(const struct mf_json_node *row, const char *key, char out[MF_DECIMAL_TEXT_SIZE])
{
    size_t len = 0;
    return mf_decimal_normalise(ing_polygon_number(row, key), out, &len, NULL) == 0 &&
           mf_decimal_cmp((struct mf_str){out, len}, MF_STR("0")) > 0;
}

static bool is_exercise(struct mf_str text)
{
    return mf_str_eq_c(text, "american") || mf_str_eq_c(text, "european") || mf_str_eq_c(text, "bermudan");
}

// What the row says, against what its ticker says.
static bool agrees(const struct mf_json_node *row, const struct ing_contract *contract,
                   const struct ing_occ *occ)
{
    return mf_str_eq_c(ing_text_of(row, "contract_type"), mf_option_type_name(occ->type)) &&
           mf_date_cmp(contract->expiration, occ->expiration) == 0 &&
           mf_decimal_cmp(mf_str_of(contract->strike), mf_str_of(occ->strike)) == 0;
}

static bool has_all(const struct mf_json_node *row)
{
    static const char *const wanted[] = {"contract_type", "exercise_style", "expiration_date", "strike_price",
                                         "shares_per_contract"};
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        const struct mf_json_node *node = mf_json_get(row, wanted[i]);
        if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
            return false;
    }
    return true;
}

// Documented nowhere, kept where a row has it: the day before which a contract cannot have traded.
static bool take_listed(const struct mf_json_node *row, struct mf_date *listed)
{
    const struct mf_json_node *node = mf_json_get(row, "list_date");
    return node == NULL || mf_json_type(node) == MF_JSON_NULL ||
           mf_date_parse(ing_text_of(row, "list_date"), listed);
}

static const char *contract_problem(const struct mf_json_node *row, struct mf_str underlying,
                                    struct ing_contract *contract)
{
    struct ing_occ occ;
    struct mf_error err;
    struct mf_str ticker = ing_text_of(row, "ticker");
    if (ticker.data == NULL || underlying.data == NULL || !has_all(row))
        return "missing_field";
    if (ing_occ_parse(ticker, &occ, &err) < 0)
        return strcmp(err.code, "bad_strike") == 0 ? "bad_strike" : "bad_option_ticker";
    underlying = ing_polygon_underlying(underlying);
    if (!mf_symbol_is_valid(underlying))
        return "bad_symbol";
    if (!mf_date_parse(ing_text_of(row, "expiration_date"), &contract->expiration) ||
        !take_listed(row, &contract->listed))
        return "bad_date";
    if (!take_number(row, "strike_price", contract->strike) ||
        !take_number(row, "shares_per_contract", contract->shares))
        return "bad_number";
    if (!is_exercise(ing_text_of(row, "exercise_style")))
        return "bad_value";
    mf_str_copy(contract->exercise, sizeof contract->exercise, ing_text_of(row, "exercise_style"));
    mf_str_copy(contract->ticker, sizeof contract->ticker, ticker); // a right one fits
    mf_str_copy(contract->underlying, sizeof contract->underlying, underlying);
    contract->type = occ.type;
    return agrees(row, contract, &occ) ? "" : "contract_mismatch";
}

// A chain's rows have the contract in `details`, and name the underlying beside it, if at all.
const char *ing_polygon_chain_contract(const struct ing_work *work, const struct mf_json_node *row,
                                       struct ing_contract *contract)
{
    const struct mf_json_node *asset = mf_json_get(row, "underlying_asset");
    struct mf_str underlying =
        asset != NULL && mf_json_type(asset) == MF_JSON_OBJECT ? ing_text_of(asset, "ticker") : MF_STR_NULL;
    *contract = (struct ing_contract){.row = row};
    return contract_problem(mf_json_get(row, "details"),
                            underlying.data != NULL ? underlying : mf_str_of(work->symbol), contract);
}

static bool is_within(const struct ing_contract_filter *filter, const struct ing_contract *contract)
{
    struct mf_str strike = mf_str_of(contract->strike);
    return (filter->type == MF_OPTION_TYPE_MAX || filter->type == contract->type) &&
           (filter->expiration_from.year == 0 ||
            mf_date_cmp(contract->expiration, filter->expiration_from) >= 0) &&
           (filter->expiration_to.year == 0 ||
            mf_date_cmp(contract->expiration, filter->expiration_to) <= 0) &&
           (filter->strike_from[0] == '\0' || mf_decimal_cmp(strike, mf_str_of(filter->strike_from)) >= 0) &&
           (filter->strike_to[0] == '\0' || mf_decimal_cmp(strike, mf_str_of(filter->strike_to)) <= 0);
}

// Each contract belongs to one pass; on its last day it may be in either.
static bool is_of_pass(const struct ing_work *work, const struct ing_contract *contract)
{
    if (work->filter->as_of.year == 0)
        return true;
    int apart = mf_date_cmp(contract->expiration, work->filter->as_of);
    return work->pass == ING_PASS_DELISTED ? apart <= 0 : apart >= 0;
}

// N37: a parameter that was ignored shows in contracts of others, or beyond the filter.
bool ing_polygon_is_asked_for(const struct ing_work *work, const struct ing_contract *contract,
                              struct ing_page_counts *counts)
{
    bool same = ing_work_is_of_contract(work)
                    ? strcmp(contract->ticker, work->symbol) == 0
                    : mf_str_eq_c(ing_polygon_underlying(mf_str_of(work->symbol)), contract->underlying);
    bool within = ing_work_is_of_contract(work) || work->filter == NULL ||
                  (is_within(work->filter, contract) && is_of_pass(work, contract));
    counts->foreign += !same;
    counts->out_of_range += same && !within;
    return same && within;
}

static struct ing_contract *add_contract(struct ing_page *page)
{
    if (page->contract_count == page->contract_capacity) {
        page->contract_capacity = page->contract_capacity < 64 ? 64 : page->contract_capacity * 2;
        page->contracts = mf_realloc(page->contracts, page->contract_capacity * sizeof *page->contracts);
    }
    return &page->contracts[page->contract_count++];
}

static void take_contract(struct ing_page *page, const struct mf_json_node *row, uint32_t index)
{
    struct ing_contract contract = {.row = row};
    const char *problem = "bad_type";
    if (mf_json_type(row) == MF_JSON_OBJECT)
        problem = contract_problem(row, ing_text_of(row, "underlying_ticker"), &contract);
    if (problem[0] == '\0') {
        if (ing_polygon_is_asked_for(page->work, &contract, &page->counts))
            *add_contract(page) = contract;
        return;
    }
    struct ing_item *item = ing_page_add(page);
    item->index = index;
    item->row = row;
    if (mf_json_type(row) == MF_JSON_OBJECT)
        item->key = ing_text_of(row, "ticker");
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(problem));
}

static int compare_contracts(const void *left, const void *right)
{
    const struct ing_contract *a = left;
    const struct ing_contract *b = right;
    return strcmp(a->ticker, b->ticker);
}

// By ticker, each once. The order is the vendor's already, so what stands before a smaller one is counted.
static void arrange_contracts(struct ing_page *page)
{
    struct ing_contract *contracts = page->contracts;
    size_t kept = 0;
    for (size_t i = 1; i < page->contract_count; i++)
        page->counts.unsorted += compare_contracts(&contracts[i - 1], &contracts[i]) > 0;
    if (page->counts.unsorted > 0)
        qsort(contracts, page->contract_count, sizeof *contracts, compare_contracts);
    for (size_t i = 0; i < page->contract_count; i++) {
        bool again = kept > 0 && compare_contracts(&contracts[kept - 1], &contracts[i]) == 0;
        page->counts.duplicates += again;
        kept += !again;
        contracts[kept - 1] = contracts[i];
    }
    page->contract_count = kept;
}

void ing_polygon_contract_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                                struct ing_page *page)
{
    struct ing_row_walk walk;
    (void)config;
    if (ing_work_is_of_contract(page->work)) { // not rows, but the one itself
        if (rows != NULL && mf_json_count(rows) > 0)
            take_contract(page, rows, 0);
        return;
    }
    for (ing_row_walk_begin(&walk, page, rows); walk.row != NULL; ing_row_walk_next(&walk, page))
        take_contract(page, walk.row, walk.index);
    arrange_contracts(page);
}

// ---------------------------------------------------------------- bars

// N48: there is no trade in a contract that is not listed yet or has expired.
const char *ing_polygon_option_problem(const struct ing_contract *contract, struct mf_date session_date)
{
    if (mf_date_cmp(session_date, contract->expiration) > 0)
        return "after_expiration";
    bool before = contract->listed.year > 0
                      ? mf_date_cmp(session_date, contract->listed) < 0
                      : mf_date_to_days(contract->expiration) - mf_date_to_days(session_date) > LIFE_DAYS_MAX;
    return before ? "before_listing" : "";
}

void ing_polygon_fill_contract(const struct ing_contract *contract, struct mf_event *event)
{
    struct mf_option_bar *option = &event->option_bar;
    event->symbol = option->underlying = mf_str_of(contract->underlying);
    event->asset_class = MF_ASSET_OPTION;
    option->ticker = mf_str_of(contract->ticker);
    option->expiration = contract->expiration;
    option->strike = mf_str_of(contract->strike);
    option->type = contract->type;
    option->shares_per_contract = mf_str_of(contract->shares);
    option->exercise = mf_str_of(contract->exercise);
    option->days_to_expiration =
        (int64_t)mf_date_to_days(contract->expiration) - mf_date_to_days(option->bar.session_date);
}

// The bar of an option bar begins where a bar does.
int ing_polygon_fill_option(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err)
{
    static_assert(offsetof(struct mf_event, option_bar.bar) == offsetof(struct mf_event, bar), "one place");
    if (page->work->contract == NULL)
        return mf_error_set(err, MF_ERROR_POISON, "unknown_contract", "nothing is known about the contract");
    if (ing_polygon_fill_bar(config, page, item, scratch, event, err) < 0)
        return -1;
    ing_polygon_fill_contract(page->work->contract, event);
    return 0;
}
