// SPDX-License-Identifier: Apache-2.0
// Metrics registry: families sorted by name, series found by their label values.
// Ownership: the registry owns every series; a struct mf_metric * is borrowed until the series is removed.
// Nothing here fails: what would go over a limit goes to the series "other".
#include "common/metrics.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/metrics_internal.h"

struct mf_metrics *mf_metrics_new(void)
{
    return mf_calloc(1, sizeof(struct mf_metrics));
}

static void free_series(struct mf_metric *metric)
{
    free(metric->label_values);
    free(metric->buckets);
    free(metric);
}

void mf_metrics_free(struct mf_metrics **metrics)
{
    if (*metrics == NULL)
        return;
    for (size_t i = 0; i < (*metrics)->count; i++) {
        struct mf_metric_family *family = &(*metrics)->families[i];
        for (size_t j = 0; j < family->count; j++)
            free_series(family->series[j]);
        free(family->series);
    }
    free((*metrics)->families);
    free((*metrics)->collectors);
    free(*metrics);
    *metrics = NULL;
}

// The family of a definition; made at its place in the order when it is new.
static struct mf_metric_family *family_of(struct mf_metrics *metrics, const struct mf_metric_def *def)
{
    size_t low = 0;
    size_t high = metrics->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(def->name, metrics->families[middle].def->name);
        if (order == 0) {
            assert(metrics->families[middle].def == def); // two definitions of one name
            return &metrics->families[middle];
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (metrics->count == metrics->room) {
        metrics->room = metrics->room > 0 ? 2 * metrics->room : 64;
        metrics->families = mf_realloc(metrics->families, metrics->room * sizeof *metrics->families);
    }
    memmove(&metrics->families[low + 1], &metrics->families[low],
            (metrics->count - low) * sizeof *metrics->families);
    metrics->count++;
    metrics->families[low] = (struct mf_metric_family){.def = def};
    return &metrics->families[low];
}

// Bytes of a label value that are kept: at most the limit, cut between characters.
static size_t kept_length(const char *value)
{
    size_t len = strnlen(value, MF_METRIC_LABEL_VALUE_MAX + 1);
    if (len <= MF_METRIC_LABEL_VALUE_MAX)
        return len;
    len = MF_METRIC_LABEL_VALUE_MAX;
    while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
        len--;
    return len;
}

// Label values as one block of terminated strings. Returns the block's size.
static size_t pack_labels(const struct mf_metric_def *def, const char *const *values,
                          char block[MF_METRIC_LABELS_MAX * (MF_METRIC_LABEL_VALUE_MAX + 1)])
{
    size_t size = 0;
    for (size_t i = 0; def->labels[i] != NULL; i++) {
        assert(i < MF_METRIC_LABELS_MAX && values != NULL && values[i] != NULL);
        size_t len = kept_length(values[i]);
        memcpy(block + size, values[i], len);
        size += len;
        block[size++] = '\0';
    }
    return size;
}

// Index of the series, or count when there is none.
static size_t find_series(const struct mf_metric_family *family, uint64_t hash, const char *block,
                          size_t size)
{
    for (size_t i = 0; i < family->count; i++) {
        const struct mf_metric *metric = family->series[i];
        if (metric->hash == hash && metric->label_size == size &&
            memcmp(metric->label_values, block, size) == 0)
            return i;
    }
    return family->count;
}

// Series are allocated one by one, so that pointers kept by hot paths stay good when the family grows.
static struct mf_metric *add_series(struct mf_metric_family *family, uint64_t hash, const char *block,
                                    size_t size)
{
    struct mf_metric *metric = mf_calloc(1, sizeof *metric);
    metric->def = family->def;
    metric->hash = hash;
    metric->label_size = size;
    metric->label_values = mf_alloc(size);
    memcpy(metric->label_values, block, size);
    if (family->def->type == MF_METRIC_HISTOGRAM)
        metric->buckets = mf_calloc(family->def->bucket_count + 1, sizeof *metric->buckets);
    if (family->count == family->room) {
        family->room = family->room > 0 ? 2 * family->room : 1;
        family->series = mf_realloc(family->series, family->room * sizeof(struct mf_metric *));
    }
    family->series[family->count++] = metric;
    return metric;
}

struct mf_metric *mf_metrics_get(struct mf_metrics *metrics, const struct mf_metric_def *def,
                                 const char *const *label_values)
{
    static const char *const other[MF_METRIC_LABELS_MAX] = {"other", "other", "other", "other"};
    struct mf_metric_family *family = family_of(metrics, def);
    char block[MF_METRIC_LABELS_MAX * (MF_METRIC_LABEL_VALUE_MAX + 1)];
    size_t size = pack_labels(def, label_values, block);
    uint64_t hash = mf_hash64(block, size);
    size_t found = find_series(family, hash, block, size);
    if (found < family->count)
        return family->series[found];
    // One place is kept for "other".
    if (family->count >= MF_METRIC_SERIES_MAX - 1) {
        size = pack_labels(def, other, block);
        hash = mf_hash64(block, size);
        found = find_series(family, hash, block, size);
        if (found < family->count)
            return family->series[found];
    }
    return add_series(family, hash, block, size);
}

void mf_metrics_remove(struct mf_metrics *metrics, const struct mf_metric_def *def,
                       const char *const *label_values)
{
    struct mf_metric_family *family = family_of(metrics, def);
    char block[MF_METRIC_LABELS_MAX * (MF_METRIC_LABEL_VALUE_MAX + 1)];
    size_t size = pack_labels(def, label_values, block);
    size_t found = find_series(family, mf_hash64(block, size), block, size);
    if (found == family->count)
        return;
    free_series(family->series[found]);
    family->count--;
    memmove(&family->series[found], &family->series[found + 1],
            (family->count - found) * sizeof(struct mf_metric *));
}

void mf_metrics_declare(struct mf_metrics *metrics, const struct mf_metric_def *defs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (defs[i].labels[0] == NULL)
            mf_metrics_get(metrics, &defs[i], NULL);
        else
            family_of(metrics, &defs[i]);
    }
}

