// SPDX-License-Identifier: Apache-2.0
// Polygon range aggregates: rows to bars. Prices stay the vendor's own text. Pure.
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"
#include "services/ingestor/request_range.h"

static void reject(struct ing_item *item, const char *reason)
{
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(reason));
}

// N50: two windows ahead of the time of the request is no bar but a broken clock.
static bool is_future(const struct ing_page *page, int64_t event_time_us)
{
    int64_t length_us = mf_interval_longest_us(ing_timespans[page->work->timespan].interval);
    return event_time_us > page->asked_us + 2 * length_us;
}

bool ing_polygon_take_bar(const struct ing_provider_config *config, struct ing_page *page,
                          const struct mf_json_node *row, struct ing_item *item)
{
    const struct ing_work *work = page->work;
    int64_t stamp;
    item->row = row;
    if (mf_json_type(row) != MF_JSON_OBJECT) {
        reject(item, "bad_type");
        return true;
    }
    if (mf_json_get(row, "t") == NULL) {
        reject(item, "missing_field");
        return true;
    }
    struct ing_bar_place place;
    enum mf_interval interval = ing_timespans[work->timespan].interval;
    // N33: seconds, milliseconds, microseconds or nanoseconds, by magnitude.
    if (!ing_polygon_integer(row, "t", &stamp) || !mf_time_from_epoch_number(stamp, &item->vendor_us) ||
        !ing_bar_place_on(page->day, config->calendar, work->asset_class, interval, item->vendor_us,
                          &place)) {
        reject(item, "bad_time");
        return true;
    }
    item->event_time_us = place.event_time_us;
    if (is_future(page, item->event_time_us)) {
        reject(item, "future_timestamp");
        return true;
    }
    if (work->contract != NULL)
        reject(item, ing_polygon_option_problem(work->contract, place.session_date));
    if (item->reason[0] != '\0')
        return true;
    // N11: the vendor may answer more than what was asked.
    if (item->event_time_us < work->from_us || item->event_time_us >= work->to_us) {
        page->counts.out_of_range++;
        return false;
    }
    if (item->event_time_us > page->newest_us)
        page->newest_us = item->event_time_us;
    page->last_us = item->event_time_us;
    return true;
}

void ing_polygon_bar_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page)
{
    ing_polygon_take_rows(config, rows, page, ing_polygon_take_bar);
}

// Where an answer was cut off: behind its last row. The newest one may be a row that stands ahead of its
// place, and what lies between would never be asked for. An answer whose rows go backwards has its newest
// first.
static int64_t cut_us(const struct ing_page *page)
{
    bool backwards = page->counts.unsorted * 2 >= page->counts.rows;
    return backwards ? page->newest_us : page->last_us;
}

// A page into which no further window may have fitted, and that names no next one: the vendor has cut answers
// without a word. Behind it the range is asked for again; if nothing is there, that costs a request.
void ing_polygon_find_rest(const struct ing_provider_config *config, const struct mf_json_node *root,
                           struct ing_page *page)
{
    const struct ing_work *work = page->work;
    int64_t base_count;
    if (page->next.len > 0 || page->newest_us == INT64_MIN ||
        !ing_polygon_integer(root, "queryCount", &base_count) ||
        base_count + ing_timespans[work->timespan].base_count <= ing_request_limit(work))
        return;
    enum mf_interval interval = ing_timespans[work->timespan].interval;
    int64_t rest_us = ing_window_of(config->calendar, work->asset_class, interval, cut_us(page)).next_us;
    page->rest_us = rest_us > work->from_us && rest_us < work->to_us ? rest_us : 0;
}

enum { DECIMALS_MAX = 8, ROUNDED_SIZE = 80 };

// One unit more in the last place of digits with perhaps a point among them. False when a digit more is
// needed in front.
static bool increment(char *digits, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        if (digits[i - 1] < '0' || digits[i - 1] > '9')
            continue;
        if (digits[i - 1]++ < '9')
            return true;
        digits[i - 1] = '0';
    }
    return false;
}

// Number text without exponent and with more decimals than events carry, rounded half to even. Anything else
// as it is.
static struct mf_str round_decimals(struct mf_str text, char out[ROUNDED_SIZE])
{
    const char *point = text.len > 0 ? memchr(text.data, '.', text.len) : NULL;
    size_t kept = point != NULL ? (size_t)(point - text.data) + 1 + DECIMALS_MAX : text.len;
    if (kept >= text.len)
        return text;
    bool plain = text.len < ROUNDED_SIZE - 1 && mf_decimal_is_number(text);
    for (size_t i = 0; i < text.len && plain; i++)
        plain = (text.data[i] >= '0' && text.data[i] <= '9') || text.data + i == point;
    if (!plain)
        return text;
    out[0] = '0'; // room for the carry
    memcpy(out + 1, text.data, kept);
    bool above = false;
    for (size_t i = kept + 1; i < text.len; i++)
        above = above || text.data[i] != '0';
    char next = text.data[kept];
    bool odd = (text.data[kept - 1] - '0') % 2 == 1;
    if (next > '5' || (next == '5' && (above || odd)))
        increment(out, kept + 1);
    return out[0] == '0' ? (struct mf_str){out + 1, kept} : (struct mf_str){out, kept + 1};
}

