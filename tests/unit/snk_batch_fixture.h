// SPDX-License-Identifier: Apache-2.0
// A batch with its partitions, its statements and what is bound to one, for the tests of them.
#ifndef SNK_BATCH_FIXTURE_H
#define SNK_BATCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/sink/flush.h"
#include "services/sink/policy.h"

#define PARTITIONS 6

struct fixture {
    struct snk_batch batch;
    struct snk_work work;
    struct snk_flush flush;
    struct snk_partition partitions[PARTITIONS];
    struct snk_checker checker;
};

static const uint64_t no_randomness[2] = {0, 0};
static const struct snk_limits wide = {1000000, 100000000};

static inline int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    snk_batch_init(&f->batch);
    snk_flush_init(&f->flush);
    // Two topics with two partitions each, and one of each of two more.
    static const enum snk_table tables[PARTITIONS] = {SNK_TABLE_BARS,   SNK_TABLE_BARS,
                                                      SNK_TABLE_NEWS,   SNK_TABLE_NEWS,
                                                      SNK_TABLE_ALERTS, SNK_TABLE_DEAD_LETTERS};
    static const char *const topics[PARTITIONS] = {"t.bars", "t.bars",   "t.news",
                                                   "t.news", "t.alerts", "t.dlq"};
    for (int i = 0; i < PARTITIONS; i++)
        f->partitions[i] = (struct snk_partition){
            .table = tables[i], .topic = topics[i], .number = i % 2, .acquired = true, .epoch = 3 + i};
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    snk_batch_free(&f->batch);
    snk_work_free(&f->work);
    snk_flush_free(&f->flush);
    free(f);
    return 0;
}

static inline struct snk_scope scope_of(const struct fixture *f)
{
    return (struct snk_scope){&f->batch, f->partitions, PARTITIONS};
}

// A row at the partition's position, whose payload and id tell where it came from.
static inline void add(struct fixture *f, size_t partition)
{
    struct snk_partition *p = &f->partitions[partition];
    char payload[64];
    char id[MF_EVENT_ID_SIZE];
    snprintf(payload, sizeof payload, "{\"p\":%zu,\"o\":%lld}", partition, (long long)p->position);
    snprintf(id, sizeof id, "%032llx",
             (unsigned long long)partition * 1000000 + (unsigned long long)p->position);
    f->checker.event.event_id = mf_str_of(id);
    f->checker.event.ingest_time_us = 77;
    snprintf(f->checker.dedupe_key, sizeof f->checker.dedupe_key, "A|%lld|\"x\"", (long long)p->position);
    f->checker.dedupe_key_len = strlen(f->checker.dedupe_key);
    struct snk_record record = {.table = p->table,
                                .topic = p->topic,
                                .partition = p->number,
                                .offset = p->position,
                                .timestamp_ms = 5,
                                .value = mf_str_of(payload)};
    snk_batch_add(&f->batch, partition, &record, &f->checker, 1000);
    p->position++;
}

static inline void add_many(struct fixture *f, size_t partition, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(f, partition);
}

#endif
