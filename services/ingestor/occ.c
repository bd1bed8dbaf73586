// SPDX-License-Identifier: Apache-2.0
// Option tickers (see occ.h).
#include "services/ingestor/occ.h"

#include <inttypes.h>
#include <stdio.h>

enum { PREFIX_LEN = 2, DATE_LEN = 6, STRIKE_LEN = 8, STRIKE_UNIT = 1000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

// All digits; a number of at most nine.
static bool take_digits(struct mf_str text, unsigned *out)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        number = number * 10 + (unsigned)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

static bool take_date(struct mf_str text, struct mf_date *date)
{
    unsigned number = 0;
    char iso[MF_DATE_TEXT_SIZE];
    if (!take_digits(text, &number))
        return false;
    snprintf(iso, sizeof iso, "20%02u-%02u-%02u", number / 10000 % 100, number / 100 % 100, number % 100);
    return mf_date_parse(mf_str_of(iso), date); // which knows the months' lengths
}

// Capitals and digits, not digits alone: those of a flexible contract's root come first.
static bool take_root(struct mf_str text, char root[ING_OCC_ROOT_MAX + 1])
{
    bool letter = false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) && !is_upper(text.data[i]))
            return false;
        letter = letter || is_upper(text.data[i]);
    }
    return letter && mf_str_copy(root, ING_OCC_ROOT_MAX + 1, text);
}

static void write_strike(unsigned thousandths, char out[ING_OCC_STRIKE_SIZE])
{
    int len =
        snprintf(out, ING_OCC_STRIKE_SIZE, "%u.%03u", thousandths / STRIKE_UNIT, thousandths % STRIKE_UNIT);
    while (out[len - 1] == '0')
        out[--len] = '\0';
    if (out[len - 1] == '.')
        out[--len] = '\0';
}

static int bad(struct mf_error *err, const char *code, struct mf_str ticker, const char *why)
{
    return mf_error_set(err, MF_ERROR_POISON, code, "'%.*s' is no option ticker: %s",
                        (int)(ticker.len < 64 ? ticker.len : 64), ticker.data != NULL ? ticker.data : "",
                        why);
}

// A root may hold digits, letters and both, so only the last letter tells where the strike begins.
static size_t type_place(struct mf_str ticker)
{
    size_t at = ticker.len;
    while (at > 0 && is_digit(ticker.data[at - 1]))
        at--;
    return at; // behind the letter; 0 = there is none
}

int ing_occ_parse(struct mf_str ticker, struct ing_occ *out, struct mf_error *err)
{
    struct ing_occ found = {.type = MF_OPTION_CALL};
    if (ticker.len == 0 || !mf_str_starts_with(ticker, "O:"))
        return bad(err, "bad_option_ticker", ticker, "it does not begin with O:");
    size_t behind = type_place(ticker);
    if (behind < PREFIX_LEN + 1 + DATE_LEN + 1)
        return bad(err, "bad_option_ticker", ticker, "root, day, C or P and strike do not fit");
    char type = ticker.data[behind - 1];
    if (type != 'C' && type != 'P')
        return bad(err, "bad_option_ticker", ticker, "it is neither call (C) nor put (P)");
    found.type = type == 'C' ? MF_OPTION_CALL : MF_OPTION_PUT;
    size_t date_at = behind - 1 - DATE_LEN;
    if (!take_date((struct mf_str){ticker.data + date_at, DATE_LEN}, &found.expiration))
        return bad(err, "bad_option_ticker", ticker, "the day of expiration is none");
    if (!take_root((struct mf_str){ticker.data + PREFIX_LEN, date_at - PREFIX_LEN}, found.root))
        return bad(err, "bad_option_ticker", ticker, "the root is not 1 to 6 capitals and digits");
    struct mf_str strike = {ticker.data + behind, ticker.len - behind};
    unsigned thousandths = 0;
    if (strike.len != STRIKE_LEN || !take_digits(strike, &thousandths) || thousandths == 0)
        return bad(err, "bad_strike", ticker, "the strike is not eight digits above 0");
    write_strike(thousandths, found.strike);
    *out = found;
    return 0;
}
