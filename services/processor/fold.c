// SPDX-License-Identifier: Apache-2.0
// One record: is it one that can be taken, and whose is it.
#include "services/processor/fold.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/processor/fold_private.h"

// How far ahead of its own ingest_time an event may lie; bars get two intervals (N50 of the provider notes).
#define FUTURE_TOLERANCE_US (15 * MF_US_PER_MINUTE)
#define COLLECTED_MAX ((size_t)1 << 30) // bytes that one heartbeat may cause

const char *prc_result_name(enum prc_result result)
{
    static const char *const names[PRC_RESULT_MAX] = {"kept",      "late",    "duplicate",
                                                      "corrected", "invalid", "dropped"};
    return names[result];
}

struct prc_fold *prc_fold_new(const struct prc_fold_config *config)
{
    assert(config->calendar != NULL);
    struct prc_fold *fold = mf_calloc(1, sizeof(*fold));
    fold->rules = config->rules;
    fold->lateness_us = config->lateness_us;
    fold->rollups = config->rollups;
    fold->keep_interesting = config->keep_interesting;
    fold->calendar = config->calendar;
    fold->json = mf_json_new();
    mf_buf_init(&fold->out, MF_DEAD_LETTER_SIZE_MAX);
    mf_buf_init(&fold->collector.bytes, COLLECTED_MAX);
    prc_fold_made_init(fold);
    return fold;
}

void prc_fold_free(struct prc_fold **fold)
{
    if (*fold == NULL)
        return;
    mf_json_free(&(*fold)->json);
    mf_buf_free(&(*fold)->out);
    mf_buf_free(&(*fold)->collector.bytes);
    free((*fold)->collector.items);
    free((*fold)->agenda.items);
    free(*fold);
    *fold = NULL;
}

void prc_fold_set_rules(struct prc_fold *fold, const struct prc_rule_config *rules)
{
    fold->rules = *rules;
}

void prc_fold_count(struct prc_fold *fold, enum prc_result result)
{
    if (!prc_fold_replays(fold))
        fold->counts.events[fold->event.type][result]++;
}

bool prc_fold_session(struct prc_fold *fold, int32_t day, int64_t *midnight_us,
                      struct mf_calendar_session *session)
{
    if (!fold->day.known || fold->day.day != day) {
        struct mf_date date = mf_date_from_days(day);
        fold->day.known = true;
        fold->day.day = day;
        fold->day.midnight_us = mf_calendar_midnight_us(fold->calendar, date);
        fold->day.has_session = mf_calendar_session_of(fold->calendar, date, &fold->day.session);
    }
    *midnight_us = fold->day.midnight_us;
    if (fold->day.has_session)
        *session = fold->day.session;
    return fold->day.has_session;
}

static bool is_future(const struct mf_event *event)
{
    int64_t tolerance = FUTURE_TOLERANCE_US;
    if (event->type == MF_EVENT_BAR || event->type == MF_EVENT_OPTION_BAR) {
        enum mf_interval interval =
            event->type == MF_EVENT_BAR ? event->bar.interval : event->option_bar.bar.interval;
        tolerance = 2 * mf_interval_longest_us(interval);
    }
    return event->event_time_us > event->ingest_time_us + tolerance;
}

static bool lane_fits(enum mf_topic_role role, struct mf_str lane)
{
    return (role == MF_TOPIC_RAW) == mf_str_eq(lane, MF_STR("live"));
}

static void dispatch(struct prc_fold *fold)
{
    switch (fold->event.type) {
    case MF_EVENT_BAR: prc_fold_bar(fold); break;
    case MF_EVENT_NEWS: prc_fold_news(fold); break;
    case MF_EVENT_OPTION_BAR: prc_fold_option_bar(fold); break;
    case MF_EVENT_SYMBOL: prc_fold_reference(fold, MF_TOPIC_SYMBOLS_FILTERED); break;
    case MF_EVENT_CORPORATE_ACTION: prc_fold_reference(fold, MF_TOPIC_CORPORATE_ACTIONS_FILTERED); break;
    case MF_EVENT_FEED_STATUS: prc_fold_reference(fold, MF_TOPIC_FEED_STATUS_FILTERED); break;
    default:
        prc_fold_dead_letter(fold, true, "unexpected_type",
                             "this type of event does not enter through market.raw");
    }
}

