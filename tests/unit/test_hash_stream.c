// SPDX-License-Identifier: Apache-2.0
// Hashing in pieces gives what hashing the whole gives, wherever the cuts fall.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/hash.h"

// Around xxhash's own limits: 16, 128, 240 bytes choose another function, 256 is its buffer, 1024 its stripe
// block.
static const size_t lengths[] = {0,   1,   3,   4,   8,   9,    16,   17,   128, 129,
                                 240, 241, 255, 256, 257, 1023, 1024, 1025, 4099};

static void test_pieces_equal_the_whole(void **state)
{
    (void)state;
    static unsigned char data[4099];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 131 + 7);
    static const size_t steps[] = {1, 7, 64, 255, 256, 257, 5000};
    for (size_t l = 0; l < MF_ARRAY_LEN(lengths); l++) {
        struct mf_hash128 whole = mf_hash128(data, lengths[l]);
        for (size_t s = 0; s < MF_ARRAY_LEN(steps); s++) {
            struct mf_hash128_stream stream;
            mf_hash128_begin(&stream);
            for (size_t at = 0; at < lengths[l]; at += steps[s]) {
                size_t left = lengths[l] - at;
                mf_hash128_add(&stream, data + at, left < steps[s] ? left : steps[s]);
            }
            struct mf_hash128 pieces = mf_hash128_end(&stream);
            assert_true(pieces.high == whole.high && pieces.low == whole.low);
        }
    }
}

static void test_an_empty_piece_changes_nothing(void **state)
{
    (void)state;
    struct mf_hash128_stream stream;
    mf_hash128_begin(&stream);
    mf_hash128_add(&stream, NULL, 0);
    mf_hash128_add(&stream, "abc", 3);
    mf_hash128_add(&stream, "", 0);
    struct mf_hash128 pieces = mf_hash128_end(&stream), whole = mf_hash128("abc", 3);
    assert_true(pieces.high == whole.high && pieces.low == whole.low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_equal_the_whole),
        cmocka_unit_test(test_an_empty_piece_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
