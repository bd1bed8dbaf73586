// SPDX-License-Identifier: Apache-2.0
// The transactional loop: consume → fold → produce; outputs, dead letters, snapshots of state and input
// offsets in the same Kafka transaction. After any outcome that is not known, the producer is made again
// under the same transactional.id. State comes from market.processor.changelog, by one path for a start, a
// rebalance and an abort: read the changelog, go back to the floor, replay to the committed offset without
// outputs. Ownership: prc_engine_new/free; borrowed: the service. Errors decided here: CONFIG and FATAL end
// the process (fenced, state that does not fit), everything else is retried with backoff.
#ifndef PRC_ENGINE_H
#define PRC_ENGINE_H

#include "common/kafka.h"
#include "common/service.h"
#include "services/processor/fold.h"

struct prc_engine;

// Does not touch the network. CONFIG when there is no calendar to be had.
int prc_engine_new(struct mf_service *service, struct prc_engine **out, struct mf_error *err);
void prc_engine_free(struct prc_engine **out);
// Finishes the open transaction, stores what is not stored yet, leaves the group, then calls
// mf_service_drained.
void prc_engine_drain(struct prc_engine *engine);
void prc_engine_check_ready(struct prc_engine *engine, struct mf_health *health);
bool prc_engine_is_alive(struct prc_engine *engine);
void prc_engine_status(struct prc_engine *engine, char *text, size_t size);

extern const struct mf_setting_table prc_settings_table;
enum prc_metric_id {
    PRC_M_EVENTS,        // type, result
    PRC_M_PROCESSING,    // type
    PRC_M_AGE,           // type
    PRC_M_LAST_EVENT,    // type
    PRC_M_ALERTS,        // rule, severity
    PRC_M_METRIC_EVENTS, // kind
    PRC_M_DERIVED_BARS,
    PRC_M_ROLLUPS_MISSED,
    PRC_M_STATE_SYMBOLS,
    PRC_M_STATE_BYTES,
    PRC_M_STATE_DIRTY,
    PRC_M_STATE_REFUSALS,
    PRC_M_STATE_COLD,
    PRC_M_FLOOR_AGE,
    PRC_M_CHANGELOG_RECORDS, // kind
    PRC_M_CHANGELOG_BYTES,   // kind
    PRC_M_RESTORE_SECONDS,
    PRC_M_RESTORE_REMAINING,
    PRC_M_RESTORED_CELLS,
    PRC_M_REPLAYED,
    PRC_M_TRANSACTIONS, // result
    PRC_M_TRANSACTION_RECORDS,
    PRC_M_COMMIT_BLOCK,
    PRC_M_MAX
};
extern const struct mf_metric_def prc_metric_defs[PRC_M_MAX];

#endif
