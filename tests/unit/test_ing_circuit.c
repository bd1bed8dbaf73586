// SPDX-License-Identifier: Apache-2.0
// The circuit breaker, step by step, and against a model over random histories: closed it lets all start,
// open none, then one at a time.
#include "services/ingestor/circuit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backoff.h"

#include <cmocka.h>

enum { FAILURES = 3, OPEN_US = 1000 };
static const struct ing_circuit_policy policy = {.failures_max = FAILURES, .open_us = OPEN_US};

static void opens_after_failures_in_a_row(void **state)
{
    (void)state;
    struct ing_circuit circuit = {0};
    for (int i = 1; i < FAILURES; i++)
        assert_false(ing_circuit_fail(&policy, &circuit, false, i));
    assert_false(ing_circuit_work(&circuit)); // one that works breaks the row
    for (int i = 1; i < FAILURES; i++)
        assert_false(ing_circuit_fail(&policy, &circuit, false, i));
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 5), 0);
    assert_false(ing_circuit_start(&circuit)); // nothing special about it
    assert_true(ing_circuit_fail(&policy, &circuit, false, 5));
    assert_int_equal(circuit.state, ING_CIRCUIT_OPEN);
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 5), OPEN_US);
    // Those that were under way fail behind it, and change nothing.
    assert_false(ing_circuit_fail(&policy, &circuit, false, 400));
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 405), OPEN_US - 400);
    assert_int_equal(circuit.openings, 1);
}

static void one_finds_out(void **state)
{
    (void)state;
    struct ing_circuit circuit = {0};
    for (int i = 0; i < FAILURES; i++)
        ing_circuit_fail(&policy, &circuit, false, 0);
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, OPEN_US), 0);
    assert_true(ing_circuit_start(&circuit));
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 10 * OPEN_US), OPEN_US); // no second one
    assert_false(ing_circuit_fail(&policy, &circuit, true, 20 * OPEN_US));           // open again
    assert_int_equal(circuit.openings, 2);
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 20 * OPEN_US + 1), OPEN_US - 1);
    assert_true(ing_circuit_start(&circuit));
    ing_circuit_abandon(&circuit, 30 * OPEN_US); // nobody will hear of it: the next one at once
    assert_int_equal(circuit.openings, 2);
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 30 * OPEN_US), 0);
    assert_true(ing_circuit_start(&circuit));
    assert_true(ing_circuit_work(&circuit));
    assert_int_equal(circuit.openings, 0);
    assert_int_equal(ing_circuit_wait_us(&policy, &circuit, 0), 0);
    ing_circuit_abandon(&circuit, 0);
    assert_string_equal(ing_circuit_state_name(circuit.state), "closed");
}

static void never_opens_when_it_is_off(void **state)
{
    (void)state;
    static const struct ing_circuit_policy off = {.open_us = OPEN_US};
    struct ing_circuit circuit = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(ing_circuit_fail(&off, &circuit, false, i));
    assert_int_equal(ing_circuit_wait_us(&off, &circuit, 0), 0);
}

// Random histories: requests start when they may, end well or badly in any order. Once it is open and until
// one has worked, starts are OPEN_US apart at least, and never two of them are under way.
static void random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        struct ing_circuit circuit = {0};
        unsigned under_way = 0;
        bool probing = false;
        int64_t last_failed_probe_us = INT64_MIN / 2;
        for (int64_t now_us = 0; now_us < 100 * OPEN_US; now_us += (int64_t)(mf_random_next(&random) % 200)) {
            if (ing_circuit_wait_us(&policy, &circuit, now_us) == 0 && under_way < 8) {
                bool closed = circuit.state == ING_CIRCUIT_CLOSED;
                bool probe = ing_circuit_start(&circuit);
                assert_int_equal(probe, !closed);
                assert_false(probe && probing);
                assert_true(!probe || now_us >= last_failed_probe_us + OPEN_US);
                probing = probing || probe;
                under_way += !probe;
            }
            bool good = mf_random_next(&random) % 100 < 15;
            bool of_probe = probing && (under_way == 0 || mf_random_next(&random) % 2 == 0);
            if (!of_probe && under_way == 0)
                continue;
            under_way -= !of_probe;
            if (of_probe)
                probing = false;
            if (good) {
                ing_circuit_work(&circuit);
                probing = false; // should its answer come, it is one like others
            } else {
                ing_circuit_fail(&policy, &circuit, of_probe, now_us);
                if (of_probe)
                    last_failed_probe_us = now_us;
            }
            assert_int_equal(circuit.state == ING_CIRCUIT_CLOSED, circuit.openings == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_after_failures_in_a_row),
        cmocka_unit_test(one_finds_out),
        cmocka_unit_test(never_opens_when_it_is_off),
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
