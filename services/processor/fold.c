// SPDX-License-Identifier: Apache-2.0
#include "services/processor/fold.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/processor/fold_private.h"

// How far ahead of its own ingest_time an event may lie; bars get two intervals (N50 of the provider notes).
#define FUTURE_TOLERANCE_US (15 * MF_US_PER_MINUTE)

const char *prc_result_name(enum prc_result result)
{
    static const char *const names[PRC_RESULT_MAX] = {"kept", "late", "duplicate", "corrected", "invalid"};
    return names[result];
}

struct prc_fold *prc_fold_new(const struct prc_rule_config *rules, size_t max_cells)
{
    struct prc_fold *fold = mf_calloc(1, sizeof(*fold));
    fold->rules = *rules;
    fold->cells = prc_cells_new(max_cells);
    fold->json = mf_json_new();
    mf_buf_init(&fold->out, MF_DEAD_LETTER_SIZE_MAX);
    return fold;
}

void prc_fold_free(struct prc_fold **fold)
{
    if (*fold == NULL)
        return;
    prc_cells_free(&(*fold)->cells);
    mf_json_free(&(*fold)->json);
    mf_buf_free(&(*fold)->out);
    free(*fold);
    *fold = NULL;
}

void prc_fold_count(struct prc_fold *fold, enum prc_result result)
{
    fold->counts.events[fold->event.type][result]++;
}

static bool is_future(const struct mf_event *event)
{
    int64_t tolerance = FUTURE_TOLERANCE_US;
    if (event->type == MF_EVENT_BAR || event->type == MF_EVENT_OPTION_BAR) {
        enum mf_interval interval =
            event->type == MF_EVENT_BAR ? event->bar.interval : event->option_bar.bar.interval;
        int64_t length = mf_interval_us(interval);
        tolerance = 2 * (length > 0 ? length : 31 * MF_US_PER_DAY);
    }
    return event->event_time_us > event->ingest_time_us + tolerance;
}

static bool lane_fits(enum mf_topic_role role, struct mf_str lane)
{
    return (role == MF_TOPIC_RAW) == mf_str_eq_c(lane, "live");
}

static void fold_heartbeat(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    prc_fold_count(fold, PRC_KEPT);
    if (event->heartbeat.lane_end)
        prc_cells_end_lane(fold->cells, fold->input->partition, event->lane);
}

static void dispatch(struct prc_fold *fold)
{
    switch (fold->event.type) {
    case MF_EVENT_BAR: prc_fold_bar(fold); break;
    case MF_EVENT_NEWS: prc_fold_news(fold); break;
    case MF_EVENT_OPTION_BAR: prc_fold_reference(fold, MF_TOPIC_OPTION_BARS_FILTERED); break;
    case MF_EVENT_SYMBOL: prc_fold_reference(fold, MF_TOPIC_SYMBOLS_FILTERED); break;
    case MF_EVENT_CORPORATE_ACTION: prc_fold_reference(fold, MF_TOPIC_CORPORATE_ACTIONS_FILTERED); break;
    case MF_EVENT_FEED_STATUS: prc_fold_reference(fold, MF_TOPIC_FEED_STATUS_FILTERED); break;
    default:
        prc_fold_dead_letter(fold, true, "unexpected_type",
                             "this type of event does not enter through market.raw");
    }
}

void prc_fold_record(struct prc_fold *fold, const struct prc_input *input, prc_emit_fn emit, void *arg)
{
    struct mf_error err;
    fold->input = input;
    fold->emit = emit;
    fold->emit_arg = arg;
    fold->decoded = false;
    const struct mf_event *event = &fold->event;
    if (input->value.data == NULL) {
        prc_fold_dead_letter(fold, false, "no_value", "the record has no value");
        return;
    }
    if (mf_event_decode(fold->json, input->value, &fold->event, NULL, &err) < 0) {
        prc_fold_dead_letter(fold, false, err.code, err.message);
        return;
    }
    fold->decoded = true;
    if (!lane_fits(input->role, event->lane)) {
        char detail[160];
        snprintf(detail, sizeof(detail), "lane %.*s does not belong on topic %s", MF_STR_ARG(event->lane),
                 input->topic);
        prc_fold_dead_letter(fold, true, "lane_mismatch", detail);
        return;
    }
    if (event->type == MF_EVENT_HEARTBEAT) {
        fold_heartbeat(fold);
        return;
    }
    if (is_future(event)) {
        prc_fold_dead_letter(fold, true, "future_timestamp",
                             "event_time lies ahead of the record's own ingest_time");
        return;
    }
    if (event->event_time_us > fold->counts.last_event_time_us[event->type])
        fold->counts.last_event_time_us[event->type] = event->event_time_us;
    dispatch(fold);
}

