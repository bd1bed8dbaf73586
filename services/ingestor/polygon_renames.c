// SPDX-License-Identifier: Apache-2.0
// Polygon ticker events: the names that an instrument has had, with the days on which each was valid (N14). A
// name is valid from its event to the day before the next one, and each change is a corporate action of its
// day. Pure.
#include <stdlib.h>

#include "common/url.h"
#include "services/ingestor/polygon.h"

struct rename {
    struct mf_str ticker;
    struct mf_date date;
    size_t place; // in the answer
};

void ing_polygon_add_renames_path(const struct ing_work *work, struct mf_buf *url)
{
    mf_buf_add_c(url, "/vX/reference/tickers");
    mf_url_add_path_segment(url, mf_str_of(work->symbol));
    mf_buf_add_c(url, "/events");
    mf_url_add_query(url, "types", MF_STR("ticker_change"));
}

// Empty when the row says which name began when.
static const char *problem_of(const struct mf_json_node *row, struct rename *rename)
{
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    const struct mf_json_node *change = mf_json_get(row, "ticker_change");
    if (change == NULL || mf_json_get(row, "date") == NULL)
        return "missing_field";
    rename->ticker = mf_json_type(change) == MF_JSON_OBJECT ? ing_text_of(change, "ticker") : MF_STR_NULL;
    if (!mf_symbol_is_valid(rename->ticker))
        return "bad_symbol";
    return mf_date_parse(ing_text_of(row, "date"), &rename->date) ? "" : "bad_date";
}

// Of one day the later row stands last.
static int compare_renames(const void *left, const void *right)
{
    const struct rename *a = left;
    const struct rename *b = right;
    int by_date = mf_date_cmp(a->date, b->date);
    if (by_date != 0)
        return by_date;
    return a->place < b->place ? -1 : a->place > b->place;
}

// Each name once per day and none twice in a row; returns how many are left.
static size_t drop_repeats(struct rename *renames, size_t count, struct ing_page_counts *counts)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool same_day = i + 1 < count && mf_date_cmp(renames[i].date, renames[i + 1].date) == 0;
        bool same_name = kept > 0 && mf_str_eq(renames[kept - 1].ticker, renames[i].ticker);
        if (same_day || same_name)
            counts->duplicates++;
        else
            renames[kept++] = renames[i];
    }
    return kept;
}

// The newest that there is room for. A name that it always had is no other name.
static void fill_aliases(const struct rename *renames, size_t count, struct ing_aliases *aliases)
{
    size_t first = count > MF_SYMBOL_ALIASES_MAX ? count - MF_SYMBOL_ALIASES_MAX : 0;
    aliases->count = count > 1 ? count - first : 0;
    for (size_t i = 0; i < aliases->count; i++) {
        const struct rename *rename = &renames[first + i];
        mf_str_copy(aliases->items[i].symbol, sizeof aliases->items[i].symbol, rename->ticker);
        aliases->items[i].from = rename->date;
        aliases->items[i].to = (struct mf_date){0};
        if (first + i + 1 < count)
            aliases->items[i].to = mf_date_add_days(rename[1].date, -1);
    }
}

static bool names(const struct rename *renames, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        if (mf_str_eq_c(renames[i].ticker, symbol))
            return true;
    }
    return false;
}

// The newest row of the name: an instrument may go back to one that it had.
static struct mf_date since_of(const struct rename *renames, size_t count, const char *symbol)
{
    for (size_t i = count; i > 0; i--) {
        if (mf_str_eq_c(renames[i - 1].ticker, symbol))
            return renames[i - 1].date;
    }
    return (struct mf_date){0};
}

static bool is_rename(const struct mf_json_node *row)
{
    struct mf_str type = mf_json_type(row) == MF_JSON_OBJECT ? ing_text_of(row, "type") : MF_STR_NULL;
    return type.data == NULL || mf_str_eq_c(type, "ticker_change");
}

// Changes that have taken effect. Of what is announced the symbol has not got its name yet.
static void add_changes(const struct ing_provider_config *config, struct ing_page *page)
{
    for (size_t i = 1; i < page->aliases.count; i++) {
        int64_t time_us = mf_calendar_midnight_us(config->calendar, page->aliases.items[i].from);
        if (time_us > page->asked_us)
            continue;
        struct ing_item *item = ing_page_add(page);
        item->event_time_us = item->vendor_us = time_us;
        item->key = mf_str_of(page->work->symbol);
        item->index = (uint32_t)i; // of the aliases, which outlive this
    }
}

int ing_polygon_fill_rename(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct mf_event *event, struct mf_error *err)
{
    (void)config;
    if (item->index == 0 || item->index >= page->aliases.count)
        return mf_error_set(err, MF_ERROR_POISON, "bad_value", "the change of a name has no name before it");
    event->corporate_action =
        (struct mf_corporate_action){.kind = MF_ACTION_TICKER_CHANGE,
                                     .ex_date = page->aliases.items[item->index].from,
                                     .old_symbol = mf_str_of(page->aliases.items[item->index - 1].symbol),
                                     .new_symbol = mf_str_of(page->aliases.items[item->index].symbol)};
    return 0;
}

void ing_polygon_rename_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct mf_str figi, struct ing_page *page)
{
    size_t room = rows != NULL ? mf_json_count(rows) : 0;
    struct rename *renames = mf_calloc(room + 1, sizeof *renames);
    size_t count = 0;
    uint32_t index = 0;
    for (const struct mf_json_node *row = room > 0 ? mf_json_first(rows) : NULL; row != NULL;
         row = mf_json_next(row), index++) {
        renames[count] = (struct rename){.place = index};
        const char *problem = problem_of(row, &renames[count]);
        if (!is_rename(row)) {
            page->counts.foreign++;
        } else if (problem[0] == '\0') {
            count++;
        } else {
            struct ing_item *item = ing_page_add(page);
            item->index = index;
            item->row = row;
            mf_str_copy(item->reason, sizeof item->reason, mf_str_of(problem));
        }
    }
    // N37: the events of an instrument that never had the asked name are another one's.
    if (!names(renames, count, page->work->symbol)) {
        page->counts.foreign += count;
        count = 0;
    }
    if (count > 0)
        qsort(renames, count, sizeof *renames, compare_renames);
    count = drop_repeats(renames, count, &page->counts);
    fill_aliases(renames, count, &page->aliases);
    page->aliases.since = since_of(renames, count, page->work->symbol);
    if (!mf_str_copy(page->aliases.figi, sizeof page->aliases.figi, figi.len > 0 ? figi : MF_STR("")))
        page->aliases.figi[0] = '\0';
    free(renames);
    add_changes(config, page);
}
