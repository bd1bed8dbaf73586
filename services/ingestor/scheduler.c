// SPDX-License-Identifier: Apache-2.0
// Heap of due times (see scheduler.h).
#include "services/ingestor/scheduler.h"

#include <stdlib.h>

enum { STARVED_TURNS = 9 };
#define STARVED_US (60 * MF_US_PER_SECOND)

void ing_scheduler_init(struct ing_scheduler *scheduler)
{
    *scheduler = (struct ing_scheduler){0};
}

void ing_scheduler_free(struct ing_scheduler *scheduler)
{
    free(scheduler->heap);
    *scheduler = (struct ing_scheduler){0};
}

// Total order: of two entries with one due time the one put first comes first.
static bool before(const struct ing_due *a, const struct ing_due *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void set(struct ing_scheduler *s, size_t place, struct ing_due *due)
{
    s->heap[place] = due;
    due->place = place;
}

static void sift_up(struct ing_scheduler *s, struct ing_due *due)
{
    size_t place = due->place;
    for (; place > 1 && before(due, s->heap[place / 2]); place /= 2)
        set(s, place, s->heap[place / 2]);
    set(s, place, due);
}

static void sift_down(struct ing_scheduler *s, struct ing_due *due)
{
    size_t place = due->place;
    for (size_t child = 2 * place; child <= s->count; child = 2 * place) {
        if (child < s->count && before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s->heap[child], due))
            break;
        set(s, place, s->heap[child]);
        place = child;
    }
    set(s, place, due);
}

void ing_scheduler_put(struct ing_scheduler *scheduler, struct ing_due *due, int64_t due_us)
{
    ing_scheduler_remove(scheduler, due);
    if (scheduler->count + 2 > scheduler->capacity) {
        scheduler->capacity = scheduler->capacity < 16 ? 16 : scheduler->capacity * 2;
        scheduler->heap = mf_realloc(scheduler->heap, scheduler->capacity * sizeof(struct ing_due *));
    }
    due->due_us = due_us;
    due->order = scheduler->next_order++;
    set(scheduler, ++scheduler->count, due);
    sift_up(scheduler, due);
}

// The last entry takes the free place and moves up or down from there.
void ing_scheduler_remove(struct ing_scheduler *scheduler, struct ing_due *due)
{
    if (due->place == 0)
        return;
    struct ing_due *last = scheduler->heap[scheduler->count--];
    if (last != due) {
        set(scheduler, due->place, last);
        sift_up(scheduler, last);
        sift_down(scheduler, last);
    }
    due->place = 0;
}

struct ing_due *ing_scheduler_first(const struct ing_scheduler *scheduler)
{
    return scheduler->count > 0 ? scheduler->heap[1] : NULL;
}

// Below one that is not due nothing is: the walk in heap order touches what is due and its children only.
unsigned ing_scheduler_count(const struct ing_scheduler *scheduler, int64_t until_us, unsigned max,
                             ing_due_counts *counts, void *arg)
{
    unsigned count = 0;
    size_t place = 1;
    while (place > 0 && count < max) {
        bool due = place <= scheduler->count && scheduler->heap[place]->due_us <= until_us;
        if (due) {
            count += counts == NULL || counts(arg, scheduler->heap[place]);
            place *= 2;
            continue;
        }
        while (place % 2 == 1) // up from a right child, or from the top: there is no more
            place /= 2;
        place += place > 0;
    }
    return count;
}

struct ing_due *ing_scheduler_starved(const struct ing_scheduler *schedulers, size_t count, unsigned turns,
                                      int64_t now_us)
{
    struct ing_due *oldest = NULL;
    for (size_t i = 1; i < count && turns >= STARVED_TURNS; i++) {
        struct ing_due *first = ing_scheduler_first(&schedulers[i]);
        if (first != NULL && first->due_us + STARVED_US <= now_us &&
            (oldest == NULL || first->due_us < oldest->due_us))
            oldest = first;
    }
    return oldest;
}

struct ing_due *ing_scheduler_take(struct ing_scheduler *scheduler, int64_t now_us)
{
    struct ing_due *first = ing_scheduler_first(scheduler);
    if (first == NULL || first->due_us > now_us)
        return NULL;
    ing_scheduler_remove(scheduler, first);
    return first;
}
