// SPDX-License-Identifier: Apache-2.0
// Bars of option contracts: per (source, adjusted, interval, contract) a light series, because an underlying
// has hundreds of them. It keeps what the one rule that looks at it needs (price_integrity), and the hashes
// by which repeats and corrections are known. Its newest 64 bars may still change; a change computes the
// rule again from the state before them, and the difference to what was published comes out. Pure but for
// memory; no failure classes. A contract belongs to the set that made it.
#ifndef PRC_CONTRACT_H
#define PRC_CONTRACT_H

#include "services/processor/series.h"

#define PRC_CONTRACTS_MAX 32768  // series per cell: the widest chains have some twenty thousand contracts
#define PRC_CONTRACT_KEPT_DAYS 7 // after the contract's last day, for corrections
#define PRC_CONTRACT_RULE PRC_RULE_PRICE_INTEGRITY

struct prc_contract_slot { // 40 bytes
    int64_t time_us;
    uint64_t content_hash; // of the bar's market fields, for duplicates
    double close;
    uint32_t length; // prc_window_pack of window_end - time
    int32_t session_day;
    uint16_t revision;
    uint8_t flags, mode;
    uint8_t bits;       // enum prc_frozen_bit, as they were when the bar came first; below 64
    uint8_t clear_bars; // of the rule's state after the bar, as it was judged last
};

struct prc_contract {
    uint64_t hash;             // of key and ticker
    struct prc_series_key key; // source = provider
    char *ticker;
    enum mf_asset_class asset_class; // of its first bar, as is
    int32_t expiration_day;          // its contract's; days since 1970-01-01
    uint32_t n_obs;                  // bars so far: more than count when some have left the ring
    double close_before;             // then, of the bar before slots[0]
    struct prc_rule_state base;      // as it left the rule
    struct prc_rule_state head;      // after the newest bar
    struct prc_contract_slot *slots; // oldest first, at most PRC_RING
    size_t count, capacity;
    struct prc_fired *fired; // sorted by key_time_us
    size_t fired_count, fired_capacity;
};

struct prc_contracts {           // of a cell; zeroed = none
    struct prc_contract **items; // as they were made
    size_t count, capacity;
    uint32_t *index; // open addressing by hash: 1 + place in items, 0 = free
    size_t index_size;
    int32_t day; // the latest UTC day on which a bar began; days since 1970-01-01
};

// The series; NULL when there is none.
struct prc_contract *prc_contracts_find(const struct prc_contracts *contracts,
                                        const struct prc_series_key *key, struct mf_str ticker);
// A new one of that name; NULL beyond PRC_CONTRACTS_MAX.
struct prc_contract *prc_contracts_make(struct prc_contracts *contracts, const struct prc_series_key *key,
                                        struct mf_str ticker);
// A bar that began on that UTC day came: with the first of a later day than any before, contracts that
// expired more than PRC_CONTRACT_KEPT_DAYS before it are forgotten. False when it was not the first.
bool prc_contracts_day(struct prc_contracts *contracts, int32_t day);
void prc_contracts_clear(struct prc_contracts *contracts);
size_t prc_contracts_bytes(const struct prc_contracts *contracts); // memory, computed

// Where a final bar belongs, as prc_series_place has it.
enum prc_placement prc_contract_place(const struct prc_contract *contract, int64_t time_us,
                                      uint64_t content_hash, unsigned *revision);

struct prc_contract_sink {
    void *arg;
    // As the alert of struct prc_series_sink; of the values only the previous close is known.
    void (*alert)(void *arg, const struct prc_contract *contract, const struct prc_transition *transition,
                  const struct prc_values *values, const struct prc_bar *bar, unsigned revision);
    // NULL, or called with every bar that is computed anew and the rule's state before it.
    void (*bar)(void *arg, const struct prc_contract *contract, const struct prc_bar *bar,
                const struct prc_values *values, uint32_t n_obs, const struct prc_rule_state *before);
};
// Folds a bar whose placement is NEW or CORRECTION; of it time, end, close, session_day, flags, mode and
// frozen.bits are looked at. A correction keeps what its bar had frozen.
void prc_contract_apply(struct prc_contract *contract, const struct prc_bar *bar, uint64_t content_hash,
                        const struct prc_rule_config *config, const struct prc_contract_sink *sink);

#endif
