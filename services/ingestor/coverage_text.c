// SPDX-License-Identifier: Apache-2.0
// How coverage stands in a watermark (see coverage.h): small, because it is written with every page. Ranges
// are "from length slots" in hexadecimal, in minutes; the day under way is a bitmap up to its last bar.
#include <inttypes.h>
#include <stdio.h>

#include "services/ingestor/coverage.h"

static void write_range(struct mf_buf *text, const struct ing_missing *item)
{
    mf_buf_addf(text, "%s%" PRIx64 " %" PRIx64 " %" PRIx64, text->len > 0 ? "," : "",
                (uint64_t)(item->from_us / MF_US_PER_MINUTE),
                (uint64_t)((item->to_us - item->from_us) / MF_US_PER_MINUTE), item->slots);
}

static void write_time(struct mf_json_writer *w, const char *key, int64_t time_us)
{
    mf_jw_key(w, key);
    mf_jw_i64(w, time_us / MF_US_PER_MINUTE);
}

static void write_texts(struct mf_json_writer *w, const struct ing_coverage *coverage)
{
    char day[MF_DATE_TEXT_SIZE];
    struct mf_buf text;
    mf_buf_init(&text, (size_t)64 * 1024);
    mf_jw_member_text(w, "day", mf_date_format(coverage->day, day));
    size_t used = sizeof coverage->seen;
    while (used > 0 && coverage->seen[used - 1] == 0)
        used--;
    for (size_t i = 0; i < used; i++)
        mf_buf_addf(&text, "%02x", coverage->seen[i]);
    mf_jw_member_text(w, "seen", mf_buf_c_str(&text));
    mf_buf_clear(&text);
    for (size_t i = 0; i < coverage->count; i++)
        write_range(&text, &coverage->items[i]);
    mf_jw_member_text(w, "ranges", mf_buf_c_str(&text));
    mf_buf_clear(&text);
    if (coverage->open.slots > 0)
        write_range(&text, &coverage->open);
    mf_jw_member_text(w, "open", mf_buf_c_str(&text));
    mf_buf_free(&text);
}

void ing_coverage_write(const struct ing_coverage *coverage, struct mf_json_writer *w)
{
    mf_jw_key(w, "coverage");
    mf_jw_object_begin(w);
    mf_jw_member_u64(w, "sessions", coverage->sessions);
    mf_jw_member_u64(w, "sessions_seen", coverage->sessions_seen);
    mf_jw_member_u64(w, "slots", coverage->slots);
    mf_jw_member_u64(w, "missing", coverage->missing);
    mf_jw_member_u64(w, "unexamined", coverage->unexamined);
    mf_jw_member_u64(w, "dropped", coverage->dropped);
    if (coverage->first_slot_us != INT64_MIN)
        write_time(w, "first_slot", coverage->first_slot_us);
    if (coverage->first_us != INT64_MIN)
        write_time(w, "first", coverage->first_us);
    if (coverage->last_us != INT64_MIN)
        write_time(w, "last", coverage->last_us);
    if (coverage->cut_us != INT64_MAX)
        write_time(w, "cut", coverage->cut_us);
    if (coverage->since.year > 0) {
        char since[MF_DATE_TEXT_SIZE];
        mf_jw_member_text(w, coverage->renamed ? "renamed" : "listed",
                          mf_date_format(coverage->since, since));
    }
    write_texts(w, coverage);
    mf_jw_object_end(w);
}

// ---------------------------------------------------------------- reading

static bool read_count(const struct mf_json_node *object, const char *key, uint64_t *out)
{
    int64_t number = 0;
    const struct mf_json_node *node = mf_json_get(object, key);
    if (node == NULL || mf_json_type(node) != MF_JSON_NUMBER || !mf_str_to_i64(mf_json_text(node), &number))
        return false;
    *out = (uint64_t)number;
    return number >= 0;
}

