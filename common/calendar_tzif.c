// SPDX-License-Identifier: Apache-2.0
// Time zone files (RFC 8536): the 64-bit block and the footer; the 32-bit block is skipped. Pure.
#include "common/calendar_tzif.h"

#include <stdlib.h>

enum { HEADER_SIZE = 44, TYPE_SIZE = 6 };

struct mf_tzif {
    int64_t *times;       // of the transitions, ascending
    unsigned char *types; // of each transition, an index into offsets
    size_t time_count;
    int32_t offsets[256]; // seconds east, by type
    size_t type_count;
    bool has_rule; // for times after the last transition
    struct mf_tz_rule rule;
};

struct header {
    char version;
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_i64(const unsigned char *p)
{
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static int malformed(struct mf_error *err, const char *what)
{
    return mf_error_set(err, MF_ERROR_CONFIG, "tz_malformed", "not a usable time zone file: %s", what);
}

static bool read_header(struct mf_str bytes, struct header *header)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    if (bytes.len < HEADER_SIZE || memcmp(p, "TZif", 4) != 0)
        return false;
    *header = (struct header){
        .version = (char)p[4],
        .isut = read_u32(p + 20),
        .isstd = read_u32(p + 24),
        .leap = read_u32(p + 28),
        .time = read_u32(p + 32),
        .type = read_u32(p + 36),
        .chars = read_u32(p + 40),
    };
    return true;
}

// Bytes of a block's data; each count is below 2^32, so the sum stays far below 2^64.
static uint64_t data_size(const struct header *h, unsigned time_size)
{
    return (uint64_t)h->time * (time_size + 1) + (uint64_t)h->type * TYPE_SIZE + h->chars +
           (uint64_t)h->leap * (time_size + 4) + h->isstd + h->isut;
}

static const char *check_counts(const struct header *h)
{
    if (h->version < '2' || h->version > '4')
        return "its version is not 2 to 4";
    if (h->type == 0 || h->type > 256 || h->chars == 0)
        return "it has no local time types, or too many";
    if ((h->isut != 0 && h->isut != h->type) || (h->isstd != 0 && h->isstd != h->type))
        return "its indicator counts are wrong";
    if (h->leap != 0)
        return "it counts leap seconds";
    return NULL;
}

// The transitions and types of the block at p. Returns NULL, or what is wrong.
static const char *read_block(struct mf_tzif *tz, const struct header *h, const unsigned char *p)
{
    tz->times = mf_calloc(h->time, sizeof *tz->times);
    tz->types = mf_calloc(h->time, 1);
    tz->time_count = h->time;
    tz->type_count = h->type;
    for (size_t i = 0; i < h->time; i++, p += 8) {
        tz->times[i] = read_i64(p);
        if (i > 0 && tz->times[i] <= tz->times[i - 1])
            return "its transitions do not ascend";
    }
    for (size_t i = 0; i < h->time; i++, p++) {
        if (*p >= h->type)
            return "a transition has an unknown type";
        tz->types[i] = *p;
    }
    for (size_t i = 0; i < h->type; i++, p += TYPE_SIZE) {
        uint32_t offset = read_u32(p);
        tz->offsets[i] = (int32_t)offset;
        // RFC 8536 §3.2: from -25 to 26 hours.
        if (tz->offsets[i] <= -25 * 3600 || tz->offsets[i] >= 26 * 3600 || p[4] > 1 || p[5] >= h->chars)
            return "a local time type is out of range";
    }
    return NULL;
}

static const char *read_footer(struct mf_tzif *tz, struct mf_str text)
{
    if (text.len < 2 || text.data[0] != '\n' || text.data[text.len - 1] != '\n')
        return "its footer is missing";
    struct mf_str rule = {text.data + 1, text.len - 2};
    if (rule.len == 0)
        return NULL;
    tz->has_rule = true;
    return mf_tz_rule_parse(rule, &tz->rule) ? NULL : "its footer is no rule";
}

static const char *parse(struct mf_tzif *tz, struct mf_str bytes)
{
    struct header first, second;
    if (bytes.len > MF_TZIF_SIZE_MAX)
        return "it is too large";
    if (!read_header(bytes, &first))
        return "it does not begin with a header";
    if (first.version == '\0')
        return "it is of version 1, which ends in 2037";
    uint64_t skip = HEADER_SIZE + data_size(&first, 4);
    if (skip > bytes.len)
        return "it is cut short";
    struct mf_str rest = {bytes.data + skip, bytes.len - (size_t)skip};
    if (!read_header(rest, &second))
        return "its second header is missing";
    const char *problem = check_counts(&second);
    if (problem != NULL)
        return problem;
    uint64_t size = HEADER_SIZE + data_size(&second, 8);
    if (size > rest.len)
        return "it is cut short";
    problem = read_block(tz, &second, (const unsigned char *)rest.data + HEADER_SIZE);
    if (problem != NULL)
        return problem;
    return read_footer(tz, (struct mf_str){rest.data + size, rest.len - (size_t)size});
}

int mf_tzif_parse(struct mf_str bytes, struct mf_tzif **tz, struct mf_error *err)
{
    struct mf_tzif *made = mf_calloc(1, sizeof *made);
    const char *problem = parse(made, bytes);
    if (problem != NULL) {
        mf_tzif_free(&made);
        return malformed(err, problem);
    }
    *tz = made;
    return 0;
}

void mf_tzif_free(struct mf_tzif **tz)
{
    if (*tz == NULL)
        return;
    free((*tz)->times);
    free((*tz)->types);
    free(*tz);
    *tz = NULL;
}

// First transition after the moment.
static size_t next_transition(const struct mf_tzif *tz, int64_t time_s)
{
    size_t low = 0, high = tz->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tz->times[middle] <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t mf_tzif_offset_s(const struct mf_tzif *tz, int64_t time_s)
{
    // Inside of years 2 to 9998, so that the years beside it exist too.
    const int64_t first = INT64_C(-62104060800), last = INT64_C(253339228799);
    time_s = time_s < first ? first : time_s > last ? last : time_s;
    size_t next = next_transition(tz, time_s);
    if (next == tz->time_count && tz->has_rule)
        return mf_tz_rule_offset_s(&tz->rule, time_s);
    // Before the first transition, type 0 (RFC 8536 §3.2).
    return tz->offsets[next == 0 ? 0 : tz->types[next - 1]];
}

int64_t mf_tzif_to_utc_s(const struct mf_tzif *tz, int64_t local_s)
{
    // Offsets lie within 26 hours, so these are the ones in force on either side of the moment.
    const int64_t reach = 26 * 3600, limit = INT64_C(1) << 60;
    local_s = local_s < -limit ? -limit : local_s > limit ? limit : local_s;
    int64_t before = mf_tzif_offset_s(tz, local_s - reach), after = mf_tzif_offset_s(tz, local_s + reach);
    if (mf_tzif_offset_s(tz, local_s - before) == before)
        return local_s - before;
    if (mf_tzif_offset_s(tz, local_s - after) == after)
        return local_s - after;
    return local_s - before;
}
