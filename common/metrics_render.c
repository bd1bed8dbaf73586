// SPDX-License-Identifier: Apache-2.0
// Prometheus text format 0.0.4 (instrumenting/exposition_formats) and the reference page. The only failure is
// the sticky overflow of the buffer.
#include <math.h>
#include <stdio.h>

#include "common/escape.h"
#include "common/metrics_internal.h"

static const char *const type_names[MF_METRIC_TYPE_MAX] = {
    [MF_METRIC_COUNTER] = "counter",
    [MF_METRIC_GAUGE] = "gauge",
    [MF_METRIC_HISTOGRAM] = "histogram",
    [MF_METRIC_SUMMARY] = "summary",
};

void mf_metric_number(double value, char text[40])
{
    if (isnan(value)) {
        snprintf(text, 40, "NaN");
    } else if (isinf(value)) {
        snprintf(text, 40, value > 0 ? "+Inf" : "-Inf");
    } else {
        // Bucket bounds come out as they were written, whole numbers below 1e15 exactly; no figure here has
        // more than 15 digits to tell.
        snprintf(text, 40, "%.15g", value);
        // A library may have set a locale whose point is a comma.
        char *comma = strchr(text, ',');
        if (comma != NULL)
            *comma = '.';
    }
}

// HELP: backslash and line feed; label values: the double quote, too.
static void add_escaped(struct mf_buf *out, const char *text, bool label)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            mf_buf_add_c(out, "\\\\");
        else if (*text == '\n')
            mf_buf_add_c(out, "\\n");
        else if (*text == '"' && label)
            mf_buf_add_c(out, "\\\"");
        else
            mf_buf_add_char(out, *text);
    }
}

static void add_label_value(struct mf_buf *out, const char *value)
{
    if (mf_str_is_utf8(mf_str_of(value))) {
        add_escaped(out, value, true);
        return;
    }
    char clean[MF_METRIC_LABEL_VALUE_MAX * MF_ESCAPE_MAX + 1];
    size_t used;
    size_t len = mf_escape(MF_ESCAPE_TEXT, mf_str_of(value), clean, sizeof clean - 1, &used);
    clean[len] = '\0';
    add_escaped(out, clean, true);
}

// One sample line; extra is a further label ("le", "quantile") or NULL.
static void add_sample(struct mf_buf *out, const struct mf_metric *metric, const char *suffix,
                       const char *extra, const char *extra_value, double value)
{
    const struct mf_metric_def *def = metric->def;
    mf_buf_add_c(out, def->name);
    mf_buf_add_c(out, suffix);
    const char *label = metric->label_values;
    const char *before = "{";
    for (size_t i = 0; def->labels[i] != NULL; i++) {
        mf_buf_addf(out, "%s%s=\"", before, def->labels[i]);
        add_label_value(out, label);
        mf_buf_add_char(out, '"');
        label += strlen(label) + 1;
        before = ",";
    }
    if (extra != NULL) {
        mf_buf_addf(out, "%s%s=\"%s\"", before, extra, extra_value);
        before = ",";
    }
    char number[40];
    mf_metric_number(value, number);
    mf_buf_addf(out, "%s %s\n", *before == ',' ? "}" : "", number);
}

static void add_histogram(struct mf_buf *out, const struct mf_metric *metric)
{
    uint64_t below = 0;
    char bound[40];
    for (size_t i = 0; i < metric->def->bucket_count; i++) {
        below += metric->buckets[i];
        mf_metric_number(metric->def->buckets[i], bound);
        add_sample(out, metric, "_bucket", "le", bound, (double)below);
    }
    add_sample(out, metric, "_bucket", "le", "+Inf", metric->count);
    add_sample(out, metric, "_sum", NULL, NULL, metric->value);
    add_sample(out, metric, "_count", NULL, NULL, metric->count);
}

static void add_series(struct mf_buf *out, const struct mf_metric *metric)
{
    switch (metric->def->type) {
    case MF_METRIC_COUNTER:
    case MF_METRIC_GAUGE: add_sample(out, metric, "", NULL, NULL, metric->value); return;
    case MF_METRIC_HISTOGRAM: add_histogram(out, metric); return;
    case MF_METRIC_SUMMARY:
        for (size_t i = 0; i < metric->quantile_count; i++)
            add_sample(out, metric, "", "quantile", metric->quantiles[i].name, metric->quantiles[i].value);
        add_sample(out, metric, "_sum", NULL, NULL, metric->value);
        add_sample(out, metric, "_count", NULL, NULL, metric->count);
        return;
    case MF_METRIC_TYPE_MAX: break;
    }
    assert(!"a type of metric");
}

int mf_metrics_render(struct mf_metrics *metrics, struct mf_buf *out)
{
    for (size_t i = 0; i < metrics->collector_count; i++)
        metrics->collectors[i].fn(metrics->collectors[i].arg);
    for (size_t i = 0; i < metrics->count; i++) {
        const struct mf_metric_family *family = &metrics->families[i];
        mf_buf_addf(out, "# HELP %s ", family->def->name);
        add_escaped(out, family->def->help, false);
        mf_buf_addf(out, "\n# TYPE %s %s\n", family->def->name, type_names[family->def->type]);
        for (size_t j = 0; j < family->count; j++)
            add_series(out, family->series[j]);
    }
    return out->overflow ? -1 : 0;
}

void mf_metrics_markdown(const struct mf_metric_def *defs, size_t count, struct mf_buf *out)
{
    mf_buf_add_c(out, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        mf_buf_addf(out, "| `%s` | %s | ", defs[i].name, type_names[defs[i].type]);
        for (size_t j = 0; defs[i].labels[j] != NULL; j++)
            mf_buf_addf(out, "%s`%s`", j > 0 ? ", " : "", defs[i].labels[j]);
        mf_buf_addf(out, " | %s |\n", defs[i].help);
    }
}
