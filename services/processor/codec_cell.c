// SPDX-License-Identifier: Apache-2.0
// One cell: metadata of the symbol, what is remembered of news and reference events, groups of series,
// contracts.
#include <stdlib.h>

#include "services/processor/codec_io.h"

#define TEXT_MAX 4096

static void io_recent_alert(struct prc_io *io, struct prc_recent_alert *alert)
{
    uint64_t digest = alert->digest;
    prc_io_u64(io, &digest);
    alert->digest = (uint32_t)digest;
    io->bad |= digest > UINT32_MAX;
    alert->revision = (uint16_t)prc_io_small(io, alert->revision, UINT16_MAX + 1);
    alert->state = (uint8_t)prc_io_small(io, alert->state, PRC_NEWS_ALERT_WITHDRAWN + 1);
    alert->severity = (uint8_t)prc_io_small(io, alert->severity, MF_SEVERITY_MAX);
    prc_io_double(io, &alert->value);
}

static void io_recent(struct prc_io *io, struct prc_recent *recent)
{
    bool has_alerts = recent->alerts != NULL;
    prc_io_fixed(io, &recent->key_hash);
    prc_io_fixed(io, &recent->content_hash);
    recent->revision = (uint16_t)prc_io_small(io, recent->revision, UINT16_MAX + 1);
    prc_io_bool(io, &has_alerts);
    if (!has_alerts)
        return;
    if (prc_io_reading(io))
        recent->alerts = mf_calloc(PRC_NEWS_RULE_MAX, sizeof *recent->alerts);
    for (int r = 0; r < PRC_NEWS_RULE_MAX; r++)
        io_recent_alert(io, &recent->alerts[r]);
}

// A ring is written from its oldest entry on, and read to begin at 0.
static void io_recents(struct prc_io *io, struct prc_cell *cell)
{
    prc_io_count(io, &cell->recent_count, PRC_RECENT);
    if (prc_io_reading(io) && cell->recent_count > 0)
        prc_cell_reserve_recent(cell, cell->recent_count);
    for (size_t i = 0; i < cell->recent_count; i++)
        io_recent(io, &cell->recent[(cell->recent_start + i) % PRC_RECENT]);
}

static void io_articles(struct prc_io *io, struct prc_cell *cell)
{
    prc_io_count(io, &cell->article_count, PRC_ARTICLES);
    if (prc_io_reading(io) && cell->article_count > 0)
        cell->articles = mf_calloc(PRC_ARTICLES, sizeof *cell->articles);
    for (size_t i = 0; i < cell->article_count; i++) {
        struct prc_article *article = &cell->articles[(cell->article_start + i) % PRC_ARTICLES];
        prc_io_i64(io, &article->time_us);
        prc_io_fixed(io, &article->key_hash);
        prc_io_fixed(io, &article->url_hash);
        prc_io_fixed(io, &article->title_hash);
        prc_io_double(io, &article->score);
    }
}

// The series of a group that are there, by a bit per interval.
static void io_series_of(struct prc_io *io, struct prc_series *series[MF_INTERVAL_MAX])
{
    uint64_t there = 0;
    for (int i = 0; i < MF_INTERVAL_MAX && !prc_io_reading(io); i++)
        there |= (uint64_t)(series[i] != NULL) << i;
    prc_io_u64(io, &there);
    for (int i = 0; i < MF_INTERVAL_MAX && !io->bad; i++) {
        if ((there >> i & 1) == 0)
            continue;
        prc_io_series(io, &series[i]);
        if (series[i] != NULL && series[i]->key.interval != (enum mf_interval)i)
            io->bad = true;
    }
}

static void io_group(struct prc_io *io, struct prc_group *group)
{
    prc_io_name(io, group->provider, sizeof group->provider);
    group->adjusted = (enum mf_adjusted)prc_io_small(io, group->adjusted, MF_ADJUSTED_MAX);
    for (int i = 0; i < PRC_FED_INTERVALS; i++)
        group->fed_by[i] = (uint8_t)prc_io_small(io, group->fed_by[i], UINT8_MAX + 1);
    prc_io_double(io, &group->news_price);
    io_series_of(io, group->vendor);
    io_series_of(io, group->derived);
}

static void io_splits(struct prc_io *io, struct prc_cell *cell)
{
    prc_io_count(io, &cell->split_count, PRC_SPLITS);
    for (size_t i = 0; i < cell->split_count; i++)
        cell->splits[i] = prc_io_i32(io, cell->splits[i]);
}

static void io_cell(struct prc_io *io, struct prc_cell *cell)
{
    prc_io_text(io, &cell->name, TEXT_MAX);
    prc_io_text(io, &cell->exchange, TEXT_MAX);
    prc_io_text(io, &cell->type, TEXT_MAX);
    io_splits(io, cell);
    prc_io_i64(io, &cell->news_time_us);
    prc_io_i64(io, &cell->cluster_quiet_until_us);
    cell->cluster_severity = (uint8_t)prc_io_small(io, cell->cluster_severity, MF_SEVERITY_MAX);
    io_recents(io, cell);
    io_articles(io, cell);
    prc_io_count(io, &cell->group_count, PRC_GROUPS_PER_CELL_MAX);
    for (size_t g = 0; g < cell->group_count && !io->bad; g++) {
        if (prc_io_reading(io))
            cell->groups[g] = mf_calloc(1, sizeof *cell->groups[g]);
        io_group(io, cell->groups[g]);
    }
    if (!io->bad)
        prc_io_contracts(io, &cell->contracts);
}

void prc_cell_encode(const struct prc_cell *cell, struct mf_buf *out)
{
    struct prc_io io = {.out = out};
    io_cell(&io, (struct prc_cell *)cell); // writing changes nothing
}

int prc_cell_decode(struct prc_partition *partition, struct mf_str lane, struct mf_str symbol, int64_t offset,
                    struct mf_str bytes, struct mf_error *err)
{
    bool full = false;
    struct prc_cell *cell = prc_partition_cell(partition, lane, symbol, true, &full);
    if (cell == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "state_limit",
                            "the stored state has more symbols in lane %.*s than PROCESSOR_MAX_CELLS allows: "
                            "raise it to what it was",
                            MF_STR_ARG(lane));
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct prc_io io = {.at = at, .end = at + bytes.len};
    io_cell(&io, cell);
    for (size_t g = cell->group_count; g > 0 && cell->groups[g - 1] == NULL; g--)
        cell->group_count = g - 1; // reading ended early: what was not made is not there
    cell->restored_at = offset;
    partition->stored += cell->parts == 0;
    cell->parts = (uint16_t)prc_parts_of(bytes.len);
    struct mf_error problem;
    if (prc_io_end(&io, "a symbol", &problem) == 0)
        return 0;
    char name[MF_SYMBOL_MAX + 1];
    if (!mf_str_copy(name, sizeof name, symbol))
        mf_str_copy(name, sizeof name, MF_STR("?"));
    prc_partition_remove(partition, &cell);
    *err = problem;
    mf_error_prefix(err, "symbol %s", name);
    return -1;
}
