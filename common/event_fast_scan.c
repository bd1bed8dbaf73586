// SPDX-License-Identifier: Apache-2.0
// The steps. Words of eight bytes hold the first byte lowest. Pure.
#include "common/event_fast_scan.h"

#define EACH UINT64_C(0x0101010101010101)  // times a byte: that byte in all eight
#define HIGHS UINT64_C(0x8080808080808080) // the upper bit of each

static inline uint64_t load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

// The lowest of the bytes whose upper bits are set in marks, which are not 0.
static inline unsigned first_of(uint64_t marks)
{
    return (unsigned)__builtin_ctzll(marks) / 8;
}

const char *mf_scan_text(const char *at, const char *end, struct mf_str *text)
{
    for (const char *start = at; end - at >= 8; at += 8) {
        uint64_t word = load(at);
        uint64_t quote = word ^ EACH * '"', backslash = word ^ EACH * '\\';
        // A borrow can mark a byte by mistake, but only behind one that is marked rightly.
        uint64_t special = ((quote - EACH) & ~quote) | ((backslash - EACH) & ~backslash) |
                           ((word - EACH * ' ') & ~word) | word;
        special &= HIGHS;
        if (special == 0)
            continue;
        at += first_of(special);
        *text = (struct mf_str){start, (size_t)(at - start)};
        return *at == '"' ? at : NULL;
    }
    return NULL;
}

const char *mf_scan_name(const char *at, const char *end, const char *const *names, unsigned *index)
{
    for (unsigned i = 0; names[i] != NULL; i++) {
        const char *name = names[i], *in = at;
        while (in < end && *name != '\0' && *in == *name)
            in++, name++;
        if (in < end && *in == '"' && *name == '\0') {
            *index = i;
            return in;
        }
    }
    return NULL;
}

// Up to eight digits. Returns how many there are; the value only when there are any.
static inline unsigned scan_digits(const char *at, const char *end, uint64_t *value)
{
    size_t left = (size_t)(end - at);
    if (left == 0)
        return 0;
    uint64_t word = left >= 8 ? load(at) : load(end - 8) >> 8 * (8 - left);
    word ^= EACH * '0';
    uint64_t others = ((word + EACH * 0x76) | word) & HIGHS; // from 10 on
    unsigned count = others == 0 ? 8 : first_of(others);
    if (count == 0)
        return 0;
    // With zeros in front they are always eight; pairs, fours and the whole side by side (W. Muła, "SIMD-ized
    // parsing of decimal numbers", 2014).
    word <<= 8 * (8 - count);
    word = word * 10 + (word >> 8);
    *value = ((word & UINT64_C(0x000000ff000000ff)) * (100 + (UINT64_C(1000000) << 32)) +
              ((word >> 16) & UINT64_C(0x000000ff000000ff)) * (1 + (UINT64_C(10000) << 32))) >>
             32;
    return count;
}

static inline uint64_t power_of_ten(unsigned exponent)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    return powers[exponent];
}

static inline const char *scan_whole(const char *at, const char *end, uint64_t *value)
{
    const char *start = at;
    unsigned count = scan_digits(at, end, value);
    at += count;
    while (count == 8 && at - start <= MF_SCAN_DIGITS_MAX) {
        uint64_t next = 0;
        count = scan_digits(at, end, &next);
        *value = *value * power_of_ten(count) + next;
        at += count;
    }
    bool good = at > start && at - start <= MF_SCAN_DIGITS_MAX && (*start != '0' || at - start == 1);
    return good ? at : NULL;
}

const char *mf_scan_whole(const char *at, const char *end, uint64_t *value)
{
    return scan_whole(at, end, value);
}

