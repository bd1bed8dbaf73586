// SPDX-License-Identifier: Apache-2.0
// Symbol lists (see symbols.h).
#include "services/ingestor/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/event.h"
#include "common/hash.h"
#include "services/ingestor/occ.h"

void ing_symbols_free(struct ing_symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++)
        free(symbols->items[i]);
    free(symbols->items);
    ing_name_index_free(&symbols->index);
    *symbols = (struct ing_symbols){0};
}

bool ing_symbols_has(const struct ing_symbols *symbols, const char *symbol)
{
    return ing_name_index_get(&symbols->index, mf_str_of(symbol)) != NULL;
}

// Option contracts have commands of their own: among other symbols they would be half served.
static int check_kind(const struct ing_symbols *symbols, struct mf_str symbol, struct mf_error *err)
{
    struct ing_occ occ;
    bool contract = mf_asset_class_of_symbol(symbol) == MF_ASSET_OPTION;
    if (!contract && symbols->contracts)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbol", "'%.*s' is no option contract",
                            MF_STR_ARG(symbol));
    if (contract && !symbols->contracts)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbol",
                            "'%.*s' is an option contract, which is not served here", MF_STR_ARG(symbol));
    if (!contract || ing_occ_parse(symbol, &occ, err) == 0)
        return 0;
    if (err != NULL)
        err->class = MF_ERROR_CONFIG;
    return -1;
}

int ing_symbols_add(struct ing_symbols *symbols, struct mf_str symbol, struct mf_error *err)
{
    if (!mf_symbol_is_valid(symbol))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbol", "'%.*s' is not a symbol",
                            (int)(symbol.len < 80 ? symbol.len : 80), symbol.data != NULL ? symbol.data : "");
    if (check_kind(symbols, symbol, err) < 0)
        return -1;
    char *copy = mf_strndup(symbol);
    if (ing_symbols_has(symbols, copy)) {
        free(copy);
        return 0;
    }
    size_t max = symbols->max > 0 ? symbols->max : ING_SYMBOLS_MAX;
    if (symbols->count == max) {
        free(copy);
        return mf_error_set(err, MF_ERROR_CONFIG, "too_many_symbols", "more than %zu symbols", max);
    }
    if (symbols->count == symbols->capacity) {
        symbols->capacity = symbols->capacity < 16 ? 16 : symbols->capacity * 2;
        symbols->items = mf_realloc(symbols->items, symbols->capacity * sizeof(char *));
    }
    symbols->items[symbols->count++] = copy;
    ing_name_index_put(&symbols->index, copy, copy);
    return 0;
}

static struct mf_str trim(struct mf_str text)
{
    while (text.len > 0 && strchr(" \t\r", text.data[text.len - 1]) != NULL)
        text.len--;
    while (text.len > 0 && strchr(" \t", text.data[0]) != NULL) {
        text.data++;
        text.len--;
    }
    return text;
}

// Cuts the next piece up to `end` (or all that is left) off *rest.
static struct mf_str next_piece(struct mf_str *rest, char end)
{
    const char *at = memchr(rest->data, end, rest->len);
    size_t len = at != NULL ? (size_t)(at - rest->data) : rest->len;
    struct mf_str piece = {rest->data, len};
    size_t used = at != NULL ? len + 1 : len;
    *rest = (struct mf_str){rest->data + used, rest->len - used};
    return piece;
}

int ing_symbols_add_list(struct ing_symbols *symbols, const char *list, struct mf_error *err)
{
    struct mf_str rest = mf_str_of(list);
    bool more = true;
    while (more) {
        more = memchr(rest.data, ',', rest.len) != NULL;
        struct mf_str item = trim(next_piece(&rest, ','));
        if (ing_symbols_add(symbols, item, err) < 0)
            return -1;
    }
    return 0;
}

