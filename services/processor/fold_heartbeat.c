// SPDX-License-Identifier: Apache-2.0
// Heartbeats move the clocks of their lane: windows close, silent series become stale. What one heartbeat
// causes leaves in an order of its own, because cells are visited in none.
#include <stdlib.h>

#include "services/processor/fold_private.h"

#define STALE_BARS 30                // of the newest ones that are looked at …
#define STALE_BARS_NEAR 20           // … so many must be near the last, else the series is slow by nature
#define FX_OPEN_HOUR 17              // New York, on Sunday; closes at the same hour on Friday
#define STILL_SILENT PRC_TIME_ALWAYS // instead of the time at which the alert resolved

struct feed { // "<provider>.bars.<interval>" of the heartbeat at hand
    struct mf_str provider;
    enum mf_interval interval;
    int64_t before_us, after_us; // complete_to
};

struct beat {
    struct prc_fold *fold;
    struct prc_lane *lane;
    struct feed feeds[MF_HEARTBEAT_FEEDS_MAX];
    size_t feed_count;
    bool ends, live;
    bool closed_known, is_open[MF_ASSET_CLASS_MAX]; // at the lane's clock
    int64_t open_us[MF_ASSET_CLASS_MAX];            // since when
};

static bool parse_feed(struct mf_str name, struct feed *feed)
{
    static const char middle[] = ".bars.";
    for (size_t i = 0; i + sizeof(middle) - 1 <= name.len; i++) {
        if (memcmp(name.data + i, middle, sizeof(middle) - 1) != 0)
            continue;
        size_t from = i + sizeof(middle) - 1;
        feed->provider = (struct mf_str){name.data, i};
        return mf_interval_parse((struct mf_str){name.data + from, name.len - from}, &feed->interval);
    }
    return false;
}

static int by_interval(const void *a, const void *b)
{
    return (int)((const struct feed *)a)->interval - (int)((const struct feed *)b)->interval;
}

// False when a feed is one too many for the lane.
static bool move_clocks(struct beat *beat)
{
    const struct mf_heartbeat *heartbeat = &beat->fold->event.heartbeat;
    struct prc_lane *lane = beat->lane;
    bool moved = true;
    for (size_t i = 0; i < heartbeat->feed_count; i++) {
        struct feed *feed = &beat->feeds[beat->feed_count];
        struct mf_str name = heartbeat->feeds[i].name;
        char provider[24];
        bool bars = parse_feed(name, feed) && mf_str_copy(provider, sizeof(provider), feed->provider);
        if (bars)
            feed->before_us = prc_lane_complete_to(lane, provider, feed->interval);
        if (!prc_lane_move(lane, name, heartbeat->feeds[i].complete_to_us)) {
            moved = false;
        } else if (bars) {
            feed->after_us = prc_lane_complete_to(lane, provider, feed->interval);
            beat->feed_count++;
        }
    }
    // Of a provider's own intervals the finest closes its windows first, in whatever order they are named.
    qsort(beat->feeds, beat->feed_count, sizeof(beat->feeds[0]), by_interval);
    if (heartbeat->clock_us > lane->clock_us)
        lane->clock_us = heartbeat->clock_us;
    return moved;
}

static bool fx_is_open(const struct mf_calendar *calendar, int64_t clock_us, int64_t *open_us)
{
    struct mf_date date = mf_calendar_local_date(calendar, clock_us);
    struct mf_date sunday = mf_date_add_days(date, -mf_date_weekday(date));
    *open_us = mf_calendar_local_to_utc(calendar, sunday, FX_OPEN_HOUR, 0);
    int64_t close_us = mf_calendar_local_to_utc(calendar, mf_date_add_days(sunday, 5), FX_OPEN_HOUR, 0);
    return clock_us >= *open_us && clock_us < close_us;
}

// Which markets are open at the lane's clock, and since when.
static void look_at_markets(struct beat *beat)
{
    const struct mf_calendar *calendar = beat->fold->calendar;
    int64_t clock_us = beat->lane->clock_us;
    struct mf_calendar_session session;
    struct mf_date date = mf_calendar_local_date(calendar, clock_us);
    bool regular = mf_calendar_session_of(calendar, date, &session) && session.open_us <= clock_us &&
                   clock_us < session.close_us;
    for (int c = 0; c < MF_ASSET_CLASS_MAX; c++) {
        beat->is_open[c] = regular;
        beat->open_us[c] = regular ? session.open_us : PRC_TIME_ALWAYS;
    }
    beat->is_open[MF_ASSET_CRYPTO] = true;
    beat->open_us[MF_ASSET_CRYPTO] = PRC_TIME_ALWAYS;
    beat->is_open[MF_ASSET_FX] = fx_is_open(calendar, clock_us, &beat->open_us[MF_ASSET_FX]);
    beat->closed_known = true;
}

