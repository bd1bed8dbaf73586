// SPDX-License-Identifier: Apache-2.0
// Shared by the files of the fold only.
#ifndef PRC_FOLD_PRIVATE_H
#define PRC_FOLD_PRIVATE_H

#include "services/processor/fold.h"

#define PRC_DEAD_LETTER_REASONS_MAX 64

struct prc_fold {
    struct prc_rule_config rules;
    struct prc_cells *cells;
    struct prc_counts counts;
    struct mf_json *json;
    struct mf_event event; // the record at hand
    struct mf_event made;  // what the processor says about it
    struct mf_buf out;     // encoded `made`
    struct {
        enum mf_topic_role role;
        char reason[MF_ERROR_CODE_SIZE];
        uint64_t count;
    } dead_letters[PRC_DEAD_LETTER_REASONS_MAX];
    size_t dead_letter_reasons;
    // Of the record at hand.
    const struct prc_input *input;
    prc_emit_fn emit;
    void *emit_arg;
    bool decoded;
};

// The record itself to its filtered topic.
void prc_fold_pass(struct prc_fold *fold, enum mf_topic_role role, unsigned revision, unsigned flags);
// The record to the dead-letter queue. decoded: fold->event holds its envelope.
void prc_fold_dead_letter(struct prc_fold *fold, bool decoded, const char *reason, const char *detail);
// Begins fold->made with the envelope of something the processor makes out of the record at hand.
void prc_fold_made_begin(struct prc_fold *fold, enum mf_event_type type, int64_t event_time_us,
                         unsigned flags, enum mf_provenance_mode mode);
void prc_fold_made_emit(struct prc_fold *fold, enum mf_topic_role role);
// The cell of the record at hand; NULL after having dead-lettered it (state_limit).
struct prc_cell *prc_fold_cell(struct prc_fold *fold);
void prc_fold_count(struct prc_fold *fold, enum prc_result result);

void prc_fold_bar(struct prc_fold *fold);
void prc_fold_news(struct prc_fold *fold);
// Events without statistics: remembered by key and content, passed on to the topic. Returns what is
// remembered of one (the cell's, until the record after it), NULL when it was not passed on.
struct prc_recent *prc_fold_reference(struct prc_fold *fold, enum mf_topic_role role);

// Result of remembering the record's key and content in the cell.
enum prc_result prc_fold_remember(struct prc_fold *fold, struct prc_cell *cell, struct prc_recent **entry);

#endif
