// SPDX-License-Identifier: Apache-2.0
// What leaves the fold: the record itself, what the processor makes of it, dead letters. In a replay nothing
// does.
#include "services/processor/fold_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#define COLLECTED_KEPT ((size_t)1024 * 1024) // bytes of memory kept between heartbeats

void prc_fold_pass(struct prc_fold *fold, enum mf_topic_role role, unsigned revision, unsigned flags,
                   const struct prc_cell *joined)
{
    if (prc_fold_replays(fold))
        return;
    char scratch[MF_EVENT_KEY_MAX];
    struct prc_output output = {.role = role,
                                .key = mf_event_key(&fold->event, scratch),
                                .value = fold->input->value,
                                .revision = revision,
                                .flags = flags,
                                .joined = joined};
    fold->emit(fold->emit_arg, &output);
}

void prc_fold_made_init(struct prc_fold *fold)
{
    mf_event_init(&fold->metric, MF_EVENT_METRIC);
    mf_event_init(&fold->alert, MF_EVENT_ALERT);
    mf_event_init(&fold->derived, MF_EVENT_BAR);
    fold->metric.source = fold->alert.source = fold->derived.source = MF_STR("processor");
}

void prc_fold_made_begin(struct prc_fold *fold, struct mf_event *made, const struct prc_cell *cell,
                         enum mf_asset_class asset_class, int64_t event_time_us, unsigned flags,
                         enum mf_provenance_mode mode)
{
    made->symbol = (struct mf_str){cell->symbol, cell->symbol_len};
    made->asset_class = asset_class;
    made->lane = (struct mf_str){cell->lane, cell->home->lane_len};
    made->event_time_us = event_time_us;
    made->ingest_time_us = fold->event.ingest_time_us;
    made->flags = flags;
    made->mode = mode;
}

static void keep(struct prc_fold *fold, enum mf_topic_role role, const struct prc_about *about)
{
    struct prc_collector *collector = &fold->collector;
    if (collector->count == collector->capacity) {
        collector->capacity = collector->capacity == 0 ? 64 : collector->capacity * 2;
        collector->items = mf_realloc(collector->items, collector->capacity * sizeof(*collector->items));
    }
    size_t from = collector->bytes.len;
    mf_buf_add_str(&collector->bytes, mf_buf_str(&fold->out));
    assert(!collector->bytes.overflow); // 1 GiB: the state that could cause more does not fit into memory
    collector->items[collector->count] =
        (struct prc_collected){.role = role,
                               .key = {about->cell->symbol, about->cell->symbol_len},
                               .from = from,
                               .len = fold->out.len,
                               .end_us = about->end_us,
                               .source = about->series != NULL ? about->series->key.source : "",
                               .interval = about->series != NULL ? about->series->key.interval : 0,
                               .rule = about->rule,
                               .place = collector->count};
    collector->count++;
}

void prc_fold_made_emit(struct prc_fold *fold, const struct mf_event *made, enum mf_topic_role role,
                        const struct prc_about *about)
{
    struct mf_error err;
    mf_buf_clear(&fold->out);
    if (mf_event_encode(made, &fold->out, &err) < 0) {
        // What we make ourselves from a valid record can only fail by a number out of range: say so, lose
        // nothing.
        prc_fold_dead_letter(fold, true, err.code, err.message);
        return;
    }
    if (fold->collector.on) {
        keep(fold, role, about);
        return;
    }
    struct prc_output output = {.role = role, .key = made->symbol, .value = mf_buf_str(&fold->out)};
    fold->emit(fold->emit_arg, &output);
}

void prc_fold_collect(struct prc_fold *fold)
{
    fold->collector.on = !prc_fold_replays(fold);
    fold->collector.count = 0;
    mf_buf_clear(&fold->collector.bytes);
}

static int rank(enum mf_topic_role role)
{
    return role == MF_TOPIC_BARS_FILTERED ? 0 : role == MF_TOPIC_METRICS ? 1 : 2;
}

static int compare(const void *left, const void *right)
{
    const struct prc_collected *a = left, *b = right;
    if (a->end_us != b->end_us)
        return a->end_us < b->end_us ? -1 : 1;
    int order = mf_str_cmp(a->key, b->key);
    if (order == 0)
        order = (int)a->interval - (int)b->interval;
    if (order == 0)
        order = strcmp(a->source, b->source);
    if (order == 0)
        order = rank(a->role) - rank(b->role);
    if (order == 0)
        order = a->rule - b->rule;
    return order != 0 ? order : a->place < b->place ? -1 : 1;
}

