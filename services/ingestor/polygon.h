// SPDX-License-Identifier: Apache-2.0
// Inside the Polygon provider: the parts of provider_polygon.c, polygon_bars.c, polygon_news.c,
// polygon_symbols.c, polygon_renames.c, polygon_actions.c, polygon_options.c and polygon_market.c, and what
// the tests look at. The vendor renamed itself Massive; the name polygon stays in our events (source),
// settings and metrics.
#ifndef ING_POLYGON_H
#define ING_POLYGON_H

#include "services/ingestor/provider.h"

// What status and body mean together, for this work; root is NULL when the body is not JSON. Puts a stable
// reason into code (empty for data and empty) and the vendor's words, not yet made safe, into *message
// (absent when there are none).
enum ing_answer ing_polygon_classify(const struct ing_work *work, int status, const struct mf_json_node *root,
                                     char code[MF_ERROR_CODE_SIZE], struct mf_str *message);

// Number text of a member, whether the vendor sent a number or a string; absent when it is neither.
struct mf_str ing_polygon_number(const struct mf_json_node *object, const char *key);
// A whole number in any of the forms that feeds use: 12, "12", 12.0, 1.2e1. False when it is none.
bool ing_polygon_integer(const struct mf_json_node *object, const char *key, int64_t *out);

// The member's number in the form events carry it, its text in `out`; volume and vwap rounded. POISON.
int ing_polygon_read_number(const struct mf_json_node *row, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                            struct mf_str *number, struct mf_error *err);

// Rows of the parsed answer to items, by feed. The future begins when it was asked for.
void ing_polygon_bar_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page);
// Makes a row with a stamp a bar, of a stock or of an option; false when it is dropped, and counted.
bool ing_polygon_take_bar(const struct ing_provider_config *config, struct ing_page *page,
                          const struct mf_json_node *row, struct ing_item *item);
// A bar's window, session, stamp and adjustment. POISON.
int ing_polygon_place_bar(const struct ing_provider_config *config, const struct ing_page *page,
                          const struct ing_item *item, struct mf_bar *bar, struct mf_error *err);
// Sets page->rest_us; page->next is known.
void ing_polygon_find_rest(const struct ing_provider_config *config, const struct mf_json_node *root,
                           struct ing_page *page);
void ing_polygon_news_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                            struct ing_page *page);
int ing_polygon_fill_bar(const struct ing_provider_config *config, const struct ing_page *page,
                         const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err);
int ing_polygon_fill_news(const struct ing_provider_config *config, const struct ing_page *page,
                          const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                          struct mf_error *err);

// Tickers: path and query of the first request of a pass (the limit is added behind), rows, events.
void ing_polygon_add_symbols_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url);
void ing_polygon_symbol_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct ing_page *page);
// The details of one: what they say beyond the list, to page->listing; a bad date as an item with a reason.
void ing_polygon_take_details(const struct mf_json_node *details, struct ing_page *page);
int ing_polygon_fill_symbol(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err);

// Ticker events: the path, and rows to page->aliases; changes that have happened become events, bad rows are
// items with a reason.
void ing_polygon_add_renames_path(const struct ing_work *work, struct mf_buf *url);
void ing_polygon_rename_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct mf_str figi, struct ing_page *page);
int ing_polygon_fill_rename(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct mf_event *event, struct mf_error *err);

// Market status and holidays: the path (nothing is added to it); whether an answer of 200 has their shape;
// what it says to page->market, bad rows as items with a reason.
void ing_polygon_add_market_path(const struct ing_provider_config *config, const struct ing_work *work,
                                 struct mf_buf *url);
bool ing_polygon_is_market_answer(const struct ing_work *work, const struct mf_json_node *root);
void ing_polygon_take_market(const struct ing_provider_config *config, const struct mf_json_node *root,
                             struct ing_page *page);

// Splits and dividends: the same for both.
void ing_polygon_add_actions_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url);
void ing_polygon_action_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct ing_page *page);
int ing_polygon_fill_action(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err);

// Option contracts: path and query of a list, or of one contract's details; rows to page->contracts, bad ones
// to items with a reason; bars of one contract.
void ing_polygon_add_contracts_path(const struct ing_provider_config *config, const struct ing_work *work,
                                    struct mf_buf *url);
void ing_polygon_add_filter(const struct ing_contract_filter *filter, struct mf_buf *url);
void ing_polygon_contract_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                                struct ing_page *page);
int ing_polygon_fill_option(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err);
// The contract's part of an option bar, whose session date is there already.
void ing_polygon_fill_contract(const struct ing_contract *contract, struct mf_event *event);
// Is the contract of the work's underlying and within its filter? Counts it where it is not.
bool ing_polygon_is_asked_for(const struct ing_work *work, const struct ing_contract *contract,
                              struct ing_page_counts *counts);
// Why a contract cannot have a bar of that day; "" when it can.
const char *ing_polygon_option_problem(const struct ing_contract *contract, struct mf_date session_date);
// Chains of an underlying: what is known of its contracts, on each one's newest day bar.
void ing_polygon_add_chain_path(const struct ing_provider_config *config, const struct ing_work *work,
                                struct mf_buf *url);
void ing_polygon_chain_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                             struct ing_page *page);
int ing_polygon_fill_chain(const struct ing_provider_config *config, const struct ing_page *page,
                           const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                           struct mf_error *err);
// The contract of a chain's row, whose `details` is an object; the reason why it is none, or "".
const char *ing_polygon_chain_contract(const struct ing_work *work, const struct mf_json_node *row,
                                       struct ing_contract *contract);
// The symbol as contracts name it: an index without its prefix.
struct mf_str ing_polygon_underlying(struct mf_str symbol);

// Days: the whole market's, the last one, one with the prices around its session.
void ing_polygon_add_grouped_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url);
void ing_polygon_add_previous_path(const struct ing_provider_config *config, const struct ing_work *work,
                                   struct mf_buf *url);
void ing_polygon_add_open_close_path(const struct ing_provider_config *config, const struct ing_work *work,
                                     struct mf_buf *url);
void ing_polygon_day_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page);
void ing_polygon_open_close_items(const struct ing_provider_config *config, const struct mf_json_node *answer,
                                  struct ing_page *page);
int ing_polygon_fill_day(const struct ing_provider_config *config, const struct ing_page *page,
                         const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err);
int ing_polygon_fill_open_close(const struct ing_provider_config *config, const struct ing_page *page,
                                const struct ing_item *item, struct ing_scratch *scratch,
                                struct mf_event *event, struct mf_error *err);

// Walks rows with the index each had in the answer, skipping the places of rows that were not JSON
// (page->items so far).
struct ing_row_walk {
    const struct mf_json_node *row;
    uint32_t index;
    size_t lost_at, lost_count;
};
void ing_row_walk_begin(struct ing_row_walk *walk, const struct ing_page *page,
                        const struct mf_json_node *rows);
void ing_row_walk_next(struct ing_row_walk *walk, const struct ing_page *page);

// Makes a row an item, with the reason if it is no event; false when it is dropped, and counted.
typedef bool ing_take_row(const struct ing_provider_config *config, struct ing_page *page,
                          const struct mf_json_node *row, struct ing_item *item);
// Every row of an answer that is in order of time; what stands before an older one is counted.
void ing_polygon_take_rows(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page, ing_take_row *take);

#endif
