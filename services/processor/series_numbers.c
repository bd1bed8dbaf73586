// SPDX-License-Identifier: Apache-2.0
// The numbers of a bar, kept as mantissa and scale so that their text comes back as it was.
#include <stdlib.h>

#include "services/processor/series.h"

#define MANTISSA_LIMIT INT64_C(1000000000000000000) // 18 digits
#define DECIMALS_MAX 8

// What does not fit into a word each is kept as text, all six together.
static bool keep_wide(const struct mf_str texts[PRC_NUMBER_MAX], struct prc_numbers *numbers)
{
    char joined[PRC_NUMBER_MAX * MF_DECIMAL_TEXT_SIZE];
    size_t used = 0;
    for (size_t f = 0; f < PRC_NUMBER_MAX; f++) {
        struct mf_str text = texts[f].data != NULL ? texts[f] : MF_STR("-");
        double value = 0;
        bool absent = texts[f].data == NULL && f == PRC_VWAP;
        if (!absent && (text.len >= MF_DECIMAL_TEXT_SIZE || !mf_decimal_to_double(text, &value)))
            return false;
        memcpy(joined + used, text.data, text.len);
        used += text.len;
        joined[used++] = ' ';
    }
    numbers->wide = mf_strndup((struct mf_str){joined, used - 1});
    return true;
}

bool prc_numbers_parse(const struct mf_str texts[PRC_NUMBER_MAX], struct prc_numbers *numbers)
{
    *numbers = (struct prc_numbers){.has_vwap = texts[PRC_VWAP].data != NULL};
    for (size_t f = 0; f < PRC_NUMBER_MAX; f++) {
        struct mf_decimal_number number = {0, 0};
        if (f == PRC_VWAP && !numbers->has_vwap)
            continue;
        if (!mf_decimal_number_parse(texts[f], &number)) {
            *numbers = (struct prc_numbers){.has_vwap = numbers->has_vwap};
            return keep_wide(texts, numbers);
        }
        numbers->mantissa[f] = number.mantissa;
        numbers->scale[f] = number.scale;
    }
    return true;
}

void prc_numbers_clear(struct prc_numbers *numbers)
{
    free(numbers->wide);
    numbers->wide = NULL;
}

static struct mf_str wide_text(const struct prc_numbers *numbers, enum prc_number_field field)
{
    const char *at = numbers->wide;
    for (int f = 0; f < (int)field; f++) {
        const char *space = strchr(at, ' ');
        at = space != NULL ? space + 1 : "";
    }
    return (struct mf_str){at, strcspn(at, " ")};
}

bool prc_numbers_valid(const struct prc_numbers *numbers)
{
    for (int f = 0; f < PRC_NUMBER_MAX; f++) {
        struct mf_decimal_number number = {numbers->mantissa[f], numbers->scale[f]};
        double value = 0;
        if (f == PRC_VWAP && !numbers->has_vwap)
            continue;
        if (numbers->wide == NULL &&
            (number.mantissa < 0 || number.mantissa >= MANTISSA_LIMIT || number.scale > DECIMALS_MAX))
            return false;
        struct mf_str wide =
            numbers->wide != NULL ? wide_text(numbers, (enum prc_number_field)f) : MF_STR_NULL;
        if (numbers->wide != NULL &&
            (wide.len == 0 || wide.len >= MF_DECIMAL_TEXT_SIZE || !mf_decimal_to_double(wide, &value)))
            return false;
    }
    return true;
}

struct mf_str prc_number_text(const struct prc_numbers *numbers, enum prc_number_field field, char *scratch)
{
    if (field == PRC_VWAP && !numbers->has_vwap)
        return MF_STR_NULL;
    if (numbers->wide != NULL)
        return wide_text(numbers, field);
    struct mf_decimal_number number = {numbers->mantissa[field], numbers->scale[field]};
    return (struct mf_str){scratch, mf_decimal_number_text(number, scratch)};
}

double prc_number_double(const struct prc_numbers *numbers, enum prc_number_field field)
{
    double value = 0;
    if (numbers->wide == NULL)
        return mf_decimal_number_double(
            (struct mf_decimal_number){numbers->mantissa[field], numbers->scale[field]});
    return mf_decimal_to_double(wide_text(numbers, field), &value) ? value : 0;
}
