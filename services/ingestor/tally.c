// SPDX-License-Identifier: Apache-2.0
// What a run has brought (see tally.h).
#include "services/ingestor/tally.h"

#include <stdlib.h>

// A table, so that nothing is written that is not read, nor added.
static const struct {
    const char *name;
    size_t at;
} counts[] = {
    {"pages", offsetof(struct ing_tally, pages)},
    {"duplicates", offsetof(struct ing_tally, duplicates)},
    {"out_of_range", offsetof(struct ing_tally, out_of_range)},
    {"foreign", offsetof(struct ing_tally, foreign)},
    {"rejected", offsetof(struct ing_tally, rejected)},
    {"dead_lettered", offsetof(struct ing_tally, dead_lettered)},
};

static uint64_t count_of(const struct ing_tally *tally, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)tally + counts[i].at, sizeof value);
    return value;
}

static void set_count(struct ing_tally *tally, size_t i, uint64_t value)
{
    memcpy((char *)tally + counts[i].at, &value, sizeof value);
}

void ing_tally_free(struct ing_tally *tally)
{
    ing_offsets_free(&tally->offsets);
    if (tally->coverage != NULL)
        ing_coverage_free(tally->coverage);
    free(tally->coverage);
    *tally = (struct ing_tally){0};
}

void ing_tally_add(struct ing_tally *into, const struct ing_tally *from)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++)
        set_count(into, i, count_of(into, i) + count_of(from, i));
    ing_offsets_merge(&into->offsets, &from->offsets);
}

void ing_tally_subtract(struct ing_tally *from, const struct ing_tally *what)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++) {
        uint64_t less = count_of(what, i);
        uint64_t value = count_of(from, i);
        set_count(from, i, value > less ? value - less : 0);
    }
}

void ing_tally_write(const struct ing_tally *tally, struct mf_json_writer *w)
{
    struct mf_buf text;
    mf_buf_init(&text, (size_t)ING_OFFSETS_MAX * 32);
    ing_offsets_write(&tally->offsets, &text);
    mf_jw_key(w, "tally");
    mf_jw_object_begin(w);
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++)
        mf_jw_member_u64(w, counts[i].name, count_of(tally, i));
    mf_jw_member_text(w, "offsets", mf_buf_c_str(&text));
    if (tally->coverage != NULL)
        ing_coverage_write(tally->coverage, w);
    mf_jw_object_end(w);
    mf_buf_free(&text);
}

bool ing_tally_read(const struct mf_json_node *object, struct ing_tally *tally)
{
    const struct mf_json_node *node = mf_json_get(object, "tally");
    if (node == NULL)
        return true;
    if (mf_json_type(node) != MF_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++) {
        int64_t number = 0;
        const struct mf_json_node *count = mf_json_get(node, counts[i].name);
        if (count == NULL || mf_json_type(count) != MF_JSON_NUMBER ||
            !mf_str_to_i64(mf_json_text(count), &number) || number < 0)
            return false;
        set_count(tally, i, (uint64_t)number);
    }
    const struct mf_json_node *coverage = mf_json_get(node, "coverage");
    if (coverage != NULL) {
        if (tally->coverage == NULL)
            tally->coverage = mf_calloc(1, sizeof *tally->coverage);
        if (!ing_coverage_read(coverage, tally->coverage))
            return false;
    }
    return ing_offsets_read(ing_text_of(node, "offsets"), &tally->offsets);
}
