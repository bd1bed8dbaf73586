// SPDX-License-Identifier: Apache-2.0
// Which state goes to the changelog with a transaction. Of every partition whose offset is committed its
// record; of the cells those that have waited for too long, then those whose replay would be the longest, for
// as long as the changelog has its share of the output left. With `settling`, every dirty one, piece by
// piece.
#include "services/processor/engine_private.h"

// Fewer records than this are replayed in no time: a cell that changes all the time is not stored each time.
#define REPLAY_WORTH_RECORDS 1000

static bool has_state(const struct prc_assigned *assigned)
{
    return assigned->phase == PRC_PHASE_READY && assigned->state != NULL && assigned->next >= 0;
}

static bool is_due(const struct prc_engine *engine, const struct prc_assigned *assigned, int64_t now_us)
{
    const struct prc_cell *oldest = assigned->state->dirty_oldest;
    return oldest != NULL && (now_us - oldest->dirty_since_us >= engine->snapshot_interval_us ||
                              assigned->history.count - assigned->history.start > PRC_HISTORY_MAX);
}

bool prc_engine_snapshot_due(const struct prc_engine *engine)
{
    int64_t now_us = mf_clock_monotonic_us();
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (has_state(&engine->assigned[i]) && is_due(engine, &engine->assigned[i], now_us))
            return true;
    return false;
}

size_t prc_engine_dirty(const struct prc_engine *engine)
{
    size_t dirty = 0;
    for (size_t i = 0; i < engine->assigned_count; i++)
        dirty += has_state(&engine->assigned[i]) ? engine->assigned[i].state->dirty_count : 0;
    return dirty;
}

// The partition whose oldest dirty cell is to be stored next; NULL: none.
static struct prc_assigned *pick(struct prc_engine *engine, int64_t now_us)
{
    struct prc_assigned *best = NULL;
    int64_t longest = REPLAY_WORTH_RECORDS - 1;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        if (!has_state(assigned) || assigned->state->dirty_oldest == NULL)
            continue;
        if (engine->settling || is_due(engine, assigned, now_us))
            return assigned;
        int64_t records = assigned->next - assigned->state->dirty_oldest->dirty_at;
        if (engine->changelog.allowance > 0 && records > longest) {
            longest = records;
            best = assigned;
        }
    }
    return best;
}

static int store_cells(struct prc_engine *engine, struct mf_error *err)
{
    int64_t now_us = mf_clock_monotonic_us(), written = 0;
    while (written < PRC_ALLOWANCE_MAX) {
        struct prc_assigned *assigned = pick(engine, now_us);
        if (assigned == NULL)
            break;
        // Every record below `next` is in it: none is folded until the transaction has ended.
        int64_t bytes = prc_changelog_cell(&engine->changelog, assigned->state, assigned->state->dirty_oldest,
                                           assigned->next, err);
        if (bytes < 0)
            return -1;
        assigned->in_txn = true;
        engine->txn_cells++;
        written += bytes;
    }
    return 0;
}

static int store_record(struct prc_engine *engine, struct prc_assigned *assigned, struct mf_error *err)
{
    struct prc_partition_record record = {.floor = prc_partition_floor(assigned->state, assigned->next),
                                          .committed = assigned->next,
                                          .shape = engine->shape,
                                          .cells = assigned->state->stored};
    bool other = !assigned->has_rules || assigned->rules != engine->rules;
    // A replay runs under one set of rules: the present ones when all that it would fold was folded with
    // them.
    if (other && record.floor >= assigned->rules_from) {
        if (prc_changelog_rules(&engine->changelog, assigned->state, assigned->next, &engine->config.rules,
                                err) < 0)
            return -1;
        assigned->has_rules = true;
        assigned->rules = engine->rules;
    }
    record.rules = assigned->rules;
    if (prc_changelog_record(&engine->changelog, assigned->state, &record,
                             prc_history_at(&assigned->history, record.floor), err) < 0)
        return -1;
    assigned->floor = record.floor;
    prc_history_trim(&assigned->history, record.floor);
    return 0;
}

int prc_engine_store(struct prc_engine *engine, struct mf_error *err)
{
    prc_changelog_earn(&engine->changelog, engine->txn_bytes);
    // Tombstones first: a cell of the same name may have been made again since.
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        if (!has_state(assigned) || assigned->state->removed.len == 0)
            continue;
        if (prc_changelog_removed(&engine->changelog, assigned->state, err) < 0)
            return -1;
        assigned->in_txn = true;
    }
    if (store_cells(engine, err) < 0)
        return -1;
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].in_txn && store_record(engine, &engine->assigned[i], err) < 0)
            return -1;
    return 0;
}

bool prc_engine_store_all(struct prc_engine *engine)
{
    bool pending = prc_engine_dirty(engine) > 0;
    for (size_t i = 0; i < engine->assigned_count; i++)
        pending = pending || engine->assigned[i].in_txn ||
                  (has_state(&engine->assigned[i]) && engine->assigned[i].state->removed.len > 0);
    if (engine->draining && mf_clock_monotonic_us() > engine->settle_until_us && pending) {
        MF_LOGF(engine->service->log, MF_LOG_WARNING, "processor", "state_not_stored",
                MF_FIELDS(mf_lf_i64("cells", (int64_t)prc_engine_dirty(engine))),
                "leaving before all state is stored: the next start replays some input");
        return false;
    }
    if (!pending)
        return false;
    engine->settling = true;
    if (prc_engine_begin(engine) == 0)
        prc_engine_begin_flush(engine);
    return true; // also when the producer has to be made anew: that goes its own way
}
