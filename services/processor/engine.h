// SPDX-License-Identifier: Apache-2.0
// The transactional loop: consume → fold → produce, input offsets in the same Kafka transaction. After any
// outcome that is not known, the producer is made again under the same transactional.id and the consumer
// rewinds to what was committed. State lives in memory: an assignment starts its cells cold, and says so.
// Ownership: prc_engine_new/free; borrowed: the service. Errors decided here: FATAL ends the process
// (fenced), everything else is retried with backoff.
#ifndef PRC_ENGINE_H
#define PRC_ENGINE_H

#include "common/kafka.h"
#include "common/service.h"
#include "services/processor/fold.h"

struct prc_engine;

// Does not touch the network.
struct prc_engine *prc_engine_new(struct mf_service *service);
void prc_engine_free(struct prc_engine **out);
// Finishes the open transaction, leaves the group, then calls mf_service_drained.
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
    PRC_M_STATE_SYMBOLS,
    PRC_M_STATE_BYTES,
    PRC_M_STATE_REFUSALS,
    PRC_M_STATE_COLD,
    PRC_M_TRANSACTIONS, // result
    PRC_M_TRANSACTION_RECORDS,
    PRC_M_COMMIT_BLOCK,
    PRC_M_MAX
};
extern const struct mf_metric_def prc_metric_defs[PRC_M_MAX];

#endif
