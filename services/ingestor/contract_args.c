// SPDX-License-Identifier: Apache-2.0
// Which option contracts are meant (see contract_args.h).
#include "services/ingestor/contract_args.h"

#include "common/decimal.h"
#include "services/ingestor/polygon.h"

static int bad(struct mf_error *err, const char *option, const char *text, const char *wanted)
{
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "%s: '%.100s' is not %s", option, text,
                        wanted);
}

void ing_contract_options(struct ing_contract_texts *texts, struct mf_option options[ING_CONTRACT_OPTIONS])
{
    const struct mf_option all[ING_CONTRACT_OPTIONS] = {
        {.name = "--underlying", .value = &texts->underlying},
        {.name = "--expiration-from", .value = &texts->expiration_from},
        {.name = "--expiration-to", .value = &texts->expiration_to},
        {.name = "--strike-from", .value = &texts->strike_from},
        {.name = "--strike-to", .value = &texts->strike_to},
        {.name = "--type", .value = &texts->type},
        {.name = "--as-of", .value = &texts->as_of}};
    memcpy(options, all, sizeof all);
}

static int take_date(const char *option, const char *text, struct mf_date *date, struct mf_error *err)
{
    if (text == NULL || mf_date_parse(mf_str_of(text), date))
        return 0;
    return bad(err, option, text, "a date like 2024-01-31");
}

static int take_strike(const char *option, const char *text, char strike[MF_DECIMAL_TEXT_SIZE],
                       struct mf_error *err)
{
    size_t len = 0;
    if (text == NULL)
        return 0;
    bool plain = mf_decimal_normalise(mf_str_of(text), strike, &len, NULL) == 0;
    if (plain && mf_decimal_cmp((struct mf_str){strike, len}, MF_STR("0")) >= 0) {
        strike[len] = '\0';
        return 0;
    }
    strike[0] = '\0';
    return bad(err, option, text, "a strike price like 152.5");
}

static int take_type(const char *text, enum mf_option_type *type, struct mf_error *err)
{
    *type = MF_OPTION_TYPE_MAX;
    if (text == NULL)
        return 0;
    if (strcmp(text, "call") != 0 && strcmp(text, "put") != 0)
        return bad(err, "--type", text, "call or put");
    *type = text[0] == 'c' ? MF_OPTION_CALL : MF_OPTION_PUT;
    return 0;
}

static int check_ranges(const struct ing_contract_texts *texts, const struct ing_contract_filter *filter,
                        struct mf_error *err)
{
    if (filter->expiration_from.year > 0 && filter->expiration_to.year > 0 &&
        mf_date_cmp(filter->expiration_from, filter->expiration_to) > 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--expiration-from %s is after --expiration-to %s", texts->expiration_from,
                            texts->expiration_to);
    if (filter->strike_from[0] != '\0' && filter->strike_to[0] != '\0' &&
        mf_decimal_cmp(mf_str_of(filter->strike_from), mf_str_of(filter->strike_to)) > 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--strike-from %s is above --strike-to %s",
                            texts->strike_from, texts->strike_to);
    return 0;
}

int ing_contract_filter_parse(const struct ing_contract_texts *texts, struct mf_date today,
                              struct ing_contract_filter *filter, struct mf_error *err)
{
    *filter = (struct ing_contract_filter){.type = MF_OPTION_TYPE_MAX};
    if (take_date("--expiration-from", texts->expiration_from, &filter->expiration_from, err) < 0 ||
        take_date("--expiration-to", texts->expiration_to, &filter->expiration_to, err) < 0 ||
        take_strike("--strike-from", texts->strike_from, filter->strike_from, err) < 0 ||
        take_strike("--strike-to", texts->strike_to, filter->strike_to, err) < 0 ||
        take_type(texts->type, &filter->type, err) < 0 ||
        take_date("--as-of", texts->as_of, &filter->as_of, err) < 0)
        return -1;
    if (texts->as_of != NULL && mf_date_cmp(filter->as_of, today) > 0)
        return bad(err, "--as-of", texts->as_of, "a day that has begun");
    return check_ranges(texts, filter, err);
}

// SPX and I:SPX have one list of contracts, which would be read, and kept account of, twice at the same time.
static int check_names(const struct ing_symbols *symbols, struct mf_error *err)
{
    for (size_t i = 0; i < symbols->count; i++) {
        struct mf_str name = ing_polygon_underlying(mf_str_of(symbols->items[i]));
        if (name.data != symbols->items[i] && ing_symbols_has(symbols, name.data))
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                                "--underlying: %s and %s have the same contracts; give one of them",
                                symbols->items[i], name.data);
    }
    return 0;
}

int ing_underlyings_add(struct ing_symbols *symbols, const char *list, struct mf_error *err)
{
    if (ing_symbols_add_list(symbols, list, err) < 0)
        return mf_error_prefix(err, "--underlying");
    for (size_t i = 0; i < symbols->count; i++) {
        enum mf_asset_class asset_class = mf_asset_class_of_symbol(mf_str_of(symbols->items[i]));
        if (asset_class != MF_ASSET_STOCK && asset_class != MF_ASSET_INDEX)
            return bad(err, "--underlying", symbols->items[i], "a stock or an index, which have options");
    }
    ing_symbols_sort(symbols);
    return check_names(symbols, err);
}

bool ing_contract_texts_filter(const struct ing_contract_texts *texts)
{
    return texts->expiration_from != NULL || texts->expiration_to != NULL || texts->strike_from != NULL ||
           texts->strike_to != NULL || texts->type != NULL;
}

static void write_date(struct mf_date date, struct mf_buf *out)
{
    char text[MF_DATE_TEXT_SIZE];
    mf_buf_addf(out, "|%s", date.year > 0 ? mf_date_format(date, text) : "-");
}

static void write_strike(const char *strike, struct mf_buf *out)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = strike[0] != '\0' ? mf_decimal_canonical(mf_str_of(strike), text) : 0;
    mf_buf_addf(out, "|%.*s", (int)len, len > 0 ? text : "");
}

void ing_contract_filter_write(const struct ing_contract_filter *filter, struct mf_buf *out)
{
    write_date(filter->expiration_from, out);
    write_date(filter->expiration_to, out);
    write_strike(filter->strike_from, out);
    write_strike(filter->strike_to, out);
    mf_buf_addf(out, "|%s", filter->type != MF_OPTION_TYPE_MAX ? mf_option_type_name(filter->type) : "-");
    write_date(filter->as_of, out);
}
