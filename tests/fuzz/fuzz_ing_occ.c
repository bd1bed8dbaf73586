// SPDX-License-Identifier: Apache-2.0
// Any text is an option ticker of known parts, from which the same ticker follows, or none.
#include "services/ingestor/occ.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ing_occ occ;
    struct mf_str text = {(const char *)data, size};
    if (ing_occ_parse(text, &occ, NULL) < 0)
        return 0;
    double strike;
    char again[64];
    if (!mf_decimal_to_double(mf_str_of(occ.strike), &strike) || strike <= 0)
        abort();
    snprintf(again, sizeof again, "O:%s%02d%02d%02d%c%08.0f", occ.root, occ.expiration.year % 100,
             occ.expiration.month, occ.expiration.day, occ.type == MF_OPTION_CALL ? 'C' : 'P', strike * 1000);
    if (!mf_str_eq_c(text, again))
        abort();
    return 0;
}