struct prc_cell *prc_fold_cell(struct prc_fold *fold)
{
    bool full = false;
    struct prc_cell *cell = prc_cells_touch(fold->cells, fold->input->partition, fold->event.lane,
                                            fold->event.symbol, true, &full);
    if (full) {
        fold->counts.state_refusals++;
        prc_fold_dead_letter(fold, true, "state_limit",
                             "the lane holds PROCESSOR_MAX_CELLS symbols on this partition");
    }
    return cell;
}

enum prc_result prc_fold_remember(struct prc_fold *fold, struct prc_cell *cell, struct prc_recent **entry)
{
    char key[MF_DEDUPE_KEY_MAX];
    size_t len = 0;
    struct mf_error err;
    if (mf_event_dedupe_key(&fold->event, key, &len, &err) < 0) {
        prc_fold_dead_letter(fold, true, err.code, err.message);
        return PRC_INVALID;
    }
    bool made = false;
    uint64_t content = fold->event.content.low;
    *entry = prc_cell_recent(cell, mf_hash64(key, len), &made);
    if (made) {
        (*entry)->content_hash = content;
        return PRC_KEPT;
    }
    if ((*entry)->content_hash == content)
        return PRC_DUPLICATE;
    (*entry)->content_hash = content;
    (*entry)->revision++;
    return PRC_CORRECTED;
}

struct prc_recent *prc_fold_reference(struct prc_fold *fold, enum mf_topic_role role)
{
    struct prc_cell *cell = prc_fold_cell(fold);
    struct prc_recent *entry = NULL;
    if (cell == NULL)
        return NULL;
    enum prc_result result = prc_fold_remember(fold, cell, &entry);
    if (result == PRC_INVALID)
        return NULL;
    prc_fold_count(fold, result);
    if (result == PRC_DUPLICATE)
        return NULL;
    prc_fold_pass(fold, role, entry->revision, result == PRC_CORRECTED ? PRC_OUT_CORRECTED : 0);
    return entry;
}

void prc_fold_last(const struct prc_fold *fold, enum mf_event_type *type, int64_t *ingest_time_us)
{
    *type = fold->decoded ? fold->event.type : MF_EVENT_TYPE_MAX;
    *ingest_time_us = fold->decoded ? fold->event.ingest_time_us : 0;
}

void prc_fold_commit(struct prc_fold *fold)
{
    prc_cells_commit(fold->cells);
}

void prc_fold_rollback(struct prc_fold *fold)
{
    prc_cells_rollback(fold->cells);
}

void prc_fold_clear(struct prc_fold *fold)
{
    prc_cells_clear(fold->cells);
}

const struct prc_counts *prc_fold_counts(const struct prc_fold *fold)
{
    return &fold->counts;
}

size_t prc_fold_cells(const struct prc_fold *fold)
{
    return prc_cells_count(fold->cells);
}

size_t prc_fold_bytes(const struct prc_fold *fold)
{
    return prc_cells_bytes(fold->cells);
}

const char *prc_fold_dead_letters(const struct prc_fold *fold, size_t index, enum mf_topic_role *role,
                                  uint64_t *count)
{
    if (index >= fold->dead_letter_reasons)
        return NULL;
    *role = fold->dead_letters[index].role;
    *count = fold->dead_letters[index].count;
    return fold->dead_letters[index].reason;
}
