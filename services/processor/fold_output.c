// SPDX-License-Identifier: Apache-2.0
// What leaves the fold: the record itself, what the processor makes of it, dead letters.
#include "services/processor/fold_private.h"

#include <stdio.h>

#include "common/clock.h"

void prc_fold_pass(struct prc_fold *fold, enum mf_topic_role role, unsigned revision, unsigned flags)
{
    char scratch[MF_EVENT_KEY_MAX];
    struct prc_output output = {.role = role,
                                .key = mf_event_key(&fold->event, scratch),
                                .value = fold->input->value,
                                .revision = revision,
                                .flags = flags};
    fold->emit(fold->emit_arg, &output);
}

void prc_fold_made_begin(struct prc_fold *fold, enum mf_event_type type, int64_t event_time_us,
                         unsigned flags, enum mf_provenance_mode mode)
{
    mf_event_init(&fold->made, type);
    fold->made.symbol = fold->event.symbol;
    fold->made.asset_class = fold->event.asset_class;
    fold->made.source = MF_STR("processor");
    fold->made.lane = fold->event.lane;
    fold->made.event_time_us = event_time_us;
    fold->made.ingest_time_us = fold->event.ingest_time_us;
    fold->made.flags = flags;
    fold->made.mode = mode;
}

void prc_fold_made_emit(struct prc_fold *fold, enum mf_topic_role role)
{
    struct mf_error err;
    mf_buf_clear(&fold->out);
    if (mf_event_encode(&fold->made, &fold->out, &err) < 0) {
        // What we make ourselves from a valid record can only fail by a number out of range: say so, lose
        // nothing.
        prc_fold_dead_letter(fold, true, err.code, err.message);
        return;
    }
    char scratch[MF_EVENT_KEY_MAX];
    struct prc_output output = {
        .role = role, .key = mf_event_key(&fold->made, scratch), .value = mf_buf_str(&fold->out)};
    fold->emit(fold->emit_arg, &output);
}

static void count_dead_letter(struct prc_fold *fold, const char *reason)
{
    size_t i = 0;
    while (i < fold->dead_letter_reasons && (fold->dead_letters[i].role != fold->input->role ||
                                             strcmp(fold->dead_letters[i].reason, reason) != 0))
        i++;
    if (i == PRC_DEAD_LETTER_REASONS_MAX)
        i--; // the reasons are a closed set well below the limit; never lose the count
    if (i == fold->dead_letter_reasons) {
        fold->dead_letters[i].role = fold->input->role;
        snprintf(fold->dead_letters[i].reason, sizeof(fold->dead_letters[i].reason), "%s", reason);
        fold->dead_letter_reasons++;
    }
    fold->dead_letters[i].count++;
}

void prc_fold_dead_letter(struct prc_fold *fold, bool decoded, const char *reason, const char *detail)
{
    const struct prc_input *input = fold->input;
    struct mf_event *letter = &fold->made;
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
                                                    .partition = input->partition,
                                                    .offset = input->offset,
                                                    .timestamp_ms = mf_time_keep_ms(input->timestamp_ms),
                                                    .page = -1,
                                                    .index = -1};
    mf_buf_clear(&fold->out);
    struct mf_error err;
    int rc = mf_event_encode(letter, &fold->out, &err);
    assert(rc == 0); // built from checked parts and cut to size: a failure is a bug here, never a bad record
    (void)rc;
    char scratch[MF_EVENT_KEY_MAX];
    struct prc_output output = {.role = MF_TOPIC_DLQ,
                                .key = mf_event_key(letter, scratch),
                                .value = mf_buf_str(&fold->out),
                                .origin = &letter->dead_letter.origin};
    count_dead_letter(fold, reason);
    fold->counts.events[decoded ? fold->event.type : MF_EVENT_BAR][PRC_INVALID]++;
    fold->emit(fold->emit_arg, &output);
}
