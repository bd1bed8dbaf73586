// SPDX-License-Identifier: Apache-2.0
// Parsing an answer, first as what most of them are: an envelope around flat rows, which are read one by one
// where they stand and become no nodes (a page of fifty thousand would be twelve MiB of them). What is not
// that plain is parsed as a whole, and its rows may be broken one by one: only when a strict parse fails is
// the text cut into rows by a scanner that knows strings and brackets and nothing else, each row is parsed
// alone, and the answer is put together again from those that are right. So one bad row costs one dead
// letter, not the page. Failure class: POISON, the reader's codes; a text that is not even cut into rows that
// way has the first code.
#include "services/ingestor/provider.h"

enum { SCAN_DEPTH_MAX = 60, ENVELOPE_MAX = 64 * 1024 };

// Rows of a page: one more than what any request asks for, so that a duplicate on a full page is not an
// error.
static const struct mf_json_limits *body_limits(struct mf_json_limits *limits)
{
    *limits = mf_json_limits_body;
    limits->array_items += 1000;
    return limits;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct scan {
    struct mf_str text;
    size_t at;
};

static char peek(struct scan *s)
{
    while (s->at < s->text.len && is_blank(s->text.data[s->at]))
        s->at++;
    return s->at < s->text.len ? s->text.data[s->at] : '\0';
}

static bool take(struct scan *s, char wanted)
{
    if (peek(s) != wanted || s->at >= s->text.len)
        return false;
    s->at++;
    return true;
}

// From the opening quote to behind the closing one.
static bool skip_string(struct scan *s)
{
    for (s->at++; s->at < s->text.len; s->at++) {
        if (s->text.data[s->at] == '\\')
            s->at++;
        else if (s->text.data[s->at] == '"') {
            s->at++;
            return true;
        }
    }
    return false;
}

// A value of any kind: balanced brackets with strings in them, or a run of other characters.
static bool skip_value(struct scan *s)
{
    char closers[SCAN_DEPTH_MAX];
    unsigned depth = 0;
    char c = peek(s);
    if (c == '\0' || c == ',' || c == ':' || c == '}' || c == ']')
        return false;
    while (s->at < s->text.len) {
        c = s->text.data[s->at];
        if (c == '"') {
            if (!skip_string(s))
                return false;
        } else if (c == '{' || c == '[') {
            if (depth == SCAN_DEPTH_MAX)
                return false;
            closers[depth++] = c == '{' ? '}' : ']';
            s->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return true; // the end of what holds this value
            if (closers[--depth] != c)
                return false;
            s->at++;
        } else if (depth == 0 && (c == ',' || is_blank(c))) {
            return true;
        } else {
            s->at++;
            continue; // within a run of other characters
        }
        if (depth == 0)
            return true;
    }
    return depth == 0;
}

// Finds the array `key` of the top object; *from is behind its bracket, *to at the closing one. False when
// the text is not an object with such an array and nothing behind it.
static bool find_rows(struct mf_str text, const char *key, size_t *from, size_t *to)
{
    struct scan s = {.text = text};
    bool found = false;
    if (!take(&s, '{'))
        return false;
    do {
        if (peek(&s) != '"')
            return false;
        size_t key_at = s.at + 1;
        if (!skip_string(&s))
            return false;
        struct mf_str name = {text.data + key_at, s.at - 1 - key_at};
        if (!take(&s, ':'))
            return false;
        bool rows = peek(&s) == '[' && mf_str_eq_c(name, key);
        size_t value_at = s.at;
        if (!skip_value(&s) || (rows && found))
            return false;
        if (rows) {
            *from = value_at + 1;
            *to = s.at - 1;
            found = true;
        }
    } while (take(&s, ','));
    return found && take(&s, '}') && peek(&s) == '\0' && s.at == text.len;
}

// Sorts the rows into page->repaired and, as items with a reason, page->lost.
static bool sort_rows(struct ing_page *page, struct mf_str rows)
{
    struct mf_json_limits limits;
    struct scan s = {.text = rows};
    uint32_t index = 0;
    bool first = true;
    if (peek(&s) == '\0')
        return s.at == rows.len;
    do {
        peek(&s);
        size_t from = s.at;
        if (!skip_value(&s))
            return false;
        struct mf_str row = {rows.data + from, s.at - from};
        const struct mf_json_node *node;
        struct mf_error err;
        if (mf_json_parse(page->json, row, body_limits(&limits), &node, &err) == 0) {
            if (!first)
                mf_buf_add_char(&page->repaired, ',');
            mf_buf_add_str(&page->repaired, row);
            first = false;
        } else {
            struct ing_item *item = ing_page_add(page);
            item->index = index;
            item->raw =
                (struct mf_str){NULL, row.len}; // its place is known when the buffer has stopped growing
            mf_str_copy(item->reason, sizeof item->reason, mf_str_of(err.code));
            mf_buf_add_str(&page->lost, row);
        }
        index++;
    } while (take(&s, ','));
    return peek(&s) == '\0' && s.at == rows.len;
}

static void place_lost_rows(struct ing_page *page)
{
    const char *at = mf_buf_c_str(&page->lost);
    for (size_t i = 0; i < page->count; i++) {
        page->items[i].raw.data = at;
        at += page->items[i].raw.len;
    }
}

int ing_page_parse(struct ing_page *page, struct mf_str body, const char *rows_key,
                   const struct mf_json_node **root, struct mf_error *err)
{
    struct mf_json_limits limits;
    ing_page_forget_rows(page);
    if (mf_json_parse(page->json, body, body_limits(&limits), root, err) == 0)
        return 0;
    size_t from = 0;
    size_t to = 0;
    if (body.len > limits.size || !find_rows(body, rows_key, &from, &to))
        return -1;
    mf_buf_clear(&page->repaired);
    mf_buf_clear(&page->lost);
    mf_buf_add(&page->repaired, body.data, from);
    bool sorted = sort_rows(page, (struct mf_str){body.data + from, to - from});
    mf_buf_add(&page->repaired, body.data + to, body.len - to);
    struct mf_error again;
    bool parsed = sorted && page->count > 0 && !page->repaired.overflow &&
                  mf_json_parse(page->json, mf_buf_str(&page->repaired), &limits, root, &again) == 0;
    if (!parsed) {
        page->count = 0;
        return -1;
    }
    place_lost_rows(page);
    return 0;
}

// ---------------------------------------------------------------- rows that become no nodes

// The array `key` of the top object; s is behind its bracket then. What is passed over is parsed later.
static bool seek_rows(struct scan *s, const char *key)
{
    if (!take(s, '{'))
        return false;
    do {
        if (peek(s) != '"')
            return false;
        size_t key_at = s->at + 1;
        if (!skip_string(s))
            return false;
        struct mf_str name = {s->text.data + key_at, s->at - 1 - key_at};
        if (!take(s, ':'))
            return false;
        if (mf_str_eq_c(name, key))
            return take(s, '[');
        if (!skip_value(s))
            return false;
    } while (take(s, ','));
    return false;
}

// Every row is read, and taken as it comes. first: the length of the first.
static bool read_rows(struct ing_page *page, struct scan *s, const struct ing_row_taker *taker, size_t *first)
{
    struct mf_json_limits limits;
    const struct mf_json_node *row;
    size_t count = 0;
    body_limits(&limits);
    peek(s);
    size_t from = s->at;
    do {
        peek(s);
        struct mf_str text = {s->text.data + s->at, s->text.len - s->at};
        size_t left = text.len;
        text.len = mf_json_row_read(page->row, text, &row);
        if (text.len == 0 || count == limits.array_items)
            return false;
        if (count == 0) {
            *first = text.len;
            ing_page_reserve(page, left / text.len + 1 < limits.array_items ? left / text.len + 1
                                                                            : limits.array_items);
        }
        s->at += text.len;
        taker->take(taker->arg, page, row, text, (uint32_t)count++);
    } while (take(s, ','));
    page->row_count = count;
    page->rows = (struct mf_str){s->text.data + from, s->at - from};
    return peek(s) == ']';
}

// The envelope with the first row, so that whoever asks whether there are any is told so. If it is JSON, then
// so is the answer: the rows between the brackets are.
static bool parse_envelope(struct ing_page *page, struct scan *s, size_t first, const char *rows_key,
                           const struct mf_json_node **root)
{
    struct mf_json_limits limits;
    size_t from = (size_t)(page->rows.data - s->text.data);
    if (from + s->text.len - s->at > ENVELOPE_MAX)
        return false;
    mf_buf_clear(&page->repaired);
    mf_buf_add(&page->repaired, s->text.data, from + first);
    mf_buf_add(&page->repaired, s->text.data + s->at, s->text.len - s->at);
    const struct mf_json_node *parsed;
    if (mf_json_parse(page->json, mf_buf_str(&page->repaired), body_limits(&limits), &parsed, NULL) < 0)
        return false;
    const struct mf_json_node *rows = mf_json_get(parsed, rows_key);
    if (rows == NULL || mf_json_type(rows) != MF_JSON_ARRAY || mf_json_count(rows) != 1)
        return false;
    *root = parsed;
    return true;
}

bool ing_page_parse_rows(struct ing_page *page, struct mf_str body, const char *rows_key,
                         const struct ing_row_taker *taker, const struct mf_json_node **root)
{
    struct scan s = {.text = body};
    size_t first = 0;
    ing_page_forget_rows(page);
    if (!page->whole && body.len <= mf_json_limits_body.size && seek_rows(&s, rows_key) &&
        read_rows(page, &s, taker, &first) && mf_str_is_utf8(body) &&
        parse_envelope(page, &s, first, rows_key, root))
        return true;
    ing_page_forget_rows(page);
    return false;
}

const struct mf_json_node *ing_page_row(const struct ing_page *page, const struct ing_item *item)
{
    const struct mf_json_node *row = NULL;
    if (item->row != NULL || page->rows.data == NULL)
        return item->row;
    size_t len = mf_json_row_read(page->row, item->raw, &row);
    assert(len == item->raw.len);
    return row;
}