// Absent: *out stays as it is.
static bool read_time(const struct mf_json_node *object, const char *key, int64_t *out)
{
    int64_t minutes = 0;
    const struct mf_json_node *node = mf_json_get(object, key);
    if (node == NULL)
        return true;
    if (mf_json_type(node) != MF_JSON_NUMBER || !mf_str_to_i64(mf_json_text(node), &minutes) ||
        minutes > INT64_MAX / MF_US_PER_MINUTE || minutes < INT64_MIN / MF_US_PER_MINUTE)
        return false;
    *out = minutes * MF_US_PER_MINUTE;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A hexadecimal number that fits in 40 bits, up to `end` or the text's end; moves *text behind it.
static bool take_hex(struct mf_str *text, char end, int64_t *out)
{
    size_t at = 0;
    *out = 0;
    for (; at < text->len && text->data[at] != end; at++) {
        int digit = digit_of(text->data[at]);
        if (digit < 0 || at == 10)
            return false;
        *out = *out * 16 + digit;
    }
    size_t used = at < text->len ? at + 1 : at;
    *text = (struct mf_str){text->data + used, text->len - used};
    return at > 0;
}

// Into a coverage's list, or into the range `one`.
static bool read_ranges(struct mf_str text, struct ing_coverage *coverage, struct ing_missing *one)
{
    while (text.len > 0) {
        int64_t from = 0;
        int64_t length = 0;
        int64_t slots = 0;
        if (coverage->count == ING_MISSING_MAX || !take_hex(&text, ' ', &from) ||
            !take_hex(&text, ' ', &length) || !take_hex(&text, ',', &slots) || length == 0 || slots == 0)
            return false;
        const struct ing_missing item = {.from_us = from * MF_US_PER_MINUTE,
                                         .to_us = (from + length) * MF_US_PER_MINUTE,
                                         .slots = (uint64_t)slots};
        if (one != NULL)
            *one = item;
        else
            ing_coverage_add(coverage, &item);
    }
    return true;
}

static bool read_seen(struct mf_str text, struct ing_coverage *coverage)
{
    if (text.len % 2 != 0 || text.len / 2 > sizeof coverage->seen)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = digit_of(text.data[i]);
        int low = digit_of(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        coverage->seen[i / 2] = (uint8_t)(high * 16 + low);
    }
    return true;
}

// Absent: as it was.
static bool read_since(const struct mf_json_node *node, struct ing_coverage *coverage)
{
    coverage->renamed = mf_json_get(node, "renamed") != NULL;
    const char *key = coverage->renamed ? "renamed" : "listed";
    return mf_json_get(node, key) == NULL || mf_date_parse(ing_text_of(node, key), &coverage->since);
}

bool ing_coverage_read(const struct mf_json_node *node, struct ing_coverage *coverage)
{
    struct ing_coverage found;
    struct mf_date day;
    if (mf_json_type(node) != MF_JSON_OBJECT || !mf_date_parse(ing_text_of(node, "day"), &day))
        return false;
    ing_coverage_init(&found, day);
    if (!read_count(node, "sessions", &found.sessions) ||
        !read_count(node, "sessions_seen", &found.sessions_seen) ||
        !read_count(node, "slots", &found.slots) || !read_count(node, "missing", &found.missing) ||
        !read_count(node, "unexamined", &found.unexamined) || !read_count(node, "dropped", &found.dropped) ||
        !read_time(node, "first_slot", &found.first_slot_us) || !read_time(node, "first", &found.first_us) ||
        !read_time(node, "last", &found.last_us) || !read_time(node, "cut", &found.cut_us) ||
        !read_since(node, &found) || !read_seen(ing_text_of(node, "seen"), &found))
        return false;
    if (!read_ranges(ing_text_of(node, "open"), &found, &found.open) ||
        !read_ranges(ing_text_of(node, "ranges"), &found, NULL)) {
        ing_coverage_free(&found);
        return false;
    }
    ing_coverage_free(coverage);
    *coverage = found;
    return true;
}
