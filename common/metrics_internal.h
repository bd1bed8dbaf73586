// SPDX-License-Identifier: Apache-2.0
// Between the files of the metrics: families and series as the renderer sees them.
#ifndef MF_METRICS_INTERNAL_H
#define MF_METRICS_INTERNAL_H

#include "metrics.h"

#define MF_METRIC_QUANTILES_MAX 4
#define MF_METRIC_LABEL_VALUE_MAX 128 // bytes; longer values are cut

struct mf_metric {
    const struct mf_metric_def *def;
    uint64_t hash;      // of the label values
    char *label_values; // as many terminated strings as def has labels, one after the other
    size_t label_size;  // bytes of them all
    double value;       // COUNTER, GAUGE; sum of HISTOGRAM and SUMMARY
    double count;       // HISTOGRAM, SUMMARY
    uint64_t *buckets;  // HISTOGRAM: not cumulative; the last is +Inf
    size_t quantile_count;
    struct {
        char name[8];
        double value;
    } quantiles[MF_METRIC_QUANTILES_MAX];
};

struct mf_metric_family {
    const struct mf_metric_def *def;
    struct mf_metric **series;
    size_t count, room;
};

struct mf_metrics {
    struct mf_metric_family *families; // sorted by name
    size_t count, room;
    struct mf_metric_collector {
        void (*fn)(void *arg);
        void *arg;
    } * collectors;
    size_t collector_count;
};

// A number as Prometheus reads it: 15 significant digits, "+Inf", "-Inf", "NaN".
void mf_metric_number(double value, char text[40]);

#endif