const char *mf_scan_decimal(const char *at, const char *end, struct mf_str *text,
                            struct mf_decimal_number *number)
{
    const char *start = at;
    uint64_t value = 0;
    unsigned decimals = 0;
    at = scan_whole(at, end, &value);
    if (at == NULL || at - start > 15)
        return NULL;
    if (at < end && *at == '.') {
        uint64_t fraction = 0;
        decimals = scan_digits(at + 1, end, &fraction);
        if (decimals == 0 || at - start + decimals > MF_SCAN_DIGITS_MAX)
            return NULL;
        value = value * power_of_ten(decimals) + fraction;
        at += 1 + decimals;
    }
    *text = (struct mf_str){start, (size_t)(at - start)};
    *number = (struct mf_decimal_number){.mantissa = (int64_t)value, .scale = (uint8_t)decimals};
    return at;
}

// A date that exists, for years from 1 on. False for the last days of months as well: they are for
// mf_date_parse to judge.
static inline bool is_plain_date(const char *at, struct mf_date *date)
{
    uint64_t word = load(at) ^ UINT64_C(0x2d30302d30303030); // "0000-00-", then as in mf_scan_time
    uint64_t wrong = (word + UINT64_C(0x7f76767f76767676)) | word;
    unsigned tens = (unsigned)(unsigned char)at[8] - '0', ones = (unsigned)(unsigned char)at[9] - '0';
    uint64_t pairs = word * 10 + (word >> 8);
    unsigned day = tens * 10 + ones;
    date->year = (int)((pairs & 0xff) * 100 + (pairs >> 16 & 0xff));
    date->month = (int)(pairs >> 40 & 0xff);
    date->day = (int)day;
    return (wrong & HIGHS) == 0 && tens <= 9 && ones <= 9 && date->year >= 1 && date->month >= 1 &&
           date->month <= 12 && day >= 1 && day <= 28;
}

static inline const char *scan_date(const char *at, const char *end, struct mf_scan_day *day)
{
    if (end - at < MF_SCAN_DATE_LEN)
        return NULL;
    if (day->text == NULL || memcmp(at, day->text, MF_SCAN_DATE_LEN) != 0) {
        if (!is_plain_date(at, &day->date) &&
            !mf_date_parse((struct mf_str){at, MF_SCAN_DATE_LEN}, &day->date))
            return NULL;
        day->text = at;
        day->days = mf_date_to_days(day->date);
    }
    return at + MF_SCAN_DATE_LEN;
}

const char *mf_scan_date(const char *at, const char *end, struct mf_scan_day *day)
{
    return scan_date(at, end, day);
}

const char *mf_scan_time(const char *at, const char *end, struct mf_scan_day *day, int64_t *time_us)
{
    if (end - at < MF_SCAN_TIME_LEN || scan_date(at, end, day) == NULL)
        return NULL;
    // Exclusive or leaves 0 to 9 of a digit and 0 of a mark; the sum passes 127 for anything else.
    uint64_t clock = load(at + 11) ^ UINT64_C(0x30303a30303a3030); // "00:00:00"
    uint64_t rest = load(at + 16) ^ UINT64_C(0x5a3030302e30303a);  // ":00.000Z"
    uint64_t wrong = (clock + UINT64_C(0x76767f76767f7676)) | clock;
    wrong |= (rest + UINT64_C(0x7f7676767f76767f)) | rest;
    if (at[MF_SCAN_DATE_LEN] != 'T' || (wrong & HIGHS) != 0)
        return NULL;
    uint64_t pairs = clock * 10 + (clock >> 8);
    unsigned hour = pairs & 0xff, minute = pairs >> 24 & 0xff, second = pairs >> 48 & 0xff;
    uint64_t milli = (rest >> 32 & 0xff) * 100 + (rest >> 40 & 0xff) * 10 + (rest >> 48 & 0xff);
    if (hour > 23 || minute > 59 || second > 59)
        return NULL;
    *time_us = day->days * MF_US_PER_DAY + (int64_t)(hour * 3600 + minute * 60 + second) * MF_US_PER_SECOND +
               (int64_t)milli * MF_US_PER_MS;
    return at + MF_SCAN_TIME_LEN;
}
