// SPDX-License-Identifier: Apache-2.0
// A time or date that parses is written, and read again as the same; an epoch number lies in the years it
// may.
#include "common/clock.h"

static void check_time(int64_t time_us)
{
    char text[MF_TIME_TEXT_SIZE];
    int64_t back = 0;
    bool ok = mf_time_parse(mf_str_of(mf_time_format_us(time_us, text)), &back);
    assert(ok && back == time_us);
    ok = mf_time_parse(mf_str_of(mf_time_format_ms(time_us, text)), &back);
    assert(ok && back <= time_us && time_us - back < MF_US_PER_MS && back % MF_US_PER_MS == 0);
    int64_t midnight_us = mf_date_utc_midnight_us(mf_date_of_utc(time_us));
    assert(midnight_us <= time_us && time_us - midnight_us < MF_US_PER_DAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_str text = {(const char *)data, size};
    int64_t number = 0, time_us = 0;
    struct mf_date date;
    char written[MF_DATE_TEXT_SIZE];
    if (mf_time_parse(text, &time_us))
        check_time(time_us);
    if (mf_date_parse(text, &date)) {
        assert(mf_str_eq_c(text, mf_date_format(date, written)));
        assert(mf_date_cmp(mf_date_from_days(mf_date_to_days(date)), date) == 0);
    }
    memcpy(&number, data, size < sizeof number ? 0 : sizeof number);
    if (mf_time_from_epoch_number(number, &time_us)) {
        assert(time_us >= INT64_C(100000000000000) && time_us < INT64_C(10000000000000000));
        check_time(time_us);
    }
    return 0;
}
