// SPDX-License-Identifier: Apache-2.0
// Parts of a run's own list (see universe.h).
#include "services/ingestor/universe.h"

#include <stdlib.h>

#include "common/json_writer.h"
#include "services/ingestor/provider.h"

#define SYMBOLS_TEXT_MAX ((size_t)512 * 1024)

void ing_universe_key(const char *run_id, unsigned part, struct mf_buf *out)
{
    mf_buf_addf(out, "universe|%05u|%s", part, run_id);
}

void ing_universe_encode(const struct ing_universe_part *part, const struct ing_symbols *symbols,
                         size_t first, struct mf_buf *out)
{
    struct mf_json_writer w;
    struct mf_buf list;
    mf_buf_init(&list, SYMBOLS_TEXT_MAX);
    for (size_t i = first; i < symbols->count; i++)
        mf_buf_addf(&list, "%s%s", i > first ? "," : "", symbols->items[i]);
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_member_u64(&w, "version", 1);
    mf_jw_member_text(&w, "search", part->search);
    mf_jw_member_u64(&w, "part", part->part);
    mf_jw_key(&w, "next");
    mf_jw_string(&w, part->next);
    mf_jw_member_text(&w, "symbols", mf_buf_c_str(&list));
    mf_jw_object_end(&w);
    mf_buf_free(&list);
}

static int bad(struct mf_error *err, const char *what)
{
    return mf_error_set(err, MF_ERROR_POISON, "bad_watermark", "a part of a stored list cannot be read: %s",
                        what);
}

static bool is_number(const struct mf_json_node *root, const char *key, int64_t *number)
{
    const struct mf_json_node *node = mf_json_get(root, key);
    return node != NULL && mf_json_type(node) == MF_JSON_NUMBER && mf_str_to_i64(mf_json_text(node), number);
}

int ing_universe_decode(struct mf_json *json, struct mf_str text, struct ing_universe_part *part,
                        struct ing_symbols *symbols, struct mf_error *err)
{
    const struct mf_json_node *root;
    int64_t version = 0;
    int64_t number = 0;
    if (mf_json_parse(json, text, &mf_json_limits_event, &root, err) < 0)
        return bad(err, "it is not JSON");
    if (!is_number(root, "version", &version) || version != 1)
        return bad(err, "it was written by another version of the ingestor");
    if (!is_number(root, "part", &number) || number < 0 || number >= ING_UNIVERSE_PARTS_MAX ||
        !mf_str_copy(part->search, sizeof part->search, ing_text_of(root, "search")))
        return bad(err, "its place");
    part->part = (unsigned)number;
    part->next = ing_text_of(root, "next");
    struct mf_str list = ing_text_of(root, "symbols");
    if (part->next.data == NULL || list.data == NULL)
        return bad(err, "a field is missing");
    if (list.len == 0)
        return 0;
    char *copy = mf_strndup(list);
    int result = ing_symbols_add_list(symbols, copy, err);
    free(copy);
    return result == 0 ? 0 : bad(err, "a symbol");
}
