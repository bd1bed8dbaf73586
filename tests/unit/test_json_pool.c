// SPDX-License-Identifier: Apache-2.0
#include "common/json_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backoff.h"

#include <cmocka.h>

// Pieces of random sizes, some grown: aligned, apart from each other, content kept, within the block or
// beyond it.
static void pieces_do_not_touch(void **state)
{
    (void)state;
    struct mf_json_pool pool = {0};
    uint64_t random = 3;
    for (int round = 0; round < 20; round++) {
        enum { PIECES = 100 };
        unsigned char *pieces[PIECES];
        size_t sizes[PIECES];
        mf_json_pool_reset(&pool);
        for (int i = 0; i < PIECES; i++) {
            sizes[i] = mf_random_next(&random) % 3000;
            pieces[i] = mf_json_pool_realloc(&pool, NULL, sizes[i]);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], i, sizes[i]);
            int grown = (int)(mf_random_next(&random) % (unsigned)(i + 1));
            size_t size = mf_random_next(&random) % 6000;
            pieces[grown] = mf_json_pool_realloc(&pool, pieces[grown], size);
            if (size > sizes[grown])
                memset(pieces[grown] + sizes[grown], grown, size - sizes[grown]);
            sizes[grown] = size;
        }
        for (int i = 0; i < PIECES; i++) {
            for (size_t at = 0; at < sizes[i]; at++)
                assert_int_equal(pieces[i][at], i);
            mf_json_pool_release(&pool, pieces[i]);
        }
    }
    mf_json_pool_free(&pool);
    assert_null(pool.block);
}

static void the_block_grows_to_what_is_needed_again(void **state)
{
    (void)state;
    struct mf_json_pool pool = {0};
    mf_json_pool_reset(&pool);
    size_t first = pool.cap;
    assert_true(first >= 2432); // one yajl handle
    mf_json_pool_alloc(&pool, first * 3);
    assert_non_null(pool.extra);
    mf_json_pool_reset(&pool);
    assert_null(pool.extra);
    assert_true(pool.cap > first * 3);
    mf_json_pool_alloc(&pool, first * 3);
    assert_null(pool.extra); // the second time nothing is taken from the system
    size_t cap = pool.cap;
    mf_json_pool_alloc(&pool, 64 << 20); // but not for everything
    mf_json_pool_reset(&pool);
    assert_true(pool.cap >= cap && pool.cap <= 1 << 20);
    mf_json_pool_free(&pool);
    mf_json_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_touch),
        cmocka_unit_test(the_block_grows_to_what_is_needed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
