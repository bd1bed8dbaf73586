// SPDX-License-Identifier: Apache-2.0
// A circuit breaker: requests to an endpoint that has failed too often in a row are held back, and one at a
// time finds out whether it works again (M. Nygard, "Release It!", the pattern of that name). What counts as
// a failure is the caller's to say: here it is what is worth repeating, never an answer about the request
// itself. Pure: time comes in, monotonic. Ownership: the caller's; a zeroed circuit is a closed one. Nothing
// fails.
#ifndef ING_CIRCUIT_H
#define ING_CIRCUIT_H

#include "common/base.h"

enum ing_circuit_state {
    ING_CIRCUIT_CLOSED,    // requests start
    ING_CIRCUIT_HALF_OPEN, // one is under way that finds out
    ING_CIRCUIT_OPEN,      // none starts before open_until_us, then one
    ING_CIRCUIT_STATE_MAX
};
const char *ing_circuit_state_name(enum ing_circuit_state state); // "closed", "half_open", "open"

struct ing_circuit_policy {
    unsigned failures_max; // failures in a row that open it; 0 = it never opens
    int64_t open_us;       // how long it stays so before one is tried
};

struct ing_circuit {
    enum ing_circuit_state state;
    unsigned failures; // in a row
    unsigned openings; // in a row: 1 + the tries that failed
    int64_t open_until_us;
};

// 0: a request may start. Else µs after which to ask again; it may close earlier.
int64_t ing_circuit_wait_us(const struct ing_circuit_policy *policy, const struct ing_circuit *circuit,
                            int64_t now_us);
// A request starts that ing_circuit_wait_us let start. True: it is the one that finds out.
bool ing_circuit_start(struct ing_circuit *circuit);
// Some request failed; probe: the one that finds out. True: the circuit is open now and was not before.
bool ing_circuit_fail(const struct ing_circuit_policy *policy, struct ing_circuit *circuit, bool probe,
                      int64_t now_us);
// Some request was answered. True: the circuit is closed now and was not before.
bool ing_circuit_work(struct ing_circuit *circuit);
// The one that finds out was given up without an answer: another may start at once.
void ing_circuit_abandon(struct ing_circuit *circuit, int64_t now_us);

#endif