static const struct prc_slot *newest_of(const struct prc_series *series)
{
    size_t count = prc_series_ring_count(series);
    return count > 0 ? prc_series_ring_slot(series, count - 1) : NULL;
}

// Is a bar every interval or so what the series is used to?
static bool is_steady(const struct prc_series *series, int64_t length_us)
{
    size_t count = prc_series_ring_count(series), near = 0;
    int64_t last_us = newest_of(series)->time_us;
    for (size_t i = 0; i < STALE_BARS && i < count; i++)
        near += prc_series_ring_slot(series, count - 1 - i)->time_us >= last_us - STALE_BARS * length_us;
    return near >= STALE_BARS_NEAR;
}

static void publish_stale(struct prc_fold *fold, const struct prc_target *target, unsigned flags,
                          enum mf_provenance_mode mode, int64_t about_us, int64_t resolved_us)
{
    if (prc_fold_replays(fold))
        return;
    char message[PRC_MESSAGE_SIZE];
    const struct prc_series *series = target->series;
    const char *interval = mf_interval_name(series->key.interval);
    int64_t since_us = prc_time_meant(series->stale_since_us);
    prc_fold_alert_begin(fold, target->cell, series->asset_class, PRC_RULE_STALE_FEED, since_us,
                         prc_inherited(flags), mode);
    struct mf_alert *alert = &fold->alert.alert;
    alert->interval = mf_str_of(interval);
    alert->adjusted = series->key.adjusted;
    alert->severity = (enum mf_severity)series->stale_severity;
    alert->value = series->stale_value;
    alert->threshold = series->stale_threshold;
    alert->revision = series->stale_revision;
    alert->parent_source = mf_str_of(series->key.provider);
    size_t len = 0;
    if (resolved_us != STILL_SILENT) {
        alert->state = MF_ALERT_RESOLVED;
        alert->reason = mf_str_of(prc_resolution_name(PRC_RESOLVED_CLEARED));
        alert->resolved_time_us = resolved_us;
        len = prc_resolved_message(PRC_RULE_STALE_FEED, interval, PRC_RESOLVED_CLEARED, message,
                                   sizeof(message));
    } else {
        alert->state = MF_ALERT_FIRING;
        prc_stale_baseline(series->key.interval, series->stale_value, alert);
        len = prc_stale_message(interval, series->stale_value, series->stale_threshold, since_us, message,
                                sizeof(message));
        fold->counts.alerts[PRC_RULE_STALE_FEED][series->stale_severity]++;
    }
    alert->message = (struct mf_str){message, len};
    struct prc_about about = {target->cell, series, about_us, PRC_RULE_STALE_FEED};
    prc_fold_made_emit(fold, &fold->alert, MF_TOPIC_ALERTS, &about);
}

unsigned prc_fold_fresh(struct prc_fold *fold, const struct prc_target *target, const struct prc_bar *bar)
{
    struct prc_series *series = target->series;
    if (series->stale_since_us == 0 || bar->time_us <= series->stale_since_us)
        return 0;
    series->stale_revision++;
    publish_stale(fold, target, bar->flags, bar->mode, bar->end_us, bar->end_us);
    series->stale_since_us = 0;
    return 1;
}

