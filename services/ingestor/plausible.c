// SPDX-License-Identifier: Apache-2.0
// Bars against their neighbours (see plausible.h). One number per bar is read; more only where a price jumps.
#include "services/ingestor/plausible.h"

#include "services/ingestor/polygon.h"

enum { BACK_WITHIN = 20 }; // bars behind a jump that are looked at
#define LEAST_PRICE 1.0
#define SAME_LEVEL 2.0

// The item's price, 0 when it has none that could be judged.
static double price(const struct ing_page *page, const struct ing_item *item, const char *key)
{
    struct mf_decimal_number number;
    const struct mf_json_node *row = item->reason[0] == '\0' ? ing_page_row(page, item) : NULL;
    if (row == NULL || !mf_decimal_number_parse(ing_polygon_number(row, key), &number) ||
        number.mantissa <= 0)
        return 0;
    return mf_decimal_number_double(number);
}

static bool is_off(double value, double level, double factor)
{
    return value >= level * factor || value * factor <= level;
}

// Every price of the bar is off, and to one side.
static bool is_wholly_off(const struct ing_page *page, const struct ing_item *item, double level,
                          double factor)
{
    double low = price(page, item, "l");
    double high = price(page, item, "h");
    return low > 0 && high > 0 && (low >= level * factor || (high * factor <= level && high >= LEAST_PRICE));
}

// The first item behind `from` whose close is near the level again; the count when there is none.
static size_t find_return(const struct ing_page *page, size_t from, double level, double factor)
{
    for (size_t i = from + 1; i < page->count && i <= from + BACK_WITHIN; i++) {
        double close = price(page, &page->items[i], "c");
        if (close > 0 && !is_off(close, level, SAME_LEVEL))
            return i;
        if (close > 0 && !is_off(close, level, factor))
            break; // it moves, rather than jumps
    }
    return page->count;
}

static void reject_off(struct ing_page *page, size_t from, size_t to, double level, double factor)
{
    for (size_t i = from; i < to; i++) {
        struct ing_item *item = &page->items[i];
        if (item->reason[0] != '\0' || !is_wholly_off(page, item, level, factor))
            continue;
        mf_str_copy(item->reason, sizeof item->reason, MF_STR("implausible_price"));
        page->counts.rejected++;
    }
}

void ing_plausible_mark(struct ing_page *page, unsigned factor)
{
    enum mf_asset_class asset_class = page->work->asset_class;
    bool judged =
        asset_class == MF_ASSET_STOCK || asset_class == MF_ASSET_FX || asset_class == MF_ASSET_INDEX;
    if (factor == 0 || !judged)
        return;
    double level = 0;
    for (size_t i = 0; i < page->count; i++) {
        double close = price(page, &page->items[i], "c");
        if (close == 0)
            continue;
        if (level >= LEAST_PRICE && is_off(close, level, factor)) {
            size_t back = find_return(page, i, level, factor);
            if (back < page->count) {
                reject_off(page, i, back, level, factor);
                i = back - 1;
                continue;
            }
        }
        level = close;
    }
}
