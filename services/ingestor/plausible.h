// SPDX-License-Identifier: Apache-2.0
// Bars that can hardly be the symbol's own: the vendor has mixed up symbols (case N15), so that single bars
// show another one's price. Judged within a page, by what lies around them. Pure; nothing fails.
#ifndef ING_PLAUSIBLE_H
#define ING_PLAUSIBLE_H

#include "services/ingestor/provider.h"

// Gives bars of an arranged page the reason "implausible_price", and counts them as rejected: a bar, or a few
// in a row, that lies with its whole range `factor` times and more above or below the close before, when a
// close behind it is back at the old level (half to twice of it). A level that stays is a split, or news, and
// is none of this; so is whatever stands at the page's end, where nothing behind it is known. Only of stocks,
// currencies and indices: an option's price may do that. Prices below one are left alone, where a tick can be
// a large part. factor 0: nothing is judged.
void ing_plausible_mark(struct ing_page *page, unsigned factor);

#endif
