// SPDX-License-Identifier: Apache-2.0
// The circuit breaker (see circuit.h).
#include "services/ingestor/circuit.h"

const char *ing_circuit_state_name(enum ing_circuit_state state)
{
    static const char *const names[ING_CIRCUIT_STATE_MAX] = {"closed", "half_open", "open"};
    return state < ING_CIRCUIT_STATE_MAX ? names[state] : "unknown";
}

int64_t ing_circuit_wait_us(const struct ing_circuit_policy *policy, const struct ing_circuit *circuit,
                            int64_t now_us)
{
    switch (circuit->state) {
    case ING_CIRCUIT_CLOSED: return 0;
    case ING_CIRCUIT_HALF_OPEN: return policy->open_us; // its answer comes before, or its time-out
    case ING_CIRCUIT_OPEN: return circuit->open_until_us > now_us ? circuit->open_until_us - now_us : 0;
    case ING_CIRCUIT_STATE_MAX: break;
    }
    return 0;
}

bool ing_circuit_start(struct ing_circuit *circuit)
{
    if (circuit->state != ING_CIRCUIT_OPEN)
        return false;
    circuit->state = ING_CIRCUIT_HALF_OPEN;
    return true;
}

static void open_it(const struct ing_circuit_policy *policy, struct ing_circuit *circuit, int64_t now_us)
{
    circuit->state = ING_CIRCUIT_OPEN;
    circuit->openings++;
    circuit->open_until_us = now_us + policy->open_us;
}

// Requests that were under way when it opened fail behind it: they say nothing new.
bool ing_circuit_fail(const struct ing_circuit_policy *policy, struct ing_circuit *circuit, bool probe,
                      int64_t now_us)
{
    circuit->failures += circuit->failures < UINT32_MAX;
    if (circuit->state == ING_CIRCUIT_CLOSED && policy->failures_max > 0 &&
        circuit->failures >= policy->failures_max) {
        open_it(policy, circuit, now_us);
        return true;
    }
    if (circuit->state == ING_CIRCUIT_HALF_OPEN && probe)
        open_it(policy, circuit, now_us);
    return false;
}

bool ing_circuit_work(struct ing_circuit *circuit)
{
    bool was_closed = circuit->state == ING_CIRCUIT_CLOSED;
    *circuit = (struct ing_circuit){.state = ING_CIRCUIT_CLOSED};
    return !was_closed;
}

void ing_circuit_abandon(struct ing_circuit *circuit, int64_t now_us)
{
    if (circuit->state != ING_CIRCUIT_HALF_OPEN)
        return;
    circuit->state = ING_CIRCUIT_OPEN;
    circuit->open_until_us = now_us;
}
