// SPDX-License-Identifier: Apache-2.0
// Option tickers as the Options Clearing Corporation builds them and feeds write them: "O:", a root of 1 to 6
// characters (an adjusted contract's has a digit), the day of expiration YYMMDD, C or P, and the strike times
// 1000 in exactly eight digits. The root names a class of contracts, not what is delivered: SPX and SPXW have
// one underlying, and so have AAPL and AAPL1. Pure. Failure class: POISON, "bad_option_ticker" or, when only
// the strike is wrong, "bad_strike".
#ifndef ING_OCC_H
#define ING_OCC_H

#include "common/error.h"
#include "common/event.h"

#define ING_OCC_ROOT_MAX 6
// "O:" + root + YYMMDD + C|P + 8 digits
#define ING_OCC_TICKER_MAX (2 + ING_OCC_ROOT_MAX + 6 + 1 + 8)
#define ING_OCC_STRIKE_SIZE 16 // "99999.999", terminated

struct ing_occ {
    char root[ING_OCC_ROOT_MAX + 1];
    struct mf_date expiration; // of 2000 to 2099
    enum mf_option_type type;
    char strike[ING_OCC_STRIKE_SIZE]; // plain number text: "150", "152.5"
};

// *out is set only on success. err may be NULL.
int ing_occ_parse(struct mf_str ticker, struct ing_occ *out, struct mf_error *err);

#endif
