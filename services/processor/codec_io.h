// SPDX-License-Identifier: Apache-2.0
// Inside of the codec: one walk per structure that writes or reads, so that the two cannot part ways. Reading
// never passes the end: the first thing that does not fit sets `bad`, and from then on everything reads as 0.
// Whole numbers are zigzag varints (LEB128), doubles their eight bytes.
#ifndef PRC_CODEC_IO_H
#define PRC_CODEC_IO_H

#include "services/processor/codec.h"

struct prc_io {
    struct mf_buf *out;            // NULL = reading
    const unsigned char *at, *end; // what is left to read
    bool bad;
};

static inline bool prc_io_reading(const struct prc_io *io)
{
    return io->out == NULL;
}
void prc_io_i64(struct prc_io *io, int64_t *value);
void prc_io_u64(struct prc_io *io, uint64_t *value);   // varint, for small ones
void prc_io_fixed(struct prc_io *io, uint64_t *value); // eight bytes, for hashes
void prc_io_double(struct prc_io *io, double *value);
void prc_io_bool(struct prc_io *io, bool *value);
// Bounds what was read: beyond limit is bad.
void prc_io_count(struct prc_io *io, size_t *count, size_t limit);
// An unsigned value that must stay below limit, for enums and bytes; returns it.
unsigned prc_io_small(struct prc_io *io, unsigned value, unsigned limit);
int32_t prc_io_i32(struct prc_io *io, int32_t value);
uint32_t prc_io_u32(struct prc_io *io, uint32_t value);
// As the distance from what stands before it. What comes from outside wraps around instead of overflowing: a
// wrong order is the caller's to refuse.
void prc_io_time_after(struct prc_io *io, int64_t *time_us, int64_t before_us);
int32_t prc_io_day_after(struct prc_io *io, int32_t day, int32_t before);
// A text of at most limit bytes; NULL stays NULL. Reading allocates (owned by the caller).
void prc_io_text(struct prc_io *io, char **text, size_t limit);
// The same in place, terminated, never NULL.
void prc_io_name(struct prc_io *io, char *text, size_t size);

// codec_series.c. Reading: NULL when bad.
void prc_io_series(struct prc_io *io, struct prc_series **series);
void prc_io_rule(struct prc_io *io, struct prc_rule_state *state);
void prc_io_fired(struct prc_io *io, struct prc_fired *fired);
// codec_contract.c. Reading: into an empty set; what was read when bad stays in it.
void prc_io_contracts(struct prc_io *io, struct prc_contracts *contracts);

int prc_io_end(const struct prc_io *io, const char *what,
               struct mf_error *err); // FATAL state_corrupt unless all was read

#endif
