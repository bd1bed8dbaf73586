// SPDX-License-Identifier: Apache-2.0
// Metric families of the ingestor. Data only.
#include "services/ingestor/metrics.h"

// Fine where a schedule that is kept lies, coarse where a budget is used up.
static const double lateness_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                          1,     2.5,    5,     10,   30,    60,   300, 1800};

const struct mf_metric_def ing_metric_defs[ING_M_MAX] = {
    [ING_M_RETRIES] = {.name = "marketflow_http_client_retries_total",
                       .type = MF_METRIC_COUNTER,
                       .help = "Requests repeated, by reason: 429, 5xx, transport, empty.",
                       .labels = {"endpoint", "reason"}},
    [ING_M_RETRIES_HELD] = {.name = "marketflow_retries_held_total",
                            .type = MF_METRIC_COUNTER,
                            .help = "Repeated requests that had to wait for the retry budget."},
    [ING_M_RETRY_TOKENS] =
        {.name = "marketflow_retry_budget_tokens",
         .type = MF_METRIC_GAUGE,
         .help = "Requests that may be repeated now within INGEST_RETRIES_PER_MINUTE; -1 without a limit."},
    [ING_M_CIRCUIT] = {.name = "marketflow_circuit_state",
                       .type = MF_METRIC_GAUGE,
                       .help = "Of the provider's endpoint: 0 closed, requests start; 1 half open, one finds "
                               "out; 2 open, none starts.",
                       .labels = {"endpoint"}},
    [ING_M_CIRCUIT_OPENED] = {.name = "marketflow_circuit_opened_total",
                              .type = MF_METRIC_COUNTER,
                              .help = "Times an endpoint failed too often in a row.",
                              .labels = {"endpoint"}},
    [ING_M_KEY_REJECTED] = {.name = "marketflow_ingest_key_rejected",
                            .type = MF_METRIC_GAUGE,
                            .help = "1 since the provider rejected the key, until it answers again."},
    [ING_M_RATE_WAIT] = {.name = "marketflow_rate_limit_wait_seconds_total",
                         .type = MF_METRIC_COUNTER,
                         .help = "Time in which a request was due and the limit let none start."},
    [ING_M_RATE_TOKENS] =
        {.name = "marketflow_rate_limit_tokens",
         .type = MF_METRIC_GAUGE,
         .help = "Requests that may start now within the limit per minute; -1 without a limit."},
    [ING_M_BUDGET_CLAIMS] =
        {.name = "marketflow_budget_claims_total",
         .type = MF_METRIC_COUNTER,
         .help = "Claims of the key's request budget, by result: granted, partial, refused, late (seen after "
                 "more than a second, wasted), lost (not delivered).",
         .labels = {"result"}},
    [ING_M_BUDGET_HOLDS] = {.name = "marketflow_budget_holds_total",
                            .type = MF_METRIC_COUNTER,
                            .help = "Answers 429 that other processes with the key were given and told of."},
    [ING_M_BUDGET_USED] = {.name = "marketflow_budget_used_today",
                           .type = MF_METRIC_GAUGE,
                           .help = "Requests of this UTC day that the key's processes have claimed."},
    [ING_M_BUDGET_PARKED] = {.name = "marketflow_budget_parked_until_timestamp_seconds",
                             .type = MF_METRIC_GAUGE,
                             .help = "When the used up budget of the day is renewed; 0 = it is not used up."},
    [ING_M_RECORDS] =
        {.name = "marketflow_ingest_records_total",
         .type = MF_METRIC_COUNTER,
         .help = "Rows of the provider, by what became of them: ok, invalid (dead letter), duplicate, "
                 "out_of_range, foreign (of another ticker), forming (a window that is not over).",
         .labels = {"type", "result"}},
    [ING_M_PAGES] = {.name = "marketflow_ingest_pages_total",
                     .type = MF_METRIC_COUNTER,
                     .help = "Pages published and acknowledged.",
                     .labels = {"type"}},
    [ING_M_LAST_SUCCESS] = {.name = "marketflow_ingest_last_success_timestamp_seconds",
                            .type = MF_METRIC_GAUGE,
                            .help = "When the newest acknowledged page was asked for.",
                            .labels = {"type"}},
    [ING_M_WATERMARK] = {.name = "marketflow_ingest_watermark_timestamp_seconds",
                         .type = MF_METRIC_GAUGE,
                         .help = "Oldest watermark of the symbols served (live mode).",
                         .labels = {"type"}},
    [ING_M_SYMBOLS] = {.name = "marketflow_ingest_symbols",
                       .type = MF_METRIC_GAUGE,
                       .help = "Symbols served by this shard, or asked for by this backfill."},
    [ING_M_EXCLUDED] = {.name = "marketflow_ingest_excluded_symbols",
                        .type = MF_METRIC_GAUGE,
                        .help = "Symbols that fail and no longer hold the heartbeats back.",
                        .labels = {"feed"}},
    [ING_M_PENDING_RANGES] = {.name = "marketflow_ingest_backfill_pending_ranges",
                              .type = MF_METRIC_GAUGE,
                              .help = "Series of a backfill that have not ended.",
                              .labels = {"type"}},
    [ING_M_BACKPRESSURE] = {.name = "marketflow_ingest_backpressure_pauses_total",
                            .type = MF_METRIC_COUNTER,
                            .help = "Times the producer's queue was too full for new requests."},
    [ING_M_HEARTBEATS] = {.name = "marketflow_ingest_heartbeats_total",
                          .type = MF_METRIC_COUNTER,
                          .help = "Heartbeats sent."},
    [ING_M_LATENESS] = {.name = "marketflow_ingest_schedule_lateness_seconds",
                        .type = MF_METRIC_HISTOGRAM,
                        .help =
                            "How long after it was due a request started, retries and next pages included.",
                        .labels = {"feed", "priority"},
                        .buckets = lateness_buckets,
                        .bucket_count = MF_ARRAY_LEN(lateness_buckets)},
    [ING_M_RECONCILED] = {.name = "marketflow_ingest_reconcile_bars_total",
                          .type = MF_METRIC_COUNTER,
                          .help = "Minutes of sessions that were pulled again: unchanged, corrected, added, "
                                  "vanished (published, and no longer with the provider).",
                          .labels = {"result"}},
    [ING_M_ANNOUNCED] =
        {.name = "marketflow_ingest_announced_days",
         .type = MF_METRIC_GAUGE,
         .help = "Days that the exchanges announce otherwise than the built-in calendar has them: closed, "
                 "other_hours, opened.",
         .labels = {"difference"}},
    [ING_M_GAP_MINUTES] =
        {.name = "marketflow_ingest_gap_minutes",
         .type = MF_METRIC_GAUGE,
         .help = "Minutes of the session that most symbols have and one lacks, of all symbols."},
    [ING_M_STATE_DIFFERS] = {.name = "marketflow_ingest_market_state_differs",
                             .type = MF_METRIC_GAUGE,
                             .help =
                                 "1 when the provider last said that the market was in another state than "
                                 "the calendar had it."},
    [ING_M_CLOCK_SKEW] = {.name = "marketflow_ingest_provider_clock_skew_seconds",
                          .type = MF_METRIC_GAUGE,
                          .help = "The provider's clock less ours, when it last said what time it was."},
    [ING_M_RECONCILE_PENDING] = {.name = "marketflow_ingest_reconcile_pending_symbols",
                                 .type = MF_METRIC_GAUGE,
                                 .help = "Symbols whose last session is still to be pulled again."},
};

