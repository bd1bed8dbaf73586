// SPDX-License-Identifier: Apache-2.0
#include "services/processor/codec_io.h"

#include <stdlib.h>

#define VARINT_BYTES_MAX 10

static bool take(struct prc_io *io, void *data, size_t len)
{
    if (io->bad || (size_t)(io->end - io->at) < len) {
        io->bad = true;
        memset(data, 0, len);
        return false;
    }
    memcpy(data, io->at, len);
    io->at += len;
    return true;
}

static void write_varint(struct mf_buf *out, uint64_t value)
{
    unsigned char bytes[VARINT_BYTES_MAX];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (unsigned char)(value | 0x80);
    bytes[len++] = (unsigned char)value;
    mf_buf_add(out, bytes, len);
}

static uint64_t read_varint(struct prc_io *io)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        unsigned char byte;
        if (!take(io, &byte, 1))
            return 0;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    io->bad = true;
    return 0;
}

void prc_io_u64(struct prc_io *io, uint64_t *value)
{
    if (prc_io_reading(io))
        *value = read_varint(io);
    else
        write_varint(io->out, *value);
}

void prc_io_i64(struct prc_io *io, int64_t *value)
{
    uint64_t zigzag = ((uint64_t)*value << 1) ^ (*value < 0 ? UINT64_MAX : 0);
    prc_io_u64(io, &zigzag);
    if (prc_io_reading(io))
        *value = (int64_t)((zigzag >> 1) ^ (0 - (zigzag & 1)));
}

void prc_io_fixed(struct prc_io *io, uint64_t *value)
{
    unsigned char bytes[8];
    if (prc_io_reading(io)) {
        take(io, bytes, sizeof bytes);
        *value = 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            *value |= (uint64_t)bytes[i] << (8 * i);
        return;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(*value >> (8 * i));
    mf_buf_add(io->out, bytes, sizeof bytes);
}

void prc_io_double(struct prc_io *io, double *value)
{
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    prc_io_fixed(io, &bits);
    if (prc_io_reading(io))
        memcpy(value, &bits, sizeof bits);
}

void prc_io_count(struct prc_io *io, size_t *count, size_t limit)
{
    uint64_t value = *count;
    prc_io_u64(io, &value);
    if (value > limit) {
        io->bad = true;
        value = 0;
    }
    if (prc_io_reading(io))
        *count = (size_t)value;
}

unsigned prc_io_small(struct prc_io *io, unsigned value, unsigned limit)
{
    size_t count = value;
    prc_io_count(io, &count, limit - 1);
    return (unsigned)count;
}

void prc_io_bool(struct prc_io *io, bool *value)
{
    *value = prc_io_small(io, *value ? 1 : 0, 2) != 0;
}

int32_t prc_io_i32(struct prc_io *io, int32_t value)
{
    int64_t wide = value;
    prc_io_i64(io, &wide);
    if (wide < INT32_MIN || wide > INT32_MAX) {
        io->bad = true;
        return 0;
    }
    return (int32_t)wide;
}

uint32_t prc_io_u32(struct prc_io *io, uint32_t value)
{
    uint64_t wide = value;
    prc_io_u64(io, &wide);
    io->bad |= wide > UINT32_MAX;
    return (uint32_t)wide;
}

void prc_io_time_after(struct prc_io *io, int64_t *time_us, int64_t before_us)
{
    int64_t distance = prc_io_reading(io) ? 0 : *time_us - before_us;
    prc_io_i64(io, &distance);
    if (prc_io_reading(io))
        *time_us = (int64_t)((uint64_t)before_us + (uint64_t)distance);
}

int32_t prc_io_day_after(struct prc_io *io, int32_t day, int32_t before)
{
    int32_t distance = prc_io_i32(io, prc_io_reading(io) ? 0 : day - before);
    return prc_io_reading(io) ? (int32_t)((uint32_t)before + (uint32_t)distance) : day;
}

// Length + 1, so that 0 says "absent".
void prc_io_text(struct prc_io *io, char **text, size_t limit)
{
    size_t len = prc_io_reading(io) || *text == NULL ? 0 : strlen(*text) + 1;
    prc_io_count(io, &len, limit + 1);
    if (!prc_io_reading(io)) {
        if (len > 0)
            mf_buf_add(io->out, *text, len - 1);
        return;
    }
    *text = NULL;
    if (len == 0 || (size_t)(io->end - io->at) < len - 1) {
        io->bad |= len > 0;
        return;
    }
    *text = mf_strndup((struct mf_str){(const char *)io->at, len - 1});
    io->at += len - 1;
}

void prc_io_name(struct prc_io *io, char *text, size_t size)
{
    size_t len = prc_io_reading(io) ? 0 : strlen(text);
    prc_io_count(io, &len, size - 1);
    if (!prc_io_reading(io)) {
        mf_buf_add(io->out, text, len);
        return;
    }
    take(io, text, len);
    text[len] = '\0';
}

int prc_io_end(const struct prc_io *io, const char *what, struct mf_error *err)
{
    if (!io->bad && io->at == io->end)
        return 0;
    return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt", "the stored state of %s cannot be read: %s",
                        what, io->bad ? "a length or value does not fit" : "bytes are left over");
}
