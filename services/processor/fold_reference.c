// SPDX-License-Identifier: Apache-2.0
// Events without statistics: remembered by key and content, so that a repeat is none and a change a
// correction, and passed on. A symbol's metadata and its splits stay in the cell.
#include <stdlib.h>

#include "services/processor/fold_private.h"

// What the record is to the cell; INVALID when it was dead-lettered.
static enum prc_result remember(struct prc_fold *fold, struct prc_cell *cell, struct prc_recent **entry)
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
    if (!made && (*entry)->content_hash == content)
        return PRC_DUPLICATE;
    (*entry)->content_hash = content;
    prc_cell_dirty(fold->partition, cell, fold->input->offset);
    if (made)
        return PRC_KEPT;
    (*entry)->revision++;
    return PRC_CORRECTED;
}

struct prc_cell *prc_fold_remembered(struct prc_fold *fold, enum mf_topic_role role,
                                     struct prc_recent **entry, unsigned *flags)
{
    struct prc_cell *cell = prc_fold_cell(fold, role);
    if (cell == NULL)
        return NULL;
    enum prc_result result = remember(fold, cell, entry);
    if (result == PRC_INVALID)
        return NULL;
    prc_fold_count(fold, result);
    *flags = result == PRC_CORRECTED ? PRC_OUT_CORRECTED : 0;
    return result == PRC_DUPLICATE ? NULL : cell;
}

static void replace(char **text, struct mf_str with)
{
    free(*text);
    *text = with.data != NULL ? mf_strndup(with) : NULL;
}

static void learn_symbol(struct prc_cell *cell, const struct mf_symbol_info *info)
{
    replace(&cell->name, info->name);
    replace(&cell->exchange, info->exchange);
    replace(&cell->type, info->type);
}

static void learn_split(struct prc_cell *cell, struct mf_date ex_date)
{
    int32_t day = mf_date_to_days(ex_date);
    for (size_t i = 0; i < cell->split_count; i++)
        if (cell->splits[i] == day)
            return;
    if (cell->split_count == PRC_SPLITS) {
        memmove(cell->splits, cell->splits + 1, (PRC_SPLITS - 1) * sizeof(cell->splits[0]));
        cell->split_count--;
    }
    cell->splits[cell->split_count++] = day;
}

void prc_fold_reference(struct prc_fold *fold, enum mf_topic_role role)
{
    const struct mf_event *event = &fold->event;
    struct prc_recent *entry = NULL;
    unsigned flags = 0;
    struct prc_cell *cell = prc_fold_remembered(fold, role, &entry, &flags);
    if (cell == NULL)
        return;
    if (event->type == MF_EVENT_SYMBOL)
        learn_symbol(cell, &event->symbol_info);
    if (event->type == MF_EVENT_CORPORATE_ACTION && event->corporate_action.kind == MF_ACTION_SPLIT)
        learn_split(cell, event->corporate_action.ex_date);
    prc_fold_pass(fold, role, entry->revision, flags, NULL);
}