void mf_metric_add(struct mf_metric *metric, double amount)
{
    assert(metric->def->type == MF_METRIC_GAUGE || (metric->def->type == MF_METRIC_COUNTER && amount >= 0));
    metric->value += amount;
}

void mf_metric_set(struct mf_metric *metric, double value)
{
    assert(metric->def->type == MF_METRIC_GAUGE || metric->def->type == MF_METRIC_COUNTER);
    metric->value = value;
}

void mf_metric_observe(struct mf_metric *metric, double value)
{
    const struct mf_metric_def *def = metric->def;
    assert(def->type == MF_METRIC_HISTOGRAM);
    size_t at = 0;
    while (at < def->bucket_count && !(value <= def->buckets[at])) // NaN ends in +Inf
        at++;
    metric->buckets[at]++;
    metric->count++;
    metric->value += value;
}

void mf_metric_summary(struct mf_metric *metric, double sum_add, double count_add,
                       const char *const *quantiles, const double *values, size_t quantile_count)
{
    assert(metric->def->type == MF_METRIC_SUMMARY && quantile_count <= MF_METRIC_QUANTILES_MAX);
    metric->value += sum_add;
    metric->count += count_add;
    metric->quantile_count = quantile_count;
    for (size_t i = 0; i < quantile_count; i++) {
        bool fits =
            mf_str_copy(metric->quantiles[i].name, sizeof metric->quantiles[i].name, mf_str_of(quantiles[i]));
        assert(fits);
        (void)fits;
        metric->quantiles[i].value = values[i];
    }
}

double mf_metric_value(const struct mf_metric *metric)
{
    bool counted = metric->def->type == MF_METRIC_HISTOGRAM || metric->def->type == MF_METRIC_SUMMARY;
    return counted ? metric->count : metric->value;
}

void mf_metrics_on_collect(struct mf_metrics *metrics, void (*fn)(void *arg), void *arg)
{
    size_t size = (metrics->collector_count + 1) * sizeof *metrics->collectors;
    metrics->collectors = mf_realloc(metrics->collectors, size);
    metrics->collectors[metrics->collector_count].fn = fn;
    metrics->collectors[metrics->collector_count].arg = arg;
    metrics->collector_count++;
}
