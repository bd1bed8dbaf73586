// SPDX-License-Identifier: Apache-2.0
// The symbols to serve: from a list and from a CSV file, checked, each once, in the order given; and which of
// them a shard owns. Pure but for reading the file. Failure class: CONFIG, naming the symbol or the line.
#ifndef ING_SYMBOLS_H
#define ING_SYMBOLS_H

#include "common/buf.h"
#include "common/error.h"
#include "services/ingestor/name_index.h"

#define ING_SYMBOLS_MAX 10000
#define ING_SYMBOLS_FILE_MAX ((size_t)4 * 1024 * 1024)

struct ing_symbols {
    char **items;
    size_t count, capacity;
    size_t max; // 0 = ING_SYMBOLS_MAX
    struct ing_name_index index;
    bool contracts; // option contracts are wanted, and nothing else; set before the first is added
};

void ing_symbols_free(struct ing_symbols *symbols);
// A symbol that is there already is no error. "bad_symbol": not a symbol, or of a kind that is not served.
int ing_symbols_add(struct ing_symbols *symbols, struct mf_str symbol, struct mf_error *err);
// Comma-separated, blanks around items allowed, empty items not.
int ing_symbols_add_list(struct ing_symbols *symbols, const char *list, struct mf_error *err);
// CSV (RFC 4180) whose header has a column "symbol"; other columns and blank lines are skipped.
int ing_symbols_add_csv(struct ing_symbols *symbols, struct mf_str text, const char *name,
                        struct mf_error *err);
int ing_symbols_add_file(struct ing_symbols *symbols, const char *path, struct mf_error *err);
bool ing_symbols_has(const struct ing_symbols *symbols, const char *symbol);
void ing_symbols_sort(struct ing_symbols *symbols);

struct ing_shard {
    unsigned index, count; // index < count
};
bool ing_shard_parse(struct mf_str text, struct ing_shard *shard); // "0/1"
bool ing_shard_owns(const struct ing_shard *shard, int32_t partition);
int32_t ing_symbol_partition(const char *symbol, int32_t partitions);

#endif
