// SPDX-License-Identifier: Apache-2.0
// The contracts of a cell: per contract its name, the rule's state, the ring, what it has published.
#include <math.h>
#include <stdlib.h>

#include "services/processor/codec_io.h"

// What is not settled: at most one per bar of the ring and those that a bar of the ring resolved.
#define FIRED_MAX ((size_t)4 * PRC_RING)
#define CLEAR_SHIFT 6 // above the frozen bits

static void io_name(struct prc_io *io, struct prc_contract *contract)
{
    struct prc_series_key *key = &contract->key;
    prc_io_name(io, key->source, sizeof key->source);
    if (prc_io_reading(io))
        memcpy(key->provider, key->source, sizeof key->provider);
    key->adjusted = (enum mf_adjusted)prc_io_small(io, key->adjusted, MF_ADJUSTED_MAX);
    key->interval = (enum mf_interval)prc_io_small(io, key->interval, MF_INTERVAL_MAX);
    prc_io_text(io, &contract->ticker, MF_SYMBOL_MAX);
    io->bad |= contract->ticker == NULL;
}

static void io_price(struct prc_io *io, double *price)
{
    prc_io_double(io, price);
    io->bad |= prc_io_reading(io) && (!isfinite(*price) || *price < 0);
}

// previous: the bar before it, whose time and day the deltas are taken from.
static void io_slot(struct prc_io *io, struct prc_contract_slot *slot,
                    const struct prc_contract_slot *previous)
{
    prc_io_time_after(io, &slot->time_us, previous->time_us);
    slot->session_day = prc_io_day_after(io, slot->session_day, previous->session_day);
    slot->length = prc_io_u32(io, slot->length);
    prc_io_fixed(io, &slot->content_hash);
    io_price(io, &slot->close);
    slot->revision = (uint16_t)prc_io_small(io, slot->revision, UINT16_MAX + 1);
    slot->flags = (uint8_t)prc_io_small(io, slot->flags, MF_FLAG_ALL + 1);
    slot->mode = (uint8_t)prc_io_small(io, slot->mode, MF_MODE_MAX);
    unsigned packed = slot->bits | (unsigned)slot->clear_bars << CLEAR_SHIFT;
    packed = prc_io_small(io, packed, (unsigned)PRC_CLEAR_BARS << CLEAR_SHIFT);
    slot->bits = (uint8_t)(packed & ((1u << CLEAR_SHIFT) - 1));
    slot->clear_bars = (uint8_t)(packed >> CLEAR_SHIFT);
}

static void io_slots(struct prc_io *io, struct prc_contract *contract)
{
    const struct prc_contract_slot none = {0};
    prc_io_count(io, &contract->count, PRC_RING);
    io->bad |= contract->count == 0; // a series begins with a bar
    if (prc_io_reading(io)) {
        contract->slots = mf_calloc(contract->count + 1, sizeof *contract->slots);
        contract->capacity = contract->count;
    }
    for (size_t i = 0; i < contract->count && !io->bad; i++) {
        io_slot(io, &contract->slots[i], i > 0 ? &contract->slots[i - 1] : &none);
        io->bad |= i > 0 && contract->slots[i].time_us <= contract->slots[i - 1].time_us;
    }
}

static void io_contract(struct prc_io *io, struct prc_contract *contract)
{
    uint64_t n_obs = contract->n_obs;
    contract->asset_class = (enum mf_asset_class)prc_io_small(io, contract->asset_class, MF_ASSET_CLASS_MAX);
    contract->expiration_day = prc_io_i32(io, contract->expiration_day);
    prc_io_u64(io, &n_obs);
    contract->n_obs = (uint32_t)n_obs;
    io_price(io, &contract->close_before);
    bool touched[] = {prc_rule_touched(&contract->base), prc_rule_touched(&contract->head)};
    struct prc_rule_state *const states[] = {&contract->base, &contract->head};
    for (size_t i = 0; i < MF_ARRAY_LEN(states); i++) {
        prc_io_bool(io, &touched[i]);
        if (touched[i])
            prc_io_rule(io, states[i]);
    }
    io_slots(io, contract);
    io->bad |= n_obs > UINT32_MAX || n_obs < contract->count;
    prc_io_count(io, &contract->fired_count, FIRED_MAX);
    if (prc_io_reading(io)) {
        contract->fired = mf_calloc(contract->fired_count + 1, sizeof *contract->fired);
        contract->fired_capacity = contract->fired_count;
    }
    for (size_t i = 0; i < contract->fired_count && !io->bad; i++)
        prc_io_fired(io, &contract->fired[i]);
}

// The set knows the contract only under its name, so that comes first.
static void read_contract(struct prc_io *io, struct prc_contracts *contracts)
{
    struct prc_contract named = {0};
    io_name(io, &named);
    if (!io->bad && prc_contracts_find(contracts, &named.key, mf_str_of(named.ticker)) != NULL)
        io->bad = true;
    if (!io->bad)
        io_contract(io, prc_contracts_make(contracts, &named.key, mf_str_of(named.ticker)));
    free(named.ticker);
}

void prc_io_contracts(struct prc_io *io, struct prc_contracts *contracts)
{
    size_t count = contracts->count;
    contracts->day = prc_io_i32(io, contracts->day);
    prc_io_count(io, &count, PRC_CONTRACTS_MAX);
    for (size_t i = 0; i < count && !io->bad; i++) {
        if (prc_io_reading(io)) {
            read_contract(io, contracts);
        } else {
            io_name(io, contracts->items[i]);
            io_contract(io, contracts->items[i]);
        }
    }
}
