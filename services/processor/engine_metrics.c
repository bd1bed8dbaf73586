// SPDX-License-Identifier: Apache-2.0
#include "services/processor/engine_private.h"

#define STATE_BYTES_US (60 * MF_US_PER_SECOND) // walking all cells takes milliseconds

static void sync_counts(struct prc_engine *engine)
{
    struct mf_metrics *metrics = engine->service->metrics;
    const struct prc_counts *counts = prc_fold_counts(engine->fold);
    for (int t = 0; t < MF_EVENT_TYPE_MAX; t++) {
        for (int r = 0; r < PRC_RESULT_MAX; r++)
            if (engine->events[t][r] != NULL)
                mf_metric_set(engine->events[t][r], (double)counts->events[t][r]);
        if (counts->last_event_time_us[t] != 0)
            mf_metric_set(MF_METRIC(metrics, &prc_metric_defs[PRC_M_LAST_EVENT],
                                    mf_event_type_name((enum mf_event_type)t)),
                          (double)counts->last_event_time_us[t] / 1e6);
    }
    for (int rule = 0; rule < PRC_RULE_MAX; rule++)
        for (int s = 0; s < MF_SEVERITY_MAX; s++)
            mf_metric_set(MF_METRIC(metrics, &prc_metric_defs[PRC_M_ALERTS], prc_rules[rule].id,
                                    mf_severity_name((enum mf_severity)s)),
                          (double)counts->alerts[rule][s]);
    mf_metric_set(MF_METRIC(metrics, &prc_metric_defs[PRC_M_METRIC_EVENTS], "bar"),
                  (double)counts->metric_events);
    mf_metric_set(MF_METRIC0(metrics, &prc_metric_defs[PRC_M_DERIVED_BARS]), (double)counts->derived_bars);
    mf_metric_set(MF_METRIC0(metrics, &prc_metric_defs[PRC_M_ROLLUPS_MISSED]),
                  (double)counts->rollups_missed);
    mf_metric_set(MF_METRIC0(metrics, &prc_metric_defs[PRC_M_STATE_REFUSALS]),
                  (double)counts->state_refusals);
}

double prc_assigned_floor_age_seconds(const struct prc_assigned *assigned)
{
    const struct prc_cell *oldest = assigned->state != NULL ? assigned->state->dirty_oldest : NULL;
    if (oldest == NULL)
        return 0;
    double age = (double)(mf_clock_monotonic_us() - oldest->dirty_since_us) / 1e6;
    // Dirty from a replay on: its record is older than that.
    if (assigned->floor_ms > 0 && oldest->dirty_at < assigned->committed)
        age = (double)mf_clock_real_us() / 1e6 - (double)assigned->floor_ms / 1e3;
    return age > 0 ? age : 0;
}

static void show_state(struct prc_engine *engine)
{
    struct mf_metrics *metrics = engine->service->metrics;
    const struct mf_metric_def *defs = prc_metric_defs;
    size_t cells = 0, dirty = engine->txn_cells, bytes = 0;
    double age = 0;
    int64_t now_us = mf_clock_monotonic_us();
    bool count = engine->state_bytes_us == 0 || now_us - engine->state_bytes_us >= STATE_BYTES_US;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->state == NULL)
            continue;
        double its = prc_assigned_floor_age_seconds(assigned);
        age = its > age ? its : age;
        cells += assigned->state->count;
        dirty += assigned->state->dirty_count;
        bytes += count ? prc_partition_bytes(assigned->state) : 0;
    }
    mf_metric_set(MF_METRIC0(metrics, &defs[PRC_M_STATE_SYMBOLS]), (double)cells);
    mf_metric_set(MF_METRIC0(metrics, &defs[PRC_M_STATE_DIRTY]), (double)dirty);
    mf_metric_set(MF_METRIC0(metrics, &defs[PRC_M_FLOOR_AGE]), age);
    mf_metric_set(MF_METRIC0(metrics, &defs[PRC_M_RESTORE_REMAINING]), (double)prc_restore_remaining(engine));
    if (count) {
        mf_metric_set(MF_METRIC0(metrics, &defs[PRC_M_STATE_BYTES]), (double)bytes);
        engine->state_bytes_us = cells > 0 ? now_us : 0;
    }
    for (int kind = 0; kind < PRC_CHANGELOG_KIND_MAX; kind++) {
        const char *name = prc_changelog_kind_name((enum prc_changelog_kind)kind);
        mf_metric_set(MF_METRIC(metrics, &defs[PRC_M_CHANGELOG_RECORDS], name),
                      (double)engine->changelog.records[kind]);
        mf_metric_set(MF_METRIC(metrics, &defs[PRC_M_CHANGELOG_BYTES], name),
                      (double)engine->changelog.bytes[kind]);
    }
}

