// SPDX-License-Identifier: Apache-2.0
// Inside of the indicators: the steps that one bar's values are made of. Pure.
#ifndef PRC_INDICATORS_PRIVATE_H
#define PRC_INDICATORS_PRIVATE_H

#include <math.h>

#include "services/processor/indicators.h"

// One bar on its way: what the steps read and write.
struct prc_step {
    const struct prc_indicator_state *before;
    struct prc_indicator_state *after;
    const struct prc_window *window;
    const struct prc_bar *bar;
    enum mf_interval interval;
    enum mf_asset_class asset_class;
    struct prc_values *values;
};

static inline void prc_put(struct prc_values *values, enum mf_metric_field field, double value)
{
    if (!(fabs(value) < PRC_STATISTIC_END)) // NaN too
        return;
    values->present |= UINT64_C(1) << field;
    values->v[field] = value;
}

static inline int8_t prc_sign(double value)
{
    return (int8_t)((value > 0) - (value < 0));
}

static inline bool prc_is_daily(enum mf_interval interval)
{
    return interval >= MF_INTERVAL_1D;
}

// indicators_windows.c: everything over the last n bars.
void prc_step_windows(const struct prc_step *step);
// indicators_trend.c: recursions over all bars so far, and what is read off them.
void prc_step_trend(const struct prc_step *step);

#endif
