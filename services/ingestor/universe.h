// SPDX-License-Identifier: Apache-2.0
// The symbols that a run found for itself (--universe), as they stand on the watermarks topic: a part per
// page of tickers, in the order of the pages, each with the page that follows. So a search that was
// interrupted goes on at its page, and a list that is whole stays the run's whatever the provider lists
// later. Parts of another search, which began anew, do not belong to it. Key: "universe|part|run id". Pure.
// Failure class of decode: POISON "bad_watermark".
#ifndef ING_UNIVERSE_H
#define ING_UNIVERSE_H

#include "common/json_reader.h"
#include "services/ingestor/symbols.h"

#define ING_UNIVERSE_SYMBOLS_MAX 20000
#define ING_UNIVERSE_PARTS_MAX 1000
#define ING_UNIVERSE_ID_LEN 16 // random, of a search

struct ing_universe_part {
    char search[ING_UNIVERSE_ID_LEN + 1];
    unsigned part;
    struct mf_str next; // path and query of the next page; "" = there is none: the list is whole
};

void ing_universe_key(const char *run_id, unsigned part, struct mf_buf *out);
// `symbols` from place `first` on are the part's.
void ing_universe_encode(const struct ing_universe_part *part, const struct ing_symbols *symbols,
                         size_t first, struct mf_buf *out);
// Adds the part's symbols. The views live until the next parse of json.
int ing_universe_decode(struct mf_json *json, struct mf_str text, struct ing_universe_part *part,
                        struct ing_symbols *symbols, struct mf_error *err);

#endif
