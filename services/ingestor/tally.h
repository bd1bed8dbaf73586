// SPDX-License-Identifier: Apache-2.0
// What the processes of a run have brought so far, of one series or of all: counts of acknowledged pages, the
// last acknowledged offsets, the slots that lack a bar. It stands in the series' watermark, so that it is as
// true as that after a kill: what was acknowledged and not saved is done, and counted, again. Pure; a tally
// owns its memory.
#ifndef ING_TALLY_H
#define ING_TALLY_H

#include "services/ingestor/coverage.h"
#include "services/ingestor/offsets.h"

struct ing_tally { // zero it to begin
    uint64_t pages, duplicates, out_of_range, foreign, rejected, dead_lettered;
    struct ing_offsets offsets;    // of the run's topic
    struct ing_coverage *coverage; // NULL = nothing is expected of its feed
};

void ing_tally_free(struct ing_tally *tally);
void ing_tally_add(struct ing_tally *into, const struct ing_tally *from);      // all but the coverage
void ing_tally_subtract(struct ing_tally *from, const struct ing_tally *what); // the counts, not below 0
// As a member "tally" of an object. Reading adds to a zeroed tally; absent is nothing; false = not such a
// member.
void ing_tally_write(const struct ing_tally *tally, struct mf_json_writer *w);
bool ing_tally_read(const struct mf_json_node *object, struct ing_tally *tally);

#endif