const char *ing_metric_type(enum ing_feed feed)
{
    return mf_event_type_name(ing_feeds[feed].type);
}

void ing_metrics_declare(struct mf_metrics *metrics)
{
    static const char *const results[] = {"ok", "invalid", "duplicate", "out_of_range", "foreign", "forming"};
    static const char *const reasons[] = {"429", "5xx", "transport", "empty"};
    static const char *const claims[] = {"granted", "partial", "refused", "late", "lost"};
    for (size_t i = 0; i < MF_ARRAY_LEN(claims); i++)
        MF_METRIC(metrics, &ing_metric_defs[ING_M_BUDGET_CLAIMS], claims[i]);
    MF_METRIC0(metrics, &ing_metric_defs[ING_M_BUDGET_HOLDS]);
    for (unsigned feed = 0; feed < ING_FEED_MAX; feed++) {
        const char *type = ing_metric_type((enum ing_feed)feed);
        for (size_t i = 0; i < MF_ARRAY_LEN(results); i++)
            MF_METRIC(metrics, &ing_metric_defs[ING_M_RECORDS], type, results[i]);
        for (size_t i = 0; i < MF_ARRAY_LEN(reasons); i++)
            MF_METRIC(metrics, &ing_metric_defs[ING_M_RETRIES], ing_feed_name((enum ing_feed)feed),
                      reasons[i]);
        MF_METRIC(metrics, &ing_metric_defs[ING_M_PAGES], type);
    }
    for (enum ing_endpoint endpoint = 0; endpoint < ING_ENDPOINT_MAX; endpoint++) {
        MF_METRIC(metrics, &ing_metric_defs[ING_M_CIRCUIT], ing_endpoint_name(endpoint));
        MF_METRIC(metrics, &ing_metric_defs[ING_M_CIRCUIT_OPENED], ing_endpoint_name(endpoint));
    }
    MF_METRIC0(metrics, &ing_metric_defs[ING_M_RETRIES_HELD]);
    MF_METRIC0(metrics, &ing_metric_defs[ING_M_KEY_REJECTED]);
    static const char *const reconciled[] = {"unchanged", "corrected", "added", "vanished"};
    for (size_t i = 0; i < MF_ARRAY_LEN(reconciled); i++)
        MF_METRIC(metrics, &ing_metric_defs[ING_M_RECONCILED], reconciled[i]);
    MF_METRIC0(metrics, &ing_metric_defs[ING_M_BACKPRESSURE]);
    MF_METRIC0(metrics, &ing_metric_defs[ING_M_RATE_WAIT]);
}
