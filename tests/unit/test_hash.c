// SPDX-License-Identifier: Apache-2.0
#include "common/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/backoff.h"

#include <cmocka.h>

// Known answers of the reference implementation.
static void xxh3_has_its_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex128;
        uint64_t hash64;
    } cases[] = {
        {"", "99aa06d3014798d86001c324468d497f", UINT64_C(0x2d06800538d394c2)},
        {"abc", "06b05ab6733a618578af5f94892f3950", UINT64_C(0x78af5f94892f3950)},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[33];
        struct mf_hash128 hash = mf_hash128(cases[i].text, strlen(cases[i].text));
        assert_ptr_equal(mf_hash128_hex(hash, text), text);
        assert_string_equal(text, cases[i].hex128);
        assert_true(mf_hash64(cases[i].text, strlen(cases[i].text)) == cases[i].hash64);
    }
    char text[33];
    assert_string_equal(mf_hash128_hex((struct mf_hash128){.high = 1, .low = 0xabcdef}, text),
                        "00000000000000010000000000abcdef");
}

// Known answers of FIPS 180-4's examples.
static void sha256_matches_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[65];
        assert_string_equal(mf_sha256_hex(cases[i].text, strlen(cases[i].text), text), cases[i].hex);
    }
    char text[65];
    assert_string_equal(mf_sha256_hex(NULL, 0, text), cases[0].hex);
    unsigned char digest[32];
    mf_sha256("abc", 3, digest);
    assert_int_equal(digest[0], 0xba);
    assert_int_equal(digest[31], 0xad);
}

// Known answers of Apache Kafka's own test of Utils.murmur2, before the sign bit is cleared.
static void murmur2_partitions_as_java_does(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        assert_int_equal(mf_murmur2(cases[i].key, strlen(cases[i].key)),
                         (uint32_t)cases[i].hash & 0x7fffffff);
}

static void base64_matches_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbe", "+/++"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].plain);
        size_t size = strlen(cases[i].text);
        char text[16] = "~~~~~~~~~~~~~~~";
        // Exactly its size, with room for a terminator, and one byte short.
        assert_int_equal(mf_base64_encode(cases[i].plain, len, text, size), size);
        assert_memory_equal(text, cases[i].text, size);
        assert_int_equal(text[size], '~');
        assert_int_equal(mf_base64_encode(cases[i].plain, len, text, size + 1), size);
        assert_string_equal(text, cases[i].text);
        if (size > 0) {
            memset(text, '~', sizeof text);
            assert_int_equal(mf_base64_encode(cases[i].plain, len, text, size - 1), 0);
            assert_int_equal(text[0], '~');
        }
        unsigned char plain[16] = "~~~~~~~~~~~~~~~";
        size_t back = 99;
        assert_true(mf_base64_decode(mf_str_of(cases[i].text), plain, len, &back));
        assert_int_equal(back, len);
        assert_memory_equal(plain, cases[i].plain, len);
        assert_int_equal(plain[len], '~');
        if (len > 0)
            assert_false(mf_base64_decode(mf_str_of(cases[i].text), plain, len - 1, &back));
    }
    assert_int_equal(mf_base64_encode("x", SIZE_MAX, (char[4]){0}, 4), 0);
}

static void only_canonical_base64_is_read(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Z",    "Zg",       "Zg=",  "Zg===",  "Zh==", "Zm9=", "Zm8",      "====",
        "=Zm9", "Zg==Zg==", "Z===", "Zm9v\n", " Zm9", "Zm-_", "Zm9v====", "Zm9vYg=v",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        unsigned char plain[16];
        size_t len = 99;
        if (mf_base64_decode(mf_str_of(cases[i]), plain, sizeof plain, &len))
            fail_msg("accepted %s", cases[i]);
        assert_int_equal(len, 99);
    }
}

static void base64_returns_what_went_in(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (size_t len = 0; len < 300; len++) {
        unsigned char plain[300];
        for (size_t i = 0; i < len; i++)
            plain[i] = (unsigned char)mf_random_next(&random);
        char text[404];
        unsigned char back[300];
        size_t size = mf_base64_encode(plain, len, text, sizeof text);
        size_t back_len = 0;
        assert_int_equal(size, (len + 2) / 3 * 4);
        assert_true(mf_base64_decode((struct mf_str){text, size}, back, sizeof back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);
    }
}

// RFC 4231, test cases 1, 2 and 6 (a key longer than the hash's block).
static void hmac_matches_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t key_len;
        const char *data, *digest;
    } cases[] = {
        {"\x0b", 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 0, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char key[131], text[65];
        unsigned char digest[32];
        size_t len = cases[i].key_len > 0 ? cases[i].key_len : strlen(cases[i].key);
        if (cases[i].key_len > 0)
            memset(key, cases[i].key[0], len);
        else
            memcpy(key, cases[i].key, len);
        mf_hmac_sha256(key, len, cases[i].data, strlen(cases[i].data), digest);
        for (size_t j = 0; j < sizeof digest; j++)
            snprintf(text + 2 * j, 3, "%02x", digest[j]);
        assert_string_equal(text, cases[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xxh3_has_its_canonical_form),     cmocka_unit_test(sha256_matches_the_standard),
        cmocka_unit_test(murmur2_partitions_as_java_does), cmocka_unit_test(base64_matches_rfc_4648),
        cmocka_unit_test(only_canonical_base64_is_read),   cmocka_unit_test(base64_returns_what_went_in),
        cmocka_unit_test(hmac_matches_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
