// SPDX-License-Identifier: Apache-2.0
// Metric families of the ingestor, beside those of the HTTP client.
#ifndef ING_METRICS_H
#define ING_METRICS_H

#include "common/http_client.h"
#include "common/metrics.h"
#include "services/ingestor/provider.h"

enum ing_metric {
    ING_M_RETRIES,           // endpoint, reason
    ING_M_RETRIES_HELD,      // counter
    ING_M_RETRY_TOKENS,      // gauge
    ING_M_CIRCUIT,           // endpoint
    ING_M_CIRCUIT_OPENED,    // endpoint
    ING_M_KEY_REJECTED,      // gauge
    ING_M_RATE_WAIT,         // counter of seconds
    ING_M_RATE_TOKENS,       // gauge
    ING_M_BUDGET_CLAIMS,     // result
    ING_M_BUDGET_HOLDS,      // counter
    ING_M_BUDGET_USED,       // gauge
    ING_M_BUDGET_PARKED,     // gauge
    ING_M_RECORDS,           // type, result
    ING_M_PAGES,             // type
    ING_M_LAST_SUCCESS,      // type
    ING_M_WATERMARK,         // type
    ING_M_SYMBOLS,           // gauge
    ING_M_EXCLUDED,          // feed
    ING_M_PENDING_RANGES,    // type
    ING_M_BACKPRESSURE,      // counter
    ING_M_HEARTBEATS,        // counter
    ING_M_LATENESS,          // feed, priority; histogram
    ING_M_RECONCILED,        // result
    ING_M_RECONCILE_PENDING, // gauge
    ING_M_ANNOUNCED,         // difference; gauge
    ING_M_STATE_DIFFERS,     // gauge
    ING_M_CLOCK_SKEW,        // gauge
    ING_M_GAP_MINUTES,       // gauge
    ING_M_MAX
};
extern const struct mf_metric_def ing_metric_defs[ING_M_MAX];

// Makes the known series, so that they are there before the first event.
void ing_metrics_declare(struct mf_metrics *metrics);
const char *ing_metric_type(enum ing_feed feed); // the events' type: "bar", "news", …

#endif
