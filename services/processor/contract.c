// SPDX-License-Identifier: Apache-2.0
// The contracts of a cell: found by hash, forgotten when they have expired.
#include "services/processor/contract.h"

#include <stdlib.h>

#define ITEMS_MIN 8

static uint64_t hash_of(const struct prc_series_key *key, struct mf_str ticker)
{
    const uint64_t parts[] = {mf_hash64(key->source, strlen(key->source)),
                              (uint64_t)key->adjusted << 32 | key->interval,
                              mf_hash64(ticker.data, ticker.len)};
    return mf_hash64(parts, sizeof parts);
}

static bool is_named(const struct prc_contract *contract, uint64_t hash, const struct prc_series_key *key,
                     struct mf_str ticker)
{
    return contract->hash == hash && contract->key.interval == key->interval &&
           contract->key.adjusted == key->adjusted && mf_str_eq_c(ticker, contract->ticker) &&
           strcmp(contract->key.source, key->source) == 0;
}

struct prc_contract *prc_contracts_find(const struct prc_contracts *contracts,
                                        const struct prc_series_key *key, struct mf_str ticker)
{
    uint64_t hash = hash_of(key, ticker);
    size_t mask = contracts->index_size - 1;
    for (size_t at = hash & mask; contracts->index_size > 0 && contracts->index[at] != 0;
         at = (at + 1) & mask) {
        struct prc_contract *contract = contracts->items[contracts->index[at] - 1];
        if (is_named(contract, hash, key, ticker))
            return contract;
    }
    return NULL;
}

static void enter(struct prc_contracts *contracts, size_t place)
{
    size_t mask = contracts->index_size - 1, at = contracts->items[place]->hash & mask;
    while (contracts->index[at] != 0)
        at = (at + 1) & mask;
    contracts->index[at] = (uint32_t)place + 1;
}

// At most half of it is taken.
static void index_anew(struct prc_contracts *contracts)
{
    free(contracts->index);
    contracts->index_size = 2 * contracts->capacity;
    contracts->index = mf_calloc(contracts->index_size, sizeof *contracts->index);
    for (size_t i = 0; i < contracts->count; i++)
        enter(contracts, i);
}

struct prc_contract *prc_contracts_make(struct prc_contracts *contracts, const struct prc_series_key *key,
                                        struct mf_str ticker)
{
    if (contracts->count == PRC_CONTRACTS_MAX)
        return NULL;
    if (contracts->count == contracts->capacity) {
        contracts->capacity = contracts->capacity == 0 ? ITEMS_MIN : 2 * contracts->capacity;
        contracts->items = mf_realloc(contracts->items, contracts->capacity * sizeof(struct prc_contract *));
        index_anew(contracts);
    }
    struct prc_contract *contract = mf_calloc(1, sizeof *contract);
    contract->hash = hash_of(key, ticker);
    contract->key = *key;
    contract->ticker = mf_strndup(ticker);
    contracts->items[contracts->count++] = contract;
    enter(contracts, contracts->count - 1);
    return contract;
}

static void contract_free(struct prc_contract *contract)
{
    free(contract->ticker);
    free(contract->slots);
    free(contract->fired);
    free(contract);
}

bool prc_contracts_day(struct prc_contracts *contracts, int32_t day)
{
    size_t kept = 0;
    if (day <= contracts->day)
        return false;
    contracts->day = day;
    for (size_t i = 0; i < contracts->count; i++) {
        struct prc_contract *contract = contracts->items[i];
        if (contract->expiration_day < day - PRC_CONTRACT_KEPT_DAYS)
            contract_free(contract);
        else
            contracts->items[kept++] = contract;
    }
    if (kept < contracts->count) {
        contracts->count = kept;
        index_anew(contracts);
    }
    return true;
}

void prc_contracts_clear(struct prc_contracts *contracts)
{
    for (size_t i = 0; i < contracts->count; i++)
        contract_free(contracts->items[i]);
    free(contracts->items);
    free(contracts->index);
    *contracts = (struct prc_contracts){0};
}

size_t prc_contracts_bytes(const struct prc_contracts *contracts)
{
    size_t bytes = contracts->capacity * sizeof(struct prc_contract *) +
                   contracts->index_size * sizeof *contracts->index;
    for (size_t i = 0; i < contracts->count; i++) {
        const struct prc_contract *contract = contracts->items[i];
        bytes += sizeof *contract + strlen(contract->ticker) + 1;
        bytes += contract->capacity * sizeof *contract->slots;
        bytes += contract->fired_capacity * sizeof *contract->fired;
    }
    return bytes;
}
