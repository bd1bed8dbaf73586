// SPDX-License-Identifier: Apache-2.0
// What one request for bars may ask for, so that its page holds all of it. The provider's `limit` does not
// count the bars that it answers but the base aggregates that they are made of: seconds for spans of seconds,
// minutes for those of minutes and hours, days for all longer ones. Pure, on the calendar.
#ifndef ING_REQUEST_RANGE_H
#define ING_REQUEST_RANGE_H

#include "services/ingestor/provider.h"

// The `limit` to ask for: the work's own, and never less than what one of its windows is made of (a smaller
// one would let the provider answer nothing at all). Feeds other than bars: the work's own.
unsigned ing_request_limit(const struct ing_work *work);

// The most base aggregates that [from_us, to_us) can hold: 16 hours (04:00 to 20:00 New York) of every
// session of stocks, options and indices, every hour of the other markets; of days, the sessions, or every
// day. Rounded up to whole days. Bars only.
uint64_t ing_request_base_count(const struct mf_calendar *calendar, const struct ing_work *work,
                                int64_t from_us, int64_t to_us);

// Where the first request of [from_us, to_us) ends: the longest range that a page of ing_request_limit(work)
// base aggregates holds, whatever was traded; for spans of seconds, minutes and hours at most 30 days, as the
// provider advises. It ends at a midnight of the market that is also the end of a window, at to_us at the
// latest, and is at least one day and one window long: what is more than a page in a single day comes in
// several. Feeds that ask for a day at a time: the next midnight. Others: to_us, their pages count what they
// answer. A plan's requests are counted by calling it (after ing_request_begin_us) until to_us is reached,
// and of each the pages by ing_request_pages.
int64_t ing_request_end_us(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                           int64_t to_us);

// Where the first request of [from_us, to_us) begins: at from_us; of feeds that ask for a day at a time at
// the midnight of the first day with a session, at to_us when there is none.
int64_t ing_request_begin_us(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                             int64_t to_us);

// The most pages that the answer to one request of [from_us, to_us) has; at least 1. Feeds other than bars:
// 1, because nothing is known of them before they are read.
unsigned ing_request_pages(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                           int64_t to_us);

#endif
