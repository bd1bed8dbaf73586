// SPDX-License-Identifier: Apache-2.0
// For tests of the fast way to read an event of one type: decoded both ways, its id made good, its bytes
// spoilt. Include after cmocka.h.
#ifndef TESTS_EVENT_FAST_FIXTURE_H
#define TESTS_EVENT_FAST_FIXTURE_H

#include <stdlib.h>

#include "common/backoff.h"
#include "common/event_fast.h"

// What differs from type to type.
struct fast_way {
    bool (*decode)(struct mf_str bytes, struct mf_event *event);
    bool (*read)(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE]);
    size_t id_at; // where in the bytes the event_id stands
    bool (*same)(const struct mf_event *a, const struct mf_event *b);
};

struct fixture {
    const struct fast_way *way;
    struct mf_json *json;
    struct mf_buf text, other;
    struct mf_event event, fast, slow;
    struct mf_error err;
};

// `way` is borrowed.
static inline int fixture_new(void **state, const struct fast_way *way)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->way = way;
    f->json = mf_json_new();
    mf_buf_init(&f->text, MF_EVENT_SIZE_MAX);
    mf_buf_init(&f->other, MF_EVENT_SIZE_MAX);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    mf_json_free(&f->json);
    mf_buf_free(&f->text);
    mf_buf_free(&f->other);
    free(f);
    return 0;
}

static inline void encode(struct fixture *f)
{
    mf_buf_clear(&f->text);
    if (mf_event_encode(&f->event, &f->text, &f->err) != 0)
        fail_msg("%s", f->err.message);
}

// Decodes both ways. What the fast one takes must be what the tables make of it. Returns whether it took it.
static inline bool takes(struct fixture *f, struct mf_str bytes)
{
    // At the very end of a block: reading beyond it is seen by the address sanitizer.
    char *exact = mf_alloc(bytes.len);
    memcpy(exact, bytes.data, bytes.len);
    struct mf_str copy = {exact, bytes.len};
    bool taken = f->way->decode(copy, &f->fast);
    if (taken) {
        if (mf_event_decode_by_table(f->json, bytes, &f->slow, NULL, &f->err) != 0)
            fail_msg("%s in %.*s", f->err.message, MF_STR_ARG(bytes));
        if (!f->way->same(&f->fast, &f->slow))
            fail_msg("another event of %.*s", MF_STR_ARG(bytes));
    }
    free(exact);
    return taken;
}

// Puts the id in its place that the fast way finds right. False when it does not take the rest.
static inline bool give_id(struct fixture *f, struct mf_buf *text)
{
    char id[MF_EVENT_ID_SIZE];
    if (!f->way->read(mf_buf_str(text), &f->fast, id))
        return false;
    memcpy(text->data + f->way->id_at, id, MF_EVENT_ID_SIZE - 1);
    return true;
}

// f->other: f->text with `to` for the `len` bytes at `at`, which points into f->text.
static inline void replace_at(struct fixture *f, const char *at, size_t len, const char *to)
{
    mf_buf_clear(&f->other);
    mf_buf_add(&f->other, f->text.data, (size_t)(at - f->text.data));
    mf_buf_add_c(&f->other, to);
    mf_buf_add_c(&f->other, at + len);
}

static inline uint64_t below(uint64_t *random, uint64_t end)
{
    return mf_random_next(random) % end;
}

// One to three bytes changed, left out or put in, mostly by bytes that mean something here.
static inline void mutate(uint64_t *random, const struct mf_buf *from, struct mf_buf *to)
{
    static const char bytes[] = "0123456789.,:\"{}[]\\-+eEZT abcdfmns\t\n\x7f\x80\xc3\xff";
    mf_buf_clear(to);
    mf_buf_add_str(to, mf_buf_str(from));
    for (uint64_t times = 1 + below(random, 3); times > 0; times--) {
        size_t at = below(random, to->len);
        uint64_t how = below(random, 4);
        if (how == 0) {
            memmove(to->data + at, to->data + at + 1, to->len - at - 1);
            to->len--;
        } else if (how == 1) {
            mf_buf_add_char(to, ' ');
            memmove(to->data + at + 1, to->data + at, to->len - at - 1);
        }
        if (how > 0)
            to->data[at] = bytes[below(random, sizeof bytes)]; // NUL too
    }
}

#endif
