// SPDX-License-Identifier: Apache-2.0
// One value from its text, by type. Failures are sentences for people; the value of a secret is never in one.
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/escape.h"
#include "common/settings_internal.h"

// Names of bar intervals as they stand in a setting's name (event contract, interval).
static const char *const intervals[] = {"1S", "5S", "1M", "5M",  "15M", "30M", "1H",
                                        "4H", "1D", "1W", "1MO", "3MO", "1Y"};

bool mf_setting_is_interval(struct mf_str upper_case)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(intervals); i++) {
        if (mf_str_eq_c(upper_case, intervals[i]))
            return true;
    }
    return false;
}

bool mf_setting_variant_name(const char *name, struct mf_str interval, char out[MF_SETTING_NAME_MAX])
{
    const char *last = strrchr(name, '_');
    assert(last != NULL);
    int len = snprintf(out, MF_SETTING_NAME_MAX, "%.*s%.*s%s", (int)(last + 1 - name), name,
                       MF_STR_ARG(interval), last);
    if (len < 0 || len >= MF_SETTING_NAME_MAX)
        return false;
    for (char *c = out + (last + 1 - name); *c != '_'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
    return true;
}

// Made safe and short.
static void add_shown(struct mf_buf *sentence, struct mf_str text)
{
    char shown[64];
    size_t used;
    size_t len = mf_escape(MF_ESCAPE_TEXT, text, shown, sizeof shown, &used);
    mf_buf_addf(sentence, "%.*s%s", (int)len, shown, used < text.len ? "…" : "");
}

// Appends the text in quotes. It may be a URL, as wrong as it is: what stands before its '@' and behind its
// '?' may be secret.
static void quote(struct mf_buf *sentence, const char *text)
{
    struct mf_str rest = mf_str_of(text);
    const char *scheme = strstr(text, "://");
    const char *at = strrchr(text, '@');
    const char *query = scheme != NULL ? strchr(text, '?') : NULL;
    mf_buf_add_c(sentence, "'");
    if (at != NULL) {
        size_t kept = scheme != NULL && scheme < at ? (size_t)(scheme + 3 - text) : 0;
        add_shown(sentence, (struct mf_str){text, kept});
        mf_buf_add_c(sentence, "***");
        rest = mf_str_of(at);
    }
    if (query != NULL)
        rest.len = query > rest.data ? (size_t)(query - rest.data) : 0;
    add_shown(sentence, rest);
    mf_buf_add_c(sentence, query != NULL ? "?***'" : "'");
}

bool mf_setting_decimal_parse(const char *text, double *value)
{
    const char *at = text;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    int64_t digits = 0;
    int significant = 0;
    int fraction = 0;
    bool point = false;
    bool any = false;
    for (; *at != '\0'; at++) {
        if (*at == '.' && !point) {
            point = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        any = true;
        significant += significant > 0 || *at != '0';
        fraction += point;
        if (significant > 15 || fraction > 15)
            return false;
        digits = digits * 10 + (*at - '0');
    }
    if (!any)
        return false;
    // Both numbers are exact doubles (below 2^53, and powers of ten up to 10^22), so one division rounds
    // once.
    double power = 1;
    for (int i = 0; i < fraction; i++)
        power *= 10;
    *value = (double)digits / power * (negative ? -1 : 1);
    return true;
}

static bool is_unlimited(const struct mf_setting_def *def)
{
    return !(def->min < 0) && !(def->min > 0) && !(def->max < 0) && !(def->max > 0);
}

static bool check_range(const struct mf_setting_def *def, double number, const char *text,
                        struct mf_buf *sentence)
{
    if (is_unlimited(def) || (number >= def->min && number <= def->max))
        return true;
    quote(sentence, text);
    mf_buf_addf(sentence, " is outside %.15g to %.15g", def->min, def->max);
    return false;
}

static bool parse_integer(struct mf_setting_value *value, struct mf_buf *sentence)
{
    if (!mf_str_to_i64(mf_str_of(value->text), &value->integer)) {
        quote(sentence, value->text);
        mf_buf_add_c(sentence, " is not a whole number");
        return false;
    }
    value->decimal = (double)value->integer;
    return check_range(value->def, value->decimal, value->text, sentence);
}

static bool parse_decimal(struct mf_setting_value *value, struct mf_buf *sentence)
{
    if (!mf_setting_decimal_parse(value->text, &value->decimal)) {
        quote(sentence, value->text);
        mf_buf_add_c(sentence, " is not a number such as 2 or 0.5 (at most 15 digits)");
        return false;
    }
    return check_range(value->def, value->decimal, value->text, sentence);
}

static bool parse_boolean(struct mf_setting_value *value, struct mf_buf *sentence)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < MF_ARRAY_LEN(words); i++) {
        for (int j = 0; j < 2; j++) {
            if (strcasecmp(value->text, words[i][j]) == 0) {
                value->boolean = j == 1;
                return true;
            }
        }
    }
    quote(sentence, value->text);
    mf_buf_add_c(sentence, " is neither true nor false");
    return false;
}

