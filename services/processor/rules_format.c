// SPDX-License-Identifier: Apache-2.0
#include "services/processor/rules_format.h"

#include <stdio.h>

#include "common/decimal_digits.h"

__extension__ typedef unsigned __int128 wide;

#define NUMBER_SIZE 352 // "%f" of the largest double

static const uint64_t powers_of_ten[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
};
enum { DECIMALS_MAX = MF_ARRAY_LEN(powers_of_ten) - 1, PRECISION_MAX = 15, FIXED_MAX = 3 };
#define MAGNITUDE_END 1e15

struct conversion { // of a number
    bool plus;
    int precision;
    char kind; // 'f', 'g'
};

struct sentence {
    char *at, *end; // end: of the terminator
};

static void put(struct sentence *s, const char *text, size_t len)
{
    size_t room = (size_t)(s->end - s->at);
    len = len < room ? len : room;
    memcpy(s->at, text, len);
    s->at += len;
}

// magnitude × 10^decimals, rounded half to even on the exact binary value, as the C library rounds: 53 bits
// times 60 fit, and below MAGNITUDE_END some bits are always cut off.
static uint64_t scaled(double magnitude, unsigned decimals)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    unsigned biased = (unsigned)(bits >> 52);
    uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | (uint64_t)(biased > 0) << 52;
    unsigned shift = 1075 - biased - (biased == 0);
    if (shift > 120) // less than half a unit, whatever the digits
        return 0;
    wide product = (wide)mantissa * powers_of_ten[decimals];
    wide rest = product & (((wide)1 << shift) - 1), half = (wide)1 << (shift - 1);
    uint64_t units = (uint64_t)(product >> shift);
    return units + (rest > half || (rest == half && (units & 1) != 0));
}

// units / 10^decimals with all of the decimals. Touches MF_DIGITS_ROOM bytes behind what it returns.
static char *put_units(char *at, uint64_t units, unsigned decimals)
{
    uint64_t unit = powers_of_ten[decimals];
    at += mf_digits_put(at, units / unit);
    if (decimals == 0)
        return at;
    // A one in front keeps the zeros in front; the point takes its place.
    size_t len = mf_digits_put(at, unit + units % unit);
    *at = '.';
    return at + len;
}

// Where the first digit of %g stands: 0 for 1 to 10, -1 for 0.1 to 1. The constants are the smallest doubles
// not below the powers that they name, so that comparing with them is exact.
static int place_of(double magnitude)
{
    uint64_t whole = (uint64_t)magnitude;
    int place = 0;
    if (whole == 0)
        return magnitude >= 0.1 ? -1 : magnitude >= 0.01 ? -2 : magnitude >= 0.001 ? -3 : -4;
    while (whole >= powers_of_ten[place + 1])
        place++;
    return place;
}

// The digits of %g where it uses no exponent. NULL, at as it was, where that is not certain.
static char *put_general(char *at, double magnitude, int precision)
{
    if (precision == 0)
        precision = 1;
    if (precision > PRECISION_MAX || !(magnitude >= 0.0001 && magnitude < MAGNITUDE_END))
        return NULL;
    int place = place_of(magnitude), decimals = precision - 1 - place;
    if (decimals < 0 || decimals > DECIMALS_MAX)
        return NULL;
    uint64_t units = scaled(magnitude, (unsigned)decimals);
    if (units >= powers_of_ten[precision] && place + 1 >= precision) // carried into one more digit
        return NULL;
    at = put_units(at, units, (unsigned)decimals);
    if (decimals == 0)
        return at;
    while (at[-1] == '0')
        at--;
    return at[-1] == '.' ? at - 1 : at;
}

static char *put_fixed(char *at, double magnitude, int precision)
{
    if (precision > FIXED_MAX || !(magnitude < MAGNITUDE_END))
        return NULL;
    return put_units(at, scaled(magnitude, (unsigned)precision), (unsigned)precision);
}

// What is rare is the C library's. Returns the length.
static size_t by_library(char *text, double value, const struct conversion *to)
{
    int len = to->kind == 'f'
                  ? snprintf(text, NUMBER_SIZE, to->plus ? "%+.*f" : "%.*f", to->precision, value)
                  : snprintf(text, NUMBER_SIZE, to->plus ? "%+.*g" : "%.*g", to->precision, value);
    return len < 0 ? 0 : len < NUMBER_SIZE ? (size_t)len : NUMBER_SIZE - 1;
}

static void put_number(struct sentence *s, double value, const struct conversion *to)
{
    MF_UNINITIALISED char text[NUMBER_SIZE];
    bool negative = __builtin_signbit(value) != 0;
    double magnitude = negative ? -value : value;
    text[0] = negative ? '-' : '+';
    size_t sign = negative || to->plus;
    char *end = to->kind == 'f' ? put_fixed(text + sign, magnitude, to->precision)
                                : put_general(text + sign, magnitude, to->precision);
    put(s, text, end != NULL ? (size_t)(end - text) : by_library(text, value, to));
}

// One conversion, from behind its percent sign; returns what follows it. The compiler has checked the form.
static const char *convert(struct sentence *s, const char *fmt, va_list *args)
{
    struct conversion to = {.plus = *fmt == '+', .precision = 6};
    char digits[MF_DIGITS_ROOM];
    fmt += to.plus;
    if (*fmt == '.') {
        to.precision = 0;
        for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
            to.precision = to.precision * 10 + (*fmt - '0');
    }
    to.kind = *fmt++;
    switch (to.kind) {
    case '%': put(s, "%", 1); break;
    case 's': {
        const char *text = va_arg(*args, const char *);
        put(s, text, strlen(text));
        break;
    }
    case 'u': put(s, digits, mf_digits_put(digits, va_arg(*args, unsigned))); break;
    case 'z':
        assert(*fmt == 'u');
        fmt++;
        put(s, digits, mf_digits_put(digits, va_arg(*args, size_t)));
        break;
    default: assert(to.kind == 'f' || to.kind == 'g'); put_number(s, va_arg(*args, double), &to);
    }
    return fmt;
}

size_t prc_format(char *out, size_t size, const char *fmt, ...)
{
    struct sentence s = {out, out + size - 1};
    va_list args;
    va_start(args, fmt);
    while (*fmt != '\0') {
        size_t plain = strcspn(fmt, "%");
        put(&s, fmt, plain);
        fmt += plain;
        if (*fmt == '%')
            fmt = convert(&s, fmt + 1, &args);
    }
    va_end(args);
    *s.at = '\0';
    return (size_t)(s.at - out);
}
