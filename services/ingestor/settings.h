// SPDX-License-Identifier: Apache-2.0
// Settings of the ingestor: its tables, and a typed copy of what the running parts need.
#ifndef ING_SETTINGS_H
#define ING_SETTINGS_H

#include "common/settings.h"
#include "services/ingestor/provider.h"
#include "services/ingestor/symbols.h"

extern const struct mf_setting_table ing_settings_polygon;        // POLYGON_*
extern const struct mf_setting_table ing_settings_ingest;         // INGEST_*
extern const struct mf_setting_table *const ing_setting_tables[]; // all of the binary, NULL-terminated
extern const char *const ing_setting_prefixes[];

// Times in ms as in the settings. Strings belong to the settings it was filled from.
struct ing_config {
    const char *base_url, *api_key, *ca_file;
    const char *const *allowed_hosts; // NULL-terminated, owned
    unsigned requests_per_minute, requests_per_day;
    int64_t rate_window_ms, delay_ms, rate_limit_wait_ms, connect_timeout_ms, request_timeout_ms,
        low_speed_timeout_ms;
    size_t body_max, answer_bytes; // answer_bytes 0 = no limit
    int64_t poll_ms, closed_poll_ms, news_poll_ms, overlap_ms, news_overlap_ms, settle_ms;
    int64_t heartbeat_ms, heartbeat_exclude_ms, reconcile_after_ms;
    int64_t retry_base_ms, retry_max_ms, progress_ms;
    int64_t circuit_open_ms;
    int64_t market_status_ms;
    unsigned circuit_failures, retries_per_minute, implausible_factor;
    unsigned retry_attempts, parallel, bars_page_limit, news_page_limit;
    unsigned reference_page_limit, pages_max;
    bool budget_shared; // with all processes that use the key
    bool publish_forming, warmup, minute_bars, day_bars, news, reconcile, reference, market_status;
    unsigned reference_minute; // of a UTC day
    enum mf_adjusted adjusted;
    struct ing_shard shard;
    int32_t partitions;
    const char *topic_raw, *topic_backfill, *topic_dlq, *topic_watermarks, *topic_budget;
};
void ing_config_fill(const struct mf_settings *settings, struct ing_config *config);
// For mf_service_ops: values that are right alone and do not fit together, and the symbols, whose file is
// read.
void ing_check_settings(const struct mf_settings *settings, struct mf_buf *problems);
void ing_config_free(struct ing_config *config);

#endif
