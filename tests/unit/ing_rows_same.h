// SPDX-License-Identifier: Apache-2.0
// Is an answer read row by row the page that it is as one document? For the unit test and the fuzz target.
// Header only, because the helper library of the unit tests is linked to no service.
#ifndef MF_TEST_ING_ROWS_SAME_H
#define MF_TEST_ING_ROWS_SAME_H

#include <string.h>

#include "services/ingestor/provider.h"

struct ing_two_pages {
    struct ing_page by_row, whole;
};

static inline void ing_two_pages_init(struct ing_two_pages *pages)
{
    ing_page_init(&pages->by_row);
    ing_page_init(&pages->whole);
    pages->whole.whole = true;
}

static inline void ing_two_pages_free(struct ing_two_pages *pages)
{
    ing_page_free(&pages->by_row);
    ing_page_free(&pages->whole);
}

static inline bool ing_same_text(struct mf_str a, struct mf_str b)
{
    return (a.data == NULL) == (b.data == NULL) && mf_str_eq(a, b);
}

// What becomes of the item: its event, or why it is none; and what a dead letter would show.
static inline void ing_describe_item(const struct ing_provider_config *config, const struct ing_page *page,
                                     const struct ing_item *item, struct mf_buf *out)
{
    struct ing_scratch scratch;
    struct mf_event event;
    struct mf_error err = {.message = ""};
    mf_buf_addf(out, "%lld %lld %u %s ", (long long)item->event_time_us, (long long)item->vendor_us,
                item->index, item->reason);
    ing_page_write_row(page, item, out);
    if (item->reason[0] != '\0')
        return;
    if (ing_polygon.fill_event(config, page, item, &scratch, &event, &err) == 0) {
        event.lane = MF_STR("live");
        event.ingest_time_us = INT64_C(1735689600000000);
        if (mf_event_encode(&event, out, &err) == 0)
            return;
    }
    mf_buf_addf(out, " %s: %s", err.code, err.message);
}

// NULL, or what differs. *by_row: it was read row by row.
static inline const char *ing_two_pages_differ(struct ing_two_pages *pages,
                                               const struct ing_provider_config *config,
                                               const struct ing_reply *reply, bool *by_row)
{
    const struct ing_page *a = &pages->by_row;
    const struct ing_page *b = &pages->whole;
    ing_polygon.decode(config, reply, &pages->by_row);
    ing_polygon.decode(config, reply, &pages->whole);
    *by_row = a->rows.data != NULL;
    if (b->rows.data != NULL)
        return "the whole answer was read by rows";
    if (a->answer != b->answer || strcmp(a->code, b->code) != 0 || strcmp(a->detail, b->detail) != 0)
        return "the answer";
    if (a->flags != b->flags || strcmp(a->request_id, b->request_id) != 0 || !ing_same_text(a->next, b->next))
        return "the envelope";
    if (memcmp(&a->counts, &b->counts, sizeof a->counts) != 0 || a->count != b->count)
        return "the counts";
    if (a->newest_us != b->newest_us || a->rest_us != b->rest_us)
        return "what is left";
    struct mf_buf texts[2];
    mf_buf_init(&texts[0], (size_t)1 << 20);
    mf_buf_init(&texts[1], (size_t)1 << 20);
    bool same = true;
    for (size_t i = 0; i < a->count && same; i++) {
        mf_buf_clear(&texts[0]);
        mf_buf_clear(&texts[1]);
        ing_describe_item(config, a, &a->items[i], &texts[0]);
        ing_describe_item(config, b, &b->items[i], &texts[1]);
        same = mf_str_eq(mf_buf_str(&texts[0]), mf_buf_str(&texts[1]));
    }
    mf_buf_free(&texts[0]);
    mf_buf_free(&texts[1]);
    return same ? NULL : "an item";
}

#endif