static void take(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    if (!lane_fits(fold->partition->role, event->lane)) {
        char detail[160];
        snprintf(detail, sizeof(detail), "lane %.*s does not belong on topic %s", MF_STR_ARG(event->lane),
                 fold->input->topic);
        prc_fold_dead_letter(fold, true, "lane_mismatch", detail);
        return;
    }
    if (event->type == MF_EVENT_HEARTBEAT) {
        if (event->heartbeat.lane_end && fold->partition->role == MF_TOPIC_RAW)
            prc_fold_dead_letter(fold, true, "lane_mismatch",
                                 "lane live has no end: lane_end is of backfill lanes");
        else
            prc_fold_heartbeat(fold);
        return;
    }
    if (is_future(event)) {
        prc_fold_dead_letter(fold, true, "future_timestamp",
                             "event_time lies ahead of the record's own ingest_time");
        return;
    }
    int64_t *last_us = &fold->counts.last_event_time_us[event->type];
    if (!prc_fold_replays(fold) && event->event_time_us > *last_us)
        *last_us = event->event_time_us;
    dispatch(fold);
}

void prc_fold_record(struct prc_fold *fold, struct prc_partition *partition, const struct prc_input *input,
                     prc_emit_fn emit, void *arg)
{
    struct mf_error err;
    fold->partition = partition;
    fold->input = input;
    fold->emit = emit;
    fold->emit_arg = arg;
    fold->decoded = false;
    if (input->key.data != NULL) // it comes while the record is read
        prc_partition_expect(partition, input->key);
    if (input->value.data == NULL) {
        prc_fold_dead_letter(fold, false, "no_value", "the record has no value");
        return;
    }
    if (mf_event_decode(fold->json, input->value, &fold->event, NULL, &err) < 0) {
        prc_fold_dead_letter(fold, false, err.code, err.message);
        return;
    }
    fold->decoded = true;
    take(fold);
}

struct prc_cell *prc_fold_cell(struct prc_fold *fold, enum mf_topic_role role)
{
    const struct mf_event *event = &fold->event;
    bool full = false;
    if (fold->input->replayed && fold->partition->role == MF_TOPIC_RAW_BACKFILL) {
        const struct prc_lane *lane = prc_partition_lane(fold->partition, event->lane, false);
        if (lane == NULL || lane->cells == 0) { // the run is over: nobody would ever end the lane again
            prc_fold_count(fold, PRC_LATE);
            prc_fold_pass(fold, role, 0, PRC_OUT_LATE, NULL);
            return NULL;
        }
    }
    struct prc_cell *cell = prc_partition_cell(fold->partition, event->lane, event->symbol, true, &full);
    if (cell != NULL)
        prc_cell_expect(cell);
    if (full) {
        fold->counts.state_refusals += !prc_fold_replays(fold);
        prc_fold_dead_letter(fold, true, "state_limit",
                             "the partition holds as many lanes, or the lane as many symbols "
                             "(PROCESSOR_MAX_CELLS), as it may");
    }
    return cell == NULL || prc_fold_knows(fold, cell) ? NULL : cell;
}

struct prc_cell *prc_fold_bar_cell(struct prc_fold *fold, enum mf_topic_role role)
{
    if (mf_str_eq(fold->event.source, MF_STR("processor"))) {
        prc_fold_dead_letter(fold, true, "unexpected_type", "derived bars do not enter through market.raw");
        return NULL;
    }
    if ((fold->event.flags & MF_FLAG_FORMING) != 0) { // not final: passed on, never folded
        prc_fold_count(fold, PRC_KEPT);
        prc_fold_pass(fold, role, 0, 0, NULL);
        return NULL;
    }
    return prc_fold_cell(fold, role);
}

void prc_fold_last(const struct prc_fold *fold, enum mf_event_type *type, int64_t *ingest_time_us)
{
    *type = fold->decoded ? fold->event.type : MF_EVENT_TYPE_MAX;
    *ingest_time_us = fold->decoded ? fold->event.ingest_time_us : 0;
}

const struct prc_counts *prc_fold_counts(const struct prc_fold *fold)
{
    return &fold->counts;
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