// Exactly one of the choices; "ALL" for "all" is refused, because other readers of the same file may be
// strict.
static bool parse_choice(const struct mf_setting_value *value, struct mf_buf *sentence)
{
    const char *at = value->def->choices;
    assert(at != NULL);
    size_t len = strlen(value->text);
    while (at != NULL) {
        size_t choice = strcspn(at, "|");
        if (choice == len && memcmp(at, value->text, len) == 0)
            return true;
        at = at[choice] == '|' ? at + choice + 1 : NULL;
    }
    quote(sentence, value->text);
    mf_buf_add_c(sentence, " is none of ");
    for (const char *c = value->def->choices; *c != '\0'; c++)
        mf_buf_add_c(sentence, *c == '|' ? ", " : (char[]){*c, '\0'});
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Items between commas. An empty one is refused: "A,,B" is more likely a mistake than a wish.
static bool parse_list(struct mf_setting_value *value, struct mf_buf *sentence)
{
    const char *at = value->text;
    if (at[strspn(at, " \t")] == '\0')
        return true; // an empty default: no items
    for (;;) {
        size_t len = strcspn(at, ",");
        const char *next = at[len] == ',' ? at + len + 1 : NULL;
        while (len > 0 && is_blank(*at)) {
            at++;
            len--;
        }
        while (len > 0 && is_blank(at[len - 1]))
            len--;
        if (len == 0) {
            mf_buf_addf(sentence, "item %zu of the list is empty", value->item_count + 1);
            return false;
        }
        if (value->item_count == MF_SETTING_ITEMS_MAX) {
            mf_buf_addf(sentence, "has more than %d items", MF_SETTING_ITEMS_MAX);
            return false;
        }
        if ((value->item_count & (value->item_count + 1)) == 0) // room doubles at 0, 1, 3, 7, …
            value->items = mf_realloc(value->items, (2 * value->item_count + 1) * sizeof *value->items);
        value->items[value->item_count++] = mf_strndup((struct mf_str){at, len});
        if (next == NULL)
            return true;
        at = next;
    }
}

// What no value may hold: text that is not UTF-8, or control characters (in a secret, line breaks are fine:
// keys in PEM form have them).
static bool check_text(const struct mf_setting_value *value, struct mf_buf *sentence)
{
    size_t len = strlen(value->text);
    if (len > MF_SETTING_VALUE_MAX) {
        mf_buf_addf(sentence, "is longer than %d bytes", MF_SETTING_VALUE_MAX);
        return false;
    }
    if (!mf_str_is_utf8(mf_str_of(value->text))) {
        mf_buf_add_c(sentence, "is not UTF-8 text");
        return false;
    }
    for (const char *c = value->text; *c != '\0'; c++) {
        bool line_break = (*c == '\n' || *c == '\r') && value->def->type == MF_SETTING_SECRET;
        if (((unsigned char)*c < 0x20 && !line_break && *c != '\t') || *c == 0x7f) {
            mf_buf_addf(sentence, "holds a control character (byte 0x%02x)", (unsigned char)*c);
            return false;
        }
    }
    return true;
}

static bool parse_by_type(struct mf_setting_value *value, struct mf_buf *sentence)
{
    switch (value->def->type) {
    case MF_SETTING_INTEGER: return parse_integer(value, sentence);
    case MF_SETTING_DECIMAL: return parse_decimal(value, sentence);
    case MF_SETTING_BOOLEAN: return parse_boolean(value, sentence);
    case MF_SETTING_CHOICE: return parse_choice(value, sentence);
    case MF_SETTING_LIST: return parse_list(value, sentence);
    case MF_SETTING_STRING:
    case MF_SETTING_SECRET: return true;
    case MF_SETTING_TYPE_MAX: break;
    }
    assert(!"a type of setting");
    return false;
}

bool mf_setting_value_parse(struct mf_setting_value *value, struct mf_buf *sentence)
{
    if (!check_text(value, sentence) || !parse_by_type(value, sentence))
        return false;
    const char *wrong = value->def->check != NULL ? value->def->check(value->text) : NULL;
    if (wrong == NULL)
        return true;
    if (value->def->type != MF_SETTING_SECRET) {
        quote(sentence, value->text);
        mf_buf_add_c(sentence, " ");
    }
    mf_buf_add_c(sentence, wrong);
    return false;
}