static void on_collect(void *arg)
{
    struct prc_engine *engine = arg;
    struct mf_metrics *metrics = engine->service->metrics;
    if (engine->fold == NULL)
        return;
    sync_counts(engine);
    show_state(engine);
    enum mf_topic_role role = MF_TOPIC_RAW;
    uint64_t count = 0;
    const char *reason = NULL;
    for (size_t i = 0; (reason = prc_fold_dead_letters(engine->fold, i, &role, &count)) != NULL; i++)
        mf_metric_set(MF_METRIC(metrics, &mf_common_metrics[MF_M_DEAD_LETTERS], engine->topics[role], reason),
                      (double)count);
}

void prc_engine_metrics_init(struct prc_engine *engine)
{
    static const enum mf_event_type inputs[] = {MF_EVENT_BAR,
                                                MF_EVENT_NEWS,
                                                MF_EVENT_OPTION_BAR,
                                                MF_EVENT_SYMBOL,
                                                MF_EVENT_CORPORATE_ACTION,
                                                MF_EVENT_FEED_STATUS,
                                                MF_EVENT_HEARTBEAT};
    struct mf_metrics *metrics = engine->service->metrics;
    const struct mf_metric_def *defs = prc_metric_defs;
    for (size_t i = 0; i < MF_ARRAY_LEN(inputs); i++) {
        const char *type = mf_event_type_name(inputs[i]);
        for (int r = 0; r < PRC_RESULT_MAX; r++)
            engine->events[inputs[i]][r] =
                MF_METRIC(metrics, &defs[PRC_M_EVENTS], type, prc_result_name((enum prc_result)r));
        engine->folding[inputs[i]] = MF_METRIC(metrics, &defs[PRC_M_PROCESSING], type);
        engine->age[inputs[i]] = MF_METRIC(metrics, &defs[PRC_M_AGE], type);
    }
    engine->txn_committed = MF_METRIC(metrics, &defs[PRC_M_TRANSACTIONS], "committed");
    engine->txn_aborted = MF_METRIC(metrics, &defs[PRC_M_TRANSACTIONS], "aborted");
    engine->txn_unknown = MF_METRIC(metrics, &defs[PRC_M_TRANSACTIONS], "unknown");
    engine->txn_size = MF_METRIC0(metrics, &defs[PRC_M_TRANSACTION_RECORDS]);
    engine->commit_block = MF_METRIC0(metrics, &defs[PRC_M_COMMIT_BLOCK]);
    engine->restore_seconds = MF_METRIC0(metrics, &defs[PRC_M_RESTORE_SECONDS]);
    engine->restored_cells = MF_METRIC0(metrics, &defs[PRC_M_RESTORED_CELLS]);
    engine->replayed_records = MF_METRIC0(metrics, &defs[PRC_M_REPLAYED]);
    engine->cold = MF_METRIC0(metrics, &defs[PRC_M_STATE_COLD]);
    mf_metrics_on_collect(metrics, on_collect, engine);
}
