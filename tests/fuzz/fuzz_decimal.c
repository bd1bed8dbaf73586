// SPDX-License-Identifier: Apache-2.0
// A number text: normalising twice changes nothing, every form of it is the same value. A double: the text
// made of it may be carried by events and is within half a unit of its last digit.
#include "common/decimal.h"

#include <math.h>

static void check_text(struct mf_str text)
{
    char normal[MF_DECIMAL_TEXT_SIZE], again[MF_DECIMAL_TEXT_SIZE], fixed[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0, again_len = 0;
    double value = 0, original = 0;
    mf_fixed8 units = 0;
    if (mf_decimal_normalise(text, normal, &len, NULL) != 0)
        return;
    struct mf_str view = {normal, len};
    bool ok = mf_decimal_is_number(text) && mf_decimal_normalise(view, again, &again_len, NULL) == 0 &&
              mf_str_eq(view, (struct mf_str){again, again_len}) && mf_decimal_to_fixed8(view, &units);
    mf_decimal_from_fixed8(units, fixed);
    mf_decimal_canonical(view, again);
    ok = ok && strcmp(fixed, again) == 0 && mf_decimal_cmp(view, mf_str_of(again)) == 0;
    ok = ok && mf_decimal_to_double(text, &original) && mf_decimal_to_double(mf_str_of(again), &value);
    assert(ok && value == original);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value = 0, back = 0;
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    check_text((struct mf_str){(const char *)data, size});
    memcpy(&value, data, size < sizeof value ? 0 : sizeof value);
    if (mf_decimal_from_double(value, text, &len)) {
        check_text((struct mf_str){text, len});
        bool ok = mf_decimal_to_double((struct mf_str){text, len}, &back);
        assert(ok && fabs(back - value) <= 0.5e-8 + fabs(value) * 5.2e-15);
    }
    return 0;
}