// Prices are taken digit for digit or not at all. Volume and vwap are the vendor's own floating-point sums
// (0.30000000000000004; the documentation's example of a crypto bar has ten decimals): what lies beyond the
// eighth decimal is not data, and refusing it would refuse whole feeds.
static int read_number(const struct mf_json_node *node, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                       struct mf_str *number, struct mf_error *err)
{
    MF_UNINITIALISED char rounded[ROUNDED_SIZE];
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return mf_error_set(err, MF_ERROR_POISON, "missing_field", "%s is absent", key);
    enum mf_json_type type = mf_json_type(node);
    if (type != MF_JSON_NUMBER && type != MF_JSON_STRING)
        return mf_error_set(err, MF_ERROR_POISON, "bad_type", "%s is %s, not a number", key,
                            mf_json_type_name(type));
    struct mf_str text = mf_json_text(node);
    if (key[0] == 'v')
        text = round_decimals(text, rounded);
    size_t len = 0;
    if (mf_decimal_normalise(text, out, &len, err) < 0)
        return mf_error_prefix(err, "%s", key);
    *number = (struct mf_str){out, len};
    return 0;
}

int ing_polygon_read_number(const struct mf_json_node *row, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                            struct mf_str *number, struct mf_error *err)
{
    return read_number(mf_json_get(row, key), key, out, number, err);
}

// A bar's members by their place in `keys`; NULL = absent.
enum member { OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES, OTC, MEMBER_MAX };
static const char *const keys[MEMBER_MAX] = {"o", "h", "l", "c", "v", "vw", "n", "otc"};

static enum member member_of(struct mf_str key)
{
    if (key.len > 1)
        return mf_str_eq_c(key, keys[VWAP]) ? VWAP : mf_str_eq_c(key, keys[OTC]) ? OTC : MEMBER_MAX;
    switch (key.len == 1 ? key.data[0] : '\0') {
    case 'o': return OPEN;
    case 'h': return HIGH;
    case 'l': return LOW;
    case 'c': return CLOSE;
    case 'v': return VOLUME;
    case 'n': return TRADES;
    default: return MEMBER_MAX;
    }
}

// All of them in one walk: asking for each by its name would be as many walks.
static void find_members(const struct mf_json_node *row, const struct mf_json_node *members[MEMBER_MAX])
{
    for (const struct mf_json_node *at = mf_json_first(row); at != NULL; at = mf_json_next(at)) {
        enum member member = member_of(mf_json_key(at));
        if (member != MEMBER_MAX)
            members[member] = at;
    }
}

// The five numbers that every bar has; an index is no instrument and has no volume.
static int fill_required(const struct ing_work *work, const struct mf_json_node *const members[MEMBER_MAX],
                         struct ing_scratch *scratch, struct mf_bar *bar, struct mf_error *err)
{
    struct mf_str *const numbers[] = {&bar->open, &bar->high, &bar->low, &bar->close, &bar->volume};
    for (size_t i = OPEN; i <= VOLUME; i++) {
        if (i == VOLUME && work->asset_class == MF_ASSET_INDEX && members[i] == NULL)
            *numbers[i] = MF_STR("0");
        else if (read_number(members[i], keys[i], scratch->numbers[i], numbers[i], err) < 0)
            return -1;
    }
    return 0;
}

static int fill_optional(const struct mf_json_node *row, const struct mf_json_node *const members[MEMBER_MAX],
                         struct ing_scratch *scratch, struct mf_event *event, struct mf_error *err)
{
    struct mf_bar *bar = &event->bar;
    const struct mf_json_node *vwap = members[VWAP];
    if (vwap != NULL && mf_json_type(vwap) != MF_JSON_NULL) {
        if (read_number(vwap, keys[VWAP], scratch->numbers[VWAP], &bar->vwap, err) < 0)
            return -1;
        bool small = bar->vwap.data[0] < '1';                     // its sign, a zero, a point
        if (small && mf_decimal_cmp(bar->vwap, MF_STR("0")) == 0) // a window without trades has none
            bar->vwap = MF_STR_NULL;
    }
    // N29: who needs a price for the whole window takes the typical one, and the flag says so.
    if (bar->vwap.data == NULL)
        event->flags |= MF_FLAG_PROXY_VWAP;
    const struct mf_json_node *trades = members[TRADES];
    if (trades != NULL && mf_json_type(trades) != MF_JSON_NULL &&
        !ing_polygon_integer(row, keys[TRADES], &bar->trade_count))
        return mf_error_set(err, MF_ERROR_POISON, "bad_number", "n is not a whole number");
    const struct mf_json_node *otc = members[OTC];
    if (otc != NULL && mf_json_type(otc) == MF_JSON_BOOL)
        bar->otc = mf_json_bool(otc) ? 1 : 0;
    return 0;
}

int ing_polygon_place_bar(const struct ing_provider_config *config, const struct ing_page *page,
                          const struct ing_item *item, struct mf_bar *bar, struct mf_error *err)
{
    const struct ing_work *work = page->work;
    struct ing_bar_place place;
    bar->interval = ing_timespans[work->timespan].interval;
    if (!ing_bar_place_on(page->day, config->calendar, work->asset_class, bar->interval, item->event_time_us,
                          &place))
        return mf_error_set(err, MF_ERROR_POISON, "bad_time", "t is not the start of a window");
    bar->window_end_us = place.window_end_us;
    bar->session_date = place.session_date;
    bar->session = place.session;
    bar->vendor_ms = item->vendor_us / MF_US_PER_MS;
    // Only the prices of stocks are ever rescaled, whatever was asked for.
    bar->adjusted = work->asset_class == MF_ASSET_STOCK ? work->adjusted : MF_ADJUSTED_NONE;
    return 0;
}

int ing_polygon_fill_bar(const struct ing_provider_config *config, const struct ing_page *page,
                         const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err)
{
    struct mf_bar *bar = &event->bar;
    const struct mf_json_node *members[MEMBER_MAX] = {NULL};
    if (ing_polygon_place_bar(config, page, item, bar, err) < 0)
        return -1;
    find_members(item->row, members);
    if (fill_required(page->work, members, scratch, bar, err) < 0)
        return -1;
    return fill_optional(item->row, members, scratch, event, err);
}
