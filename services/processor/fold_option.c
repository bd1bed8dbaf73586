// SPDX-License-Identifier: Apache-2.0
// Option bars: each contract is a light series of the underlying's cell (contract.h). They always pass, make
// no metrics and no roll-ups; one rule looks at them.
#include "services/processor/fold_private.h"

struct applying { // for the callbacks of one apply
    struct prc_fold *fold;
    const struct prc_cell *cell;
};

static void on_alert(void *arg, const struct prc_contract *contract, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    const struct applying *applying = arg;
    const struct prc_alert_of of = {.cell = applying->cell,
                                    .key = &contract->key,
                                    .asset_class = contract->asset_class,
                                    .contract = mf_str_of(contract->ticker)};
    prc_fold_alert(applying->fold, &of, transition, values, bar, revision);
}

static void on_bar(void *arg, const struct prc_contract *contract, const struct prc_bar *bar,
                   const struct prc_values *values, uint32_t n_obs, const struct prc_rule_state *before)
{
    const struct applying *applying = arg;
    const struct prc_watch *watch = applying->fold->watch;
    watch->contract(watch->arg, applying->cell, contract, bar, values, n_obs, before);
}

static void ignore_alert(void *arg, const struct prc_contract *contract,
                         const struct prc_transition *transition, const struct prc_values *values,
                         const struct prc_bar *bar, unsigned revision)
{
    (void)arg, (void)contract, (void)transition, (void)values, (void)bar, (void)revision;
}

static bool close_of(const struct mf_bar *bar, double *close)
{
    if (!bar->has_numbers)
        return mf_decimal_to_double(bar->close, close);
    *close = mf_decimal_number_double(bar->numbers.close);
    return true;
}

static struct prc_series_key key_of(const struct mf_event *event)
{
    const struct mf_bar *bar = &event->option_bar.bar;
    struct prc_series_key key = {.adjusted = bar->adjusted, .interval = bar->interval};
    bool fits = mf_str_copy(key.source, sizeof key.source, event->source);
    assert(fits); // decode takes the names of known sources only
    (void)fits;
    memcpy(key.provider, key.source, sizeof key.provider);
    return key;
}

static struct prc_contract *make(struct prc_fold *fold, struct prc_cell *cell,
                                 const struct prc_series_key *key)
{
    const struct mf_option_bar *option = &fold->event.option_bar;
    struct prc_contract *contract = prc_contracts_make(&cell->contracts, key, option->ticker);
    if (contract == NULL) {
        fold->counts.state_refusals += !prc_fold_replays(fold);
        prc_fold_dead_letter(fold, true, "state_limit", "the symbol has too many option contracts");
        return NULL;
    }
    contract->asset_class = fold->event.asset_class;
    contract->expiration_day = mf_date_to_days(option->expiration);
    return contract;
}

static void apply(struct prc_fold *fold, struct prc_cell *cell, struct prc_contract *contract, double close)
{
    const struct mf_event *event = &fold->event;
    const struct mf_bar *told = &event->option_bar.bar;
    struct applying applying = {fold, cell};
    bool watched = fold->watch != NULL && !prc_fold_replays(fold);
    struct prc_contract_sink sink = {&applying, prc_fold_replays(fold) ? ignore_alert : on_alert,
                                     watched ? on_bar : NULL};
    struct prc_bar bar = {.time_us = event->event_time_us,
                          .end_us = told->window_end_us,
                          .close = close,
                          .session_day = mf_date_to_days(told->session_date),
                          .flags = event->flags,
                          .mode = event->mode};
    bar.frozen.bits = prc_fold_split_bit(cell, bar.session_day);
    prc_contract_apply(contract, &bar, event->content.low, &fold->rules, &sink);
    prc_cell_dirty(fold->partition, cell, fold->input->offset);
}

static void place(struct prc_fold *fold, struct prc_cell *cell)
{
    const struct mf_event *event = &fold->event;
    const struct prc_series_key key = key_of(event);
    struct prc_contract *contract = prc_contracts_find(&cell->contracts, &key, event->option_bar.ticker);
    enum prc_placement placement = PRC_PLACED_NEW;
    unsigned revision = 0;
    double close = 0;
    if (contract != NULL)
        placement = prc_contract_place(contract, event->event_time_us, event->content.low, &revision);
    if (placement == PRC_PLACED_DUPLICATE) {
        prc_fold_count(fold, PRC_DUPLICATE);
        return;
    }
    if (placement == PRC_PLACED_LATE) {
        prc_fold_count(fold, PRC_LATE);
        prc_fold_pass(fold, MF_TOPIC_OPTION_BARS_FILTERED, 0, PRC_OUT_LATE, NULL);
        return;
    }
    if (!close_of(&event->option_bar.bar, &close)) {
        prc_fold_dead_letter(fold, true, "bad_value", "the bar's numbers cannot be used");
        return;
    }
    if (contract == NULL && (contract = make(fold, cell, &key)) == NULL)
        return;
    bool corrected = placement == PRC_PLACED_CORRECTION;
    prc_fold_pass(fold, MF_TOPIC_OPTION_BARS_FILTERED, revision, corrected ? PRC_OUT_CORRECTED : 0, NULL);
    apply(fold, cell, contract, close);
    prc_fold_count(fold, corrected ? PRC_CORRECTED : PRC_KEPT);
}

void prc_fold_option_bar(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    struct prc_cell *cell = prc_fold_bar_cell(fold, MF_TOPIC_OPTION_BARS_FILTERED);
    if (cell == NULL)
        return;
    if (prc_contracts_day(&cell->contracts,
                          (int32_t)(prc_floor(event->event_time_us, MF_US_PER_DAY) / MF_US_PER_DAY)))
        prc_cell_dirty(fold->partition, cell, fold->input->offset);
    place(fold, cell);
}