void prc_fold_flush(struct prc_fold *fold, bool sorted)
{
    struct prc_collector *collector = &fold->collector;
    if (!collector->on)
        return;
    collector->on = false;
    if (sorted && collector->count > 1)
        qsort(collector->items, collector->count, sizeof(*collector->items), compare);
    for (size_t i = 0; i < collector->count; i++) {
        const struct prc_collected *item = &collector->items[i];
        struct prc_output output = {
            .role = item->role, .key = item->key, .value = {collector->bytes.data + item->from, item->len}};
        fold->emit(fold->emit_arg, &output);
    }
    collector->count = 0;
    mf_buf_clear(&collector->bytes);
    mf_buf_trim(&collector->bytes, COLLECTED_KEPT);
}

static void count_dead_letter(struct prc_fold *fold, const char *reason)
{
    size_t i = 0;
    while (i < fold->dead_letter_reasons && (fold->dead_letters[i].role != fold->partition->role ||
                                             strcmp(fold->dead_letters[i].reason, reason) != 0))
        i++;
    if (i == PRC_DEAD_LETTER_REASONS_MAX)
        i--; // the reasons are a closed set well below the limit; never lose the count
    if (i == fold->dead_letter_reasons) {
        fold->dead_letters[i].role = fold->partition->role;
        snprintf(fold->dead_letters[i].reason, sizeof(fold->dead_letters[i].reason), "%s", reason);
        fold->dead_letter_reasons++;
    }
    fold->dead_letters[i].count++;
}

static void fill_letter(struct prc_fold *fold, bool decoded, const char *reason, const char *detail)
{
    const struct prc_input *input = fold->input;
    struct mf_event *letter = &fold->letter;
    bool has_symbol = decoded && fold->event.symbol.data != NULL;
    mf_event_init(letter, MF_EVENT_DEAD_LETTER);
    letter->symbol = has_symbol ? fold->event.symbol : MF_STR("_UNKNOWN");
    letter->asset_class = decoded ? fold->event.asset_class : MF_ASSET_STOCK;
    letter->source = MF_STR("processor");
    letter->lane = decoded ? fold->event.lane : MF_STR("live");
    letter->event_time_us = letter->ingest_time_us = mf_time_keep_ms(input->timestamp_ms) * MF_US_PER_MS;
    letter->flags = decoded ? fold->event.flags & MF_FLAG_IS_MOCK : 0;
    letter->mode = decoded ? fold->event.mode : MF_MODE_REST;
    letter->dead_letter.stage = MF_STR("process");
    letter->dead_letter.reason = mf_str_of(reason);
    letter->dead_letter.detail = mf_str_of(detail);
    letter->dead_letter.raw = input->value.data != NULL ? input->value : MF_STR("");
    letter->dead_letter.attempts = 1;
    letter->dead_letter.origin = (struct mf_origin){.topic = mf_str_of(input->topic),
                                                    .partition = fold->partition->number,
                                                    .offset = input->offset,
                                                    .timestamp_ms = mf_time_keep_ms(input->timestamp_ms),
                                                    .page = -1,
                                                    .index = -1};
}

void prc_fold_dead_letter(struct prc_fold *fold, bool decoded, const char *reason, const char *detail)
{
    if (prc_fold_replays(fold))
        return;
    struct mf_error err;
    fill_letter(fold, decoded, reason, detail);
    mf_buf_clear(&fold->out);
    int rc = mf_event_encode(&fold->letter, &fold->out, &err);
    assert(rc == 0); // built from checked parts and cut to size: a failure is a bug here, never a bad record
    (void)rc;
    char scratch[MF_EVENT_KEY_MAX];
    struct prc_output output = {.role = MF_TOPIC_DLQ,
                                .key = mf_event_key(&fold->letter, scratch),
                                .value = mf_buf_str(&fold->out),
                                .origin = &fold->letter.dead_letter.origin};
    count_dead_letter(fold, reason);
    fold->counts.events[decoded ? fold->event.type : MF_EVENT_BAR][PRC_INVALID]++;
    fold->emit(fold->emit_arg, &output);
}