static void look_for_silence(struct beat *beat, const struct prc_target *target)
{
    struct prc_fold *fold = beat->fold;
    struct prc_series *series = target->series;
    enum mf_interval interval = series->key.interval;
    const struct prc_slot *last = newest_of(series);
    enum mf_severity severity = MF_SEVERITY_INFO;
    double threshold = 0;
    if (!beat->closed_known)
        look_at_markets(beat);
    if (last == NULL || interval > MF_INTERVAL_1H || !beat->is_open[series->asset_class])
        return;
    int64_t length_us = mf_interval_us(interval), open_us = beat->open_us[series->asset_class];
    int64_t since_us = last->time_us > open_us ? last->time_us : open_us;
    double age = (double)(beat->lane->clock_us - since_us) / (double)length_us;
    if (fold->watch != NULL)
        fold->watch->stale(fold->watch->arg, target->cell, series, beat->lane->clock_us, age,
                           is_steady(series, length_us));
    if (!prc_stale_severity(&fold->rules, interval, age, &severity, &threshold) ||
        !is_steady(series, length_us))
        return;
    bool open = series->stale_since_us != 0;
    if (open && severity <= (enum mf_severity)series->stale_severity)
        return;
    series->stale_revision = (uint16_t)(open ? series->stale_revision + 1 : 0);
    series->stale_since_us = prc_time_kept(last->time_us);
    series->stale_severity = (uint8_t)severity;
    series->stale_value = age;
    series->stale_threshold = threshold;
    publish_stale(fold, target, last->flags, (enum mf_provenance_mode)last->mode, beat->lane->clock_us,
                  STILL_SILENT);
    prc_cell_dirty(fold->partition, target->cell, fold->input->offset);
}

// Every window of the group, as if its feeds were complete for ever.
static void end_group(struct beat *beat, struct prc_target *target)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        target->series = target->group->vendor[i];
        if (target->series == NULL)
            continue;
        const char *provider = target->group->provider;
        int64_t complete = prc_lane_complete_to(beat->lane, provider, (enum mf_interval)i);
        for (size_t f = 0; f < beat->feed_count; f++) // as it was before this heartbeat
            if (beat->feeds[f].interval == (enum mf_interval)i &&
                mf_str_eq_c(beat->feeds[f].provider, provider))
                complete = beat->feeds[f].before_us;
        prc_fold_roll(beat->fold, target, NULL, prc_chain_clock(target->series, complete), PRC_TIME_NEVER);
    }
}

static void visit_group(struct beat *beat, struct prc_target *target)
{
    if (beat->ends) {
        end_group(beat, target);
        return;
    }
    for (size_t f = 0; f < beat->feed_count; f++) {
        const struct feed *feed = &beat->feeds[f];
        target->series = target->group->vendor[feed->interval];
        if (target->series == NULL || !mf_str_eq_c(feed->provider, target->group->provider))
            continue;
        int64_t before = prc_chain_clock(target->series, feed->before_us);
        int64_t after = prc_chain_clock(target->series, feed->after_us);
        if (after > before)
            prc_fold_roll(beat->fold, target, NULL, before, after);
        if (beat->live)
            look_for_silence(beat, target);
    }
}

static void visit_cells(struct beat *beat)
{
    struct prc_partition *partition = beat->fold->partition;
    for (size_t b = 0; b < partition->bucket_count; b++)
        for (struct prc_cell *cell = partition->buckets[b]; cell != NULL; cell = cell->next) {
            if (cell->home != beat->lane || prc_fold_knows(beat->fold, cell))
                continue;
            for (size_t g = 0; g < cell->group_count; g++) {
                struct prc_target target = {cell, cell->groups[g], NULL};
                visit_group(beat, &target);
            }
        }
}

static void remove_cells(struct beat *beat)
{
    struct prc_partition *partition = beat->fold->partition;
    for (size_t b = 0; b < partition->bucket_count; b++)
        for (struct prc_cell *cell = partition->buckets[b], *next; cell != NULL; cell = next) {
            next = cell->next;
            // In a replay: one of the lane's next life stays.
            if (cell->home == beat->lane && !prc_fold_knows(beat->fold, cell))
                prc_partition_remove(partition, &cell);
        }
    prc_partition_drop_lane(partition, beat->fold->event.lane);
}

void prc_fold_heartbeat(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    struct beat beat = {
        .fold = fold, .ends = event->heartbeat.lane_end, .live = fold->partition->role == MF_TOPIC_RAW};
    beat.lane = prc_partition_lane(fold->partition, event->lane, !beat.ends);
    bool refused = beat.lane == NULL ? !beat.ends : !move_clocks(&beat);
    if (refused) {
        fold->counts.state_refusals += !prc_fold_replays(fold);
        prc_fold_dead_letter(fold, true, "state_limit",
                             "the partition has too many lanes, or the lane too many feeds");
    } else {
        prc_fold_count(fold, PRC_KEPT);
    }
    if (beat.lane == NULL)
        return; // refused, or a lane that has ended before
    prc_fold_collect(fold);
    visit_cells(&beat);
    prc_fold_flush(fold, true);
    if (beat.ends)
        remove_cells(&beat);
}
