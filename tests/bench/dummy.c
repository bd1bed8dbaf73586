// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/dummy.h"

#include <stdlib.h>

#define COUNT 512
#define FIXED_PERCENT 36 // the envelope: names, times, versions
#define NAME_BYTES 11
#define DIGITS 10

struct dummies {
    size_t size, next;
    char *bytes; // COUNT values
};

// xorshift64 (Marsaglia, 2003)
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct dummies *dummies_new(size_t size)
{
    struct dummies *made = mf_calloc(1, sizeof *made);
    uint64_t state = 0x9e3779b97f4a7c15;
    made->size = size;
    made->bytes = mf_alloc(size * COUNT);
    for (size_t i = 0; i < size * COUNT; i++) {
        size_t at = i % size;
        bool digit = at * 100 >= size * FIXED_PERCENT && at % (NAME_BYTES + DIGITS) >= NAME_BYTES;
        made->bytes[i] = (char)(digit ? '0' + draw(&state) % 10 : 'a' + at * at % 26);
    }
    return made;
}

void dummies_free(struct dummies **dummies)
{
    if (*dummies != NULL)
        free((*dummies)->bytes);
    free(*dummies);
    *dummies = NULL;
}

struct mf_str dummies_next(struct dummies *dummies)
{
    const char *value = dummies->bytes + dummies->next * dummies->size;
    dummies->next = (dummies->next + 1) % COUNT;
    return (struct mf_str){value, dummies->size};
}
