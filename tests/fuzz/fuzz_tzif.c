// SPDX-License-Identifier: Apache-2.0
// No file and no rule leads to an offset of more than 26 hours, nor to a wall time further away than that.
// Input: a time zone file, or its footer's rule.
#include "common/calendar_tzif.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_far(int64_t a, int64_t b)
{
    return a - b > 26 * 3600 || b - a > 26 * 3600;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {-62135596800, -2717650800, -1,         0,
                                    951782400,    1616893200,  1636264800, 2145916800,
                                    4102444800,   7258118400,  9223372035, 253402300799};
    struct mf_str bytes = {(const char *)data, size};
    struct mf_tz_rule rule;
    struct mf_tzif *tz = NULL;
    struct mf_error err;
    if (mf_tz_rule_parse(bytes, &rule)) {
        for (size_t i = 0; i < MF_ARRAY_LEN(times); i++) {
            int32_t offset = mf_tz_rule_offset_s(&rule, times[i] / 2);
            if (offset != rule.offset_s && (!rule.has_dst || offset != rule.dst_offset_s))
                abort();
        }
    }
    if (mf_tzif_parse(bytes, &tz, &err) != 0 && (tz != NULL || err.class != MF_ERROR_CONFIG))
        abort();
    for (size_t i = 0; tz != NULL && i < MF_ARRAY_LEN(times); i++) {
        if (is_far(mf_tzif_offset_s(tz, times[i]), 0) || is_far(mf_tzif_to_utc_s(tz, times[i]), times[i]))
            abort();
    }
    mf_tzif_free(&tz);
    return 0;
}