// The text of field `column` of one line, quotes removed; absent when the line has fewer. False on a stray
// quote. A quoted field may not span lines: symbols never do.
static bool csv_field(struct mf_str line, size_t column, char *out, size_t out_size, bool *present)
{
    size_t at = 0;
    for (size_t field = 0;; field++) {
        size_t len = 0;
        bool quoted = at < line.len && line.data[at] == '"';
        bool ended = !quoted;
        at += quoted;
        for (;; at++) {
            bool closing = quoted && at < line.len && line.data[at] == '"';
            if (closing && at + 1 < line.len && line.data[at + 1] == '"') {
                at++; // a doubled quote is one
            } else if (closing) {
                ended = true;
                at++;
                break;
            } else if (at >= line.len || (!quoted && line.data[at] == ',')) {
                break;
            }
            if (field == column && len + 1 < out_size)
                out[len++] = line.data[at];
        }
        if (!ended || (at < line.len && line.data[at] != ','))
            return false;
        if (field == column) {
            out[len] = '\0';
            *present = true;
            return true;
        }
        if (at >= line.len) {
            *present = false;
            return true;
        }
        at++;
    }
}

// Which column of the header is "symbol"; -1 when none is.
static int symbol_column(struct mf_str header)
{
    for (int column = 0; column < 256; column++) {
        char name[128];
        bool present = false;
        if (!csv_field(header, (size_t)column, name, sizeof name, &present) || !present)
            return -1;
        if (mf_str_eq_c(trim(mf_str_of(name)), "symbol"))
            return column;
    }
    return -1;
}

int ing_symbols_add_csv(struct ing_symbols *symbols, struct mf_str text, const char *name,
                        struct mf_error *err)
{
    if (mf_str_starts_with(text, "\xef\xbb\xbf")) // a byte-order mark
        text = (struct mf_str){text.data + 3, text.len - 3};
    int column = -1;
    for (size_t number = 1; text.len > 0; number++) {
        struct mf_str line = trim(next_piece(&text, '\n'));
        char field[256];
        bool present = false;
        if (line.len == 0)
            continue;
        if (memchr(line.data, '\0', line.len) != NULL)
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file", "%s line %zu holds a NUL byte",
                                name, number);
        if (column < 0) {
            column = symbol_column(line);
            if (column < 0)
                return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file",
                                    "%s: the header has no column 'symbol'", name);
            continue;
        }
        if (!csv_field(line, (size_t)column, field, sizeof field, &present) || !present)
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file", "%s line %zu: no field 'symbol'",
                                name, number);
        if (ing_symbols_add(symbols, trim(mf_str_of(field)), err) < 0)
            return mf_error_prefix(err, "%s line %zu", name, number);
    }
    if (column < 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file", "%s is empty", name);
    return 0;
}

int ing_symbols_add_file(struct ing_symbols *symbols, const char *path, struct mf_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file", "%s: %s", path, strerror(errno));
    struct mf_buf text;
    mf_buf_init(&text, ING_SYMBOLS_FILE_MAX);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        mf_buf_add(&text, block, n);
    bool failed = ferror(file) != 0;
    fclose(file);
    int result;
    if (failed || text.overflow)
        result = mf_error_set(err, MF_ERROR_CONFIG, "bad_symbols_file", "%s %s", path,
                              failed ? "cannot be read" : "is too large");
    else
        result = ing_symbols_add_csv(symbols, mf_buf_str(&text), path, err);
    mf_buf_free(&text);
    return result;
}

static int compare_symbols(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void ing_symbols_sort(struct ing_symbols *symbols)
{
    if (symbols->count > 1)
        qsort(symbols->items, symbols->count, sizeof(char *), compare_symbols);
}

// At most 1024 shards: more than partitions make no sense, and those are limited too.
bool ing_shard_parse(struct mf_str text, struct ing_shard *shard)
{
    const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    if (slash == NULL)
        return false;
    size_t at = (size_t)(slash - text.data);
    int64_t index;
    int64_t count;
    if (!mf_str_to_i64((struct mf_str){text.data, at}, &index) ||
        !mf_str_to_i64((struct mf_str){slash + 1, text.len - at - 1}, &count) || index < 0 ||
        index >= count || count > 1024)
        return false;
    *shard = (struct ing_shard){.index = (unsigned)index, .count = (unsigned)count};
    return true;
}

bool ing_shard_owns(const struct ing_shard *shard, int32_t partition)
{
    return (unsigned)partition % shard->count == shard->index;
}

int32_t ing_symbol_partition(const char *symbol, int32_t partitions)
{
    return (int32_t)(mf_murmur2(symbol, strlen(symbol)) % (uint32_t)partitions);
}
